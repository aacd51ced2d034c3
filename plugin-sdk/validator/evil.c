/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin that misbehaves on purpose, in the way its event's body names. The daemon must survive every mode, lose no
 * other plugin's events, and give the event the outcome of expected.txt.
 */
#define _GNU_SOURCE
#define BERTH_PLUGIN_IMPLEMENTATION
#include <berth/events.h>
#include <berth/plugin.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static const berth_host_v1 *host;

static berth_plugin_slice text(const char *string) { return (berth_plugin_slice){(const uint8_t *)string, strlen(string)}; }

static berth_record_v1 good_record(uint32_t item) {
    berth_record_v1 record = {.struct_size = sizeof record, .kind = BERTH_RECORD_UPSERT, .item = item, .source_time = BERTH_NO_TIME,
                              .stream = text("calls"), .key = text("evil"), .payload = text("{\"status\":\"completed\"}")};
    return record;
}

static int32_t emit(berth_operation op, const berth_record_v1 *record, uint64_t count) { return host->emit(host->host, op, record, count); }

static int recurse(volatile char *from) {
    volatile char frame[4096];
    frame[0] = from ? from[0] : 1;
    return recurse(frame) + frame[0];
}

static void *sleeper(void *unused) {
    for (;;) pause();
    return unused;
}

static berth_operation late_operation;
static void *late_caller(void *unused) {
    usleep(200000);
    berth_record_v1 record = good_record(0);
    emit(late_operation, &record, 1);
    return unused;
}

/* Descriptors of the worker, whatever their numbers. */
static void to_every_descriptor(const void *bytes, size_t count) {
    for (int fd = 2; fd < 32; fd++) {
        if (write(fd, bytes, count) < 0) continue;
    }
}

static int32_t misbehave(const char *mode, berth_operation op, uint32_t item) {
#define IS(name) (strcmp(mode, name) == 0)
    berth_record_v1 record = good_record(item);
    if (IS("fine")) { record.key = text("fine"); emit(op, &record, 1); return BERTH_OK; }
    if (IS("segv")) { *(volatile int *)8 = 1; return BERTH_OK; }
    if (IS("abort")) abort();
    if (IS("overflow")) return recurse(NULL) == 0;
    if (IS("exit")) exit(0);
    if (IS("trap")) __builtin_trap();
    if (IS("loop")) for (volatile uint64_t n = 0;; n++) {}
    if (IS("sleep")) for (;;) sleep(1000);
    if (IS("leak")) { for (;;) { char *p = malloc(1 << 20); if (!p) abort(); memset(p, 1, 1 << 20); } }
    if (IS("fork")) return fork() < 0 ? BERTH_INVALID_EVENT : BERTH_OK;
    if (IS("exec")) { execl("/bin/true", "true", (char *)0); return BERTH_INVALID_EVENT; }
    if (IS("socket")) return socket(AF_INET, SOCK_STREAM, 0) < 0 ? BERTH_INVALID_EVENT : BERTH_OK;
    if (IS("read-file")) return access("/etc/passwd", R_OK) != 0 || open("/etc/passwd", 0) < 0 ? BERTH_INVALID_EVENT : BERTH_OK;
    if (IS("kill-parent")) { return kill(getppid(), SIGKILL) != 0 ? BERTH_INVALID_EVENT : BERTH_OK; }
    if (IS("threads")) { pthread_t t; for (int i = 0; i < 1000; i++) if (pthread_create(&t, NULL, sleeper, NULL) != 0) break; return BERTH_INVALID_EVENT; }
    if (IS("close-fds")) { for (int fd = 0; fd < 64; fd++) close(fd); return BERTH_OK; }
    if (IS("garbage")) { char junk[4096]; memset(junk, 0xEE, sizeof junk); to_every_descriptor(junk, sizeof junk); return BERTH_OK; }
    if (IS("half-frame")) { to_every_descriptor("\x40\x00\x00", 3); return BERTH_OK; }
    if (IS("huge-length")) { to_every_descriptor("\xff\xff\xff\x7f\x01\x01\x01\x01", 8); return BERTH_OK; }
    if (IS("stale")) { emit(op + (1ull << 32), &record, 1); return BERTH_INVALID_EVENT; }
    if (IS("late")) { pthread_t t; late_operation = op; pthread_create(&t, NULL, late_caller, NULL); return BERTH_INVALID_EVENT; }
    if (IS("bad-utf8")) { record.payload = text("{\"status\":\"\xff\xfe\"}"); emit(op, &record, 1); return BERTH_OK; }
    if (IS("nan")) { record.payload = text("{\"duration_seconds\":NaN}"); emit(op, &record, 1); return BERTH_OK; }
    if (IS("many")) { emit(op, &record, 1ull << 31); return BERTH_OK; }
    if (IS("size-zero")) { record.struct_size = 0; emit(op, &record, 1); return BERTH_OK; }
    if (IS("size-huge")) { record.struct_size = 0xFFFFFFFFu; emit(op, &record, 1); return BERTH_OK; }
    if (IS("null-slice")) { record.payload = (berth_plugin_slice){NULL, 100}; emit(op, &record, 1); return BERTH_OK; }
    if (IS("other-item")) { record.item = 4096; emit(op, &record, 1); return BERTH_OK; }
    if (IS("bad-stream")) { record.stream = text("no such stream"); emit(op, &record, 1); return BERTH_OK; }
    if (IS("checkpoint")) { host->checkpoint(host->host, op, 1, 0, text("x")); return BERTH_OK; }
    if (IS("unknown-status")) return 4711;
    return BERTH_UNSUPPORTED;
}

static int32_t handle(void *instance, berth_operation op, const berth_event_v1 *events, uint64_t count, int32_t *statuses) {
    (void)instance;
    for (uint64_t i = 0; i < count; i++) {
        char mode[64] = "";
        size_t length = events[i].kind.len < sizeof mode - 1 ? events[i].kind.len : sizeof mode - 1;
        memcpy(mode, events[i].kind.ptr, length);
        statuses[i] = misbehave(mode, op, (uint32_t)i);
    }
    return BERTH_OK;
}

static const berth_events_v1 events_v1 = {.struct_size = sizeof(berth_events_v1), .revision = 1, .handle = handle};

static const void *query(void *plugin, berth_host_slice id, uint32_t min_revision) {
    (void)plugin, (void)min_revision;
    return id.len == sizeof(BERTH_EVENTS_ID) - 1 && memcmp(id.ptr, BERTH_EVENTS_ID, id.len) == 0 ? &events_v1 : NULL;
}
static int32_t create(void *plugin, const berth_instance_config_v1 *config, void **instance) {
    (void)config;
    *instance = plugin;
    return BERTH_OK;
}
static void destroy(void *plugin, void *instance) { (void)plugin, (void)instance; }

int32_t berth_plugin_entry_v1(const berth_host_v1 *given, berth_plugin_v1 *out) {
    host = given;
#ifdef EVIL_REFUSES
    return 7;
#endif
    out->struct_size = sizeof *out;
    out->abi_version = BERTH_ABI_VERSION;
#ifdef EVIL_ABI
    out->abi_version = 99;
#endif
#ifdef EVIL_SIZE
    out->struct_size = 0;
#endif
    out->create = create;
    out->destroy = destroy;
    out->query = query;
    return BERTH_OK;
}
