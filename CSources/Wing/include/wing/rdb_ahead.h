/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A reader on a thread of its own, ahead of who builds something of what it reads: input, checksum,
 * LZF and the checks of packed values overlap with the building.
 *
 *     struct wing_rdb_ahead *a = wing_rdb_ahead_start(reader);
 *     while ((code = wing_rdb_ahead_next(a, &item)) == 0 && item.kind != WING_RDB_ITEM_END)
 *         build(a, &item); // its parts by wing_rdb_ahead_part
 *     wing_rdb_ahead_stop(a); // the reader is the caller's again
 *
 * Items and parts are those of rdb_reader.h, with the same lives: they are copied into batches of
 * 64 KiB (a longer string gets one of its size), and the thread waits when 2 MiB of them lie
 * there. It ends behind END or at a fault, which wing_rdb_reader_fault then has.
 *
 * Functions here: Threads: object (`a`, and the reader belongs to it from start to stop). Fork: no
 * (the second thread isn't in the child).
 */
#ifndef WING_RDB_AHEAD_H
#define WING_RDB_AHEAD_H
#include <wing/rdb_reader.h>
#ifdef __cplusplus
extern "C" {
#endif

struct wing_rdb_ahead;

/**
 * Starts the thread, in which no signal is delivered.
 * Returns   NULL when memory is short or the system refuses one; nothing was read then.
 * Ownership end it with wing_rdb_ahead_stop; the reader stays the caller's, but is not to be
 *           touched before that.
 */
struct wing_rdb_ahead *wing_rdb_ahead_start(struct wing_rdb_reader *r);
/**
 * Ends and frees it; NULL is fine. Waits until the source returns from a call that it is in: who
 * gives up in the middle shuts the source down first.
 */
void wing_rdb_ahead_stop(struct wing_rdb_ahead *a);

/**
 * The next item, as wing_rdb_reader_next: what it points to is valid as long as there.
 * Returns   0; or < 0, for good: what the reader returned, or WING_E_NOMEM.
 */
int wing_rdb_ahead_next(struct wing_rdb_ahead *a, struct wing_rdb_item *item);
/** The next part of the newest KEY item's value, as wing_rdb_reader_part. Returns as above. */
int wing_rdb_ahead_part(struct wing_rdb_ahead *a, struct wing_rdb_part *part);
/** Where in the input the value of the newest item begins. */
uint64_t wing_rdb_ahead_offset(const struct wing_rdb_ahead *a);

#ifdef __cplusplus
}
#endif
#endif
