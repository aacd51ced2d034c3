/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "berth_heap.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define BERTH_FOREIGN_HEAP 1
#endif
#endif

#ifndef BERTH_FOREIGN_HEAP

/* The heap's own: the next in the order of lookup, so that a preloaded allocator keeps what it handed out. */
static _Atomic(void *) next_free, next_realloc;
static _Thread_local int is_looking_up;

static void *heap(_Atomic(void *) *kept, const char *name) {
    void *found = atomic_load_explicit(kept, memory_order_relaxed);
    if (found != NULL || is_looking_up) return found;
    is_looking_up = 1;
    found = dlsym(RTLD_NEXT, name);
    is_looking_up = 0;
    atomic_store_explicit(kept, found, memory_order_relaxed);
    return found;
}

/* The symbols of the executable come first for every library of the process. */
void free(void *block) {
    if (block == NULL) return;
    /* Not removable: what comes after is a call the compiler knows nothing of. */
    memset(block, 0, malloc_usable_size(block));
    void (*release)(void *) = (void (*)(void *))heap(&next_free, "free");
    /* Only what the lookup itself frees, once in a life, stays. */
    if (release != NULL) release(block);
}

/* Whether a block has a mapping of its own: the second bit of the size before it (glibc's malloc.c, IS_MMAPPED). Of another allocator
 * it may be anything; the worst that comes of it is an old place that is not zeroed. */
static int is_mapped(const void *block) { return (((const size_t *)block)[-1] & 2) != 0; }

/* The heap's own would leave the old place as it was when it moves a block. */
void *realloc(void *block, size_t size) {
    if (block == NULL) return malloc(size);
    if (size == 0) {
        free(block);
        return NULL;
    }
    size_t had = malloc_usable_size(block);
    /* Stays where it is as long as not more than half would be wasted. */
    if (size <= had && size >= had / 2) return block;
    if (had >= 128 << 10 && size >= 128 << 10 && is_mapped(block)) {
        /* Pages that are moved leave nothing behind, and cost nothing however many they are. */
        void *(*resize)(void *, size_t) = (void *(*)(void *, size_t))heap(&next_realloc, "realloc");
        if (resize != NULL) return resize(block, size);
    }
    void *moved = malloc(size);
    if (moved == NULL) return NULL;
    memcpy(moved, block, had < size ? had : size);
    free(block);
    return moved;
}

int berth_heap_zeroes(void) {
    return dlsym(RTLD_DEFAULT, "free") == (void *)free && dlsym(RTLD_DEFAULT, "realloc") == (void *)realloc;
}

#else

int berth_heap_zeroes(void) { return 0; }

#endif
