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

typedef void (*berth_free_function)(void *);

/* The heap's own: the next in the order of lookup, so that a preloaded allocator keeps what it handed out. */
static _Atomic(berth_free_function) next_free;
static _Thread_local int is_looking_up;

static berth_free_function heap_free(void) {
    berth_free_function found = atomic_load_explicit(&next_free, memory_order_relaxed);
    if (found != NULL || is_looking_up) return found;
    is_looking_up = 1;
    found = (berth_free_function)dlsym(RTLD_NEXT, "free");
    is_looking_up = 0;
    atomic_store_explicit(&next_free, found, memory_order_relaxed);
    return found;
}

/* The symbols of the executable come first for every library of the process. */
void free(void *block) {
    if (block == NULL) return;
    /* Not removable: what comes after is a call the compiler knows nothing of. */
    memset(block, 0, malloc_usable_size(block));
    berth_free_function release = heap_free();
    /* Only what the lookup itself frees, once in a life, stays. */
    if (release != NULL) release(block);
}

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
