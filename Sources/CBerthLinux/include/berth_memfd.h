/* SPDX-License-Identifier: Apache-2.0 - a sealable memory file; glibc hides memfd_create behind _GNU_SOURCE. */
#ifndef BERTH_MEMFD_H
#define BERTH_MEMFD_H

/* A new close-on-exec memory file that can be sealed, or -1 with errno. */
int berth_memfd(const char *name);

#endif
