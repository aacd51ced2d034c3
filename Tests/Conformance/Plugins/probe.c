/* SPDX-License-Identifier: Apache-2.0
 *
 * A well-behaved plugin for the conformance suite: each behaviour of the ABI on request, by event kind or setting. */
#define _GNU_SOURCE
#define BERTH_PLUGIN_IMPLEMENTATION
#include <berth/actions.h>
#include <berth/credentials.h>
#include <berth/events.h>
#include <berth/http.h>
#include <berth/plugin.h>
#include <berth/read_stream.h>
#include <berth/signature.h>
#include <berth/verify.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const berth_host_v1 *host;
static const berth_http_v1 *http;
static const berth_signature_v1 *signature;
static atomic_int running;

typedef struct instance {
    char connection[64];
    uint64_t total, page, size, with_http;
} instance;

#define TEXT(literal) ((berth_plugin_slice){(const uint8_t *)(literal), sizeof(literal) - 1})
static berth_plugin_slice text(const char *value) { return (berth_plugin_slice){(const uint8_t *)value, strlen(value)}; }
static int is(berth_host_slice value, const char *name) { return value.len == strlen(name) && memcmp(value.ptr, name, value.len) == 0; }

static uint64_t number(berth_host_slice json, const char *name, uint64_t fallback) {
    char *copy = strndup((const char *)json.ptr, json.len);
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    char *at = copy ? strstr(copy, key) : NULL;
    uint64_t value = at ? strtoull(at + strlen(key), NULL, 10) : fallback;
    free(copy);
    return value;
}

static int32_t emit(berth_operation op, uint32_t item, const char *stream, berth_plugin_slice key, berth_plugin_slice payload) {
    berth_record_v1 record = {.struct_size = sizeof record, .kind = BERTH_RECORD_UPSERT, .item = item, .source_time = 1700000000000};
    record.stream = text(stream);
    record.key = key;
    record.payload = payload;
    return host->emit(host->host, op, &record, 1);
}

static int32_t failed(berth_operation op, uint32_t item, int32_t status, const char *message, uint64_t retry_after_ms) {
    berth_failure_v1 failure = {.struct_size = sizeof failure, .status = status, .item = item, .remote_status = 503, .retry_after_ms = retry_after_ms};
    failure.message = text(message);
    failure.remote_code = TEXT("E42");
    host->fail(host->host, op, &failure);
    return status;
}

static int32_t fetch(berth_operation op, const char *url, berth_http_response_v1 *response) {
    berth_request_header_v1 header = {TEXT("accept"), TEXT("application/json")};
    berth_http_request_v1 request = {.struct_size = sizeof request, .method = TEXT("GET"), .headers = &header, .header_count = 1};
    request.url = text(url);
    request.request_class = TEXT("pages");
    response->struct_size = sizeof *response;
    return http->send(host->host, op, &request, response);
}

static int32_t one(berth_operation op, const berth_event_v1 *event, uint32_t item) {
    berth_plugin_slice id = {event->id.ptr, event->id.len};
    berth_plugin_slice body = {event->body.ptr, event->body.len};
    if (is(event->kind, "record")) return emit(op, item, "calls", id, body);
    if (is(event->kind, "large-original") || is(event->kind, "large-fields") || is(event->kind, "endless-original")) {
        static char large[(1 << 20) + 16];
        memset(large, ' ', sizeof large);
        large[0] = '{';
        large[sizeof large - 1] = '}';
        berth_record_v1 record = {.struct_size = sizeof record, .kind = BERTH_RECORD_UPSERT, .item = item, .source_time = BERTH_NO_TIME};
        berth_plugin_slice document = {(const uint8_t *)large, sizeof large};
        record.stream = TEXT("calls");
        record.key = id;
        record.payload = is(event->kind, "large-fields") ? document : body;
        record.raw = is(event->kind, "large-fields") ? body : document;
        if (is(event->kind, "endless-original")) record.raw.len = UINT64_MAX;
        host->emit(host->host, op, &record, 1);
        return BERTH_OK; /* whatever the host said of it */
    }
    if (is(event->kind, "emit-then-retry")) {
        emit(op, item, "calls", id, body);
        return failed(op, item, BERTH_RETRY, "try me later", 1500);
    }
    if (is(event->kind, "invalid")) return failed(op, item, BERTH_INVALID_EVENT, "no call id", 0);
    if (is(event->kind, "unsupported")) return BERTH_UNSUPPORTED;
    if (is(event->kind, "silent-failure")) return BERTH_REMOTE_DOWN;
    if (is(event->kind, "undeclared-stream")) {
        emit(op, item, "nonsense", id, body);
        return BERTH_OK;
    }
    if (is(event->kind, "delete")) {
        berth_record_v1 record = {.struct_size = sizeof record, .kind = BERTH_RECORD_DELETE, .item = item, .source_time = BERTH_NO_TIME};
        record.stream = TEXT("calls");
        record.key = id;
        return host->emit(host->host, op, &record, 1);
    }
    if (is(event->kind, "headers")) {
        char payload[256];
        snprintf(payload, sizeof payload, "{\"headers\":%llu,\"first\":\"%.*s\",\"query\":\"%.*s\",\"attempt\":%u}",
                 (unsigned long long)event->header_count, (int)event->headers[0].value.len, event->headers[0].value.ptr,
                 (int)event->query.len, event->query.ptr, event->attempt);
        return emit(op, item, "calls", id, text(payload));
    }
    if (is(event->kind, "many")) {
        char key[32];
        for (int index = 0; index < 5000; index++) {
            snprintf(key, sizeof key, "k%d", index);
            int32_t status = emit(op, item, "calls", text(key), TEXT("{\"a\":1}"));
            if (status != BERTH_OK) return status;
        }
        return BERTH_OK;
    }
    if (is(event->kind, "until-cancelled")) {
        struct timespec pause = {0, 1000000};
        host->log(host->host, op, BERTH_LOG_INFO, TEXT("waiting"));
        while (!host->is_cancelled(host->host, op)) nanosleep(&pause, NULL);
        return BERTH_CANCELLED;
    }
    if (is(event->kind, "http")) {
        berth_http_response_v1 response;
        int32_t status = fetch(op, "/thing?a=1", &response);
        if (status != BERTH_OK) return status;
        char payload[512];
        snprintf(payload, sizeof payload, "{\"status\":%u,\"headers\":%llu,\"body\":%.*s}", response.status,
                 (unsigned long long)response.header_count, (int)response.body.len, response.body.ptr);
        return emit(op, item, "calls", id, text(payload));
    }
    if (is(event->kind, "concurrency")) {
        int now = atomic_fetch_add(&running, 1) + 1;
        struct timespec pause = {0, 30000000};
        nanosleep(&pause, NULL);
        atomic_fetch_sub(&running, 1);
        char payload[64];
        snprintf(payload, sizeof payload, "{\"running\":%d}", now);
        return emit(op, item, "calls", id, text(payload));
    }
    if (is(event->kind, "nothing")) return BERTH_OK;
    return BERTH_UNSUPPORTED;
}

static int32_t handle(void *self, berth_operation op, const berth_event_v1 *events, uint64_t count, int32_t *statuses) {
    (void)self;
    for (uint64_t index = 0; index < count; index++) {
        if (is(events[index].kind, "stop-batch")) return failed(op, BERTH_NO_ITEM, BERTH_THROTTLED, "slow down", 0);
        statuses[index] = one(op, &events[index], (uint32_t)index);
    }
    return BERTH_OK;
}

static int32_t read_stream(void *self, berth_operation op, const berth_read_request_v1 *request) {
    instance *in = self;
    uint64_t next = 0;
    if (request->state.len > 0) {
        char digits[32] = {0};
        memcpy(digits, request->state.ptr, request->state.len < 31 ? request->state.len : 31);
        next = strtoull(digits, NULL, 10);
    }
    char *payload = malloc(in->size + 64);
    memset(payload, 'x', in->size + 64);
    int prefix = sprintf(payload, "{\"pad\":\"");
    payload[prefix] = 'x';
    memcpy(payload + prefix + in->size, "\"}", 2);
    berth_plugin_slice body = {(const uint8_t *)payload, (uint64_t)prefix + in->size + 2};
    int32_t status = BERTH_OK;
    while (next < in->total && status == BERTH_OK) {
        if (in->with_http) {
            berth_http_response_v1 response;
            char url[64];
            snprintf(url, sizeof url, "/calls?from=%llu", (unsigned long long)next);
            status = fetch(op, url, &response);
            if (status != BERTH_OK) break;
        }
        berth_record_v1 records[64];
        char keys[64][24];
        uint64_t end = next + in->page < in->total ? next + in->page : in->total;
        while (next < end && status == BERTH_OK) {
            uint64_t count = 0;
            for (; count < 64 && next < end; count++, next++) {
                int length = sprintf(keys[count], "row-%llu", (unsigned long long)next);
                records[count] = (berth_record_v1){.struct_size = sizeof records[0], .kind = BERTH_RECORD_UPSERT, .item = BERTH_NO_ITEM,
                                                   .source_time = 1700000000000 + (int64_t)next};
                records[count].stream = TEXT("calls");
                records[count].key = (berth_plugin_slice){(const uint8_t *)keys[count], (uint64_t)length};
                records[count].payload = body;
            }
            status = host->emit(host->host, op, records, count);
        }
        if (status != BERTH_OK) break;
        char state[32];
        int length = sprintf(state, "%llu", (unsigned long long)next);
        status = host->checkpoint(host->host, op, 1, 0, (berth_plugin_slice){(const uint8_t *)state, (uint64_t)length});
    }
    free(payload);
    return status;
}

static int32_t perform(void *self, berth_operation op, berth_host_slice name, berth_host_slice input, berth_host_slice key) {
    (void)self;
    if (is(name, "echo")) {
        emit(op, BERTH_NO_ITEM, "calls", (berth_plugin_slice){key.ptr, key.len}, TEXT("{\"made\":true}"));
        return host->reply(host->host, op, (berth_plugin_slice){input.ptr, input.len});
    }
    if (is(name, "large")) {
        static uint8_t large[(1 << 20) + 1];
        memset(large, '1', sizeof large);
        host->reply(host->host, op, (berth_plugin_slice){large, sizeof large});
        return BERTH_OK; /* whatever the host said of it */
    }
    return failed(op, BERTH_NO_ITEM, BERTH_NOT_FOUND, "no such number", 0);
}

static int32_t check(void *self, berth_operation op) {
    (void)self;
    berth_http_response_v1 response;
    int32_t status = fetch(op, "/me", &response);
    if (status != BERTH_OK) return status;
    if (response.status == 401) return failed(op, BERTH_NO_ITEM, BERTH_AUTH_DENIED, "the key is refused", 0);
    return host->reply(host->host, op, (berth_plugin_slice){response.body.ptr, response.body.len});
}

static int digit(uint8_t c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; }

static int32_t verify(void *self, berth_operation op, const berth_event_v1 *event) {
    (void)self;
    for (uint64_t index = 0; index < event->header_count; index++) {
        if (!is(event->headers[index].name, "x-signature")) continue;
        uint8_t expected[32];
        berth_host_slice hex = event->headers[index].value;
        if (hex.len != 64) return BERTH_AUTH_DENIED;
        for (int at = 0; at < 32; at++) expected[at] = (uint8_t)(digit(hex.ptr[2 * at]) << 4 | digit(hex.ptr[2 * at + 1]));
        return signature->hmac_matches(host->host, op, BERTH_HMAC_SHA256, 0, (berth_plugin_slice){event->body.ptr, event->body.len},
                                       (berth_plugin_slice){expected, 32});
    }
    berth_http_response_v1 response;
    return fetch(op, "/verify", &response); /* forbidden here: answers DENIED */
}

static int32_t create(void *plugin, const berth_instance_config_v1 *config, void **out) {
    (void)plugin;
    instance *in = calloc(1, sizeof *in);
    memcpy(in->connection, config->connection.ptr, config->connection.len < 63 ? config->connection.len : 63);
    in->total = number(config->settings, "total", 1000);
    in->page = number(config->settings, "page", 100);
    in->size = number(config->settings, "size", 100);
    in->with_http = number(config->settings, "with_http", 0);
    if (number(config->settings, "refuse", 0)) {
        free(in);
        return BERTH_INVALID_ARGUMENT;
    }
    *out = in;
    return BERTH_OK;
}

static void destroy(void *plugin, void *self) {
    (void)plugin;
    free(self);
}

static const berth_events_v1 events = {sizeof events, 1, handle};
static const berth_read_stream_v1 reading = {sizeof reading, 1, read_stream};
static const berth_actions_v1 actions = {sizeof actions, 1, perform};
static const berth_credentials_v1 credentials = {sizeof credentials, 1, check};
static const berth_verify_v1 verification = {sizeof verification, 1, verify};

static const void *query(void *plugin, berth_host_slice id, uint32_t min_revision) {
    (void)plugin;
    if (min_revision > 1) return NULL;
    if (is(id, BERTH_EVENTS_ID)) return &events;
    if (is(id, BERTH_READ_STREAM_ID)) return &reading;
    if (is(id, BERTH_ACTIONS_ID)) return &actions;
    if (is(id, BERTH_CREDENTIALS_ID)) return &credentials;
    if (is(id, BERTH_VERIFY_ID)) return &verification;
    return NULL;
}

static void end(void *plugin) { (void)plugin; }

int32_t berth_plugin_entry_v1(const berth_host_v1 *given, berth_plugin_v1 *out) {
    host = given;
    http = given->query(given->host, text(BERTH_HTTP_ID), 1);
    signature = given->query(given->host, text(BERTH_SIGNATURE_ID), 1);
    if (!http || !signature) return BERTH_UNSUPPORTED;
    *out = (berth_plugin_v1){sizeof *out, BERTH_ABI_VERSION, NULL, create, destroy, query, end};
    return BERTH_OK;
}
