/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Ziplists and zipmaps, the packed forms up to Redis 6, and their way to and from listpacks.
 *
 *     ziplist   size (4) · offset of the last entry (4) · count (2, 65535: walk) · entries · 0xFF
 *     entry     previous entry's size: 1 byte, or 0xFE + 4 · head · data           (little-endian)
 *     head      00xxxxxx string < 64 · 01xxxxxx+1 string < 16384, big-endian · 0x80 string, 4-byte
 *               big-endian length · 0xC0 int16 · 0xD0 int32 · 0xE0 int64 · 0xF0 int24 · 0xFE int8
 *               · 0xF1…0xFD int 0…12
 *     zipmap    count (1, 254: walk) · (length, key, length, free (1), value, free bytes)* · 0xFF
 *     length    1 byte up to 253, or 0xFE + 4 bytes little-endian
 *
 * Everything here: Threads: any (writing: on memory of one's own). Fork: safe (no allocation).
 * Ownership: all memory is the caller's.
 */
#ifndef WING_ZIPLIST_H
#define WING_ZIPLIST_H
#include <wing/listpack.h>
#ifdef __cplusplus
extern "C" {
#endif

#define WING_ZIPLIST_HEADER 10
#define WING_ZIPLIST_EMPTY 11

/**
 * Check all of a ziplist: header, every entry inside the block, previous sizes and last offset.
 * Returns    0 and *count (NULL: not wanted), or WING_E_FORMAT with *fault set (NULL: not wanted).
 */
int wing_ziplist_validate(const void *zl, size_t size, uint64_t *count, struct wing_fault *fault);
/** Offset of the first entry of a validated ziplist, 0 when there is none. */
size_t wing_ziplist_first(const void *zl);
/** Offset of the entry after the one at `at`, 0 when it was the last. */
size_t wing_ziplist_next(const void *zl, size_t at);
/** The entry at `at`; its bytes stay valid as long as the ziplist's memory. */
void wing_ziplist_get(const void *zl, size_t at, struct wing_packed_entry *entry);

/** Bytes of a ziplist at most, made from a listpack of `size` bytes. */
size_t wing_ziplist_bound(size_t size);
/**
 * Make a ziplist of a validated listpack, entry by entry, text as text.
 * capacity   bytes at `out`; wing_ziplist_bound(wing_listpack_size(lp)) is always enough.
 * Returns    the ziplist's size, or WING_E_LIMIT when it doesn't fit or would pass 4 GiB.
 */
ssize_t wing_ziplist_from_listpack(const void *lp, void *out, size_t capacity);
/** Bytes of a ziplist at most, that holds one string of `size` bytes. */
size_t wing_ziplist_single_bound(size_t size);
/** Make a ziplist of one string; as wing_ziplist_from_listpack. */
ssize_t wing_ziplist_from_string(const void *bytes, size_t size, void *out, size_t capacity);

/** Bytes of a listpack at most, made from a ziplist or zipmap of `size` bytes. */
size_t wing_listpack_bound(size_t size);
/**
 * Check a ziplist as wing_ziplist_validate does and make a listpack of it, in one walk.
 * Returns    the listpack's size, and *count as there; WING_E_FORMAT with *fault set, or WING_E_LIMIT.
 */
ssize_t wing_listpack_from_ziplist(const void *zl, size_t size, void *out, size_t capacity,
                                   uint64_t *count, struct wing_fault *fault);

/** Check all of a zipmap; *count: fields.  Returns 0, or WING_E_FORMAT with *fault set. */
int wing_zipmap_validate(const void *zm, size_t size, uint64_t *count, struct wing_fault *fault);
/** Make a listpack (field, value, …; integers packed) of a validated zipmap; as above. */
ssize_t wing_listpack_from_zipmap(const void *zm, size_t size, void *out, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
