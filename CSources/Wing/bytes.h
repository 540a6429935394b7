/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside libwing only: numbers in bytes of a given order at any alignment, and faults with text. */
#ifndef WING_BYTES_H
#define WING_BYTES_H
#include "wing/wing.h"
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WING_NUMBER(bits, from_le, from_be, to_le, to_be)                                          \
    static inline uint##bits##_t load_le##bits(const void *p) {                                    \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof v);                                                                   \
        return from_le(v);                                                                         \
    }                                                                                              \
    static inline uint##bits##_t load_be##bits(const void *p) {                                    \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof v);                                                                   \
        return from_be(v);                                                                         \
    }                                                                                              \
    static inline void store_le##bits(void *p, uint##bits##_t v) {                                 \
        v = to_le(v);                                                                              \
        memcpy(p, &v, sizeof v);                                                                   \
    }                                                                                              \
    static inline void store_be##bits(void *p, uint##bits##_t v) {                                 \
        v = to_be(v);                                                                              \
        memcpy(p, &v, sizeof v);                                                                   \
    }
WING_NUMBER(16, le16toh, be16toh, htole16, htobe16)
WING_NUMBER(32, le32toh, be32toh, htole32, htobe32)
WING_NUMBER(64, le64toh, be64toh, htole64, htobe64)
#undef WING_NUMBER

/* 24 bits, little-endian, sign-extended: both packed forms have them. */
static inline int64_t load_le24_signed(const uint8_t *p) {
    uint32_t v = (uint32_t)p[0] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 24;
    return (int32_t)v >> 8;
}

/* Fill in `fault`, when there is one; returns `code` for the caller to pass on. */
__attribute__((format(printf, 4, 5), cold)) static inline int
fault_at(struct wing_fault *fault, int code, uint64_t offset, const char *format, ...) {
    if (fault) {
        va_list list;
        va_start(list, format);
        fault->code = code;
        fault->offset = offset;
        vsnprintf(fault->text, sizeof fault->text, format, list);
        va_end(list);
    }
    return code;
}

#endif
