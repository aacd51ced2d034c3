/* SPDX-License-Identifier: Apache-2.0
 *
 * Cases about many runs: several at once, and one after another.
 */
#define _GNU_SOURCE
#include "cases.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const hostile_plugin *plugin;
    void *instance;
    uint64_t seed;
} worker;

static void *work(void *context) {
    worker *self = context;
    hostile_seed(self->seed);
    for (int round = 0; round < 200; round++) {
        const hostile_event *events[4];
        int32_t statuses[4];
        for (int i = 0; i < 4; i++) events[i] = hostile_event_at(hostile_random());
        hostile_handle(self->plugin, self->instance, events, 4, statuses);
        for (int i = 0; i < 4; i++) hostile_judge("an event, in parallel with others", events[i]->name, statuses[i]);
    }
    return NULL;
}

void hostile_case_parallel(void) {
    hostile_plugin plugin;
    pthread_t threads[16];
    worker workers[16];
    uint32_t count = PLAN->concurrency < 2 ? 4 : PLAN->concurrency > 8 ? 16 : PLAN->concurrency * 2;
    if (!hostile_load(&plugin, 0)) return;
    if (!plugin.events) {
        hostile_skip(BERTH_EVENTS_ID);
        return;
    }
    hostile.is_parallel = 1;
    hostile.items = 4;
    for (uint32_t i = 0; i < count; i++) {
        /* As many per instance as the manifest allows; instances are always parallel to each other. */
        workers[i] = (worker){&plugin, NULL, PLAN->seed + i};
        if (i % PLAN->concurrency)
            workers[i].instance = workers[i - 1].instance;
        else if (hostile_create(&plugin, PLAN->settings, strlen(PLAN->settings), &workers[i].instance) != BERTH_OK) {
            FAIL("create refuses a further instance");
            return;
        }
    }
    STEP("%u threads, %u on each instance", count, PLAN->concurrency);
    for (uint32_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) abort();
    for (uint32_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < count; i += PLAN->concurrency) plugin.table.destroy(plugin.table.plugin, workers[i].instance);
}

void hostile_case_leak(void) {
    enum { WINDOW = 400 };
    hostile_plugin plugin;
    size_t used[4];
    if (!hostile_load(&plugin, 0)) return;
    for (int window = 0; window < 4; window++) {
        STEP("window %d of instances started and ended", window);
        for (int cycle = 0; cycle < WINDOW; cycle++) {
            void *instance;
            const hostile_event *event = hostile_event_at((size_t)cycle);
            int32_t status;
            if (hostile_create(&plugin, PLAN->settings, strlen(PLAN->settings), &instance) != BERTH_OK) {
                FAIL("create refuses after %d times", window * WINDOW + cycle);
                return;
            }
            if (plugin.events) hostile_handle(&plugin, instance, &event, 1, &status);
            plugin.table.destroy(plugin.table.plugin, instance);
        }
        used[window] = mallinfo2().uordblks;
    }
    /* The first window warms caches up. A leak grows in each of the others. */
    long grown = (long)(used[3] - used[1]), least = 16L * WINDOW;
    if ((long)(used[2] - used[1]) > least && (long)(used[3] - used[2]) > least)
        hostile_say("LEAK", "%ld bytes more in use after %d starts and stops: %ld per cycle", grown, 2 * WINDOW, grown / (2 * WINDOW));
    else
        NOTE("%ld bytes per cycle", grown / (2 * WINDOW));
}
