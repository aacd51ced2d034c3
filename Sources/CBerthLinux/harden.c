/* SPDX-License-Identifier: Apache-2.0 */
#include "berth_harden.h"

#include <sys/prctl.h>

int berth_set_undumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
