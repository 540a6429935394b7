/* SPDX-License-Identifier: BSD-3-Clause */
/* Unaligned little-endian loads, one instruction each; inside the library only. */
#ifndef WING_LE_H
#define WING_LE_H

#include <stdint.h>
#include <string.h>

static inline uint32_t load_le32(const unsigned char *p) {
    uint32_t value;
    memcpy(&value, p, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    return value;
}

static inline uint64_t load_le64(const unsigned char *p) {
    uint64_t value;
    memcpy(&value, p, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

#endif
