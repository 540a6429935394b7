/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Where bytes stop making sense, and why: what every validator and the RDB reader answer with.
 *
 *     struct wing_fault fault;
 *     if (wing_listpack_validate(blob, size, NULL, &fault) < 0)
 *         log("listpack: %s (byte %llu)", fault.text, (unsigned long long)fault.offset);
 */
#ifndef WING_FAULT_H
#define WING_FAULT_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

struct wing_fault {
    int code;        /**< WING_E_* or -errno; 0 when nothing is wrong */
    uint64_t offset; /**< byte of the input at which it shows */
    char text[160];  /**< what was found, NUL-terminated, no line break */
};

#ifdef __cplusplus
}
#endif
#endif
