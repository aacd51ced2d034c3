/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's functions as the cases bend them. Each checks what the plugin hands over by the words of the public headers.
 */
#define _GNU_SOURCE
#include "host.h"

#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

hostile_state hostile;
static pthread_mutex_t saying = PTHREAD_MUTEX_INITIALIZER;

void hostile_say(const char *kind, const char *format, ...) {
    char line[1024];
    int length = snprintf(line, sizeof line, "%s ", kind);
    va_list arguments;
    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof line - (size_t)length - 1, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof line - 2) length = sizeof line - 2;
    for (int i = 0; i < length; i++)
        if ((unsigned char)line[i] < 32) line[i] = ' ';
    line[length++] = '\n';
    pthread_mutex_lock(&saying);
    if (strcmp(kind, "FAIL") == 0 || strcmp(kind, "LEAK") == 0) hostile.failures++;
    /* A plugin that fails everywhere need not fill the disk. */
    if (hostile.failures <= 20 && write(hostile.report, line, (size_t)length) < 0) _exit(3);
    pthread_mutex_unlock(&saying);
}

/* xorshift64*: a run is repeated by its seed. */
static _Thread_local uint64_t random_state = 1;
void hostile_seed(uint64_t seed) { random_state = seed * 2 + 1; }
uint64_t hostile_random(void) {
    uint64_t x = random_state;
    x ^= x >> 12, x ^= x << 25, x ^= x >> 27;
    random_state = x;
    return x * 2685821657736338717ull;
}

static size_t pages_of(size_t length) { return (length + 4095) / 4096 * 4096 + 4096; }

uint8_t *hostile_guarded(const void *bytes, size_t length) {
    size_t size = pages_of(length);
    uint8_t *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + size - 4096, 4096, PROT_NONE) != 0) abort();
    uint8_t *start = pages + size - 4096 - length;
    if (length > 0 && bytes) memcpy(start, bytes, length);
    return start;
}

void hostile_release(uint8_t *bytes, size_t length) {
    size_t size = pages_of(length);
    munmap(bytes + length + 4096 - size, size);
}

const char *hostile_status(int32_t status) {
    static const char *const names[] = {"ok",        "retry",    "throttled",        "auth_expired", "auth_denied", "invalid_event",
                                        "not_found", "conflict", "remote_down",      "timeout",      "cancelled",   "unsupported",
                                        "internal",  "stale",    "invalid_argument", "denied"};
    return status >= 0 && status <= 15 ? names[status] : "a number that is no status";
}

void hostile_retire(uint8_t *bytes, size_t length) {
    static _Thread_local struct {
        uint8_t *bytes;
        size_t length;
    } retired[16];
    static _Thread_local size_t oldest;
    size_t size = pages_of(length);
    if (mprotect(bytes + length + 4096 - size, size, PROT_NONE) != 0) abort();
    if (retired[oldest].bytes) hostile_release(retired[oldest].bytes, retired[oldest].length);
    retired[oldest].bytes = bytes, retired[oldest].length = length;
    oldest = (oldest + 1) % 16;
}

berth_operation hostile_begin(uint32_t items) {
    static uint64_t generation = 0x5EED;
    memset(hostile.digest, 0, sizeof hostile.digest);
    hostile.calls = hostile.records = hostile.checkpoints = hostile.requests = hostile.unsaved = 0;
    if (hostile.store) hostile.store->pending_count = 0;
    hostile.refused_data = hostile.refused_any = hostile.hmac_said_yes = 0;
    hostile.items = items;
    hostile.thread = pthread_self();
    hostile.current = ++generation << 32 | 7;
    hostile.said[0] = 0;
    return hostile.current;
}

void hostile_end(void) { hostile.current = 0; }

/* Common to all calls: is this operation running, on this thread, and what does the case answer? */
static int32_t gate(const char *what, berth_operation op, int is_serial, int is_data) {
    uint64_t number = atomic_fetch_add(&hostile.calls, 1) + 1;
    berth_operation current = hostile.current;
    int32_t status = BERTH_OK;
    if (hostile.is_parallel) return BERTH_OK;
    if (op != current || op == 0) {
        FAIL("%s was called with operation %#llx, which %s", what, (unsigned long long)op, op == 0 ? "is never one" : "is not running");
        return BERTH_STALE;
    }
    if (is_serial && !pthread_equal(hostile.thread, pthread_self())) FAIL("%s was called from another thread than the operation's", what);
    if (hostile.answers_stale)
        status = BERTH_STALE;
    else if (hostile.cancel_at && number >= hostile.cancel_at)
        status = BERTH_CANCELLED;
    else if (hostile.fail_at == number)
        status = hostile.fail_with;
    if (status != BERTH_OK) hostile.refused_any = 1, hostile.refused_data |= is_data;
    return status;
}

static int is_utf8(const uint8_t *p, uint64_t n) {
    for (uint64_t i = 0; i < n;) {
        uint32_t c = p[i++], more = c < 0x80 ? 0 : c >= 0xC2 && c < 0xE0 ? 1 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : 9;
        if (more == 9) return 0;
        uint32_t value = more == 0 ? c : c & (0x3Fu >> more);
        for (uint32_t k = 0; k < more; k++, i++) {
            if (i >= n || (p[i] & 0xC0) != 0x80) return 0;
            value = value << 6 | (p[i] & 0x3F);
        }
        if ((more == 2 && (value < 0x800 || (value >= 0xD800 && value < 0xE000))) || (more == 3 && (value < 0x10000 || value > 0x10FFFF)))
            return 0;
    }
    return 1;
}

static int slice_holds(const char *what, berth_plugin_slice slice, uint64_t max, int is_text) {
    if (slice.len > max)
        return FAIL("%s is %llu bytes long, at most %llu are allowed", what, (unsigned long long)slice.len, (unsigned long long)max), 0;
    if (slice.len > 0 && !slice.ptr) return FAIL("%s has a length of %llu and no address", what, (unsigned long long)slice.len), 0;
    if (is_text && !is_utf8(slice.ptr, slice.len)) return FAIL("%s is not UTF-8", what), 0;
    return 1;
}

static int listed(const char *const *list, berth_plugin_slice name) {
    for (; *list; list++)
        if (strlen(*list) == name.len && memcmp(*list, name.ptr, name.len) == 0) return 1;
    return 0;
}

/* FNV-1a. */
static uint64_t mixed(uint64_t hash, berth_plugin_slice slice) {
    for (uint64_t i = 0; i < slice.len; i++) hash = (hash ^ slice.ptr[i]) * 1099511628211ull;
    return (hash ^ slice.len) * 1099511628211ull;
}

static void host_log(void *host, berth_operation op, uint32_t level, berth_plugin_slice message) {
    (void)host;
    if (!hostile.is_parallel && op != 0 && op != hostile.current) FAIL("log was called with an operation that is not running");
    if (level > BERTH_LOG_ERROR) FAIL("log was called with level %u", level);
    slice_holds("a log line", message, 1 << 20, 0);
}

static int32_t host_fail(void *host, berth_operation op, const berth_failure_v1 *failure) {
    (void)host;
    int32_t status = gate("fail", op, 1, 0);
    if (!failure) return FAIL("fail was given no failure"), BERTH_INVALID_ARGUMENT;
    if (failure->struct_size < sizeof *failure || failure->struct_size > 4096)
        FAIL("berth_failure_v1.struct_size is %u", failure->struct_size);
    if (failure->status == BERTH_OK) FAIL("fail was given the status ok");
    if (failure->item != BERTH_NO_ITEM && failure->item >= hostile.items)
        FAIL("fail names item %u of a batch of %u", failure->item, hostile.items);
    if (slice_holds("a failure's message", failure->message, 4096, 1))
        snprintf(hostile.said, sizeof hostile.said, "%.*s", (int)failure->message.len, (const char *)failure->message.ptr);
    slice_holds("a failure's remote code", failure->remote_code, 256, 1);
    slice_holds("a failure's fields", failure->fields, 1 << 20, 1);
    return status;
}

static uint32_t host_is_cancelled(void *host, berth_operation op) {
    (void)host;
    uint64_t number = atomic_fetch_add(&hostile.calls, 1) + 1;
    if (hostile.is_parallel) return 0;
    if (op != hostile.current) return FAIL("is_cancelled was called with an operation that is not running"), 1;
    if (hostile.answers_stale || (hostile.cancel_at && number >= hostile.cancel_at)) return hostile.refused_any = 1, 1;
    return 0;
}

static uint64_t host_remaining(void *host, berth_operation op) {
    (void)host;
    return op == hostile.current && !hostile.answers_stale && !hostile.cancel_at ? 10000 : 0;
}

static int32_t host_emit(void *host, berth_operation op, const berth_record_v1 *records, uint64_t count) {
    (void)host;
    int32_t status = gate("emit", op, 1, 1);
    if (count > 100000) return FAIL("emit was given %llu records at once", (unsigned long long)count), BERTH_INVALID_ARGUMENT;
    if (count > 0 && !records)
        return FAIL("emit was given no records but a count of %llu", (unsigned long long)count), BERTH_INVALID_ARGUMENT;
    for (uint64_t i = 0; i < count; i++) {
        const berth_record_v1 *record = &records[i];
        if (record->struct_size != sizeof *record)
            return FAIL("berth_record_v1.struct_size is %u", record->struct_size), BERTH_INVALID_ARGUMENT;
        if (record->kind != BERTH_RECORD_UPSERT && record->kind != BERTH_RECORD_DELETE) FAIL("a record has kind %u", record->kind);
        if (record->reserved0 != 0) FAIL("berth_record_v1.reserved0 is %u, not 0", record->reserved0);
        if (record->item != BERTH_NO_ITEM && record->item >= hostile.items)
            FAIL("a record names item %u of a batch of %u", record->item, hostile.items);
        if (slice_holds("a record's stream", record->stream, 64, 1) && !listed(hostile.plan->streams, record->stream))
            FAIL("a record names stream '%.*s', which the manifest does not declare", (int)record->stream.len,
                 (const char *)record->stream.ptr);
        if (slice_holds("a record's key", record->key, 512, 1) && record->key.len == 0) FAIL("a record has an empty key");
        if (!slice_holds("a record's payload", record->payload, 1 << 20, 1) ||
            !slice_holds("a record's raw original", record->raw, 1 << 20, 0))
            return BERTH_INVALID_ARGUMENT;
        if (record->kind == BERTH_RECORD_UPSERT &&
            (record->payload.len < 2 || record->payload.ptr[0] != '{' || record->payload.ptr[record->payload.len - 1] != '}'))
            FAIL("the payload of record '%.*s' is no JSON object", (int)record->key.len, (const char *)record->key.ptr);
        if (status != BERTH_OK || hostile.is_parallel) continue;
        hostile.records++;
        hostile.unsaved++;
        if (hostile.store && hostile.store->pending_count < STORE_MAX) {
            uint64_t key = mixed(mixed(0, record->stream), record->key);
            hostile.store->pending[hostile.store->pending_count].key = key;
            hostile.store->pending[hostile.store->pending_count++].value = mixed(record->kind, record->payload);
        }
        uint64_t *digest = &hostile.digest[record->item < 63 ? record->item : 63];
        *digest = mixed(mixed(mixed(*digest ^ record->kind, record->stream), record->key), record->payload);
    }
    return status;
}

/* The records since the last checkpoint and this position, together. */
static void save(uint32_t schema, berth_plugin_slice state) {
    hostile_store *store = hostile.store;
    for (size_t i = 0; i < store->pending_count; i++) {
        size_t at = 0;
        while (at < store->saved_count && store->saved[at].key != store->pending[i].key) at++;
        if (at == STORE_MAX) continue;
        if (at == store->saved_count) store->saved_count++;
        store->saved[at] = store->pending[i];
    }
    store->pending_count = 0;
    store->state_schema = schema;
    store->state_length = state.len;
    if (state.len > 0) memcpy(store->state, state.ptr, state.len);
}

static int32_t host_checkpoint(void *host, berth_operation op, uint32_t schema, uint32_t reserved0, berth_plugin_slice state) {
    (void)host;
    int32_t status = gate("checkpoint", op, 1, 1);
    if (reserved0 != 0) FAIL("checkpoint's reserved0 is %u, not 0", reserved0);
    if (hostile.items > 0) FAIL("checkpoint was called in a batch of events");
    slice_holds("a checkpoint", state, 64 << 10, 0);
    if (status != BERTH_OK) return status;
    hostile.checkpoints++;
    hostile.unsaved = 0;
    if (hostile.store && state.len <= sizeof hostile.store->state) save(schema, state);
    return BERTH_OK;
}

static int32_t host_reply(void *host, berth_operation op, berth_plugin_slice json) {
    (void)host;
    int32_t status = gate("reply", op, 1, 1);
    slice_holds("a reply", json, 1 << 20, 1);
    return status;
}

/* Whether a URL is below base_url, or absolute on an allowed host. */
static int goes_to_an_allowed_host(berth_plugin_slice url) {
    char text[512] = "";
    size_t length = url.len < sizeof text - 1 ? url.len : sizeof text - 1;
    memcpy(text, url.ptr, length);
    if (text[0] == '/' && text[1] != '/') return 1;
    char *host = strncmp(text, "https://", 8) == 0 ? text + 8 : strncmp(text, "http://", 7) == 0 ? text + 7 : NULL;
    if (!host) return 0;
    host[strcspn(host, "/?#:")] = 0;
    if (strchr(host, '@')) return 0;
    for (const char *const *allowed = hostile.plan->hosts; *allowed; allowed++) {
        size_t all = strlen(host), part = strlen(*allowed) - 1;
        if (strcasecmp(*allowed, host) == 0) return 1;
        if ((*allowed)[0] == '*' && all > part && strcasecmp(host + all - part, *allowed + 1) == 0) return 1;
    }
    return 0;
}

/* Answers to requests: valid until the next one, as the header says, and unreadable from then on. */
static int32_t http_send(void *host, berth_operation op, const berth_http_request_v1 *request, berth_http_response_v1 *response) {
    static _Thread_local uint8_t *body, *fields;
    static _Thread_local size_t body_length;
    static _Thread_local berth_header_v1 *headers;
    (void)host;
    int32_t status = gate("send", op, 1, 0);
    if (body) hostile_retire(body, body_length), body = NULL;
    if (headers) hostile_retire((uint8_t *)headers, sizeof *headers), hostile_retire(fields, 43), headers = NULL;
    if (!request || !response) return FAIL("send was given no request or no response"), BERTH_INVALID_ARGUMENT;
    if (request->struct_size < sizeof *request || request->struct_size > 4096)
        return FAIL("berth_http_request_v1.struct_size is %u", request->struct_size), BERTH_INVALID_ARGUMENT;
    if (response->struct_size < sizeof *response || response->struct_size > 4096)
        return FAIL("berth_http_response_v1.struct_size is %u: the plugin sets it before the call", response->struct_size),
               BERTH_INVALID_ARGUMENT;
    if (request->header_count > 100)
        return FAIL("a request has %llu headers", (unsigned long long)request->header_count), BERTH_INVALID_ARGUMENT;
    if (request->flags & ~(BERTH_HTTP_IDEMPOTENT | BERTH_HTTP_NO_AUTH)) FAIL("a request has unknown flags %#x", request->flags);
    slice_holds("a request's method", request->method, 16, 1);
    slice_holds("a request's URL", request->url, 64 << 10, 1);
    if (request->url.ptr && request->url.len <= 64 << 10 && !goes_to_an_allowed_host(request->url))
        FAIL("a request goes to '%.*s', which is neither below base_url nor on an allowed host",
             (int)(request->url.len < 200 ? request->url.len : 200), (const char *)request->url.ptr);
    slice_holds("a request's body", request->body, 32 << 20, 0);
    for (uint64_t i = 0; i < request->header_count; i++) {
        slice_holds("a request header's name", request->headers[i].name, 256, 1);
        slice_holds("a request header's value", request->headers[i].value, 8192, 1);
    }
    if (status != BERTH_OK) return status;
    /* A plugin that pages for ever is stopped as an operator would stop it. */
    if (atomic_fetch_add(&hostile.requests, 1) >= 200 && !hostile.is_parallel) {
        if (hostile.requests > 1000) FAIL("1000 requests in one operation, 800 of them after it was cancelled"), _exit(1);
        hostile.refused_any = 1;
        return BERTH_CANCELLED;
    }
    const char *text = "{}";
    size_t length = 2;
    response->status = 200;
    switch (hostile.answer) {
    case ANSWER_FIXTURES:
    case ANSWER_SAME:
        if (hostile.plan->event_count > 0) {
            uint64_t choice = hostile.answer == ANSWER_SAME
                                  ? mixed(mixed(hostile.plan->seed + hostile.variation, request->url), request->body) >> 7
                                  : hostile_random();
            const hostile_event *fixture = &hostile.plan->events[choice % hostile.plan->event_count];
            text = (const char *)fixture->body, length = fixture->body_length;
        }
        break;
    case ANSWER_EMPTY_OBJECT: break;
    case ANSWER_HTML: text = "<!doctype html><title>Down for maintenance</title>", length = strlen(text); break;
    case ANSWER_CUT: text = "{\"records\":[{\"id\":\"1\",\"name\":\"cut of", length = strlen(text); break;
    case ANSWER_BINARY: text = "\x00\xff\xfe\x80{]\"\\u12", length = 12; break;
    case ANSWER_STATUS: response->status = hostile.answer_status; break;
    }
    body_length = length;
    body = hostile_guarded(text, length);
    fields = hostile_guarded("content-typeapplication/json; charset=UTF-8", 43);
    headers = (berth_header_v1 *)(void *)hostile_guarded(NULL, sizeof *headers);
    *headers = (berth_header_v1){{fields, 12}, {fields + 12, 31}};
    response->body = (berth_host_slice){body, length};
    response->headers = headers;
    response->header_count = 1;
    return BERTH_OK;
}

static int32_t hmac_matches(void *host, berth_operation op, uint32_t algorithm, uint32_t reserved0, berth_plugin_slice message,
                            berth_plugin_slice expected) {
    (void)host;
    int32_t status = gate("hmac_matches", op, 1, 0);
    if (algorithm < BERTH_HMAC_SHA1 || algorithm > BERTH_HMAC_SHA512) FAIL("HMAC algorithm %u is unknown", algorithm);
    if (reserved0 != 0) FAIL("hmac_matches' reserved0 is %u, not 0", reserved0);
    slice_holds("an HMAC's message", message, 32 << 20, 0);
    slice_holds("an HMAC", expected, 128, 0);
    return status != BERTH_OK ? status : BERTH_AUTH_DENIED;
}

/* What stands beyond a newer host's known members: called, it says so and ends the case. */
static void poison(void) {
    FAIL("the plugin called a function beyond the members of its header");
    _exit(1);
}

/* A table of `size` bytes: before a guard page, or with a tail of poison. */
static void *laid_out(const void *table, size_t size) {
    size_t tail = hostile.is_newer ? 8 * sizeof(void *) : 0;
    uint8_t *place = hostile_guarded(NULL, size + tail);
    memcpy(place, table, size);
    for (size_t at = size; at < size + tail; at += sizeof(void *)) *(void (**)(void))(void *)(place + at) = poison;
    *(uint32_t *)(void *)place = (uint32_t)(size + tail);
    return place;
}

static int asks_for(berth_plugin_slice id, const char *name) {
    if (id.len != strlen(name) || memcmp(id.ptr, name, id.len) != 0) return 0;
    return !hostile.hidden_interface || (strcmp(hostile.hidden_interface, "*") != 0 && strcmp(hostile.hidden_interface, name) != 0);
}

static const void *host_query(void *host, berth_plugin_slice id, uint32_t min_revision) {
    static const void *http, *signature;
    (void)host;
    if (!slice_holds("an interface's id", id, 64, 1) || min_revision > 1) return NULL;
    if (!http) {
        berth_http_v1 http_v1 = {.struct_size = sizeof http_v1, .revision = 1, .send = http_send};
        berth_signature_v1 signature_v1 = {.struct_size = sizeof signature_v1, .revision = 1, .hmac_matches = hmac_matches};
        signature = laid_out(&signature_v1, sizeof signature_v1);
        http = laid_out(&http_v1, sizeof http_v1);
    }
    return asks_for(id, BERTH_HTTP_ID) ? http : asks_for(id, BERTH_SIGNATURE_ID) ? signature : NULL;
}

const berth_host_v1 *hostile_table(void) {
    static const berth_host_v1 *table;
    if (!table) {
        berth_host_v1 host_v1 = {
            .struct_size = sizeof host_v1,
            .abi_version = BERTH_ABI_VERSION,
            .host = &hostile,
            .log = host_log,
            .fail = host_fail,
            .is_cancelled = host_is_cancelled,
            .remaining_ms = host_remaining,
            .emit = host_emit,
            .checkpoint = host_checkpoint,
            .reply = host_reply,
            .query = host_query,
        };
        table = laid_out(&host_v1, sizeof host_v1);
    }
    return table;
}

/* ---- What a plugin must leave alone. */

static struct {
    char cwd[4096];
    mode_t mask;
    uint64_t environment;
    struct sigaction handlers[32];
    int standard_output;
} before;
extern char **environ;

static uint64_t environment_digest(void) {
    uint64_t hash = 14695981039346656037ull;
    for (char **entry = environ; entry && *entry; entry++)
        hash = mixed(hash, (berth_plugin_slice){(const uint8_t *)*entry, strlen(*entry)});
    return hash;
}

void hostile_remember_process(void) {
    if (!getcwd(before.cwd, sizeof before.cwd)) before.cwd[0] = 0;
    before.mask = umask(0);
    umask(before.mask);
    before.environment = environment_digest();
    for (int number = 1; number < 32; number++) sigaction(number, NULL, &before.handlers[number]);
    before.standard_output = memfd_create("stdout", 0);
    dup2(before.standard_output, 1);
}

void hostile_compare_process(void) {
    char cwd[4096] = "";
    struct stat output;
    mode_t mask = umask(0);
    umask(mask);
    if (!getcwd(cwd, sizeof cwd) || strcmp(cwd, before.cwd) != 0) FAIL("the plugin changed the working directory to %s", cwd);
    if (mask != before.mask) FAIL("the plugin changed the umask to %o", mask);
    if (environment_digest() != before.environment) FAIL("the plugin changed the environment");
    for (int number = 1; number < 32; number++) {
        struct sigaction now;
        sigaction(number, NULL, &now);
        if (now.sa_handler != before.handlers[number].sa_handler) FAIL("the plugin installed a handler for signal %d", number);
    }
    fflush(stdout);
    if (fstat(before.standard_output, &output) == 0 && output.st_size > 0)
        FAIL("the plugin wrote %lld bytes to standard output; log with host->log", (long long)output.st_size);
}
