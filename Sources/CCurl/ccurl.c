/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "ccurl.h"
#include <pthread.h>
#include <string.h>

void ccurl_wipe(void *bytes, size_t count) {
    explicit_bzero(bytes, count);
}

void ccurl_name_thread(const char *name) {
    pthread_setname_np(pthread_self(), name);
}
