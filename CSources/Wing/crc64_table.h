/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slicing-by-8 tables, built by the preprocessor from their bases.
 *
 * A table is linear: the entry of a byte is the exclusive-or of the entries of its bits. So a
 * table of 256 values is 8 of them and a rule, and the whole is a constant, with no start-up work
 * and no moment when it is half made. BASIS_k holds the checksums of the bytes 1, 2, 4 … 128
 * followed by k zero bytes; the tests compute all of them again, bit by bit.
 */
#ifndef WING_CRC64_TABLE_H
#define WING_CRC64_TABLE_H

#include <stdint.h>

#define BIT(byte, bit, value) (((byte) >> (bit)) & 1 ? UINT64_C(value) : 0)
#define BASIS(n, a, b, c, d, e, f, g, h)                                                           \
    (BIT(n, 0, a) ^ BIT(n, 1, b) ^ BIT(n, 2, c) ^ BIT(n, 3, d) ^ BIT(n, 4, e) ^ BIT(n, 5, f) ^     \
     BIT(n, 6, g) ^ BIT(n, 7, h))

/* clang-format off */
#define BASIS_0(n) BASIS(n, \
    0x7ad870c830358979, 0xf5b0e190606b12f2, 0xc038e5739841b68f, 0xab28ecb46814fe75, \
    0x7d08ff3b88be6f81, 0xfa11fe77117cdf02, 0xdf7adabd7a6e2d6f, 0x95ac9329ac4bc9b5)
#define BASIS_1(n) BASIS(n, \
    0x89e99ffd73bddf69, 0x388a19a9bfec2db9, 0x711433537fd85b72, 0xe22866a6ffb0b6e4, \
    0xef09eb1ea7f6fea3, 0xf54af06e177a6e2d, 0xc1ccc68f76634f31, 0xa8c0ab4db4510d09)
#define BASIS_2(n) BASIS(n, \
    0xf4125129ce4038be, 0xc37d8400c417e217, 0xada22e52d0b85745, 0x701d7af6f9e73de1, \
    0xe03af5edf3ce7bc2, 0xeb2ccd88bf0b64ef, 0xfd00bd4226815ab5, 0xd1585cd715952601)
#define BASIS_3(n) BASIS(n, \
    0x8ce168638c796306, 0x329bf69440655567, 0x6537ed2880caaace, 0xca6fda510195559c, \
    0xbf8692f15bbd3853, 0x545403b1efede3cd, 0xa8a80763dfdbc79a, 0x7a092894e7201c5f)
#define BASIS_4(n) BASIS(n, \
    0x3504e58b9ba6dd1e, 0x6a09cb17374dba3c, 0xd413962e6e9b7478, 0x837e0a0f85a17b9b, \
    0x2da5324c53d5645d, 0x5b4a6498a7aac8ba, 0xb694c9314f559174, 0x4670b431c63cb183)
#define BASIS_5(n) BASIS(n, \
    0xe39d1389931b9354, 0xec6301407ea0b5c3, 0xf39f24d3a5d6f8ed, 0xcc676ff4133a62b1, \
    0xb397f9bb7ee35609, 0x4c76d525a5513f79, 0x98edaa4b4aa27ef2, 0x1a8272c5cdd36e8f)
#define BASIS_6(n) BASIS(n, \
    0x62a95de6e302eff2, 0xc552bbcdc605dfe4, 0xa1fc51c8d49c2ca3, 0x68a185c2f1afca2d, \
    0xd1430b85e35f945a, 0x89df31589e28bbdf, 0x38e744e264c6e4d5, 0x71ce89c4c98dc9aa)
#define BASIS_7(n) BASIS(n, \
    0x381d0015c96f4444, 0x703a002b92de8888, 0xe074005725bd1110, 0xebb126fd13edb14b, \
    0xfc3b6ba97f4cf1fd, 0xd32ff101a60e7091, 0x8d06c450148b7249, 0x3154aef3718177f9)

#define ROW_4(f, n) f(n), f((n) + 1), f((n) + 2), f((n) + 3)
#define ROW_16(f, n) ROW_4(f, n), ROW_4(f, (n) + 4), ROW_4(f, (n) + 8), ROW_4(f, (n) + 12)
#define ROW_64(f, n) ROW_16(f, n), ROW_16(f, (n) + 16), ROW_16(f, (n) + 32), ROW_16(f, (n) + 48)
#define ROW_256(f) {ROW_64(f, 0), ROW_64(f, 64), ROW_64(f, 128), ROW_64(f, 192)}

/* crc64_slices[k][byte]: the checksum of `byte` followed by k zero bytes. */
static const uint64_t crc64_slices[8][256] = {
    ROW_256(BASIS_0), ROW_256(BASIS_1), ROW_256(BASIS_2), ROW_256(BASIS_3),
    ROW_256(BASIS_4), ROW_256(BASIS_5), ROW_256(BASIS_6), ROW_256(BASIS_7),
};
/* clang-format on */

#endif
