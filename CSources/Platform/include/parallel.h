/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * One piece of work cut into numbered parts, done by a few threads at once, delivered in order: each
 * thread takes the next part, prepares it, waits for its turn, delivers, and passes the turn on.
 *
 * For the snapshot, in the forked child or in the foreground: nothing here allocates but the creation.
 */
#ifndef REDWING_PARALLEL_H
#define REDWING_PARALLEL_H
#include <stdint.h>

struct redwing_turns;

/** For `parts` parts, numbered from 0; NULL when memory is short. Free with redwing_turns_free. */
struct redwing_turns *redwing_turns_create(uint64_t parts);
void redwing_turns_free(struct redwing_turns *turns);

/** The next part that nobody took, or -1 when all are taken. Who takes one must pass its turn on. */
int64_t redwing_turns_take(struct redwing_turns *turns);
/** Returns when all parts before `part` have passed. */
void redwing_turns_await(struct redwing_turns *turns, int64_t part);
/** `part`, whose turn it is, is delivered. */
void redwing_turns_pass(struct redwing_turns *turns, int64_t part);

struct redwing_helpers;

/**
 * Starts up to `count` threads, which block every signal, with `body(context)`; fewer when the system
 * refuses them, and none gives NULL. redwing_helpers_join waits for their end, and takes NULL.
 */
struct redwing_helpers *redwing_helpers_start(int count, void *(*body)(void *), void *context);
void redwing_helpers_join(struct redwing_helpers *helpers);

/** CPUs that this process may use. */
int redwing_cpus(void);

#endif
