/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WING_LZF_H
#define WING_LZF_H
#include <stddef.h>
#include <sys/types.h>
#ifdef __cplusplus
extern "C" {
#endif
/** Compress; returns the compressed size, or 0 when it does not fit in `capacity`. */
size_t wing_lzf_compress(const void *in, size_t length, void *out, size_t capacity);
/** Decompress; returns the size written, or WING_E_FORMAT / WING_E_LIMIT. */
ssize_t wing_lzf_decompress(const void *in, size_t length, void *out, size_t capacity);
#ifdef __cplusplus
}
#endif
#endif
