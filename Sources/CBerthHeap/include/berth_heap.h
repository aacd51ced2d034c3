/* SPDX-License-Identifier: Apache-2.0 - the daemon's free and realloc: what is given back to the heap is zeroed first. */
#ifndef BERTH_HEAP_H
#define BERTH_HEAP_H

/*
 * A program that links this target zeroes every block that it, or any library in its process, frees. Why all and not the known
 * secrets: a token passes through the request's text, JSON, TLS and HTTP buffers of five libraries, and none of them cleans up.
 *
 * Answers 1 when the whole process uses it, 0 when it does not (a build with a sanitizer, which brings its own heap).
 */
int berth_heap_zeroes(void);

#endif
