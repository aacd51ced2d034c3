/* SPDX-License-Identifier: Apache-2.0
 *
 * The hostile host's own parts: its tables, what it does to the calls of a plugin, and what it saw. Not public.
 */
#ifndef BERTH_HOSTILE_HOST_H
#define BERTH_HOSTILE_HOST_H

#include "berth_hostile.h"

#include <berth/actions.h>
#include <berth/credentials.h>
#include <berth/events.h>
#include <berth/http.h>
#include <berth/plugin.h>
#include <berth/read_stream.h>
#include <berth/signature.h>
#include <berth/verify.h>
#include <berth/write.h>
#include <pthread.h>

/* What the provider answers. ANSWER_SAME: a fixture chosen by the request alone, the same again for the same request. */
typedef enum { ANSWER_FIXTURES, ANSWER_SAME, ANSWER_EMPTY_OBJECT, ANSWER_HTML, ANSWER_CUT, ANSWER_BINARY, ANSWER_STATUS } hostile_answer;

/* What a store would hold of a read: each record's last version, as digests. */
enum { STORE_MAX = 8192 };
typedef struct hostile_store {
    struct {
        uint64_t key, value;
    } saved[STORE_MAX], pending[STORE_MAX];
    size_t saved_count, pending_count;
    uint8_t state[64 << 10];
    size_t state_length;
    uint32_t state_schema;
} hostile_store;

/* The plan of the running case, and how the host behaves now. Changed between operations only. */
typedef struct hostile_state {
    const hostile_plan *plan;
    int report;
    unsigned failures;
    char said[256]; /* the plugin's last message of a failure */

    /* Behaviour. */
    const char *hidden_interface; /* answers NULL for this one; "*" for all */
    uint64_t fail_at;             /* the call, counted from 1, that fails; 0: none */
    int32_t fail_with;
    uint64_t cancel_at; /* from this call on everything is cancelled; 0: never */
    int answers_stale;  /* every call does */
    hostile_answer answer;
    uint32_t answer_status;
    uint64_t variation;   /* of ANSWER_SAME: which fixture answers which request */
    hostile_store *store; /* NULL: nobody keeps records */
    int is_parallel;      /* several operations at once: only values are checked, not whose they are */
    int is_newer;         /* tables are longer than today's, their tails poisoned */

    /* The running operation. */
    _Atomic(berth_operation) current;
    _Atomic(uint64_t) calls;
    pthread_t thread;
    uint32_t items;
    _Atomic(uint64_t) requests;
    int refused_data; /* an emit, checkpoint or reply was answered with another status than OK */
    int refused_any;
    int hmac_said_yes;
    uint64_t records, checkpoints;
    uint64_t unsaved;    /* records of a read since its last checkpoint */
    uint64_t digest[64]; /* of what was emitted, per item; the last one: for no item */
} hostile_state;

extern hostile_state hostile;

void hostile_say(const char *kind, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define FAIL(...) hostile_say("FAIL", __VA_ARGS__)
#define NOTE(...) hostile_say("NOTE", __VA_ARGS__)

/* A number per call, the same again after the same seed; per thread. */
void hostile_seed(uint64_t seed);
uint64_t hostile_random(void);
/* `length` bytes that end where readable memory does; freed with hostile_release. */
uint8_t *hostile_guarded(const void *bytes, size_t length);
void hostile_release(uint8_t *bytes, size_t length);
/* Makes them unreadable and their place unused for a while: who kept a pointer to them is found out. */
void hostile_retire(uint8_t *bytes, size_t length);

/* The host's table: exactly as long as today's and before a guard page, or longer with a poisoned tail. */
const berth_host_v1 *hostile_table(void);
const char *hostile_status(int32_t status);

/* Begins and ends an operation on this thread. */
berth_operation hostile_begin(uint32_t items);
void hostile_end(void);
/* No statements about the process may have changed: cwd, umask, environment, signal handlers, stdout. */
void hostile_remember_process(void);
void hostile_compare_process(void);

#endif
