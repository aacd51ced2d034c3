/* SPDX-License-Identifier: Apache-2.0 - what the daemon does to itself; prctl has variable arguments, which Swift cannot call. */
#ifndef BERTH_HARDEN_H
#define BERTH_HARDEN_H

/* PR_SET_DUMPABLE 0: no core files, no ptrace or /proc/PID/environ for others of the same user. 0 or -1 with errno. */
int berth_set_undumpable(void);

#endif
