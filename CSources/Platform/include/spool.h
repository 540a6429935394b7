/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Files that a transfer passes through: unlinked ones, holes in them, writing behind.
 * Each returns 0 or a descriptor, or -errno.
 */
#ifndef REDWING_SPOOL_H
#define REDWING_SPOOL_H

#include <stddef.h>
#include <stdint.h>

/** A file in memory, close-on-exec. */
int redwing_spool_memory(void);
/** A file without a name in the current directory, close-on-exec. */
int redwing_spool_disk(void);
/** The same where the file system makes none: one with a name, which is taken away at once. */
int redwing_spool_named(void);
/** Gives the storage of `count` bytes from `offset` on back; the size stays. */
int redwing_spool_punch(int fd, uint64_t offset, uint64_t count);

/**
 * How far a forked child may write into a spool. It lies in memory that parent and child share: the
 * parent opens it as room is given back, the child sleeps at its end. Nobody has to be stopped for
 * it, and the spool never holds a byte more than it shall.
 */
struct redwing_spool_gate;

/** A closed gate before `fd`, which stays the caller's; NULL: no memory. Made before the fork. */
struct redwing_spool_gate *redwing_spool_gate_create(int fd);
/** Frees this process's view of it; NULL is fine. */
void redwing_spool_gate_free(struct redwing_spool_gate *gate);
/** Lets the writer go on up to byte `end` of the file. In the parent. */
void redwing_spool_gate_open(struct redwing_spool_gate *gate, uint64_t end);
/** Tells the writer whether the link is narrower than its pace. In the parent. */
void redwing_spool_gate_narrow(struct redwing_spool_gate *gate, int is_narrow);
/** What was told last; 0 at first. In the child, on any thread. */
int redwing_spool_gate_is_narrow(struct redwing_spool_gate *gate);
/**
 * Appends `size` bytes to the gate's file, waiting where it is closed. In the child: a sink of
 * libwing's writer, `context` is the gate. One thread at a time.
 */
int redwing_spool_write(void *context, const void *bytes, size_t size);

/**
 * Whether the window of the peer of the TCP socket `fd` takes two segments more than are under way: 1 or 0,
 * -errno for another socket.
 */
int redwing_peer_has_room(int fd);

/** Begins to write `count` bytes from `offset` on to disk, without waiting. */
int redwing_write_behind(int fd, int64_t offset, int64_t count);
/** A pipe, close-on-exec, of `size` bytes where the system allows; ends[0] is the reading end. */
int redwing_pipe(int *ends, int size);

#endif
