/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin that breaks every rule on request: by event kind it crashes, hangs, lies, breaks the wire, or tries to leave its
 * sandbox ("try:NAME"; from the constructor too, results under "constructor:NAME" as errno). */
#define _GNU_SOURCE
#define BERTH_PLUGIN_IMPLEMENTATION
#include <berth/events.h>
#include <berth/plugin.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const berth_host_v1 *host;
static berth_operation stale;

#define TEXT(literal) ((berth_plugin_slice){(const uint8_t *)(literal), sizeof(literal) - 1})
static int is(berth_host_slice value, const char *name) { return value.len == strlen(name) && memcmp(value.ptr, name, value.len) == 0; }

/* ---- attempts at leaving; 0: it worked, else the errno ---- */

static int answered(long result) { return result < 0 ? errno : 0; }
static int open_for(const char *path, int flags) {
    int fd = open(path, flags, 0600);
    if (fd >= 0) close(fd);
    return answered(fd);
}
static int open_passwd(void) { return open_for("/etc/passwd", O_RDONLY); }
static int open_parent(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", getppid());
    return open_for(path, O_RDONLY);
}
static int open_mem(void) { return open_for("/proc/self/mem", O_RDWR); }
static int open_root(void) { return open_for("/root", O_RDONLY | O_DIRECTORY); }
static int write_tmp(void) { return open_for("/tmp/berth-hostile", O_WRONLY | O_CREAT); }
static int make_folder(void) { return answered(mkdir("/tmp/berth-hostile-folder", 0700)); }
static int change_mode(void) { return answered(chmod("/tmp", 01777)); }
static int remove_file(void) { return answered(unlink("/etc/berth-no-such-file")); }
static int socket_of(int family, int type, int protocol) { return answered(socket(family, type, protocol)); }
static int tcp(void) { return socket_of(AF_INET, SOCK_STREAM, 0); }
static int udp(void) { return socket_of(AF_INET, SOCK_DGRAM, 0); }
static int tcp6(void) { return socket_of(AF_INET6, SOCK_STREAM, 0); }
static int unix_stream(void) { return socket_of(AF_UNIX, SOCK_STREAM, 0); }
static int netlink(void) { return socket_of(AF_NETLINK, SOCK_RAW, 0); }
static int raw(void) { return socket_of(AF_INET, SOCK_RAW, 1); }
static int vsock(void) { return socket_of(40, SOCK_STREAM, 0); }
static int pair(void) {
    int fds[2];
    return answered(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
}
static int execute(void) {
    char *const argv[] = {"/bin/true", NULL};
    return answered(execve("/bin/true", argv, NULL));
}
static int fork_one(void) {
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    return answered(pid);
}
static int vfork_one(void) { return answered(syscall(SYS_clone, CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL)); }
static int clone3_one(void) {
    char args[88] = {0};
    return answered(syscall(435, args, sizeof args));
}
static int kill_parent(void) { return answered(kill(getppid(), 0)); }
static int kill_all(void) { return answered(kill(-1, 0)); }
static int thread_kill_parent(void) { return answered(syscall(SYS_tgkill, getppid(), getppid(), 0)); }
static int trace_parent(void) { return answered(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL)); }
static int read_parent(void) { return answered(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0)); }
static int pidfd_parent(void) { return answered(syscall(434, getppid(), 0)); }
static int shared_memory(void) { return answered(shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600)); }
static int uring(void) {
    char parameters[256] = {0};
    return answered(syscall(425, 1, parameters));
}
static int bpf(void) { return answered(syscall(SYS_bpf, 0, NULL, 0)); }
static int userfault(void) { return answered(syscall(SYS_userfaultfd, 0)); }
static int perf(void) { return answered(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0)); }
static int keys(void) { return answered(syscall(SYS_keyctl, 0, -3, 0)); }
static int memory_file(void) { return answered(syscall(SYS_memfd_create, "x", 0)); }
static int become_root(void) { return answered(setuid(0)); }
static int new_namespace(void) { return answered(unshare(CLONE_NEWUSER)); }
static int mount_tmp(void) { return answered(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL)); }
static int change_root(void) { return answered(chroot("/")); }
static int dumpable(void) { return answered(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }
static int more_memory(void) {
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    return answered(setrlimit(RLIMIT_AS, &limit));
}
static int set_clock(void) {
    struct timespec time = {1, 0};
    return answered(syscall(SYS_clock_settime, 0, &time));
}
static int executable_memory(void) {
    void *address = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) return errno;
    munmap(address, 4096);
    return 0;
}
static int extra_descriptor(void) { return fcntl(6, F_GETFD) < 0 ? EPERM : 0; }

static const struct attempt {
    const char *name;
    int (*run)(void);
    int only_in_call; /* the dynamic linker itself needs it while loading */
} attempts[] = {
    {"open_passwd", open_passwd, 0}, {"open_parent", open_parent, 0}, {"open_mem", open_mem, 0}, {"open_root", open_root, 0},
    {"write_tmp", write_tmp, 0}, {"make_folder", make_folder, 0}, {"change_mode", change_mode, 0}, {"remove_file", remove_file, 0},
    {"tcp", tcp, 0}, {"udp", udp, 0}, {"tcp6", tcp6, 0}, {"unix", unix_stream, 0}, {"netlink", netlink, 0}, {"raw", raw, 0},
    {"vsock", vsock, 0}, {"socketpair", pair, 0}, {"execve", execute, 0}, {"fork", fork_one, 0}, {"vfork", vfork_one, 0},
    {"clone3", clone3_one, 0}, {"kill_parent", kill_parent, 0}, {"kill_all", kill_all, 0}, {"thread_kill_parent", thread_kill_parent, 0},
    {"trace_parent", trace_parent, 0}, {"read_parent", read_parent, 0}, {"pidfd_parent", pidfd_parent, 0},
    {"shared_memory", shared_memory, 0}, {"io_uring", uring, 0}, {"bpf", bpf, 0}, {"userfault", userfault, 0}, {"perf", perf, 0},
    {"keys", keys, 0}, {"memory_file", memory_file, 0}, {"become_root", become_root, 0}, {"new_namespace", new_namespace, 0},
    {"mount", mount_tmp, 0}, {"change_root", change_root, 0}, {"dumpable", dumpable, 0}, {"more_memory", more_memory, 0},
    {"set_clock", set_clock, 0}, {"executable_memory", executable_memory, 1}, {"extra_descriptor", extra_descriptor, 0},
};
enum { ATTEMPTS = sizeof attempts / sizeof attempts[0] };
static int constructed[ATTEMPTS];

__attribute__((constructor)) static void begin(void) {
    if (!prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)) return; /* outside a worker this file does no harm while loading */
    for (int index = 0; index < ATTEMPTS; index++) constructed[index] = attempts[index].only_in_call ? -1 : attempts[index].run();
}

/* ---- misbehaviour ---- */

static int32_t emit(berth_operation op, uint32_t item, const char *key, const char *payload) {
    berth_record_v1 record = {.struct_size = sizeof record, .kind = BERTH_RECORD_UPSERT, .item = item, .source_time = BERTH_NO_TIME};
    record.stream = TEXT("calls");
    record.key = (berth_plugin_slice){(const uint8_t *)key, strlen(key)};
    record.payload = (berth_plugin_slice){(const uint8_t *)payload, strlen(payload)};
    return host->emit(host->host, op, &record, 1);
}

static int32_t report(berth_operation op, uint32_t item) {
    for (int index = 0; index < ATTEMPTS; index++) {
        char key[64], payload[64];
        if (!attempts[index].only_in_call) {
            snprintf(key, sizeof key, "constructor:%s", attempts[index].name);
            snprintf(payload, sizeof payload, "{\"errno\":%d}", constructed[index]);
            emit(op, item, key, payload);
        }
        snprintf(key, sizeof key, "call:%s", attempts[index].name);
        snprintf(payload, sizeof payload, "{\"errno\":%d}", attempts[index].run());
        emit(op, item, key, payload);
    }
    return BERTH_OK;
}

static volatile int sink;
static void __attribute__((noinline)) overflow(int depth) {
    volatile char frame[4096];
    frame[0] = (char)depth;
    if (depth >= 0) overflow(depth + 1);
    sink = frame[0];
}
static void *idle(void *argument) {
    (void)argument;
    for (;;) pause();
    return NULL;
}
static void put_frame(uint32_t length, uint8_t kind, uint64_t operation, const void *payload, size_t count) {
    uint8_t frame[4096] = {0};
    memcpy(frame, &length, 4);
    frame[4] = kind;
    memcpy(frame + 8, &operation, 8);
    memcpy(frame + 16, payload, count);
    ssize_t ignored = write(3, frame, 16 + count);
    (void)ignored;
}

static int32_t one(berth_operation op, const berth_event_v1 *event, uint32_t item) {
    berth_host_slice kind = event->kind;
    if (is(kind, "fine")) return emit(op, item, "fine", "{}");
    if (is(kind, "escape")) return report(op, item);
    if (is(kind, "segv")) *(volatile int *)8 = 1;
    if (is(kind, "abort")) abort();
    if (is(kind, "stack_overflow")) overflow(0);
    if (is(kind, "exit")) exit(0);
    if (is(kind, "loop")) for (;;) sink++;
    if (is(kind, "sleep")) for (;;) pause();
    if (is(kind, "leak")) for (;;) { void *more = malloc(1 << 20); if (!more) abort(); memset(more, 1, 1 << 20); }
    if (is(kind, "threads")) {
        for (int index = 0; index < 1000; index++) {
            pthread_t thread;
            if (pthread_create(&thread, NULL, idle, NULL) != 0) break;
        }
        return BERTH_OK;
    }
    if (is(kind, "close_all")) {
        for (int fd = 0; fd < 64; fd++) close(fd);
        return BERTH_OK;
    }
    if (is(kind, "close_stdin")) {
        close(0);
        return BERTH_OK;
    }
    if (is(kind, "garbage")) {
        uint8_t garbage[512];
        memset(garbage, 0xAB, sizeof garbage);
        ssize_t ignored = write(3, garbage, sizeof garbage);
        (void)ignored;
        for (;;) pause();
    }
    if (is(kind, "half_frame")) {
        uint8_t half[7] = {100, 0, 0, 0, 75, 0, 0};
        ssize_t ignored = write(3, half, sizeof half);
        (void)ignored;
        _exit(0);
    }
    if (is(kind, "long_frame")) {
        put_frame(0xFFFFFFFFu, 75, 1, "", 0);
        for (;;) pause();
    }
    if (is(kind, "unknown_kind")) {
        put_frame(0, 200, 1, "", 0);
        for (;;) pause();
    }
    if (is(kind, "foreign_answer")) { /* ends an operation that does not exist, then goes on as usual */
        uint8_t done[8] = {0};
        put_frame(8, 75, 0x7777777777ull, done, 8);
        return BERTH_OK;
    }
    if (is(kind, "invalid_utf8")) return emit(op, item, "\xff\xfe", "{}");
    if (is(kind, "empty_key")) return emit(op, item, "", "{}");
    if (is(kind, "nan_payload")) return emit(op, item, "nan", "NaN");
    if (is(kind, "wrong_item")) return emit(op, 77, "k", "{}");
    if (is(kind, "huge_count")) {
        berth_record_v1 record = {.struct_size = sizeof record};
        return host->emit(host->host, op, &record, 1ull << 31);
    }
    if (is(kind, "size_zero") || is(kind, "size_huge")) {
        berth_record_v1 record = {.struct_size = is(kind, "size_zero") ? 0 : 0xFFFFFFFFu, .kind = 1, .item = item};
        record.stream = TEXT("calls");
        record.key = TEXT("k");
        record.payload = TEXT("{}");
        return host->emit(host->host, op, &record, 1);
    }
    if (is(kind, "null_payload")) {
        berth_record_v1 record = {.struct_size = sizeof record, .kind = 1, .item = item};
        record.stream = TEXT("calls");
        record.key = TEXT("k");
        record.payload = (berth_plugin_slice){NULL, 10};
        return host->emit(host->host, op, &record, 1);
    }
    if (is(kind, "wrong_kind")) {
        berth_record_v1 record = {.struct_size = sizeof record, .kind = 9, .item = item};
        record.stream = TEXT("calls");
        record.key = TEXT("k");
        return host->emit(host->host, op, &record, 1);
    }
    if (is(kind, "checkpoint")) return host->checkpoint(host->host, op, 1, 0, TEXT("x"));
    if (is(kind, "keep")) {
        stale = op;
        return BERTH_OK;
    }
    if (is(kind, "stale")) { /* uses an operation that has ended: must be told so and change nothing */
        int32_t status = emit(stale, 0, "stale", "{}");
        return status == BERTH_STALE ? emit(op, item, "told", "{}") : BERTH_INTERNAL;
    }
    if (is(kind, "unknown_status")) return 4711;
    return BERTH_UNSUPPORTED;
}

static int32_t handle(void *self, berth_operation op, const berth_event_v1 *events, uint64_t count, int32_t *statuses) {
    (void)self;
    for (uint64_t index = 0; index < count; index++) statuses[index] = one(op, &events[index], (uint32_t)index);
    return BERTH_OK;
}

static int32_t create(void *plugin, const berth_instance_config_v1 *config, void **out) {
    (void)plugin;
    (void)config;
    *out = NULL;
    return BERTH_OK;
}
static void destroy(void *plugin, void *self) {
    (void)plugin;
    (void)self;
}
static const berth_events_v1 events = {sizeof events, 1, handle};
static const void *query(void *plugin, berth_host_slice id, uint32_t min_revision) {
    (void)plugin;
    return is(id, BERTH_EVENTS_ID) && min_revision <= 1 ? &events : NULL;
}
static void end(void *plugin) { (void)plugin; }

int32_t berth_plugin_entry_v1(const berth_host_v1 *given, berth_plugin_v1 *out) {
    host = given;
    *out = (berth_plugin_v1){sizeof *out, BERTH_ABI_VERSION, NULL, create, destroy, query, end};
    return BERTH_OK;
}
