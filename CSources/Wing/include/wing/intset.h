/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Intsets: sets of integers, sorted, in one block: bytes an integer (4: 2, 4 or 8) · count (4) ·
 * integers, all little-endian.
 *
 * Everything here: Threads: any. Fork: safe. Ownership: the memory stays the caller's, only read.
 */
#ifndef WING_INTSET_H
#define WING_INTSET_H
#include <stddef.h>
#include <stdint.h>
#include <wing/fault.h>
#ifdef __cplusplus
extern "C" {
#endif

#define WING_INTSET_HEADER 8

/**
 * Check width, count against `size`, and strict ascending order.
 * Returns    0 and *count (NULL: not wanted), or WING_E_FORMAT with *fault set (NULL: not wanted).
 */
int wing_intset_validate(const void *set, size_t size, uint64_t *count, struct wing_fault *fault);
/** Integers in a validated intset. */
uint32_t wing_intset_count(const void *set);
/** The integer at `index`, below the count, of a validated intset. */
int64_t wing_intset_get(const void *set, uint32_t index);

#ifdef __cplusplus
}
#endif
#endif
