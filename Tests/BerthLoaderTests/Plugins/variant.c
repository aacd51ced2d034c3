/* SPDX-License-Identifier: Apache-2.0
 *
 * One plugin in many variants, chosen by -D. Its actions do what the tests ask and reply what they saw.
 *
 *   ENTRY       name of the entry                    SECOND      another exported function that answers VALUE
 *   VALUE       number that `value` replies          MISSING     calls a function that exists nowhere
 *   ABI         abi_version it claims                TABLE_SIZE  struct_size it claims
 *   LONGER      fills a table longer than the host's EVENTS_AT_PAGE_END  an events table of that size before a guard page
 *   ANSWER      what the entry answers
 */
#define _GNU_SOURCE
#define BERTH_PLUGIN_IMPLEMENTATION
#include <berth/actions.h>
#include <berth/events.h>
#include <berth/http.h>
#include <berth/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef VALUE
#define VALUE 1
#endif
#ifndef ANSWER
#define ANSWER BERTH_OK
#endif
#ifdef ENTRY
#define berth_plugin_entry_v1 ENTRY
__attribute__((visibility("default"))) int32_t ENTRY(const berth_host_v1 *given, berth_plugin_v1 *out);
#endif

static const berth_host_v1 *host;
static berth_operation kept;
static int created;

#ifdef SECOND
/* The same name in several libraries: each must go on seeing its own. */
__attribute__((visibility("default"))) int shared_name(void) { return VALUE; }
#endif
#ifdef MISSING
int a_function_that_exists_nowhere(void);
#endif

static berth_plugin_slice text(const char *string) { return (berth_plugin_slice){(const uint8_t *)string, strlen(string)}; }
static int is(berth_host_slice name, const char *wanted) { return name.len == strlen(wanted) && memcmp(name.ptr, wanted, name.len) == 0; }

static int32_t reply(berth_operation op, const char *format, long a, long b) {
    char json[128];
    snprintf(json, sizeof json, format, a, b);
    return host->reply(host->host, op, text(json));
}

static int answers(const void *ptr, uint64_t len, uint32_t revision) {
    return host->query(host->host, (berth_plugin_slice){ptr, len}, revision) != NULL;
}

/* Which of these ids the host answers: a digit each. */
static int32_t ask(berth_operation op) {
    static uint8_t zeros[4096];
    char overlong[4096], json[32];
    memset(overlong, 'a', sizeof overlong);
    memcpy(overlong, BERTH_HTTP_ID, sizeof BERTH_HTTP_ID - 1);
    snprintf(json, sizeof json, "[%d,%d,%d,%d,%d,%d,%d,%d]", answers(BERTH_HTTP_ID, 12, 1), answers("berth.nothing/1", 15, 1), answers("", 0, 1),
             answers(NULL, 0, 1), answers(NULL, 12, 1), answers(overlong, sizeof overlong, 1), answers(zeros, 64, 1), answers(BERTH_HTTP_ID, 12, 2));
    return host->reply(host->host, op, text(json));
}

/* An emit whose key is `length` bytes at `ptr`. */
static int32_t emit_key(berth_operation op, const void *ptr, uint64_t length, uint32_t size) {
    berth_record_v1 record = {.struct_size = size, .kind = BERTH_RECORD_UPSERT, .item = BERTH_NO_ITEM, .source_time = BERTH_NO_TIME,
                              .stream = text("calls"), .key = {ptr, length}, .payload = text("{}")};
    return host->emit(host->host, op, &record, 1);
}

static int32_t perform(void *instance, berth_operation op, berth_host_slice name, berth_host_slice input, berth_host_slice key) {
    (void)instance, (void)key;
#ifdef MISSING
    if (is(name, "missing")) return a_function_that_exists_nowhere();
#endif
#ifdef SECOND
    if (is(name, "shared")) return reply(op, "%ld", shared_name(), 0);
#endif
    if (is(name, "value")) return reply(op, "%ld", VALUE, 0);
    if (is(name, "created")) return reply(op, "%ld", created, 0);
    if (is(name, "ask")) return ask(op);
    if (is(name, "keep")) { kept = op; return BERTH_OK; }
    if (is(name, "late")) return reply(op, "[%ld,%ld]", emit_key(kept, "k", 1, sizeof(berth_record_v1)), host->is_cancelled(host->host, kept));
    if (is(name, "never")) return reply(op, "[%ld,%ld]", emit_key(0, "k", 1, sizeof(berth_record_v1)), emit_key(UINT64_MAX, "k", 1, sizeof(berth_record_v1)));
    if (is(name, "key-longest")) { static char k[512]; memset(k, 'k', 512); return emit_key(op, k, 512, sizeof(berth_record_v1)); }
    if (is(name, "key-too-long")) { static char k[513]; memset(k, 'k', 513); return emit_key(op, k, 513, sizeof(berth_record_v1)); }
    if (is(name, "key-endless")) return emit_key(op, "k", UINT64_MAX, sizeof(berth_record_v1));
    if (is(name, "key-nowhere")) return emit_key(op, NULL, 8, sizeof(berth_record_v1));
    if (is(name, "record-longer")) return emit_key(op, "k", 1, sizeof(berth_record_v1) + 8);
    if (is(name, "state-too-long")) { static char s[65537]; return host->checkpoint(host->host, op, 1, 0, (berth_plugin_slice){(uint8_t *)s, sizeof s}); }
    if (is(name, "log-endless")) { host->log(host->host, op, 9, (berth_plugin_slice){NULL, UINT64_MAX}); return BERTH_OK; }
    if (is(name, "measure")) return reply(op, "[%ld,%ld]", (long)input.len, input.len == 0 ? -1 : input.ptr[input.len - 1]);
    return BERTH_NOT_FOUND;
}

/* Each event's lengths and last bytes, as a record. */
static int32_t handle(void *instance, berth_operation op, const berth_event_v1 *events, uint64_t count, int32_t *statuses) {
    (void)instance;
    for (uint64_t i = 0; i < count; i++) {
        const berth_event_v1 *event = &events[i];
        char payload[256], key[32];
        snprintf(key, sizeof key, "%llu", (unsigned long long)i);
        snprintf(payload, sizeof payload, "{\"size\":%u,\"body\":%llu,\"last\":%d,\"headers\":%llu,\"first\":\"%.*s\"}", event->struct_size,
                 (unsigned long long)event->body.len, event->body.len ? event->body.ptr[event->body.len - 1] : -1,
                 (unsigned long long)event->header_count, event->header_count ? (int)event->headers[0].value.len : 0,
                 event->header_count ? (const char *)event->headers[0].value.ptr : "");
        berth_record_v1 record = {.struct_size = sizeof record, .kind = BERTH_RECORD_UPSERT, .item = (uint32_t)i, .source_time = BERTH_NO_TIME,
                                  .stream = text("calls"), .key = text(key), .payload = text(payload)};
        statuses[i] = host->emit(host->host, op, &record, 1);
    }
    return BERTH_OK;
}

static const berth_events_v1 events_v1 = {.struct_size = sizeof events_v1, .revision = 1, .handle = handle};
static const berth_actions_v1 actions_v1 = {.struct_size = sizeof actions_v1, .revision = 1, .perform = perform};

#ifdef EVENTS_AT_PAGE_END
static const void *events_at_page_end(void) {
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    berth_events_v1 table = {.struct_size = EVENTS_AT_PAGE_END, .revision = 1, .handle = handle};
    mprotect(pages + 4096, 4096, PROT_NONE);
    memcpy(pages + 4096 - EVENTS_AT_PAGE_END, &table, EVENTS_AT_PAGE_END);
    return pages + 4096 - EVENTS_AT_PAGE_END;
}
#endif

static const void *query(void *plugin, berth_host_slice id, uint32_t min_revision) {
    (void)plugin;
    if (min_revision > 1) return NULL;
#ifdef EVENTS_AT_PAGE_END
    if (is(id, BERTH_EVENTS_ID)) return events_at_page_end();
#endif
    return is(id, BERTH_EVENTS_ID) ? (const void *)&events_v1 : is(id, BERTH_ACTIONS_ID) ? (const void *)&actions_v1 : NULL;
}

static int32_t create(void *plugin, const berth_instance_config_v1 *config, void **instance) {
    (void)plugin;
    created++;
    *instance = (void *)&created;
    if (config->struct_size != sizeof *config || config->settings.len < 2 || config->settings.ptr[config->settings.len - 1] != '}') return BERTH_INVALID_ARGUMENT;
    return BERTH_OK;
}

/* Called though absent by the claimed size: ends the test run, so that nobody overlooks it. */
static void destroy(void *plugin, void *instance) {
    (void)plugin, (void)instance;
#if defined(TABLE_SIZE) && TABLE_SIZE < 32
    abort();
#endif
}
static void shut_down(void *plugin) {
    (void)plugin;
#if defined(TABLE_SIZE) && TABLE_SIZE < 48
    abort();
#endif
}

int32_t berth_plugin_entry_v1(const berth_host_v1 *given, berth_plugin_v1 *out) {
    host = given;
    *out = (berth_plugin_v1){.struct_size = sizeof *out, .abi_version = BERTH_ABI_VERSION, .create = create, .destroy = destroy, .query = query, .shutdown = shut_down};
#ifdef TABLE_SIZE
    out->struct_size = TABLE_SIZE;
#endif
#ifdef ABI
    out->abi_version = ABI;
#endif
#ifdef LONGER
    void (**beyond)(void *) = (void (**)(void *))(out + 1);
    for (int slot = 0; slot < LONGER; slot++) beyond[slot] = shut_down;
    out->struct_size = sizeof *out + LONGER * sizeof(void *);
#endif
    return ANSWER;
}
