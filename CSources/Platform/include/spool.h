/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Files that a transfer passes through: unlinked ones, holes in them, writing behind.
 * Each returns 0 or a descriptor, or -errno.
 */
#ifndef REDWING_SPOOL_H
#define REDWING_SPOOL_H

#include <stdint.h>

/** A file in memory, close-on-exec. */
int redwing_spool_memory(void);
/** A file without a name in the current directory, close-on-exec. */
int redwing_spool_disk(void);
/** Gives the storage of `count` bytes from `offset` on back; the size stays. */
int redwing_spool_punch(int fd, int64_t offset, int64_t count);
/** Begins to write `count` bytes from `offset` on to disk, without waiting. */
int redwing_write_behind(int fd, int64_t offset, int64_t count);
/** A pipe, close-on-exec, of `size` bytes where the system allows; ends[0] is the reading end. */
int redwing_pipe(int *ends, int size);

#endif
