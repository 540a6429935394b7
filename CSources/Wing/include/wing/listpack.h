/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Listpacks: strings and integers in one block of bytes, walkable from both ends (Redis 7 form).
 *
 *     listpack  size of all (4) · count (2, 65535: walk) · entries · 0xFF          (little-endian)
 *     entry     head · data · back length: size of head and data, 7 bits a byte, last byte lowest
 *     head      0xxxxxxx int 0…127 · 10xxxxxx string < 64 · 110xxxxx+1 int13
 *               · 1110xxxx+1 string < 4096 · 0xF0 string, 4-byte length
 *               · 0xF1 int16 · 0xF2 int24 · 0xF3 int32 · 0xF4 int64
 *
 *     for (size_t at = wing_listpack_first(lp); at != 0; at = wing_listpack_next(lp, at))
 *         wing_listpack_get(lp, at, &entry);
 *
 * Reading functions other than wing_listpack_validate trust their input: validate bytes from
 * outside once, before. Offsets count from the listpack's first byte. Ownership: all memory is the
 * caller's.
 *
 * Everything here: Threads: any (writing: on memory of one's own). Fork: safe (no allocation).
 */
#ifndef WING_LISTPACK_H
#define WING_LISTPACK_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <wing/fault.h>
#ifdef __cplusplus
extern "C" {
#endif

#define WING_LISTPACK_HEADER 6 /**< bytes before the first entry */
#define WING_LISTPACK_EMPTY 7  /**< size of a listpack without entries */

/** One entry of a listpack, ziplist or zipmap: `bytes` into the blob, or NULL and `integer`. */
struct wing_packed_entry {
    const uint8_t *bytes;
    size_t size;
    int64_t integer;
};

/**
 * Check all of a listpack: header, every entry inside the block, every back length, the end byte.
 * size       bytes at `lp`; must be the listpack's own size.  *count: entries; NULL: not wanted.
 * Returns    0, or WING_E_FORMAT with *fault set (NULL: not wanted), offset from `lp` on.
 */
int wing_listpack_validate(const void *lp, size_t size, uint64_t *count, struct wing_fault *fault);

/** Total size in bytes, as its header says. */
size_t wing_listpack_size(const void *lp);
/** Entries; walks the block when there are 65535 or more. */
uint64_t wing_listpack_count(const void *lp);
/** Offset of the first entry, 0 when there is none. */
size_t wing_listpack_first(const void *lp);
/** Offset of the entry after the one at `at`, 0 when it was the last. */
size_t wing_listpack_next(const void *lp, size_t at);
/** The entry at offset `at`; its bytes stay valid as long as the listpack's memory. */
void wing_listpack_get(const void *lp, size_t at, struct wing_packed_entry *entry);

/** Bytes that wing_listpack_put needs at most for an entry with `size` bytes of text. */
size_t wing_listpack_entry_bound(size_t size);
/**
 * Write one entry (as it is: text stays text) at `out`, which has room for
 * wing_listpack_entry_bound(size of the text; 0 for an integer) bytes.  Returns the entry's size.
 */
size_t wing_listpack_put(uint8_t *out, const struct wing_packed_entry *entry);
/**
 * Write header and end byte around `count` entries that lie from lp + WING_LISTPACK_HEADER up to
 * lp + end; lp has room for end + 1 bytes, below 4 GiB.  Returns the listpack's size, end + 1.
 */
size_t wing_listpack_close(uint8_t *lp, size_t end, uint64_t count);

/**
 * The integer that `size` bytes of text spell exactly, as its own decimal text: no '+', no leading
 * zero, within 64 bits.  Returns 1 and *integer, or 0 when the text is anything else.
 */
int wing_listpack_parse_integer(const void *text, size_t size, int64_t *integer);
/** Decimal text of `integer`, no NUL; `out` has room for 20 bytes.  Returns its size. */
size_t wing_listpack_format_integer(int64_t integer, void *out);

/**
 * Check that a *validated* listpack is a stream's node: master entry, then whole entries whose
 * counts agree.  Returns 0 or WING_E_FORMAT with *fault set.
 */
int wing_listpack_validate_stream_node(const void *lp, size_t size, struct wing_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
