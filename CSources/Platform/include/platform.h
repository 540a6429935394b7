/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What Swift's view of glibc leaves out: a thin, static-inline door to Linux calls and to jemalloc.
 * No state, no policy. Everything returns what the call returns, or -errno where it says so.
 */
#ifndef REDWING_PLATFORM_H
#define REDWING_PLATFORM_H

#include <errno.h>
#include <fcntl.h>
#include <jemalloc/jemalloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/** Fetches the cache line at `place` ahead of its use; any value is allowed. */
static inline void redwing_prefetch(const void *place) { __builtin_prefetch(place); }

/**
 * The long double that `text` (null-terminated, `size` bytes) spells as a whole, by strtold.
 * Returns 0, or -1 when it spells none, more than one, NaN, or one out of range.
 */
static inline int redwing_parse_long_double(const char *text, size_t size, long double *value) {
    char *end = NULL;
    errno = 0;
    *value = strtold(text, &end);
    if (end != text + size || *value != *value) return -1;
    if (errno == ERANGE && (*value == 0 || *value > 1 || *value < -1)) return -1;
    return 0;
}

/** As redwing_parse_long_double, for a double by strtod. */
static inline int redwing_parse_double(const char *text, size_t size, double *value) {
    char *end = NULL;
    errno = 0;
    *value = strtod(text, &end);
    if (end != text + size || *value != *value) return -1;
    if (errno == ERANGE && (*value == 0 || *value > 1 || *value < -1)) return -1;
    return 0;
}

/** snprintf "%.17g"; returns the bytes written, without the null. */
static inline int redwing_format_double(char *place, size_t size, double value) {
    return snprintf(place, size, "%.17g", value);
}

/** snprintf "%.17Lf"; the longest text of a long double has about 4950 bytes. */
static inline int redwing_format_long_double(char *place, size_t size, const long double *value) {
    return snprintf(place, size, "%.17Lf", *value);
}

#endif
