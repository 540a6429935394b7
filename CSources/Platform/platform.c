/* SPDX-License-Identifier: BSD-3-Clause */
#include "platform.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

int redwing_accept(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int redwing_ticks_are_steady(void) {
#if defined(__x86_64__)
    unsigned eax, ebx, ecx, edx;
    /* CPUID 8000_0007h, EDX bit 8: the counter's rate never changes. */
    if (__get_cpuid(0x80000007u, &eax, &ebx, &ecx, &edx) == 0) return 0;
    return (edx >> 8) & 1;
#else
    return 0;
#endif
}
