/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealing a worker. Debian 12's headers know neither Landlock's network nor its scope rights, so that what is needed is
 * declared here. Landlock alone does not stop UDP; seccomp does. */
#define _GNU_SOURCE
#include "berth_linux.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#else
#error "the worker's sandbox is written for x86_64 and aarch64"
#endif

/* ---- Landlock ---- */

enum { NR_LANDLOCK_CREATE = 444, NR_LANDLOCK_ADD = 445, NR_LANDLOCK_RESTRICT = 446 };
enum { LANDLOCK_VERSION_FLAG = 1, LANDLOCK_PATH_BENEATH = 1 };
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_ALL_V1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13)
#define FS_TRUNCATE (1ull << 14)
#define FS_IOCTL_DEV (1ull << 15)
#define NET_TCP 3ull
#define SCOPE_ALL 3ull

struct landlock_rules {
    uint64_t fs, net, scoped;
};
struct landlock_path {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static int landlock_abi(void) {
    long abi = syscall(NR_LANDLOCK_CREATE, NULL, 0, LANDLOCK_VERSION_FLAG);
    return abi > 0 ? (int)abi : 0;
}

/* One more layer: reading the paths is allowed, all else that Landlock knows is not. */
static int landlock_layer(const char *const *paths, uint32_t count) {
    int abi = landlock_abi();
    if (abi < 1) return ENOSYS;
    struct landlock_rules rules = {.fs = FS_ALL_V1};
    if (abi >= 2) rules.fs |= FS_REFER;
    if (abi >= 3) rules.fs |= FS_TRUNCATE;
    if (abi >= 5) rules.fs |= FS_IOCTL_DEV;
    if (abi >= 4) rules.net = NET_TCP;
    if (abi >= 6) rules.scoped = SCOPE_ALL;
    size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    int ruleset = (int)syscall(NR_LANDLOCK_CREATE, &rules, size, 0);
    if (ruleset < 0) return errno;
    int result = 0;
    for (uint32_t index = 0; index < count && result == 0; index++) {
        int folder = open(paths[index], O_PATH | O_CLOEXEC);
        if (folder < 0) continue; /* not on this system */
        struct stat status;
        struct landlock_path path = {.allowed = FS_READ_FILE, .parent = folder};
        if (fstat(folder, &status) == 0 && S_ISDIR(status.st_mode)) path.allowed |= FS_READ_DIR;
        if (syscall(NR_LANDLOCK_ADD, ruleset, LANDLOCK_PATH_BENEATH, &path, 0) != 0) result = errno;
        close(folder);
    }
    if (result == 0 && syscall(NR_LANDLOCK_RESTRICT, ruleset, 0) != 0) result = errno;
    close(ruleset);
    return result;
}

/* ---- seccomp ---- */

enum { PROGRAM_MAX = 512 };
struct program {
    struct sock_filter code[PROGRAM_MAX];
    unsigned short count;
};

#define NR_OFFSET offsetof(struct seccomp_data, nr)
#define ARG_LOW(n) (offsetof(struct seccomp_data, args) + 8 * (n))
#define DENY (SECCOMP_RET_ERRNO | EPERM)
#define ABSENT (SECCOMP_RET_ERRNO | ENOSYS)

static void put(struct program *p, unsigned short code, unsigned char yes, unsigned char no, uint32_t k) {
    if (p->count < PROGRAM_MAX) p->code[p->count++] = (struct sock_filter){code, yes, no, k};
}
static void load(struct program *p, uint32_t offset) { put(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset); }
static void answer(struct program *p, uint32_t verdict) { put(p, BPF_RET | BPF_K, 0, 0, verdict); }
static void on(struct program *p, long nr, uint32_t verdict) {
    put(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)nr);
    answer(p, verdict);
}
/* Call `nr` is allowed when (low word of argument `arg` & mask) == value, else denied. */
static void on_argument(struct program *p, long nr, unsigned arg, uint32_t mask, uint32_t value) {
    put(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 5, (uint32_t)nr);
    load(p, ARG_LOW(arg));
    put(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value);
    answer(p, SECCOMP_RET_ALLOW);
    answer(p, DENY);
}
/* Call `nr` is allowed when argument `arg` has none of the bits of mask, else denied. */
static void on_bits_clear(struct program *p, long nr, unsigned arg, uint32_t mask) { on_argument(p, nr, arg, mask, 0); }

static void begin(struct program *p) {
    p->count = 0;
    load(p, offsetof(struct seccomp_data, arch));
    put(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, OWN_ARCH);
    answer(p, SECCOMP_RET_KILL_PROCESS);
    load(p, NR_OFFSET);
#if defined(__x86_64__)
    put(p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, 0x40000000u); /* the x32 numbers */
    answer(p, DENY);
#endif
}

/* Rules that both stages share: threads yes, processes no; signals to itself only; limits may be read. */
static void common(struct program *p) {
    on_argument(p, SYS_clone, 0, CLONE_THREAD, CLONE_THREAD);
#ifdef SYS_clone3
    on(p, SYS_clone3, ABSENT); /* its flags stand in memory, out of the filter's sight: libc falls back to clone */
#endif
    on_argument(p, SYS_tgkill, 0, 0xFFFFFFFFu, (uint32_t)getpid());
    on_argument(p, SYS_prlimit64, 2, 0xFFFFFFFFu, 0);
    on_argument(p, SYS_prctl, 0, 0xFFFFFFFFu, PR_SET_NAME);
}

static int install(struct program *p) {
    if (p->count >= PROGRAM_MAX) return E2BIG;
    struct sock_fprog program = {.len = p->count, .filter = p->code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) return errno;
    return 0;
}

/* While the library is mapped and its entry runs: the loader may open and map, and nothing leaves the process. */
static int deny_list(void) {
    static const int denied[] = {
        SYS_socket, SYS_socketpair, SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_execve, SYS_execveat,
#if defined(__x86_64__)
        SYS_fork, SYS_vfork, SYS_ptrace, SYS_chmod, SYS_chown, SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat, SYS_mknod, SYS_symlink,
        SYS_link, SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib, SYS_ustat, SYS_sysfs, SYS__sysctl, SYS_create_module,
#else
        SYS_ptrace,
#endif
        SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_fchownat, SYS_utimensat, SYS_mknodat, SYS_symlinkat, SYS_linkat, SYS_setxattr,
        SYS_lsetxattr, SYS_fsetxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, SYS_process_vm_readv, SYS_process_vm_writev,
        SYS_process_madvise, SYS_kcmp, SYS_bpf, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_keyctl, SYS_add_key,
        SYS_request_key, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsmount,
        SYS_fsconfig, SYS_fspick, SYS_mount_setattr, SYS_userfaultfd, SYS_perf_event_open, SYS_kill, SYS_tkill, SYS_rt_sigqueueinfo,
        SYS_rt_tgsigqueueinfo, SYS_pidfd_open, SYS_pidfd_send_signal, SYS_pidfd_getfd, SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid,
        SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid, SYS_setgroups, SYS_capset, SYS_setns, SYS_unshare, SYS_memfd_create,
        SYS_memfd_secret, SYS_shmget, SYS_shmat, SYS_shmctl, SYS_semget, SYS_msgget, SYS_mq_open, SYS_personality, SYS_init_module,
        SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct,
        SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_sethostname, SYS_setdomainname, SYS_quotactl,
        SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_fanotify_init, SYS_inotify_init1, SYS_setrlimit, SYS_setpriority,
        SYS_sched_setscheduler, SYS_sched_setattr, SYS_sched_setparam, SYS_setpgid, SYS_setsid, SYS_vhangup, SYS_syslog, SYS_umask,
    };
    struct program p;
    begin(&p);
    common(&p);
    for (size_t index = 0; index < sizeof denied / sizeof denied[0]; index++) on(&p, denied[index], DENY);
    answer(&p, SECCOMP_RET_ALLOW);
    return install(&p);
}

/* While it works: what a loop over two descriptors, its threads and its allocator need. No open, no executable memory. */
static int allow_list(void) {
    static const int allowed[] = {
        SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_sendto, SYS_recvfrom, SYS_close, SYS_futex, SYS_munmap, SYS_mremap, SYS_madvise,
        SYS_brk, SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_getrandom,
        SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_exit, SYS_exit_group, SYS_getpid, SYS_gettid,
        SYS_sched_yield, SYS_sched_getaffinity, SYS_set_robust_list, SYS_get_robust_list, SYS_rseq, SYS_membarrier, SYS_set_tid_address,
        SYS_restart_syscall, SYS_getrusage, SYS_times, SYS_uname, SYS_sysinfo, SYS_getcpu, SYS_ppoll, SYS_lseek, SYS_fstat,
        SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
#if defined(__x86_64__)
        SYS_poll, SYS_time, SYS_arch_prctl,
#endif
    };
    struct program p;
    begin(&p);
    for (size_t index = 0; index < sizeof allowed / sizeof allowed[0]; index++) on(&p, allowed[index], SECCOMP_RET_ALLOW);
    common(&p);
    on_bits_clear(&p, SYS_mmap, 2, PROT_EXEC);
    on_bits_clear(&p, SYS_mprotect, 2, PROT_EXEC);
    answer(&p, DENY);
    return install(&p);
}

/* ---- stages ---- */

berth_sandbox_support berth_sandbox_probe(void) {
    berth_sandbox_support support = {.landlock_abi = landlock_abi()};
    uint32_t action = SECCOMP_RET_ERRNO;
    support.has_seccomp = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    return support;
}

static int limit(int what, uint64_t value) {
    struct rlimit both = {.rlim_cur = value, .rlim_max = value};
    return setrlimit((__rlimit_resource_t)what, &both) == 0 ? 0 : errno;
}

static int drop_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    return syscall(SYS_capset, &header, none) == 0 ? 0 : errno;
}

#define TRY(name, call)            \
    do {                           \
        *step = name;              \
        int failed = (call);       \
        if (failed) return failed; \
    } while (0)
#define TRY_KERNEL(name, call)                     \
    do {                                           \
        *step = name;                              \
        int failed = (call);                       \
        if (failed && !best_effort) return failed; \
    } while (0)

int32_t berth_sandbox_before_load(const char *const *read_paths, uint32_t count, uint64_t address_space_bytes, int32_t best_effort,
                                  const char **step) {
    TRY("no-new-privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno);
    TRY("dumpable", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : errno);
    TRY("core limit", limit(RLIMIT_CORE, 0));
    TRY("file limit", limit(RLIMIT_NOFILE, 64));
    uint64_t mapped = berth_address_space_bytes();
    if (address_space_bytes > 0 && mapped > 0) TRY("address space limit", limit(RLIMIT_AS, mapped + address_space_bytes));
    TRY("capabilities", drop_capabilities());
    TRY_KERNEL("Landlock", landlock_layer(read_paths, count));
    TRY_KERNEL("seccomp", deny_list());
    *step = "";
    return 0;
}

int32_t berth_sandbox_after_load(int32_t best_effort, const char **step) {
    TRY_KERNEL("Landlock", landlock_layer(NULL, 0));
    TRY_KERNEL("seccomp", allow_list());
    *step = "";
    return 0;
}

uint64_t berth_address_space_bytes(void) {
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    unsigned long long pages = 0;
    int read = fscanf(file, "%llu", &pages);
    fclose(file);
    return read == 1 ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

int32_t berth_library_folder(const void *address, char *out, size_t capacity) {
    Dl_info found;
    if (!dladdr(address, &found) || !found.dli_fname) return -1;
    const char *slash = strrchr(found.dli_fname, '/');
    if (!slash) return -1;
    size_t length = slash == found.dli_fname ? 1 : (size_t)(slash - found.dli_fname);
    if (length + 1 > capacity) return -1;
    memcpy(out, found.dli_fname, length);
    out[length] = 0;
    return 0;
}

void berth_limit_malloc_arenas(void) { mallopt(M_ARENA_MAX, 2); }
