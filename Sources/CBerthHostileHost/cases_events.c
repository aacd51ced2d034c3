/* SPDX-License-Identifier: Apache-2.0
 *
 * Cases about deliveries: the fixtures, and what the world may make of them.
 */
#define _GNU_SOURCE
#include "cases.h"

#include <stdlib.h>
#include <string.h>

void hostile_case_events(void) {
    hostile_plugin plugin;
    void *instance;
    if (!hostile_start(&plugin, &instance)) return;
    if (!plugin.events) {
        hostile_skip(BERTH_EVENTS_ID);
        return;
    }
    unsigned taken = 0;
    for (size_t i = 0; i < hostile_event_count(); i++) {
        STEP("event %s", hostile_event_at(i)->name);
        int32_t status = hostile_handle_one(&plugin, instance, hostile_event_at(i));
        taken += status == BERTH_OK;
        NOTE("%s: %s, %llu records", hostile_event_at(i)->name, hostile_status(status), (unsigned long long)hostile.records);
    }
    if (taken == 0) NOTE("no fixture was taken as an event: put deliveries into the bundle's Fixtures folder");
    hostile_finish(&plugin, instance);
}

void hostile_case_malformed_events(void) {
    static const struct {
        const char *name, *bytes;
        size_t length;
    } bodies[] = {
        {"an empty body", "", 0},
        {"an open object", "{", 1},
        {"a list", "[]", 2},
        {"null", "null", 4},
        {"a text", "\"x\"", 3},
        {"a number", "1", 1},
        {"zeros", "\0\0\0\0", 4},
        {"no UTF-8", "{\"id\":\"\xff\xfe\"}", 12},
        {"a byte order mark", "\xef\xbb\xbf{}", 5},
        {"blanks", "    ", 4},
        {"a half escape", "{\"id\":\"\\u12", 11},
        {"a form", "id=1&event=check", 16},
        {"HTML", "<html>", 6},
        {"an id of every kind", "{\"id\":{\"id\":[null]},\"event\":7,\"call_id\":false,\"uuid\":1.5}", 56},
    };
    hostile_plugin plugin;
    void *instance;
    if (!hostile_start(&plugin, &instance)) return;
    if (!plugin.events) {
        hostile_skip(BERTH_EVENTS_ID);
        return;
    }
    for (size_t i = 0; i < hostile_event_count(); i++)
        for (size_t b = 0; b < sizeof bodies / sizeof bodies[0]; b++) {
            hostile_event event = {bodies[b].name, hostile_event_at(i)->kind, (const uint8_t *)bodies[b].bytes, bodies[b].length};
            STEP("%s as event of kind '%s'", event.name, event.kind);
            hostile_handle_one(&plugin, instance, &event);
        }
    for (int round = 0; round < 600; round++) {
        hostile_event events[4];
        const hostile_event *pointers[4];
        int32_t statuses[4];
        size_t count = 1 + hostile_random() % 4;
        for (size_t i = 0; i < count; i++) {
            const hostile_event *event = hostile_event_at(hostile_random());
            uint8_t *body = malloc(event->body_length + 128);
            events[i] = (hostile_event){event->name, event->kind, body, hostile_mutated(event, body, event->body_length + 128)};
            pointers[i] = &events[i];
        }
        STEP("round %d: changed bytes of %s", round, events[0].name);
        int32_t whole = hostile_handle(&plugin, instance, pointers, count, statuses);
        hostile_judge("handle", events[0].name, whole);
        for (size_t i = 0; i < count; i++) hostile_judge("a changed event", events[i].name, statuses[i]), free((void *)events[i].body);
    }
    hostile_finish(&plugin, instance);
}

void hostile_case_repeated_events(void) {
    hostile_plugin plugin;
    void *instance;
    if (!hostile_start(&plugin, &instance)) return;
    if (!plugin.events) {
        hostile_skip(BERTH_EVENTS_ID);
        return;
    }
    size_t count = hostile_event_count() < BATCH / 2 ? hostile_event_count() : BATCH / 2;
    int32_t alone[BATCH], statuses[BATCH];
    uint64_t digests[BATCH];
    const hostile_event *events[BATCH];
    for (size_t i = 0; i < count; i++)
        alone[i] = hostile_handle_one(&plugin, instance, hostile_event_at(i)), digests[i] = hostile.digest[0];
    for (int order = 0; order < 3; order++) {
        /* Twice in one batch; backwards; shuffled. */
        size_t picks[BATCH], total = order == 0 ? 2 * count : count;
        for (size_t i = 0; i < total; i++) picks[i] = order == 0 ? i / 2 : order == 1 ? count - 1 - i : i;
        for (size_t i = total - 1; order == 2 && i > 0; i--) {
            size_t other = hostile_random() % (i + 1), kept = picks[i];
            picks[i] = picks[other], picks[other] = kept;
        }
        for (size_t i = 0; i < total; i++) events[i] = hostile_event_at(picks[i]);
        STEP("%s", order == 0 ? "each event twice in one batch" : order == 1 ? "the batch backwards" : "the batch shuffled");
        hostile_judge("handle", "a batch", hostile_handle(&plugin, instance, events, total, statuses));
        for (size_t i = 0; i < total; i++) {
            if (statuses[i] != alone[picks[i]])
                FAIL("%s alone is %s, in a batch %s", events[i]->name, hostile_status(alone[picks[i]]), hostile_status(statuses[i]));
            if (statuses[i] == BERTH_OK && hostile.digest[i] != digests[picks[i]])
                FAIL("%s gives other records in a batch than alone: a repetition would not be the same again", events[i]->name);
        }
    }
    hostile_finish(&plugin, instance);
}

static void huge(const hostile_plugin *plugin, void *instance, const char *kind, const char *name, const char *head, const char *filling,
                 size_t count, const char *tail) {
    size_t size = strlen(filling), length = strlen(head) + size * count + strlen(tail);
    uint8_t *body = malloc(length), *at = body;
    memcpy(at, head, strlen(head)), at += strlen(head);
    for (size_t i = 0; i < count; i++, at += size) memcpy(at, filling, size);
    memcpy(at, tail, strlen(tail));
    hostile_event event = {name, kind, body, length};
    STEP("%s", name);
    hostile_handle_one(plugin, instance, &event);
    free(body);
}

void hostile_case_huge_events(void) {
    hostile_plugin plugin;
    void *instance;
    if (!hostile_start(&plugin, &instance)) return;
    if (!plugin.events) {
        hostile_skip(BERTH_EVENTS_ID);
        return;
    }
    const char *kind = hostile_event_at(0)->kind;
    huge(&plugin, instance, kind, "a text of 25 MiB", "{\"id\":\"1\",\"note\":\"", "0123456789abcdef", 25 << 16, "\"}");
    huge(&plugin, instance, kind, "an id of 1 MiB", "{\"call_id\":\"", "0123456789abcdef", 1 << 16, "\",\"id\":\"1\"}");
    huge(&plugin, instance, kind, "a million nested lists", "", "[", 1000000, "");
    huge(&plugin, instance, kind, "100000 nested objects, closed", "{\"id\":\"1\",\"deep\":", "{\"a\":", 100000, "1");
    huge(&plugin, instance, kind, "a million members", "{\"id\":\"1\"", ",\"k\":1", 1000000, "}");
    huge(&plugin, instance, kind, "25 MiB of blanks", "{\"id\":\"1\"", "                ", 25 << 16, "}");
    const hostile_event *events[1024];
    static int32_t statuses[1024];
    for (size_t i = 0; i < 1024; i++) events[i] = hostile_event_at(i);
    STEP("a batch of 1024 events");
    hostile_judge("handle", "a batch of 1024", hostile_handle(&plugin, instance, events, 1024, statuses));
    hostile_finish(&plugin, instance);
}

void hostile_case_tampered_signatures(void) {
    hostile_plugin plugin;
    void *instance;
    if (!hostile_start(&plugin, &instance)) return;
    if (!plugin.verifying) {
        hostile_skip(BERTH_VERIFY_ID);
        return;
    }
    for (int round = 0; round < 300; round++) {
        const hostile_event *event = hostile_event_at((size_t)round);
        uint8_t *body = malloc(event->body_length + 128);
        hostile_event changed = {event->name, event->kind, body, hostile_mutated(event, body, event->body_length + 128)};
        STEP("round %d: a forged %s", round, event->name);
        int32_t status = hostile_verify(&plugin, instance, &changed);
        hostile_judge("verify", event->name, status);
        if (status == BERTH_OK) FAIL("verify takes %s for authentic, though no HMAC matched", event->name);
        free(body);
    }
    hostile_finish(&plugin, instance);
}
