/* SPDX-License-Identifier: Apache-2.0
 *
 * Cases about what the host and the provider answer: garbage, errors, cancellation, refusals, foreign checkpoints.
 */
#define _GNU_SOURCE
#include "cases.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void judge_refused(const char *what, const char *detail, int32_t status) {
    hostile_judge(what, detail, status);
    if (status == BERTH_OK && hostile.refused_data)
        FAIL("%s (%s) answered ok, though the host did not take an emit, checkpoint or reply", what, detail);
}

/* All operations with the host as it behaves now. Answers how many host calls the longest made. */
static uint64_t operate(const hostile_plugin *plugin, void *instance) {
    uint64_t most = 0;
    int32_t status;
    for (const char *const *stream = PLAN->streams; plugin->reading && *stream; stream++) {
        hostile_seed(PLAN->seed);
        judge_refused("read", *stream, hostile_read(plugin, instance, *stream, BERTH_READ_FULL, NULL, 0));
        if (hostile.calls > most) most = hostile.calls;
    }
    for (size_t i = 0; plugin->events && i < hostile_event_count() && i < 8; i++) {
        const hostile_event *event = hostile_event_at(i);
        hostile_handle(plugin, instance, &event, 1, &status);
        judge_refused("an event", event->name, status);
        if (hostile.calls > most) most = hostile.calls;
    }
    for (const char *const *action = PLAN->actions; plugin->actions && *action; action++)
        judge_refused("perform", *action, hostile_perform(plugin, instance, *action, "{}", 2));
    if (plugin->credentials) judge_refused("check", "credentials", hostile_check(plugin, instance));
    return most;
}

void hostile_case_cancel(void) {
    hostile_plugin plugin;
    void *instance;
    if (!hostile_start(&plugin, &instance)) return;
    uint64_t most = operate(&plugin, instance);
    for (uint64_t at = 1; at <= most && at <= 40; at++)
        STEP("cancelled from host call %llu on", (unsigned long long)at), hostile.cancel_at = at, operate(&plugin, instance);
    hostile.cancel_at = 0;
    hostile_finish(&plugin, instance);
}

void hostile_case_stale(void) {
    hostile_plugin plugin;
    void *instance;
    if (!hostile_start(&plugin, &instance)) return;
    hostile.answers_stale = 1;
    STEP("every host call answers stale");
    operate(&plugin, instance);
    hostile.answers_stale = 0;
    hostile_finish(&plugin, instance);
    /* A thread of the plugin that goes on calling would be heard now. */
    usleep(50000);
}

void hostile_case_failing_calls(void) {
    static const int32_t failures[] = {BERTH_REMOTE_DOWN, BERTH_TIMEOUT, BERTH_DENIED, BERTH_THROTTLED};
    hostile_plugin plugin;
    void *instance;
    if (!hostile_start(&plugin, &instance)) return;
    uint64_t most = operate(&plugin, instance);
    for (uint64_t at = 1; at <= most && at <= 40; at++) {
        hostile.fail_at = at, hostile.fail_with = failures[at % 4];
        STEP("host call %llu fails with %s", (unsigned long long)at, hostile_status(hostile.fail_with));
        operate(&plugin, instance);
    }
    hostile.fail_at = 0;
    hostile_finish(&plugin, instance);
}

/* A refused request may be the plugin's own defect (400); garbage with a 200 is not. */
static void judge_answer(const char *what, const char *answer, int is_refusal, int32_t status) {
    if (is_refusal && status == BERTH_INTERNAL)
        NOTE("%s calls it a defect of its own where the provider answers %s", what, answer);
    else
        hostile_judge(what, answer, status);
}

void hostile_case_provider_answers(void) {
    static const struct {
        const char *name;
        hostile_answer answer;
        uint32_t status;
    } answers[] = {
        {"an empty object", ANSWER_EMPTY_OBJECT, 200},
        {"HTML", ANSWER_HTML, 200},
        {"JSON cut off", ANSWER_CUT, 200},
        {"binary", ANSWER_BINARY, 200},
        {"fixtures at random", ANSWER_FIXTURES, 200},
        {"400", ANSWER_STATUS, 400},
        {"401", ANSWER_STATUS, 401},
        {"403", ANSWER_STATUS, 403},
        {"404", ANSWER_STATUS, 404},
        {"429", ANSWER_STATUS, 429},
        {"500", ANSWER_STATUS, 500},
        {"503", ANSWER_STATUS, 503},
        {"302", ANSWER_STATUS, 302},
        {"599", ANSWER_STATUS, 599},
    };
    hostile_plugin plugin;
    void *instance;
    if (!hostile_start(&plugin, &instance)) return;
    if (!plugin.reading && !plugin.credentials) {
        hostile_skip("interface that makes requests");
        return;
    }
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        hostile.answer = answers[i].answer, hostile.answer_status = answers[i].status;
        /* 404 may well mean that there is nothing. */
        int is_refusal = answers[i].answer == ANSWER_STATUS && answers[i].status != 404;
        for (const char *const *stream = PLAN->streams; plugin.reading && *stream; stream++) {
            STEP("read of %s where the provider answers %s", *stream, answers[i].name);
            int32_t status = hostile_read(&plugin, instance, *stream, BERTH_READ_FULL, NULL, 0);
            judge_answer("read", answers[i].name, is_refusal, status);
            if (is_refusal && status == BERTH_OK && hostile.requests > 0)
                FAIL("read of %s answers ok where the provider answers %s", *stream, answers[i].name);
        }
        if (plugin.credentials) {
            STEP("check of credentials where the provider answers %s", answers[i].name);
            int32_t status = hostile_check(&plugin, instance);
            judge_answer("check", answers[i].name, is_refusal, status);
            if (is_refusal && status == BERTH_OK && hostile.requests > 0)
                FAIL("check answers ok where the provider answers %s", answers[i].name);
            if (answers[i].status == 401 && status != BERTH_AUTH_DENIED && status != BERTH_AUTH_EXPIRED && hostile.requests > 0)
                FAIL("check answers %s where the provider answers 401", hostile_status(status));
        }
    }
    hostile_finish(&plugin, instance);
}

static hostile_store whole, broken;

/* What is stored in one and not in the other. */
static int differs(const hostile_store *one, const hostile_store *other) {
    for (size_t i = 0; i < one->saved_count; i++) {
        size_t at = 0;
        while (at < other->saved_count && (other->saved[at].key != one->saved[i].key || other->saved[at].value != one->saved[i].value))
            at++;
        if (at == other->saved_count) return 1;
    }
    return 0;
}

/* One stream with one variation of the answers: whole, then broken off at each host call and resumed by a new instance, as after a
 * kill. Answers how many records were compared. */
static size_t resumed(const hostile_plugin *plugin, void *instance, const char *stream) {
    static uint8_t state[sizeof broken.state];
    memset(&whole, 0, sizeof whole);
    hostile.store = &whole;
    STEP("read of %s, undisturbed", stream);
    if (hostile_read(plugin, instance, stream, BERTH_READ_FULL, NULL, 0) != BERTH_OK) return 0;
    uint64_t calls = hostile.calls;
    for (uint64_t at = 1; at <= calls && at <= 40; at++) {
        void *next;
        memset(&broken, 0, sizeof broken);
        hostile.store = &broken;
        STEP("read of %s, broken off at host call %llu", stream, (unsigned long long)at);
        hostile.cancel_at = at;
        hostile_read(plugin, instance, stream, BERTH_READ_FULL, NULL, 0);
        hostile.cancel_at = 0;
        size_t length = broken.state_length;
        memcpy(state, broken.state, length);
        if (hostile_create(plugin, PLAN->settings, strlen(PLAN->settings), &next) != BERTH_OK) continue;
        int32_t status = hostile_read(plugin, next, stream, BERTH_READ_FULL, state, length);
        if (status != BERTH_OK)
            FAIL("read of %s, broken off at host call %llu, does not resume: %s", stream, (unsigned long long)at, hostile_status(status));
        else if (differs(&whole, &broken) || differs(&broken, &whole))
            FAIL("read of %s, broken off at host call %llu and resumed, stores other records than a whole one (%zu instead of %zu)", stream,
                 (unsigned long long)at, broken.saved_count, whole.saved_count);
        plugin->table.destroy(plugin->table.plugin, next);
    }
    return whole.saved_count;
}

void hostile_case_resume(void) {
    hostile_plugin plugin;
    void *instance;
    if (!hostile_start(&plugin, &instance)) return;
    if (!plugin.reading) {
        hostile_skip(BERTH_READ_STREAM_ID);
        return;
    }
    hostile.answer = ANSWER_SAME;
    for (const char *const *stream = PLAN->streams; *stream; stream++) {
        size_t compared = 0;
        /* Not every fixture is an answer to every request: look for variations that make a whole read. */
        for (hostile.variation = 0; hostile.variation < 64 && compared < 8; hostile.variation++)
            compared += resumed(&plugin, instance, *stream);
        if (compared == 0)
            NOTE("the fixtures make no whole read of %s: put answers of the provider among them", *stream);
        else
            NOTE("%zu records of %s compared", compared, *stream);
    }
    hostile.store = NULL;
    hostile_finish(&plugin, instance);
}

void hostile_case_foreign_state(void) {
    static const char *const states[] = {"{",    "{}",     "[]", "\xff\xff\xff\xff", "-1", "99999999999999999999", "{\"page\":\"x\"}",
                                         "null", "\"\\u00"};
    hostile_plugin plugin;
    void *instance;
    if (!hostile_start(&plugin, &instance)) return;
    if (!plugin.reading) {
        hostile_skip(BERTH_READ_STREAM_ID);
        return;
    }
    char *longest = malloc(65536);
    memset(longest, '[', 65536);
    for (const char *const *stream = PLAN->streams; *stream; stream++) {
        for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
            STEP("read of %s from checkpoint '%s'", *stream, states[i]);
            hostile_judge("read from a foreign checkpoint", states[i],
                          hostile_read(&plugin, instance, *stream, BERTH_READ_INCREMENTAL, states[i], strlen(states[i])));
        }
        STEP("read of %s from a checkpoint of 64 KiB", *stream);
        hostile_judge("read from a checkpoint", "64 KiB", hostile_read(&plugin, instance, *stream, BERTH_READ_FULL, longest, 65536));
    }
    STEP("read of a stream that does not exist");
    hostile_judge("read", "no such stream", hostile_read(&plugin, instance, "no_such_stream", BERTH_READ_FULL, NULL, 0));
    hostile_judge("read", "mode 99", hostile_read(&plugin, instance, PLAN->streams[0] ? PLAN->streams[0] : "x", 99, NULL, 0));
    free(longest);
    hostile_finish(&plugin, instance);
}

void hostile_case_actions(void) {
    static const char *const inputs[] = {"", "{", "{}", "[]", "null", "{\"a\":1,\"a\":2}", "\xff", "{\"number\":1e999}", "\"text\""};
    hostile_plugin plugin;
    void *instance;
    if (!hostile_start(&plugin, &instance)) return;
    if (!plugin.actions && !plugin.writing) {
        hostile_skip("berth.actions/1 and no berth.write-records/1");
        return;
    }
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        for (const char *const *action = PLAN->actions; plugin.actions && *action; action++) {
            STEP("action %s with '%s'", *action, inputs[i]);
            hostile_judge("perform", inputs[i], hostile_perform(&plugin, instance, *action, inputs[i], strlen(inputs[i])));
        }
        for (const char *const *stream = PLAN->streams; plugin.writing && *stream; stream++) {
            int32_t written;
            STEP("write to %s of '%s'", *stream, inputs[i]);
            hostile_judge("write", inputs[i], hostile_write(&plugin, instance, *stream, inputs[i], &written));
            hostile_judge("a written record", inputs[i], written);
        }
    }
    if (plugin.actions) {
        STEP("an action that does not exist");
        int32_t status = hostile_perform(&plugin, instance, "no_such_action", "{}", 2);
        hostile_judge("perform", "no_such_action", status);
        if (status == BERTH_OK) FAIL("an action that does not exist answers ok");
    }
    hostile_finish(&plugin, instance);
}
