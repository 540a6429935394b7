/* SPDX-License-Identifier: BSD-3-Clause */
#include "wing/wing.h"

const char *wing_strerror(int code) {
    (void)code;
    return "";
}
