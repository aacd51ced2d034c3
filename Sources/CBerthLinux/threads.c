/* SPDX-License-Identifier: Apache-2.0
 *
 * A pool of plain threads. Jobs are plugin operations: they block, and may never return. */
#define _GNU_SOURCE
#include "berth_linux.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct job {
    struct job *next;
    void (*run)(void *);
    void *context;
};

struct berth_threads {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *first, *last;
    struct job *spare;
    uint32_t limit, count, idle, queued;
    size_t stack_bytes;
    char name[16];
};

struct start {
    void (*run)(void *);
    void *context;
    char name[16];
};

berth_threads *berth_threads_create(uint32_t limit, size_t stack_bytes, const char *name) {
    berth_threads *threads = calloc(1, sizeof *threads);
    if (!threads) return NULL;
    pthread_mutex_init(&threads->lock, NULL);
    pthread_cond_init(&threads->wake, NULL);
    threads->limit = limit;
    threads->stack_bytes = stack_bytes;
    strncpy(threads->name, name, sizeof threads->name - 1);
    return threads;
}

static void serve(void *context) {
    berth_threads *threads = context;
    pthread_mutex_lock(&threads->lock);
    for (;;) {
        while (!threads->first) {
            threads->idle++;
            pthread_cond_wait(&threads->wake, &threads->lock);
            threads->idle--;
        }
        struct job *job = threads->first;
        threads->first = job->next;
        if (!threads->first) threads->last = NULL;
        threads->queued--;
        void (*run)(void *) = job->run;
        void *argument = job->context;
        job->next = threads->spare;
        threads->spare = job;
        pthread_mutex_unlock(&threads->lock);
        run(argument);
        pthread_mutex_lock(&threads->lock);
    }
}

static void *begin(void *argument) {
    struct start start = *(struct start *)argument;
    free(argument);
    pthread_setname_np(pthread_self(), start.name);
    start.run(start.context);
    return NULL;
}

int32_t berth_thread_start(const char *name, size_t stack_bytes, void (*job)(void *), void *context) {
    struct start *start = calloc(1, sizeof *start);
    if (!start) return ENOMEM;
    start->run = job;
    start->context = context;
    strncpy(start->name, name, sizeof start->name - 1);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_t thread;
    int result = pthread_create(&thread, &attributes, begin, start);
    pthread_attr_destroy(&attributes);
    if (result != 0) free(start);
    return result;
}

int32_t berth_threads_run(berth_threads *threads, void (*run)(void *), void *context) {
    pthread_mutex_lock(&threads->lock);
    struct job *job = threads->spare;
    if (job) {
        threads->spare = job->next;
    } else {
        job = malloc(sizeof *job);
        if (!job) {
            pthread_mutex_unlock(&threads->lock);
            return ENOMEM;
        }
    }
    if (threads->queued >= threads->idle && threads->count < threads->limit) {
        int result = berth_thread_start(threads->name, threads->stack_bytes, serve, threads);
        if (result == 0) {
            threads->count++;
        } else if (threads->count == 0) {
            job->next = threads->spare;
            threads->spare = job;
            pthread_mutex_unlock(&threads->lock);
            return result;
        }
    }
    job->next = NULL;
    job->run = run;
    job->context = context;
    if (threads->last) threads->last->next = job;
    else threads->first = job;
    threads->last = job;
    threads->queued++;
    pthread_cond_signal(&threads->wake);
    pthread_mutex_unlock(&threads->lock);
    return 0;
}
