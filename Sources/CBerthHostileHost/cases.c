/* SPDX-License-Identifier: Apache-2.0
 *
 * What the cases share, their table, and how one is run.
 */
#define _GNU_SOURCE
#include "cases.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const hostile_event plain = {
    .name = "a made-up delivery", .kind = "check", .body = (const uint8_t *)"{\"id\":\"1\",\"event\":\"check\"}", .body_length = 26};

const hostile_event *hostile_event_at(size_t index) { return PLAN->event_count ? &PLAN->events[index % PLAN->event_count] : &plain; }
size_t hostile_event_count(void) { return PLAN->event_count ? PLAN->event_count : 1; }

void hostile_skip(const char *what) { hostile_say("SKIP", "the plugin offers no %s", what); }

int32_t hostile_handle_one(const hostile_plugin *plugin, void *instance, const hostile_event *event) {
    int32_t status;
    int32_t whole = hostile_handle(plugin, instance, &event, 1, &status);
    hostile_judge("handle", event->name, whole);
    hostile_judge("an event", event->name, status);
    return status;
}

void hostile_exercise(const hostile_plugin *plugin, void *instance) {
    if (plugin->events)
        for (size_t i = 0; i < hostile_event_count(); i++)
            STEP("event %s", hostile_event_at(i)->name), hostile_handle_one(plugin, instance, hostile_event_at(i));
    for (const char *const *stream = PLAN->streams; plugin->reading && *stream; stream++)
        for (uint32_t mode = BERTH_READ_FULL; mode <= BERTH_READ_RANGE; mode++)
            STEP("read of %s in mode %u", *stream, mode),
                hostile_judge("read", *stream, hostile_read(plugin, instance, *stream, mode, NULL, 0));
    if (plugin->credentials) STEP("check of credentials"), hostile_judge("check", "credentials", hostile_check(plugin, instance));
    for (const char *const *action = PLAN->actions; plugin->actions && *action; action++)
        STEP("action %s", *action), hostile_judge("perform", *action, hostile_perform(plugin, instance, *action, "{}", 2));
}

void hostile_finish(const hostile_plugin *plugin, void *instance) {
    STEP("destroy");
    plugin->table.destroy(plugin->table.plugin, instance);
    STEP("shutdown");
    if (plugin->table.shutdown) plugin->table.shutdown(plugin->table.plugin);
}

size_t hostile_mutated(const hostile_event *event, uint8_t *out, size_t room) {
    static const char *const strange[] = {
        "\"",   "\\",           "{",       "[",       "}",  "]",  "null", "1e999", "-0", "9223372036854775808",
        "\xff", "\xed\xa0\x80", "\\u0000", "\\ud800", "\n", "\t", "true", ":",     ","};
    size_t length = event->body_length < room - 64 ? event->body_length : room - 64;
    memcpy(out, event->body, length);
    for (uint64_t times = 1 + hostile_random() % 4; times > 0; times--) {
        const char *piece = strange[hostile_random() % (sizeof strange / sizeof strange[0])];
        size_t at = length ? hostile_random() % length : 0, size = strlen(piece);
        switch (hostile_random() % 4) {
        case 0: length = at; break;
        case 1:
            if (length) out[at] ^= (uint8_t)(1u << hostile_random() % 8);
            break;
        case 2:
            if (at + size <= length) memcpy(out + at, piece, size);
            break;
        default:
            if (length + size > room) break;
            memmove(out + at + size, out + at, length - at);
            memcpy(out + at, piece, size);
            length += size;
        }
    }
    return length;
}

static const struct {
    const char *name, *purpose;
    void (*run)(void);
} cases[] = {
    {"manifest-matches", "offers what the manifest declares", hostile_case_manifest_matches},
    {"interface-ids", "answers NULL to unknown, empty and overlong interface ids", hostile_case_interface_ids},
    {"older-host", "reads nothing beyond tables that end with their last known member, before a guard page", hostile_case_older_host},
    {"newer-host", "ignores the poisoned tail of longer tables", hostile_case_newer_host},
    {"without-http", "does without berth.http/1, or refuses", hostile_case_without_http},
    {"without-signature", "does without berth.signature/1, or refuses", hostile_case_without_signature},
    {"without-anything", "does without all optional interfaces, or refuses", hostile_case_without_anything},
    {"settings", "survives settings of any form", hostile_case_settings},
    {"events", "takes the bundle's fixtures as events", hostile_case_events},
    {"malformed-events", "gives malformed events a status", hostile_case_malformed_events},
    {"repeated-events", "treats duplicate and reordered events as it treats them alone", hostile_case_repeated_events},
    {"huge-events", "survives 25 MiB, a million members, deep nesting, and batches of 1024", hostile_case_huge_events},
    {"provider-answers", "maps errors and garbage from the provider to statuses", hostile_case_provider_answers},
    {"foreign-state", "survives checkpoints it did not write, unknown streams and modes", hostile_case_foreign_state},
    {"actions", "survives input of any form to actions and writes", hostile_case_actions},
    {"resume", "stores the same whether or not a read is broken off, at each host call", hostile_case_resume},
    {"cancel", "ends when the host cancels, at each host call", hostile_case_cancel},
    {"stale", "ends when its operation is stale, and calls with no ended one", hostile_case_stale},
    {"failing-calls", "survives each host call failing once, and hides no refusal", hostile_case_failing_calls},
    {"tampered-signatures", "verifies nothing that no key has signed", hostile_case_tampered_signatures},
    {"parallel", "works on several threads up to the declared concurrency", hostile_case_parallel},
    {"leak", "gives memory back over repeated starts and stops", hostile_case_leak},
};
enum { CASES = sizeof cases / sizeof cases[0] };

const char *hostile_case_name(size_t index) { return index < CASES ? cases[index].name : NULL; }

const char *hostile_case_purpose(const char *name) {
    for (size_t i = 0; i < CASES; i++)
        if (strcmp(cases[i].name, name) == 0) return cases[i].purpose;
    return NULL;
}

static void *run_case(void *context) {
    void (*run)(void) = *(void (**)(void))context;
    hostile_seed(PLAN->seed);
    run();
    return NULL;
}

int hostile_run(const hostile_plan *plan, const char *name, int report) {
    hostile.plan = plan;
    hostile.report = report;
    for (size_t i = 0; i < CASES; i++) {
        if (strcmp(cases[i].name, name) != 0) continue;
        void (*run)(void) = cases[i].run;
        pthread_attr_t attributes;
        pthread_t thread;
        /* One arena: mallinfo2 knows no other. */
        mallopt(M_ARENA_MAX, 1);
        hostile_remember_process();
        /* The stack of the daemon's operation threads. */
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, 1 << 20);
        if (pthread_create(&thread, &attributes, run_case, &run) != 0) abort();
        pthread_join(thread, NULL);
        hostile_compare_process();
        if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) FAIL("the plugin started a process");
        return hostile.failures > 0;
    }
    return 2;
}
