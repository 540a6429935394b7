/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * LZF, the compression of strings in RDB files; the bytes are those that liblzf's decompressor, and
 * so every Redis, reads.
 *
 *     size_t packed = wing_lzf_compress(value, length, out, length - 4);  // 0: keep it as it is
 *     ssize_t size = wing_lzf_decompress(in, packed, value, length);      // == length when intact
 *
 * The compressed stream is a row of two kinds of items:
 *
 *     000LLLLL <L+1 bytes>          1 to 32 bytes as they are
 *     LLLooooo oooooooo             L = 1…6: L+2 bytes again, from o+1 bytes (1…8192) back
 *     111ooooo LLLLLLLL oooooooo    L+9 bytes (9…264) again, from o+1 bytes back
 *
 * It finds what liblzf finds, within 2 % of the size, and looks ever more coarsely after a long row
 * of bytes without a repetition. Equal input gives equal output, on every call and machine of one
 * version. Who has many values, of which many may be noise, asks wing_lzf_promises first.
 *
 * Threads: any, for all. Fork: safe, for all: nothing is allocated; the stack use is at most 17 KiB.
 * Ownership: all buffers stay the caller's; in and out must not overlap.
 */
#ifndef WING_LZF_H
#define WING_LZF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Compresses `length` bytes (0 … 2^32-1 - 64 KiB) into at most `capacity` bytes.
 * Returns   the compressed size, or 0 when it does not fit (or length is 0 or beyond the bound).
 *           What `out` then holds is undefined; at no time is more than `capacity` touched.
 * A capacity of length + length / 32 + 1 always suffices.
 */
size_t wing_lzf_compress(const void *in, size_t length, void *out, size_t capacity);

/**
 * Decompresses `length` bytes at `in`, any bytes, to at most `capacity` bytes.
 * Returns   the size written (0 for length 0), or WING_E_FORMAT: an item is cut short or points
 *           before the start; WING_E_LIMIT: the result is larger than `capacity`. No byte outside
 *           the buffers is touched, whatever the input; bytes of `out` behind the result may be.
 */
ssize_t wing_lzf_decompress(const void *in, size_t length, void *out, size_t capacity);

/**
 * As wing_lzf_compress, in a fraction of the time: for noise, in which it finds long repetitions and
 * misses short ones.
 */
size_t wing_lzf_compress_coarse(const void *in, size_t length, void *out, size_t capacity);

/**
 * Whether `length` bytes at `in` look like text (in a wide sense: bytes of which some are far more
 * frequent than others) rather than noise: encrypted, compressed, random, also as letters.
 * Returns   1 or 0, a guess from 64 of the bytes that takes some 10 ns; 0 for 16 bytes and less.
 */
int wing_lzf_promises(const void *in, size_t length);

#ifdef __cplusplus
}
#endif
#endif
