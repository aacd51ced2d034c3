/* SPDX-License-Identifier: Apache-2.0
 *
 * Cases about tables and ids: what is offered, what is asked for, hosts of other ages, hosts that lack something, settings.
 */
#define _GNU_SOURCE
#include "cases.h"

#include <string.h>

static void offers(int declared, const void *table, const char *id, const char *where) {
    if (declared && !table) FAIL("%s is not offered, though the manifest declares %s", id, where);
    if (!declared && table) NOTE("%s is offered, but the manifest declares no %s: it is never called", id, where);
}

void hostile_case_manifest_matches(void) {
    hostile_plugin plugin;
    if (!hostile_load(&plugin, 0)) return;
    offers(PLAN->declares & HOSTILE_EVENTS, plugin.events, BERTH_EVENTS_ID, "[webhook]");
    offers(PLAN->declares & HOSTILE_READS, plugin.reading, BERTH_READ_STREAM_ID, "readable [[streams]]");
    offers(PLAN->declares & HOSTILE_WRITES, plugin.writing, BERTH_WRITE_RECORDS_ID, "writable [[streams]]");
    offers(PLAN->declares & HOSTILE_ACTIONS, plugin.actions, BERTH_ACTIONS_ID, "[[actions]]");
    offers(PLAN->declares & HOSTILE_VERIFIES, plugin.verifying, BERTH_VERIFY_ID, "webhook scheme \"plugin\"");
}

void hostile_case_interface_ids(void) {
    static const char *const ids[] = {"berth.nothing/1", "",
                                      "berth.events/",   "berth.events/10",
                                      "berth.events/2",  "Berth.events/1",
                                      "berth.events",    "berth.http/1",
                                      " berth.events/1", "../../etc/passwd",
                                      "%s%s%s%n"};
    static char overlong[65536];
    hostile_plugin plugin;
    if (!hostile_load(&plugin, 0)) return;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        uint8_t *id = hostile_guarded(ids[i], strlen(ids[i]));
        STEP("query of '%s'", ids[i]);
        if (plugin.table.query(plugin.table.plugin, (berth_host_slice){id, strlen(ids[i])}, 1))
            FAIL("query of '%s' answers a table", ids[i]);
        hostile_release(id, strlen(ids[i]));
    }
    STEP("query of an empty id without address");
    if (plugin.table.query(plugin.table.plugin, (berth_host_slice){NULL, 0}, 1)) FAIL("query of an empty id answers a table");
    memset(overlong, 'a', sizeof overlong);
    memcpy(overlong, BERTH_EVENTS_ID, sizeof BERTH_EVENTS_ID - 1);
    uint8_t *id = hostile_guarded(overlong, sizeof overlong);
    STEP("query of an overlong id");
    if (plugin.table.query(plugin.table.plugin, (berth_host_slice){id, sizeof overlong}, 1))
        FAIL("query of an id of 64 KiB answers a table");
    STEP("query with higher revisions");
    for (uint32_t revision = 2; revision != 1; revision = revision == 2 ? UINT32_MAX : 1) {
        uint8_t *events = hostile_guarded(BERTH_EVENTS_ID, sizeof BERTH_EVENTS_ID - 1);
        const uint32_t *table = plugin.table.query(plugin.table.plugin, (berth_host_slice){events, sizeof BERTH_EVENTS_ID - 1}, revision);
        if (table && table[1] < revision)
            FAIL("query of berth.events/1 with revision %u answers a table of revision %u", revision, table[1]);
    }
    if (plugin.events && hostile_interface(&plugin, BERTH_EVENTS_ID) != plugin.events) FAIL("query answers another table than before");
}

static void everything(void) {
    hostile_plugin plugin;
    void *instance;
    if (!hostile_start(&plugin, &instance)) return;
    hostile_exercise(&plugin, instance);
    hostile_finish(&plugin, instance);
}

void hostile_case_older_host(void) { everything(); }
void hostile_case_newer_host(void) { hostile.is_newer = 1, everything(); }
void hostile_case_without_http(void) { hostile.hidden_interface = BERTH_HTTP_ID, everything(); }
void hostile_case_without_signature(void) { hostile.hidden_interface = BERTH_SIGNATURE_ID, everything(); }
void hostile_case_without_anything(void) { hostile.hidden_interface = "*", everything(); }

void hostile_case_settings(void) {
    static const char *const texts[] = {
        "", "{", "[]", "null", "{}", "{\"unknown\":{\"deep\":[1,2,3]}}", "\xff\xfe{}", "{\"a\":1,\"a\":2}", "[[[[[[[["};
    hostile_plugin plugin;
    if (!hostile_load(&plugin, 0)) return;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        void *instance;
        STEP("create with settings '%s'", texts[i]);
        int32_t status = hostile_create(&plugin, texts[i], strlen(texts[i]), &instance);
        if (status < 0 || status > 15) FAIL("create with settings '%s' answers %d, which is no status", texts[i], status);
        if (status == BERTH_OK) plugin.table.destroy(plugin.table.plugin, instance);
    }
}
