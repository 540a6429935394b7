/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The process as its operator sees it: title, daemon, syslog, service manager. The one place with
 * state is the memory of the title, of which a process has one.
 */
#ifndef REDWING_PROCESS_H
#define REDWING_PROCESS_H

#include <stddef.h>
#include <stdint.h>

/**
 * Takes the memory of the arguments and the environment for the title; the environment is copied
 * first. Call once, early, after the arguments were copied. Returns the bytes a title may have with
 * its null, 0 when there is no room for one.
 */
size_t redwing_title_prepare(int count, char **arguments);

/** Where `redwing_title_prepare` found the room; NULL before. Good for the life of the process. */
char *redwing_title_place(void);

/** Puts `title`, cut to the room, in the place of the arguments. Safe in a forked child. */
void redwing_title_set(const char *title);

/** Goes on as a daemon: the parent ends, the child has a session and /dev/null. 0 or -errno. */
int redwing_daemonize(void);

/** openlog(3) with the facility of that name ("local0", "user"). Copies `ident`. */
void redwing_syslog_open(const char *ident, const char *facility);

/** syslog(3); `level` 0 to 3 is debug, info, notice, warning. */
void redwing_syslog(int level, const char *text, size_t size);

/**
 * Sends `state` to the service manager's socket (NOTIFY_SOCKET of systemd; '@' begins an abstract
 * name). Returns 0 or -errno; -ENOENT when there is no such socket in the environment.
 */
int redwing_notify(const char *state);

/**
 * Binds the calling thread, and those it starts, to the CPUs of `list`: numbers and ranges with a
 * step, such as "0,2,4-7" or "0-10:2". An empty list changes nothing. Returns 0, -EINVAL for a list
 * that can't be read, or -errno.
 */
int redwing_cpu_affinity(const char *list);

/**
 * From now on a crash (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT) leaves a line with the signal, the
 * address and `version`, and the addresses of the calls behind it, in the file `log` (NULL: standard
 * output); then the process ends by the signal as it would have. Copies both texts.
 */
void redwing_crash_watch(const char *log, const char *version);

/** Crashes leave nothing any more. */
void redwing_crash_ignore(void);

/** Seconds to add to UTC for local time at the Unix time `seconds`. Not for a forked child. */
long redwing_utc_offset(long seconds);

#endif
