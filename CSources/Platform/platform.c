/* SPDX-License-Identifier: BSD-3-Clause */
#include "platform.h"

int redwing_accept(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}
