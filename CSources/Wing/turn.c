/* SPDX-License-Identifier: BSD-3-Clause */
#include "wing/turn.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const uint64_t PERIOD_NS = 200000, TURN_US = 100;

/* glibc 2.36 has neither the calls nor the structure; this is its first version, 48 bytes. */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period; /* ns */
};

int wing_turn_ask(uint64_t us) {
    struct scheduling now = {.size = sizeof now};
    if (syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0) return -errno;
    if (now.policy != SCHED_OTHER && now.policy != SCHED_BATCH) return 0;
    now.runtime = us * 1000;
    return syscall(SYS_sched_setattr, 0, &now, 0) == 0 ? 0 : -errno;
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void wing_turn_offer(void) {
    static _Thread_local uint64_t next_ns; /* when to offer again */
    uint64_t now = now_ns();
    if (now < next_ns) return;
    if (next_ns == 0 && wing_turn_ask(TURN_US) != 0) {
        next_ns = UINT64_MAX;
        return;
    }
    sched_yield();
    next_ns = now_ns() + PERIOD_NS;
}
