/* SPDX-License-Identifier: BSD-3-Clause */
/* Ordered work for a few threads: see parallel.h. */
#include "parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

enum { THREADS_MAX = 16, STACK = 1 << 20 };

struct redwing_turns {
    pthread_mutex_t lock;
    pthread_cond_t passed;
    uint64_t parts;
    uint64_t taken;
    uint64_t turn;
};

struct redwing_helpers {
    int count;
    pthread_t threads[THREADS_MAX];
};

struct redwing_turns *redwing_turns_create(uint64_t parts) {
    struct redwing_turns *turns = calloc(1, sizeof *turns);
    if (turns == NULL) return NULL;
    pthread_mutex_init(&turns->lock, NULL);
    pthread_cond_init(&turns->passed, NULL);
    turns->parts = parts;
    return turns;
}

void redwing_turns_free(struct redwing_turns *turns) {
    if (turns == NULL) return;
    pthread_cond_destroy(&turns->passed);
    pthread_mutex_destroy(&turns->lock);
    free(turns);
}

int64_t redwing_turns_take(struct redwing_turns *turns) {
    pthread_mutex_lock(&turns->lock);
    int64_t part = turns->taken < turns->parts ? (int64_t)turns->taken++ : -1;
    pthread_mutex_unlock(&turns->lock);
    return part;
}

void redwing_turns_await(struct redwing_turns *turns, int64_t part) {
    pthread_mutex_lock(&turns->lock);
    while (turns->turn != (uint64_t)part) pthread_cond_wait(&turns->passed, &turns->lock);
    pthread_mutex_unlock(&turns->lock);
}

void redwing_turns_pass(struct redwing_turns *turns, int64_t part) {
    pthread_mutex_lock(&turns->lock);
    turns->turn = (uint64_t)part + 1;
    pthread_cond_broadcast(&turns->passed);
    pthread_mutex_unlock(&turns->lock);
}

struct redwing_helpers *redwing_helpers_start(int count, void *(*body)(void *), void *context) {
    struct redwing_helpers *helpers = calloc(1, sizeof *helpers);
    if (helpers == NULL) return NULL;
    pthread_attr_t attributes;
    sigset_t every, before;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    while (helpers->count < count && helpers->count < THREADS_MAX &&
           pthread_create(&helpers->threads[helpers->count], &attributes, body, context) == 0) {
        helpers->count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return helpers;
}

void redwing_helpers_join(struct redwing_helpers *helpers) {
    if (helpers == NULL) return;
    for (int i = 0; i < helpers->count; i++) pthread_join(helpers->threads[i], NULL);
    free(helpers);
}

int redwing_cpus(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return CPU_COUNT(&set);
}
