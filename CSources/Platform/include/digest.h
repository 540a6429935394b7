/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * SHA-1 and SHA-256 by OpenSSL's libcrypto, and the mixes of Redis's DEBUG DIGEST, with addresses as
 * plain numbers. A "digest" is 20 bytes at an address of the caller's. Threads: any. Fork: safe.
 */
#ifndef REDWING_DIGEST_H
#define REDWING_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/** Writes the 20 bytes of SHA-1 of `size` bytes at `data` to `out`. */
void redwing_sha1(uintptr_t data, size_t size, uintptr_t out);

/** Writes the 32 bytes of SHA-256 of `size` bytes at `data` to `out`. */
void redwing_sha256(uintptr_t data, size_t size, uintptr_t out);

/** digest ^= SHA-1(data): what is mixed in so has no order. */
void redwing_digest_xor(uintptr_t digest, uintptr_t data, size_t size);

/** digest = SHA-1(digest ^ SHA-1(data)): what is mixed in so has an order. */
void redwing_digest_mix(uintptr_t digest, uintptr_t data, size_t size);

/** redwing_digest_mix of `value` as "%.17g". */
void redwing_digest_mix_double(uintptr_t digest, double value);

#endif
