/* SPDX-License-Identifier: Apache-2.0 - peer credentials of a Unix socket; glibc hides ucred behind _GNU_SOURCE. */
#ifndef BERTH_PEER_H
#define BERTH_PEER_H

#include <stdint.h>

typedef struct berth_peer {
    int32_t pid;
    uint32_t uid;
    uint32_t gid;
} berth_peer;

/* SO_PEERCRED; 0 or -1 with errno. */
int berth_peer_of(int socket, berth_peer *peer);

/* SO_PEERGROUPS: supplementary groups; answers how many are in `groups`, or -1 with errno. */
int berth_peer_groups(int socket, uint32_t *groups, int capacity);

#endif
