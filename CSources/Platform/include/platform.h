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
#include <pthread.h>
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
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

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

/**
 * As redwing_parse_long_double, for a double by strtod. With `any_size`, what is too large is infinite and
 * what is too small is 0.
 */
static inline int redwing_parse_double(const char *text, size_t size, int any_size,
                                       double *value) {
    char *end = NULL;
    errno = 0;
    *value = strtod(text, &end);
    if (end != text + size || *value != *value) return -1;
    if (!any_size && errno == ERANGE && (*value == 0 || *value > 1 || *value < -1)) return -1;
    return 0;
}

/** snprintf "%.17g"; returns the bytes written, without the null. */
static inline int redwing_format_double(char *place, size_t size, double value) {
    return snprintf(place, size, "%.17g", value);
}

/** snprintf "%.*f" with `digits` behind the point; the longest text of a double has 310 before it. */
static inline int redwing_format_fixed(char *place, size_t size, int digits, double value) {
    return snprintf(place, size, "%.*f", digits, value);
}

/** snprintf "%.17Lf"; the longest text of a long double has about 4950 bytes. */
static inline int redwing_format_long_double(char *place, size_t size, const long double *value) {
    return snprintf(place, size, "%.17Lf", *value);
}

/** epoll_ctl(2) with the key as a plain number. Returns 0 or -errno. */
static inline int redwing_epoll_control(int epoll, int operation, int fd, uint32_t events,
                                        uint64_t key) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = events;
    event.data.u64 = key;
    return epoll_ctl(epoll, operation, fd, &event) == 0 ? 0 : -errno;
}

/** The parts of one epoll_event, which is packed and so not for Swift's eyes. */
static inline uint64_t redwing_epoll_key(const struct epoll_event *event) {
    return event->data.u64;
}
static inline uint32_t redwing_epoll_events(const struct epoll_event *event) {
    return event->events;
}

/** A timerfd of CLOCK_MONOTONIC, not set yet, or -errno. */
static inline int redwing_timer_create(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

/** Sets a timerfd to `due` ms of its clock; one that has passed comes at once. */
static inline void redwing_timer_set(int fd, int64_t due) {
    if (due < 1) due = 1;
    struct itimerspec time;
    memset(&time, 0, sizeof time);
    time.it_value.tv_sec = due / 1000;
    time.it_value.tv_nsec = due % 1000 * 1000000;
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &time, NULL);
}

/** Blocks `count` signals and returns a non-blocking signalfd for them, or -errno. */
static inline int redwing_signal_fd(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return -errno;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

/** Nanoseconds of CLOCK_MONOTONIC. */
static inline int64_t redwing_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/** Microseconds since 1970. */
static inline int64_t redwing_wall_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/** accept4(2), non-blocking and close-on-exec; the peer's address is not asked for. -errno on failure. */
int redwing_accept(int listener);

/** A mutex on the heap; NULL when there is no memory. */
static inline pthread_mutex_t *redwing_mutex_create(void) {
    pthread_mutex_t *mutex = malloc(sizeof *mutex);
    if (mutex != NULL) pthread_mutex_init(mutex, NULL);
    return mutex;
}
static inline void redwing_mutex_lock(void *mutex) { pthread_mutex_lock(mutex); }
static inline void redwing_mutex_unlock(void *mutex) { pthread_mutex_unlock(mutex); }

/** Starts a detached thread with every signal blocked. Returns 0 or an errno. */
static inline int redwing_thread_start(void *(*body)(void *), void *argument, size_t stack) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t every, before;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, stack);
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    int code = pthread_create(&thread, &attributes, body, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return code;
}

/** The next signal of a signalfd, or 0 when none waits. */
static inline int redwing_signal_read(int fd) {
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

/** The CPU's cycle counter where it runs at one rate whatever the CPU does (invariant TSC); else 0. */
static inline uint64_t redwing_ticks(void) {
#if defined(__x86_64__)
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
#else
    return 0;
#endif
}

/** 1 when redwing_ticks may be used as a clock. */
int redwing_ticks_are_steady(void);

#endif
