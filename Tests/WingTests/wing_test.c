/* SPDX-License-Identifier: BSD-3-Clause */
/* The texts of error codes. */
#include <errno.h>

#include "harness.h"
#include "wing/wing.h"

TEST(strerror_knows_both_kinds) {
    CHECK(strcmp(wing_strerror(-EPIPE), "Broken pipe") == 0);
    CHECK(strcmp(wing_strerror(WING_E_CHECKSUM), "the checksum does not match") == 0);
    CHECK(strcmp(wing_strerror(0), "no error") == 0);
    CHECK(strcmp(wing_strerror(-4000), "an unknown error") == 0);
    CHECK(strcmp(wing_strerror(-20000), "an unknown error") == 0);
    for (int code = WING_E_END; code >= WING_E_CALLBACK; code--) {
        CHECK(strcmp(wing_strerror(code), "an unknown error") != 0);
    }
}
