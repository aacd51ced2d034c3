/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "berth_peer.h"

#include <sys/socket.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

int berth_peer_of(int socket, berth_peer *peer) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return -1;
    peer->pid = credentials.pid;
    peer->uid = credentials.uid;
    peer->gid = credentials.gid;
    return 0;
}

int berth_peer_groups(int socket, uint32_t *groups, int capacity) {
    socklen_t length = (socklen_t)(capacity * (int)sizeof(uint32_t));
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0) return -1;
    return (int)(length / sizeof(uint32_t));
}
