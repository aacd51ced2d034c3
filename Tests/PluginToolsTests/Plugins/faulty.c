/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin that is sound, or has the one fault that -DFAULT_... names: what the hostile host must find.
 */
#define _GNU_SOURCE
#define BERTH_PLUGIN_IMPLEMENTATION
#include <berth/credentials.h>
#include <berth/events.h>
#include <berth/http.h>
#include <berth/plugin.h>
#include <berth/read_stream.h>
#include <berth/signature.h>
#include <berth/verify.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const berth_host_v1 *host;
static const berth_http_v1 *http;
static const berth_signature_v1 *signature;
#define TEXT(literal) ((berth_plugin_slice){(const uint8_t *)(literal), sizeof(literal) - 1})

#ifdef FAULT_SECOND_EXPORT
__attribute__((visibility("default"))) int helper(void) { return 1; }
#endif

static int32_t emit(berth_operation op, uint32_t item, const char *key) {
    berth_record_v1 record = {.struct_size = sizeof record, .kind = BERTH_RECORD_UPSERT, .item = item, .source_time = BERTH_NO_TIME,
                              .stream = TEXT("calls"), .key = {(const uint8_t *)key, strlen(key)}, .payload = TEXT("{\"status\":\"completed\"}")};
#ifdef FAULT_UNDECLARED_STREAM
    record.stream = TEXT("secrets");
#endif
#ifdef FAULT_EMPTY_KEY
    record.key.len = 0;
#endif
#ifdef FAULT_OTHER_ITEM
    record.item = 7;
#endif
#ifdef FAULT_IGNORES_CANCEL
    while (host->emit(host->host, op, &record, 1) != BERTH_OK) {}
    return BERTH_OK;
#endif
    int32_t status = host->emit(host->host, op, &record, 1);
#ifdef FAULT_HIDES_REFUSAL
    return BERTH_OK;
#endif
    return status;
}

static volatile int depth_guard;
__attribute__((noinline)) static int nested(const berth_event_v1 *event, uint64_t at) {
    volatile char frame[64] = {1};
    if (at >= event->body.len || event->body.ptr[at] != '[') return frame[0];
    return nested(event, at + 1) + frame[0] + depth_guard;
}

static berth_operation late_operation;
static void *late(void *unused) {
    usleep(5000);
    host->log(host->host, late_operation, BERTH_LOG_INFO, TEXT("late"));
    return unused;
}

static int32_t take(berth_operation op, const berth_event_v1 *event, uint32_t item) {
    (void)nested;
    if (event->body.len == 0 || event->body.ptr[0] != '{') {
#ifdef FAULT_TRUSTS_JSON
        __builtin_trap();
#endif
#ifdef FAULT_RECURSES
        return nested(event, 0) ? BERTH_INVALID_EVENT : BERTH_OK;
#endif
        return BERTH_INVALID_EVENT;
    }
#ifdef FAULT_READS_PAST_BODY
    if (event->body.ptr[event->body.len] == 0) return BERTH_OK;
#endif
#ifdef FAULT_DEPENDS_ON_PLACE
    if (item > 0) return BERTH_UNSUPPORTED;
#endif
#ifdef FAULT_NO_STATUS
    return 4711;
#endif
#ifdef FAULT_STDOUT
    printf("event %u\n", item);
#endif
#ifdef FAULT_CALLS_LATE
    pthread_t thread;
    late_operation = op;
    pthread_create(&thread, NULL, late, NULL);
#endif
    return emit(op, item, "1");
}

static int32_t handle(void *instance, berth_operation op, const berth_event_v1 *events, uint64_t count, int32_t *statuses) {
    (void)instance, (void)late;
#ifdef FAULT_NOT_PARALLEL
    static _Atomic int inside;
    int others = inside++;
    usleep(100);
#endif
    for (uint64_t i = 0; i < count; i++) statuses[i] = take(op, &events[i], (uint32_t)i);
#ifdef FAULT_NOT_PARALLEL
    inside--;
    if (others) statuses[0] = BERTH_INTERNAL;
#endif
    return BERTH_OK;
}

static int32_t get(berth_operation op, berth_http_response_v1 *response) {
    berth_http_request_v1 request = {.struct_size = sizeof request, .method = TEXT("GET"), .url = TEXT("/calls")};
#ifdef FAULT_OTHER_HOST
    request.url = TEXT("https://elsewhere.example/calls");
#endif
    response->struct_size = sizeof *response;
    int32_t status = http->send(host->host, op, &request, response);
    if (status != BERTH_OK) return status;
#ifdef FAULT_TAKES_ANY_ANSWER
    return BERTH_OK;
#endif
    return response->status == 200 ? BERTH_OK : response->status == 401 ? BERTH_AUTH_DENIED : BERTH_REMOTE_DOWN;
}

static int32_t read_calls(void *instance, berth_operation op, const berth_read_request_v1 *request) {
    (void)instance;
    berth_http_response_v1 first = {0};
#ifdef FAULT_TRUSTS_STATE
    if (request->state.len > 0 && memcmp(request->state.ptr, "page", 4) != 0) abort();
#else
    (void)request;
#endif
    int32_t status = get(op, &first);
    if (status != BERTH_OK) return status;
#ifdef FAULT_KEEPS_RESPONSE
    berth_http_response_v1 second = {0};
    status = get(op, &second);
    if (status == BERTH_OK && first.body.len > 0 && first.body.ptr[0] == 'x') return BERTH_CONFLICT;
#endif
    /* Two pages of a record each, a checkpoint after each. */
    if (request->state.len == 0) {
#ifdef FAULT_CHECKPOINTS_FIRST
        status = host->checkpoint(host->host, op, 1, 0, TEXT("page 1"));
        if (status != BERTH_OK) return status;
#endif
        status = emit(op, BERTH_NO_ITEM, "1");
        if (status != BERTH_OK) return status;
        status = host->checkpoint(host->host, op, 1, 0, TEXT("page 1"));
        if (status != BERTH_OK) return status;
    }
    status = emit(op, BERTH_NO_ITEM, "2");
#ifdef FAULT_NO_LAST_CHECKPOINT
    return status;
#endif
    return status != BERTH_OK ? status : host->checkpoint(host->host, op, 1, 0, TEXT("page 2"));
}

static int32_t check(void *instance, berth_operation op) {
    berth_http_response_v1 response = {0};
    (void)instance;
    return get(op, &response);
}

static int32_t verify(void *instance, berth_operation op, const berth_event_v1 *event) {
    (void)instance;
#ifdef FAULT_VERIFIES_ALL
    return BERTH_OK;
#endif
    if (signature == NULL) return BERTH_AUTH_DENIED;
    return signature->hmac_matches(host->host, op, BERTH_HMAC_SHA256, 0, (berth_plugin_slice){event->body.ptr, event->body.len}, TEXT("0123456789abcdef0123456789abcdef"));
}

static const berth_events_v1 events_v1 = {.struct_size = sizeof events_v1, .revision = 1, .handle = handle};
static const berth_read_stream_v1 read_v1 = {.struct_size = sizeof read_v1, .revision = 1, .read = read_calls};
static const berth_credentials_v1 credentials_v1 = {.struct_size = sizeof credentials_v1, .revision = 1, .check = check};
static const berth_verify_v1 verify_v1 = {.struct_size = sizeof verify_v1, .revision = 1, .verify = verify};

static const void *query(void *plugin, berth_host_slice id, uint32_t min_revision) {
    (void)plugin;
#ifdef FAULT_READS_PAST_ID
    if (strcmp((const char *)id.ptr, BERTH_EVENTS_ID) == 0) return &events_v1;
#endif
#ifdef FAULT_ANSWERS_PREFIXES
    if (id.len >= 12 && memcmp(id.ptr, BERTH_EVENTS_ID, 12) == 0) return &events_v1;
#endif
    if (min_revision > 1) return NULL;
#define OFFERS(name, table) if (id.len == sizeof(name) - 1 && memcmp(id.ptr, name, id.len) == 0) return &(table)
    OFFERS(BERTH_EVENTS_ID, events_v1);
#ifndef FAULT_OFFERS_NO_READ
    OFFERS(BERTH_READ_STREAM_ID, read_v1);
#endif
    OFFERS(BERTH_CREDENTIALS_ID, credentials_v1);
    OFFERS(BERTH_VERIFY_ID, verify_v1);
    return NULL;
}

static int32_t create(void *plugin, const berth_instance_config_v1 *config, void **instance) {
    (void)plugin;
#ifdef FAULT_TRUSTS_SETTINGS
    if (config->settings.ptr[0] != '{') abort();
#else
    (void)config;
#endif
    *instance = malloc(64);
    return BERTH_OK;
}
static void destroy(void *plugin, void *instance) {
    (void)plugin;
#ifndef FAULT_LEAKS
    free(instance);
#endif
}

#ifdef FAULT_HANDLER
static void on_signal(int number) { (void)number; }
#endif

int32_t berth_plugin_entry_v1(const berth_host_v1 *given, berth_plugin_v1 *out) {
    host = given;
    http = host->query(host->host, TEXT(BERTH_HTTP_ID), 1);
    signature = host->query(host->host, TEXT(BERTH_SIGNATURE_ID), 1);
#ifndef FAULT_NEEDS_HTTP
    if (http == NULL) return BERTH_UNSUPPORTED;
#endif
#ifdef FAULT_READS_PAST_HOST
    if (((void *const volatile *)(host + 1))[0] != NULL) out->plugin = out;
#endif
#ifdef FAULT_CALLS_BEYOND
    if (host->struct_size > sizeof *host) ((void (**)(void))(host + 1))[0]();
#endif
#ifdef FAULT_HANDLER
    signal(SIGUSR1, on_signal);
#endif
#ifdef FAULT_REFUSES
    return BERTH_CONFLICT;
#endif
    *out = (berth_plugin_v1){.struct_size = sizeof *out, .abi_version = BERTH_ABI_VERSION, .create = create, .destroy = destroy, .query = query};
#ifdef FAULT_OTHER_ABI
    out->abi_version = 2;
#endif
    return BERTH_OK;
}
