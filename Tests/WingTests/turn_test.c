/* SPDX-License-Identifier: BSD-3-Clause */
/* How often a busy thread offers its CPU, counted in place of offering. */
#include "harness.h"
#include "wing/turn.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

static atomic_int offers;

/* Ours is found before the C library's. */
int sched_yield(void) {
    atomic_fetch_add(&offers, 1);
    return 0;
}

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Works until `count` offers were made; the microseconds that took. */
static int64_t work(int count) {
    int64_t began = now_us();
    int last = atomic_load(&offers) + count;
    while (atomic_load(&offers) < last)
        wing_turn_offer();
    return now_us() - began;
}

TEST(turn_is_offered_again_and_again_but_not_with_each_call) {
    work(1);
    int before = atomic_load(&offers);
    int64_t took = work(20);
    CHECK_EQUAL(atomic_load(&offers) - before, 20);
    CHECK(took >= 20 * 200 - 20);
}

static void *thread(void *result) {
    int before = atomic_load(&offers);
    wing_turn_offer();
    *(int *)result = atomic_load(&offers) - before;
    return NULL;
}

TEST(turn_is_each_threads_own) {
    work(1); /* this one has just offered */
    pthread_t other;
    int offered = 0;
    REQUIRE(pthread_create(&other, NULL, thread, &offered) == 0);
    pthread_join(other, NULL);
    CHECK_EQUAL(offered, 1);
}
