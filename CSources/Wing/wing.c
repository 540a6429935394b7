/* SPDX-License-Identifier: BSD-3-Clause */
/* The texts of the error codes. */
#include "wing/wing.h"

#include <string.h>

const char *wing_strerror(int code) {
    switch (code) {
    case WING_E_END:
        return "the input ends where more was due";
    case WING_E_FORMAT:
        return "bytes that no valid input holds";
    case WING_E_CHECKSUM:
        return "the checksum does not match";
    case WING_E_VERSION:
        return "a format version that is not read";
    case WING_E_UNSUPPORTED:
        return "valid, but the data model cannot hold it";
    case WING_E_LIMIT:
        return "a size beyond the bound given by the caller";
    case WING_E_NOMEM:
        return "an allocation failed";
    case WING_E_CALLBACK:
        return "the caller's callback asked to stop";
    default:
        break;
    }
    if (code >= 0) return "no error";
    if (code < -4095) return "an unknown error"; /* no errno of Linux lies beyond 4095 */
    /* Unlike strerror, this neither translates nor shares a buffer between threads. */
    const char *text = strerrordesc_np(-code);
    return text != NULL ? text : "an unknown error";
}
