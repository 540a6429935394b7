/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WING_CRC64_H
#define WING_CRC64_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
/** CRC64 (Jones, reflected, start 0) of `length` bytes at `data`, continuing from `crc`. */
uint64_t wing_crc64(uint64_t crc, const void *data, size_t length);
#ifdef __cplusplus
}
#endif
#endif
