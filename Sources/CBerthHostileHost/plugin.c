/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls into the plugin, with every argument laid out so that reading a byte too far ends the process.
 */
#define _GNU_SOURCE
#include "plugin.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_BYTES 4096

static berth_host_slice guarded(const void *bytes, size_t length) { return (berth_host_slice){hostile_guarded(bytes, length), length}; }
static void release(berth_host_slice slice) { hostile_release((uint8_t *)slice.ptr, slice.len); }

void hostile_judge(const char *what, const char *detail, int32_t status) {
    if (status < 0 || status > 15)
        FAIL("%s (%s) answered %d, which is no status", what, detail, status);
    else if (status == BERTH_INTERNAL && strncmp(hostile.said, "cursor_stalled:", 15) != 0)
        /* Answers that go in circles are this host's doing, and a plugin that ends there does well. */
        FAIL("%s (%s) answered internal (%s): a defect of the plugin", what, detail, hostile.said);
}

const void *hostile_interface(const hostile_plugin *plugin, const char *id) {
    berth_host_slice name = guarded(id, strlen(id));
    const uint32_t *table = plugin->table.query ? plugin->table.query(plugin->table.plugin, name, 1) : NULL;
    release(name);
    if (!table) return NULL;
    if ((uintptr_t)table % 8 != 0) return FAIL("the table of %s is not aligned", id), NULL;
    if (table[0] < 16 || table[0] > TABLE_BYTES) return FAIL("the table of %s has struct_size %u", id, table[0]), NULL;
    if (table[1] < 1) FAIL("the table of %s has revision %u", id, table[1]);
    void *function;
    memcpy(&function, table + 2, sizeof function);
    if (!function) return FAIL("the table of %s has no function", id), NULL;
    return table;
}

int hostile_load(hostile_plugin *plugin, int may_refuse) {
    memset(plugin, 0, sizeof *plugin);
    STEP("loading");
    void *library = dlopen(hostile.plan->library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) return FAIL("%s", dlerror()), 0;
    berth_plugin_entry_v1_fn entry;
    *(void **)&entry = dlsym(library, BERTH_ENTRY_SYMBOL);
    if (!entry) return FAIL("no symbol %s", BERTH_ENTRY_SYMBOL), 0;
    berth_plugin_v1 *out = (berth_plugin_v1 *)(void *)hostile_guarded(NULL, TABLE_BYTES);
    STEP("its entry");
    int32_t status = entry(hostile_table(), out);
    if (status != BERTH_OK) {
        if (may_refuse)
            NOTE("the entry refuses with %s", hostile_status(status));
        else
            FAIL("the entry refuses with %s", hostile_status(status));
        return 0;
    }
    if (out->abi_version != BERTH_ABI_VERSION) return FAIL("abi_version is %u, not %u", out->abi_version, BERTH_ABI_VERSION), 0;
    if (out->struct_size < sizeof *out || out->struct_size > TABLE_BYTES)
        return FAIL("berth_plugin_v1.struct_size is %u", out->struct_size), 0;
    if (!out->create || !out->destroy || !out->query) return FAIL("create, destroy and query must be there"), 0;
    plugin->table = *out;
    STEP("its query");
    plugin->events = hostile_interface(plugin, BERTH_EVENTS_ID);
    plugin->reading = hostile_interface(plugin, BERTH_READ_STREAM_ID);
    plugin->writing = hostile_interface(plugin, BERTH_WRITE_RECORDS_ID);
    plugin->actions = hostile_interface(plugin, BERTH_ACTIONS_ID);
    plugin->credentials = hostile_interface(plugin, BERTH_CREDENTIALS_ID);
    plugin->verifying = hostile_interface(plugin, BERTH_VERIFY_ID);
    return 1;
}

int32_t hostile_create(const hostile_plugin *plugin, const char *settings, size_t length, void **instance) {
    size_t tail = hostile.is_newer ? 64 : 0;
    berth_instance_config_v1 *config = (berth_instance_config_v1 *)(void *)hostile_guarded(NULL, sizeof *config + tail);
    config->struct_size = (uint32_t)(sizeof *config + tail);
    memset(config + 1, 0xA5, tail);
    config->connection = guarded("con_01CHECK", 11);
    config->settings = guarded(settings, length);
    config->base_url = guarded(hostile.plan->base_url, strlen(hostile.plan->base_url));
    *instance = NULL;
    int32_t status = plugin->table.create(plugin->table.plugin, config, instance);
    release(config->connection), release(config->settings), release(config->base_url);
    hostile_release((uint8_t *)config, sizeof *config + tail);
    return status;
}

int hostile_start(hostile_plugin *plugin, void **instance) {
    if (!hostile_load(plugin, hostile.hidden_interface != NULL)) return 0;
    STEP("create");
    int32_t status = hostile_create(plugin, hostile.plan->settings, strlen(hostile.plan->settings), instance);
    if (status == BERTH_OK) return 1;
    if (hostile.hidden_interface)
        NOTE("create refuses with %s", hostile_status(status));
    else
        FAIL("create refuses settings %s with %s; give others with --settings", hostile.plan->settings, hostile_status(status));
    return 0;
}

static berth_event_v1 laid_out(const hostile_event *event, const berth_header_v1 *header) {
    return (berth_event_v1){
        .struct_size = sizeof(berth_event_v1),
        .attempt = 1,
        .received_at = 1772637667000,
        .id = guarded("evt_01CHECK", 11),
        .kind = guarded(event->kind, strlen(event->kind)),
        .method = guarded("POST", 4),
        .query = guarded(NULL, 0),
        .body = guarded(event->body, event->body_length),
        .headers = header,
        .header_count = 1,
    };
}
static void released(berth_event_v1 *event) {
    release(event->id), release(event->kind), release(event->method), release(event->query), release(event->body);
}

int32_t hostile_handle(const hostile_plugin *plugin, void *instance, const hostile_event *const *events, size_t count, int32_t *statuses) {
    berth_header_v1 *header = (berth_header_v1 *)(void *)hostile_guarded(NULL, sizeof *header);
    *header = (berth_header_v1){guarded("content-type", 12), guarded("application/json", 16)};
    berth_event_v1 *table = (berth_event_v1 *)(void *)hostile_guarded(NULL, count * sizeof *table);
    int32_t *results = (int32_t *)(void *)hostile_guarded(NULL, count * sizeof *results);
    for (size_t i = 0; i < count; i++) table[i] = laid_out(events[i], header), results[i] = BERTH_INTERNAL;
    berth_operation op = hostile.is_parallel ? (uint64_t)(uintptr_t)&op : hostile_begin((uint32_t)count);
    int32_t whole = plugin->events->handle(instance, op, table, count, results);
    if (!hostile.is_parallel) hostile_end();
    for (size_t i = 0; i < count; i++)
        statuses[i] = whole != BERTH_OK && results[i] == BERTH_INTERNAL ? whole : results[i], released(&table[i]);
    release(header->name), release(header->value);
    hostile_release((uint8_t *)header, sizeof *header);
    hostile_release((uint8_t *)table, count * sizeof *table);
    hostile_release((uint8_t *)results, count * sizeof *results);
    return whole;
}

int32_t hostile_verify(const hostile_plugin *plugin, void *instance, const hostile_event *event) {
    berth_header_v1 header = {guarded("x-signature", 11), guarded("t=1,v1=00", 9)};
    berth_event_v1 *table = (berth_event_v1 *)(void *)hostile_guarded(NULL, sizeof *table);
    *table = laid_out(event, &header);
    int32_t status = plugin->verifying->verify(instance, hostile_begin(1), table);
    hostile_end();
    released(table), release(header.name), release(header.value);
    hostile_release((uint8_t *)table, sizeof *table);
    return status;
}

int32_t hostile_read(const hostile_plugin *plugin, void *instance, const char *stream, uint32_t mode, const void *state, size_t length) {
    size_t tail = hostile.is_newer ? 64 : 0;
    berth_read_request_v1 *request = (berth_read_request_v1 *)(void *)hostile_guarded(NULL, sizeof *request + tail);
    *request = (berth_read_request_v1){
        .struct_size = (uint32_t)(sizeof *request + tail),
        .mode = mode,
        .state_schema = length == 0     ? 0
                        : hostile.store ? hostile.store->state_schema
                                        : 1,
        .since = mode == BERTH_READ_FULL ? BERTH_NO_TIME : 1772000000000,
        .until = 1772637667000,
        .stream = guarded(stream, strlen(stream)),
        .state = guarded(state, length),
    };
    memset(request + 1, 0xA5, tail);
    int32_t status = plugin->reading->read(instance, hostile_begin(0), request);
    if (status == BERTH_OK && hostile.unsaved > 0)
        FAIL("read of %s ends with %llu records after its last checkpoint: they are never stored", stream,
             (unsigned long long)hostile.unsaved);
    hostile_end();
    release(request->stream), release(request->state);
    hostile_release((uint8_t *)request, sizeof *request + tail);
    return status;
}

int32_t hostile_perform(const hostile_plugin *plugin, void *instance, const char *name, const void *input, size_t length) {
    berth_host_slice slices[3] = {guarded(name, strlen(name)), guarded(input, length), guarded("key_01CHECK", 11)};
    int32_t status = plugin->actions->perform(instance, hostile_begin(0), slices[0], slices[1], slices[2]);
    hostile_end();
    for (int i = 0; i < 3; i++) release(slices[i]);
    return status;
}

int32_t hostile_check(const hostile_plugin *plugin, void *instance) {
    int32_t status = plugin->credentials->check(instance, hostile_begin(0));
    hostile_end();
    return status;
}

int32_t hostile_write(const hostile_plugin *plugin, void *instance, const char *stream, const char *payload, int32_t *written) {
    berth_host_slice name = guarded(stream, strlen(stream));
    berth_outgoing_record_v1 *record = (berth_outgoing_record_v1 *)(void *)hostile_guarded(NULL, sizeof *record);
    *record = (berth_outgoing_record_v1){.struct_size = sizeof *record,
                                         .kind = BERTH_RECORD_UPSERT,
                                         .key = guarded("1", 1),
                                         .idempotency_key = guarded("key_01CHECK", 11),
                                         .payload = guarded(payload, strlen(payload))};
    *written = BERTH_INTERNAL;
    int32_t status = plugin->writing->write(instance, hostile_begin(1), name, record, 1, written);
    hostile_end();
    release(name), release(record->key), release(record->idempotency_key), release(record->payload);
    hostile_release((uint8_t *)record, sizeof *record);
    if (status != BERTH_OK && *written == BERTH_INTERNAL) *written = status;
    return status;
}
