/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "berth_memfd.h"

#include <sys/mman.h>

int berth_memfd(const char *name) { return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING); }
