/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CRC64 by tables, and by carry-less multiplication where the CPU has it.
 *
 * Folding: 16 bytes of input are a polynomial of degree < 128, and what they add to the checksum
 * of a message that goes on for D more bits is that polynomial times x^D. Modulo P it is as good
 * to multiply its two halves by x^D mod P and add the products to the 16 bytes that lie D bits
 * further on: two multiplications move 16 bytes. Several such accumulators side by side hide the
 * multiplier's latency, and what is left at the end, 16 bytes and a rest, goes through the table.
 *
 * Bits are reflected: bit 63 of a word is x^0. The product of two reflected words comes out one
 * place low, that is, multiplied by x, so the factors below are x^(D-1+64) for the first half (the
 * one of higher degree) and x^(D-1) for the second, each modulo P, reflected.
 */
#include "wing/crc64.h"

#include "crc64_table.h"
#include "le.h"
#include <stdatomic.h>
#include <stdbool.h>

#define POLYNOMIAL UINT64_C(0x95ac9329ac4bc9b5) /* Jones's 0xad93d23594c935a9, reflected */

uint64_t wing_crc64_table(uint64_t crc, const void *data, size_t length) {
    const unsigned char *p = data;
    for (; length >= 8; p += 8, length -= 8) {
        crc ^= load_le64(p);
        crc = crc64_slices[7][crc & 0xff] ^ crc64_slices[6][(crc >> 8) & 0xff] ^
              crc64_slices[5][(crc >> 16) & 0xff] ^ crc64_slices[4][(crc >> 24) & 0xff] ^
              crc64_slices[3][(crc >> 32) & 0xff] ^ crc64_slices[2][(crc >> 40) & 0xff] ^
              crc64_slices[1][(crc >> 48) & 0xff] ^ crc64_slices[0][crc >> 56];
    }
    for (; length > 0; p++, length--) {
        crc = crc64_slices[0][(crc ^ *p) & 0xff] ^ (crc >> 8);
    }
    return crc;
}

/* MARK: carry-less multiplication */

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET_PCLMUL __attribute__((target("pclmul,sse4.1")))
#define TARGET_AVX2 __attribute__((target("avx2,pclmul,vpclmulqdq")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512dq,avx2,pclmul,vpclmulqdq")))

/* The two factors that move 16 bytes by D bits: x^(D+63) and x^(D-1) modulo P, reflected. */
#define FOLD_128 UINT64_C(0xd9d7be7d505da32c), UINT64_C(0x381d0015c96f4444)
#define FOLD_256 UINT64_C(0x6ba4d760ab38201e), UINT64_C(0xef3d1d18ed889ed2)
#define FOLD_512 UINT64_C(0xaf86efb16d9ab4fb), UINT64_C(0xf49784a634f014e4)
#define FOLD_1024 UINT64_C(0xcc26fa7c57f8054c), UINT64_C(0x768361524d29ed0b)
#define FOLD_2048 UINT64_C(0x9a8908341a6d6d52), UINT64_C(0x9471a5389095fe44)

TARGET_PCLMUL static inline __m128i factor(uint64_t first, uint64_t second) {
    return _mm_set_epi64x((long long)second, (long long)first);
}

TARGET_PCLMUL static inline __m128i load_128(const unsigned char *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* `x` moved on by the distance of `by`, added to `next`. */
TARGET_PCLMUL static inline __m128i fold(__m128i x, __m128i by, __m128i next) {
    __m128i first = _mm_clmulepi64_si128(x, by, 0x00);
    __m128i second = _mm_clmulepi64_si128(x, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(first, second), next);
}

/* The checksum of a message that `x` stands for, followed by `length` bytes at `p`. */
TARGET_PCLMUL static inline uint64_t finish(__m128i x, const unsigned char *p, size_t length) {
    const __m128i by_128 = factor(FOLD_128);
    for (; length >= 16; p += 16, length -= 16) {
        x = fold(x, by_128, load_128(p));
    }
    unsigned char last[16];
    _mm_storeu_si128((__m128i *)(void *)last, x);
    return wing_crc64_table(wing_crc64_table(0, last, sizeof last), p, length);
}

TARGET_PCLMUL static uint64_t crc64_pclmul(uint64_t crc, const void *data, size_t length) {
    const unsigned char *p = data;
    if (length < 64) return wing_crc64_table(crc, data, length);
    const __m128i by_512 = factor(FOLD_512), by_128 = factor(FOLD_128);
    __m128i a = _mm_xor_si128(load_128(p), _mm_set_epi64x(0, (long long)crc));
    __m128i b = load_128(p + 16), c = load_128(p + 32), d = load_128(p + 48);
    for (p += 64, length -= 64; length >= 64; p += 64, length -= 64) {
        a = fold(a, by_512, load_128(p));
        b = fold(b, by_512, load_128(p + 16));
        c = fold(c, by_512, load_128(p + 32));
        d = fold(d, by_512, load_128(p + 48));
    }
    a = fold(fold(fold(a, by_128, b), by_128, c), by_128, d);
    return finish(a, p, length);
}

TARGET_AVX2 static inline __m256i load_256(const unsigned char *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

TARGET_AVX2 static inline __m256i fold_256(__m256i x, __m256i by, __m256i next) {
    __m256i first = _mm256_clmulepi64_epi128(x, by, 0x00);
    __m256i second = _mm256_clmulepi64_epi128(x, by, 0x11);
    return _mm256_xor_si256(_mm256_xor_si256(first, second), next);
}

TARGET_AVX2 static uint64_t crc64_vpclmul_avx2(uint64_t crc, const void *data, size_t length) {
    const unsigned char *p = data;
    if (length < 256) return crc64_pclmul(crc, data, length);
    const __m256i by_1024 = _mm256_broadcastsi128_si256(factor(FOLD_1024));
    const __m256i by_256 = _mm256_broadcastsi128_si256(factor(FOLD_256));
    __m256i start = _mm256_set_epi64x(0, 0, 0, (long long)crc);
    __m256i a = _mm256_xor_si256(load_256(p), start);
    __m256i b = load_256(p + 32), c = load_256(p + 64), d = load_256(p + 96);
    for (p += 128, length -= 128; length >= 128; p += 128, length -= 128) {
        a = fold_256(a, by_1024, load_256(p));
        b = fold_256(b, by_1024, load_256(p + 32));
        c = fold_256(c, by_1024, load_256(p + 64));
        d = fold_256(d, by_1024, load_256(p + 96));
    }
    a = fold_256(fold_256(fold_256(a, by_256, b), by_256, c), by_256, d);
    __m128i x = fold(_mm256_castsi256_si128(a), factor(FOLD_128), _mm256_extracti128_si256(a, 1));
    return finish(x, p, length);
}

TARGET_AVX512 static inline __m512i load_512(const unsigned char *p) {
    return _mm512_loadu_si512(p);
}

TARGET_AVX512 static inline __m512i fold_512(__m512i x, __m512i by, __m512i next) {
    __m512i first = _mm512_clmulepi64_epi128(x, by, 0x00);
    __m512i second = _mm512_clmulepi64_epi128(x, by, 0x11);
    return _mm512_ternarylogic_epi64(first, second, next, 0x96); /* exclusive-or of three */
}

TARGET_AVX512 static uint64_t crc64_vpclmul_avx512(uint64_t crc, const void *data, size_t length) {
    const unsigned char *p = data;
    if (length < 512) return crc64_pclmul(crc, data, length);
    const __m512i by_2048 = _mm512_broadcast_i32x4(factor(FOLD_2048));
    const __m512i by_512 = _mm512_broadcast_i32x4(factor(FOLD_512));
    __m512i start = _mm512_zextsi128_si512(_mm_set_epi64x(0, (long long)crc));
    __m512i a = _mm512_xor_si512(load_512(p), start);
    __m512i b = load_512(p + 64), c = load_512(p + 128), d = load_512(p + 192);
    for (p += 256, length -= 256; length >= 256; p += 256, length -= 256) {
        a = fold_512(a, by_2048, load_512(p));
        b = fold_512(b, by_2048, load_512(p + 64));
        c = fold_512(c, by_2048, load_512(p + 128));
        d = fold_512(d, by_2048, load_512(p + 192));
    }
    a = fold_512(fold_512(fold_512(a, by_512, b), by_512, c), by_512, d);
    for (; length >= 64; p += 64, length -= 64) {
        a = fold_512(a, by_512, load_512(p));
    }
    const __m128i by_128 = factor(FOLD_128);
    __m128i x = fold(_mm512_castsi512_si128(a), by_128, _mm512_extracti32x4_epi32(a, 1));
    x = fold(x, by_128, _mm512_extracti32x4_epi32(a, 2));
    x = fold(x, by_128, _mm512_extracti32x4_epi32(a, 3));
    return finish(x, p, length);
}

static bool has_pclmul(void) {
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

static bool has_avx2(void) {
    return has_pclmul() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("vpclmulqdq");
}

static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
}
#endif

/* MARK: the choice */

static bool has_table(void) {
    return true;
}

static const struct variant {
    const char *name;
    wing_crc64_function function;
    bool (*runs_here)(void);
} variants[] = {
    /* From slow to fast, by what the CPU can, not by a measurement at the start, which a busy machine
     * would falsify. An EPYC, 256 KiB at a time, GB per CPU second: 1.8 table, 13 pclmul, 26 to 30
     * vpclmul-avx2 (make bench-sync has the machine at hand). AVX-512 doubles the width once more. */
    {"table", wing_crc64_table, has_table},
#if defined(__x86_64__)
    {"pclmul", crc64_pclmul, has_pclmul},
    {"vpclmul-avx2", crc64_vpclmul_avx2, has_avx2},
    {"vpclmul-avx512", crc64_vpclmul_avx512, has_avx512},
#endif
};

enum { VARIANT_COUNT = sizeof variants / sizeof variants[0] };

const char *wing_crc64_variant(size_t index, wing_crc64_function *function) {
    if (index >= VARIANT_COUNT) return NULL;
    if (function != NULL) {
        *function = variants[index].runs_here() ? variants[index].function : NULL;
    }
    return variants[index].name;
}

/* Known answers: the published check value, and one message of 1021 bytes that passes through
 * every loop and every rest of every variant; its value was computed bit by bit. */
static bool proves_itself(wing_crc64_function function) {
    if (function(0, "123456789", 9) != UINT64_C(0xe9c6d914c4b8d9ca)) return false;
    unsigned char message[1021];
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (unsigned char)(i * 167 + (i >> 8));
    return function(UINT64_C(0x0123456789abcdef), message, sizeof message) ==
           UINT64_C(0x22ccd0359d032703);
}

/* The index of the variant in use plus one; 0 until the first call. All threads that find 0 compute
 * the same value, so a plain store is enough. */
static atomic_uint chosen;

static unsigned choose(void) {
    unsigned index = VARIANT_COUNT - 1;
    while (index > 0 && !(variants[index].runs_here() && proves_itself(variants[index].function))) {
        index--;
    }
    atomic_store_explicit(&chosen, index + 1, memory_order_relaxed);
    return index + 1;
}

uint64_t wing_crc64(uint64_t crc, const void *data, size_t length) {
    unsigned found = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (__builtin_expect(found == 0, 0)) found = choose();
    return variants[found - 1].function(crc, data, length);
}

const char *wing_crc64_chosen(void) {
    unsigned found = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (found == 0) found = choose();
    return variants[found - 1].name;
}

/* MARK: combination */

/* a times b modulo P, all reflected: bit 63 is x^0. */
static uint64_t multiply(uint64_t a, uint64_t b) {
    uint64_t product = 0;
    for (uint64_t bit = UINT64_C(1) << 63; bit != 0; bit >>= 1) {
        if (a & bit) product ^= b;
        b = (b >> 1) ^ (b & 1 ? POLYNOMIAL : 0);
    }
    return product;
}

uint64_t wing_crc64_combine(uint64_t crc_a, uint64_t crc_b, uint64_t length_b) {
    /* Appending length_b bytes multiplies A's remainder by x^(8 * length_b). */
    uint64_t square = UINT64_C(1) << (63 - 8); /* x^8 */
    for (; length_b != 0; length_b >>= 1) {
        if (length_b & 1) crc_a = multiply(crc_a, square);
        square = multiply(square, square);
    }
    return crc_a ^ crc_b;
}
