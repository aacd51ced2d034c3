/* SPDX-License-Identifier: Apache-2.0
 *
 * The Linux calls that Swift cannot express: sealing a worker (Landlock, seccomp, limits), starting it with an
 * exact set of descriptors, pidfds, and a small pool of plain threads for plugin operations, which may block and so
 * must never be threads of Swift's concurrency runtime. No policy here but the lists in sandbox.c.
 */
#ifndef BERTH_LINUX_H
#define BERTH_LINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sandbox.c ---- */

/* What the kernel offers. landlock_abi 0: none. */
typedef struct berth_sandbox_support {
    int32_t landlock_abi;
    int32_t has_seccomp;
} berth_sandbox_support;

/* Asks the kernel; changes nothing. [any-thread] */
berth_sandbox_support berth_sandbox_probe(void);

/* First stage, before any plugin byte is mapped and before any second thread exists: no new privileges, not
 * dumpable, no capabilities, limits (core 0, address space `address_space_bytes` above what is mapped now, 64 files),
 * Landlock (read the `count` paths and nothing else, no TCP, no signals or abstract sockets outside), seccomp
 * deny-list. Missing kernel parts fail unless `best_effort`. 0, or the errno with *step naming what failed. */
int32_t berth_sandbox_before_load(const char *const *read_paths, uint32_t count, uint64_t address_space_bytes, int32_t best_effort,
                                  const char **step);

/* Second stage, after the plugin's entry returned: a Landlock layer without any rule and a seccomp allow-list for all
 * threads. 0, or the errno with *step. */
int32_t berth_sandbox_after_load(int32_t best_effort, const char **step);

/* Bytes of address space mapped now; 0 when unknown. */
uint64_t berth_address_space_bytes(void);

/* The folder of the library that holds `address`, NUL-terminated in `out`; 0 or -1. */
int32_t berth_library_folder(const void *address, char *out, size_t capacity);

/* Keeps malloc to two arenas: each one reserves 64 MiB of address space, which the limit above counts. */
void berth_limit_malloc_arenas(void);

/* ---- process.c ---- */

/* Starts `path` with argv {path, name}, an environment of SWIFT_BACKTRACE=enable=no alone, descriptors 0 and 1 on
 * /dev/null and fds[i] as descriptor 2 + i; every other descriptor is closed. 0 and *pid, *pidfd (close-on-exec), or
 * an errno. [any-thread] */
int32_t berth_spawn(const char *path, const char *name, const int32_t *fds, uint32_t count, pid_t *pid, int32_t *pidfd);

/* Sends a signal to exactly that process. 0 or an errno. [any-thread] */
int32_t berth_pidfd_signal(int32_t pidfd, int32_t signal);

/* Reaps a child that has ended (its pidfd is readable). *signal is the signal that ended it or 0, *code its exit code.
 * 0 or an errno. */
int32_t berth_pidfd_reap(int32_t pidfd, int32_t *code, int32_t *signal);

/* A close-on-exec pair of connected stream sockets. 0 or an errno. */
int32_t berth_socketpair(int32_t fds[2]);

/* A zeroed, shared page of `bytes` whose size is sealed. The descriptor or -1 and errno. */
int32_t berth_shared_page(size_t bytes);

/* Maps it for both sides. NULL on failure. */
void *berth_map_shared(int32_t fd, size_t bytes);

/* Undoes berth_map_shared. */
void berth_unmap(void *address, size_t bytes);

/* A close-on-exec, non-blocking eventfd. The descriptor or -1 and errno. */
int32_t berth_event_descriptor(void);

/* A pipe that closes on exec and does not block. 0 or an errno. */
int32_t berth_pipe(int32_t fds[2]);

/* Lets a pipe hold up to this many bytes; what it holds now, or -errno (F_SETPIPE_SZ). */
int32_t berth_pipe_room(int32_t fd, int32_t bytes);

/* Reads once from a socket without blocking; bytes read, 0 at the end, or -errno. */
ssize_t berth_receive(int32_t fd, void *bytes, size_t count);

/* Writes once without raising SIGPIPE and without blocking; bytes sent, or -errno. */
ssize_t berth_send(int32_t fd, const void *bytes, size_t count);

/* ---- threads.c ---- */

/* Threads that take jobs in order of arrival. They are made on demand up to a limit and then kept. */
typedef struct berth_threads berth_threads;

/* A pool of at most `limit` threads with stacks of `stack_bytes`, named `name` (15 bytes at most). */
berth_threads *berth_threads_create(uint32_t limit, size_t stack_bytes, const char *name);

/* Runs `job(context)` on a thread of the pool. 0, or an errno when no thread could be made and none exists; the job
 * then does not run. [any-thread] */
int32_t berth_threads_run(berth_threads *threads, void (*job)(void *context), void *context);

/* A detached thread of its own. 0 or an errno. [any-thread] */
int32_t berth_thread_start(const char *name, size_t stack_bytes, void (*job)(void *context), void *context);

#ifdef __cplusplus
}
#endif

#endif
