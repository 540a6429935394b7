/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * CRC64 as RDB files and DUMP values carry it: the Jones polynomial 0xad93d23594c935a9, bits
 * reflected, start value 0, no final exclusive-or. The value of "123456789" is 0xe9c6d914c4b8d9ca.
 *
 *     uint64_t crc = wing_crc64(0, head, head_length);
 *     crc = wing_crc64(crc, body, body_length);               // goes on where the first call ended
 *     whole = wing_crc64_combine(crc_a, crc_b, length_of_b);  // parts summed apart, in any order
 *
 * The fastest way this CPU has is chosen at the first call, after it has reproduced known answers;
 * the choice is the only thing remembered, and every thread arrives at the same one. Elsewhere than
 * on x86-64 the table is used.
 *
 * No function here fails. Threads: any, for all. Fork: safe, for all (no lock, no allocation).
 * Ownership: `data` stays the caller's and is only read, during the call.
 */
#ifndef WING_CRC64_H
#define WING_CRC64_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** CRC64 (Jones, reflected, start 0) of `length` bytes at `data`, continuing from `crc`. */
uint64_t wing_crc64(uint64_t crc, const void *data, size_t length);

/**
 * The checksum of A followed by B, from `crc_a` of A and `crc_b` of B, each started at 0.
 * length_b  bytes of B, any. Cost: some microseconds, growing with the logarithm of length_b.
 */
uint64_t wing_crc64_combine(uint64_t crc_a, uint64_t crc_b, uint64_t length_b);

/** As wing_crc64, always by slicing-by-8 tables: the measure the fast ways are held against. */
uint64_t wing_crc64_table(uint64_t crc, const void *data, size_t length);

/** One way to compute the checksum; the contract is wing_crc64's. */
typedef uint64_t (*wing_crc64_function)(uint64_t crc, const void *data, size_t length);

/**
 * The ways that were built in, for tests and benchmarks: index 0, 1, … until NULL is returned.
 * Returns   a name ("table", "pclmul", "vpclmul-avx2", "vpclmul-avx512"), static storage, or NULL
 *           past the last.
 * *function out: the way itself, or NULL where this CPU or its system cannot run it (may be NULL
 *           if not wanted).
 */
const char *wing_crc64_variant(size_t index, wing_crc64_function *function);

/** The name of the way wing_crc64 takes here; static storage. */
const char *wing_crc64_chosen(void);

#ifdef __cplusplus
}
#endif
#endif
