/* SPDX-License-Identifier: Apache-2.0
 *
 * A complete plugin in C for an invented provider: webhooks {"type","id","from","to","seconds"} become calls, and
 * GET /calls?page=N answers {"calls":[...],"next":N or null}. Copy it, rename it, and begin.
 */
#define BERTH_PLUGIN_IMPLEMENTATION
#include <berth/credentials.h>
#include <berth/events.h>
#include <berth/http.h>
#include <berth/json_reader.h>
#include <berth/plugin.h>
#include <berth/read_stream.h>

#include <stdlib.h>

static const berth_host_v1 *host;
static const berth_http_v1 *http;

#define TEXT(literal) ((berth_plugin_slice){(const uint8_t *)(literal), sizeof(literal) - 1})

static berth_plugin_slice slice(const void *bytes, size_t count) {
    return (berth_plugin_slice){(const uint8_t *)bytes, count};
}

/* Says why before answering the status: the operator reads it. */
static int32_t fail(berth_operation op, uint32_t item, int32_t status, const char *message) {
    berth_failure_v1 failure = {.struct_size = sizeof failure, .status = status, .item = item, .message = slice(message, strlen(message))};
    host->fail(host->host, op, &failure);
    return status;
}

/* One call object of the provider becomes one record. */
static int32_t emit_call(berth_operation op, uint32_t item, berth_json call, int64_t source_time) {
    char fields[1024] = "";
    berth_json_out out;
    berth_json id = berth_json_member(call, "id");
    /* The host takes keys of 1 to 512 bytes, and UTF-8 only. */
    if (id.kind != '"' || id.len == 0 || id.len > 512 || !berth_json_is_utf8(call.ptr, call.len)) return BERTH_INVALID_EVENT;
    berth_json_begin(&out, fields, sizeof fields);
    berth_json_text(&out, "direction", "inbound");
    berth_json_text(&out, "status", "completed");
    berth_json_copy(&out, "caller_number", berth_json_member(call, "from"));
    berth_json_copy(&out, "tracking_number", berth_json_member(call, "to"));
    berth_json_number(&out, "duration_seconds", berth_json_int(berth_json_member(call, "seconds"), 0));
    if (!berth_json_end(&out)) return BERTH_INVALID_EVENT;
    berth_record_v1 record = {
        .struct_size = sizeof record, .kind = BERTH_RECORD_UPSERT, .item = item, .source_time = source_time, .stream = TEXT("calls"),
        .key = slice(id.ptr, id.len), .payload = slice(fields, out.len), .raw = slice(call.ptr, call.len),
    };
    return host->emit(host->host, op, &record, 1);
}

static int32_t handle(void *instance, berth_operation op, const berth_event_v1 *events, uint64_t count, int32_t *statuses) {
    (void)instance;
    for (uint64_t i = 0; i < count; i++) {
        berth_json body = berth_json_parse(events[i].body.ptr, events[i].body.len);
        berth_json type = berth_json_member(body, "type");
        if (body.kind != '{') {
            statuses[i] = fail(op, (uint32_t)i, BERTH_INVALID_EVENT, "the body is no JSON object");
        } else if (type.kind == '"' && type.len == 9 && memcmp(type.ptr, "call.done", 9) == 0) {
            statuses[i] = emit_call(op, (uint32_t)i, body, events[i].received_at);
            if (statuses[i] == BERTH_INVALID_EVENT) fail(op, (uint32_t)i, BERTH_INVALID_EVENT, "the call has no fit id, is too large, or is not UTF-8");
        } else {
            statuses[i] = BERTH_UNSUPPORTED;
        }
    }
    return BERTH_OK;
}

/* GETs `path`; BERTH_OK with a 200 in *response, or the status to return. */
static int32_t get(berth_operation op, const char *path, berth_http_response_v1 *response) {
    berth_http_request_v1 request = {.struct_size = sizeof request, .method = TEXT("GET"), .url = slice(path, strlen(path))};
    response->struct_size = sizeof *response;
    int32_t status = http->send(host->host, op, &request, response);
    if (status != BERTH_OK) return status; /* the host has recorded why */
    switch (response->status) {
    case 200: return BERTH_OK;
    case 401: case 403: return fail(op, BERTH_NO_ITEM, BERTH_AUTH_DENIED, "the provider refuses the token");
    case 429: return fail(op, BERTH_NO_ITEM, BERTH_THROTTLED, "the provider asks for fewer requests");
    default: return fail(op, BERTH_NO_ITEM, BERTH_REMOTE_DOWN, "the provider answered neither 200 nor a known error");
    }
}

/* The checkpoint is the number of the next page, as text. */
static int32_t read_calls(void *instance, berth_operation op, const berth_read_request_v1 *request) {
    (void)instance;
    int64_t page = 1;
    if (request->state.len > 0) {
        berth_json number = {request->state.ptr, request->state.len, '0'};
        page = berth_json_int(number, 1);
    }
    while (!host->is_cancelled(host->host, op)) {
        char path[64], state[24];
        berth_http_response_v1 response = {0};
        snprintf(path, sizeof path, "/calls?page=%lld", (long long)page);
        int32_t status = get(op, path, &response);
        if (status != BERTH_OK) return status;
        berth_json body = berth_json_parse(response.body.ptr, response.body.len);
        berth_json calls = berth_json_member(body, "calls"), call;
        if (calls.kind != '[') return fail(op, BERTH_NO_ITEM, BERTH_REMOTE_DOWN, "the provider's answer is no list of calls");
        for (size_t at = 0; berth_json_next(calls, &at, &call);) {
            status = emit_call(op, BERTH_NO_ITEM, call, BERTH_NO_TIME);
            if (status == BERTH_INVALID_EVENT) return fail(op, BERTH_NO_ITEM, BERTH_REMOTE_DOWN, "the provider lists a call that is none");
            if (status != BERTH_OK) return status;
        }
        int64_t next = berth_json_int(berth_json_member(body, "next"), 0);
        int length = snprintf(state, sizeof state, "%lld", (long long)(next > 0 ? next : page));
        status = host->checkpoint(host->host, op, 1, 0, slice(state, (size_t)length));
        if (status != BERTH_OK) return status;
        if (next <= 0) return BERTH_OK;
        page = next;
    }
    return BERTH_CANCELLED;
}

static int32_t check(void *instance, berth_operation op) {
    (void)instance;
    berth_http_response_v1 response = {0};
    return get(op, "/calls?page=1", &response);
}

static const berth_events_v1 events_v1 = {.struct_size = sizeof(berth_events_v1), .revision = 1, .handle = handle};
static const berth_read_stream_v1 read_v1 = {.struct_size = sizeof(berth_read_stream_v1), .revision = 1, .read = read_calls};
static const berth_credentials_v1 credentials_v1 = {.struct_size = sizeof(berth_credentials_v1), .revision = 1, .check = check};

static const void *query(void *plugin, berth_host_slice id, uint32_t min_revision) {
    (void)plugin;
#define OFFERS(name, table) if (min_revision <= 1 && id.len == sizeof(name) - 1 && memcmp(id.ptr, name, id.len) == 0) return &(table)
    OFFERS(BERTH_EVENTS_ID, events_v1);
    OFFERS(BERTH_READ_STREAM_ID, read_v1);
    OFFERS(BERTH_CREDENTIALS_ID, credentials_v1);
    return NULL;
}

/* This plugin keeps nothing per connection; the host needs a pointer all the same. */
static int32_t create(void *plugin, const berth_instance_config_v1 *config, void **instance) {
    (void)config;
    *instance = plugin;
    return BERTH_OK;
}
static void destroy(void *plugin, void *instance) { (void)plugin, (void)instance; }
static void shutdown_plugin(void *plugin) { (void)plugin; }

int32_t berth_plugin_entry_v1(const berth_host_v1 *given, berth_plugin_v1 *out) {
    host = given;
    http = host->query(host->host, TEXT(BERTH_HTTP_ID), 1);
    if (http == NULL) return BERTH_UNSUPPORTED;
    out->struct_size = sizeof *out;
    out->abi_version = BERTH_ABI_VERSION;
    out->create = create;
    out->destroy = destroy;
    out->query = query;
    out->shutdown = shutdown_plugin;
    return BERTH_OK;
}
