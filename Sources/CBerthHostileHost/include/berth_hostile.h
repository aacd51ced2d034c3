/* SPDX-License-Identifier: Apache-2.0
 *
 * A host that means a plugin no good: the cases of `berthctl plugin check`, one per process. Written against the public headers alone,
 * as a third party would host a plugin; it shares nothing with the daemon.
 */
#ifndef BERTH_HOSTILE_H
#define BERTH_HOSTILE_H

#include <stddef.h>
#include <stdint.h>

/* A delivery to hand over. All texts end with NUL except the body. */
typedef struct hostile_event {
    const char *name; /* of the fixture, for messages */
    const char *kind;
    const uint8_t *body;
    size_t body_length;
} hostile_event;

/* What is checked, as the manifest says it. Lists end with NULL. */
typedef struct hostile_plan {
    const char *library;
    const char *settings; /* JSON object for create */
    const char *base_url;
    const char *const *streams;
    const char *const *actions;
    const char *const *hosts; /* where requests may go: allowed_hosts, "*.example.com" for subdomains, and base_url's */
    const hostile_event *events;
    size_t event_count;
    uint64_t seed;
    uint32_t concurrency; /* runtime.max_concurrency */
    uint32_t declares;    /* HOSTILE_ bits: what the manifest says the plugin can do */
} hostile_plan;

#define HOSTILE_EVENTS 1u
#define HOSTILE_READS 2u
#define HOSTILE_WRITES 4u
#define HOSTILE_ACTIONS 8u
#define HOSTILE_VERIFIES 16u

/* The name of a case in the order in which they run; NULL beyond the last. */
const char *hostile_case_name(size_t index);
/* What a case looks for, in a sentence; NULL for an unknown name. */
const char *hostile_case_purpose(const char *name);

/* Runs a case in this process, which is good for nothing else afterwards. Lines "FAIL ...", "SKIP ...", "NOTE ..." and "LEAK ..."
 * are written to `report`, a descriptor. Answers 0 when nothing failed. */
int hostile_run(const hostile_plan *plan, const char *name, int report);

/* Calls `found` with the name of each symbol that a library exports. Answers NULL, or why its table cannot be read. */
const char *hostile_exports(const uint8_t *bytes, size_t count, void *context, void (*found)(void *context, const char *name));

#endif
