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

#endif
