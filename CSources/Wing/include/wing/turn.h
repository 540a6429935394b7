/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Manners of a thread that computes for long, where others have to answer.
 *
 * Linux takes the CPU from a busy thread at the scheduler's next tick, 4 ms at 250 Hz, also for a
 * thread that woke meanwhile and has used next to nothing. With as many busy threads as CPUs, which
 * is what a snapshot or a load is, a server's clients wait that long for one in fifty replies. Busy
 * threads that offer their CPU make it a fifth of a millisecond.
 */
#ifndef WING_TURN_H
#define WING_TURN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Asks the scheduler for turns of `us` microseconds on a CPU (100 to 100000), for the calling thread
 * and those it starts from now on. The share of the CPU stays what it is; but whoever wakes with a
 * shorter turn goes before one with a longer turn, where it else waits for a tick. Linux 6.12 or
 * later, sched_setattr(2); earlier ones ignore it, and so do threads of other policies than
 * SCHED_OTHER and SCHED_BATCH.
 * Returns   0, or -errno, which harms nobody.   Threads: any.   Fork: safe.
 */
int wing_turn_ask(uint64_t us);

/**
 * Offers the CPU, by sched_yield(2), unless this thread did within the last 200 us. To be called
 * every 10 to 200 us of work; costs about 30 ns, and 0.3 us where it offers and nobody takes.
 *
 * Who yields forfeits the rest of its turn (Linux 6.18), so a thread's first call asks for turns of
 * 100 us: beside a thread that never offers it then gets two fifths of a CPU, with turns of 10 ms it
 * would be 2 %. Where that is refused nothing is offered.
 * Threads: any.   Fork: safe.
 */
void wing_turn_offer(void);

#ifdef __cplusplus
}
#endif
#endif
