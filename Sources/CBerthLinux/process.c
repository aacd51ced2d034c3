/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting a worker with exactly the descriptors it may have, and following it by pidfd, never by number. */
#define _GNU_SOURCE
#include "berth_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum { FDS_MAX = 8, FD_FIRST_FREE = 16 };

int32_t berth_spawn(const char *path, const char *name, const int32_t *fds, uint32_t count, pid_t *pid, int32_t *pidfd) {
    if (count > FDS_MAX) return EINVAL;
    /* Sources are first moved out of the way of the targets, or one dup2 could overwrite another's source. */
    int moved[FDS_MAX];
    uint32_t ready = 0;
    int result = 0;
    for (; ready < count; ready++) {
        moved[ready] = fcntl(fds[ready], F_DUPFD_CLOEXEC, FD_FIRST_FREE);
        if (moved[ready] < 0) {
            result = errno;
            break;
        }
    }
    if (result == 0) {
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        for (uint32_t index = 0; index < count; index++) posix_spawn_file_actions_adddup2(&actions, moved[index], (int)(2 + index));
        posix_spawn_file_actions_addclosefrom_np(&actions, (int)(2 + count));
        posix_spawnattr_t attributes;
        posix_spawnattr_init(&attributes);
        /* A fresh signal state and a group of its own: a terminal's ctrl-C is for the daemon, which then drains. */
        sigset_t none, all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setpgroup(&attributes, 0);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
        char *const argv[] = {(char *)path, (char *)name, NULL};
        char *const environment[] = {"SWIFT_BACKTRACE=enable=no", NULL};
        result = posix_spawn(pid, path, &actions, &attributes, argv, environment);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
    }
    for (uint32_t index = 0; index < ready; index++) close(moved[index]);
    if (result != 0) return result;
    /* Only this process may reap the child, and does so through the descriptor: the number cannot be reused before. */
    long opened = syscall(SYS_pidfd_open, *pid, 0);
    if (opened < 0) {
        result = errno;
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
        return result;
    }
    *pidfd = (int32_t)opened;
    return 0;
}

int32_t berth_pidfd_signal(int32_t pidfd, int32_t signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0 ? 0 : errno;
}

int32_t berth_pidfd_reap(int32_t pidfd, int32_t *code, int32_t *signal) {
    siginfo_t ended = {0};
    int result;
    do result = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &ended, WEXITED);
    while (result != 0 && errno == EINTR);
    if (result != 0) return errno;
    *code = ended.si_code == CLD_EXITED ? ended.si_status : 0;
    *signal = ended.si_code == CLD_EXITED ? 0 : ended.si_status;
    return 0;
}

int32_t berth_socketpair(int32_t fds[2]) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0 ? 0 : errno; }

int32_t berth_shared_page(size_t bytes) {
    int fd = memfd_create("berth-progress", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    if (ftruncate(fd, (off_t)bytes) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        int cause = errno;
        close(fd);
        errno = cause;
        return -1;
    }
    return fd;
}

void *berth_map_shared(int32_t fd, size_t bytes) {
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return address == MAP_FAILED ? NULL : address;
}

void berth_unmap(void *address, size_t bytes) { munmap(address, bytes); }

int32_t berth_event_descriptor(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int32_t berth_pipe(int32_t fds[2]) { return pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0 ? 0 : errno; }

int32_t berth_pipe_room(int32_t fd, int32_t bytes) {
    int room = fcntl(fd, F_SETPIPE_SZ, bytes);
    return room < 0 ? -errno : room;
}

ssize_t berth_receive(int32_t fd, void *bytes, size_t count) {
    for (;;) {
        ssize_t received = recv(fd, bytes, count, MSG_DONTWAIT);
        if (received >= 0) return received;
        if (errno != EINTR) return -(ssize_t)errno;
    }
}

ssize_t berth_send(int32_t fd, const void *bytes, size_t count) {
    for (;;) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) return sent;
        if (errno != EINTR) return -(ssize_t)errno;
    }
}
