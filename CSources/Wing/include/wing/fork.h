/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The snapshot child: a fork that works on the parent's memory as it was, reports, and is gone.
 *
 *     static int save(void *context, struct wing_fork_report *report) {
 *         while (write_thousand_keys(context))
 *             wing_fork_progress(report, keys, bytes);
 *         return 0;
 *     }
 *
 *     struct wing_fork_child child;
 *     int error = wing_fork_spawn(&options, save, &context, &child); // -EAGAIN, -ENOMEM: refused
 *     // epoll: child.report readable -> wing_fork_read; child.pidfd readable -> wing_fork_reap
 *
 * In the child, before the function runs: the descriptors but 0, 1, 2 and those of the keep list
 * are closed; every signal has its default action and none is blocked, except that SIGPIPE and
 * SIGINT are ignored (an unread pipe is an error of write; Ctrl-C is the parent's to decide) and
 * SIGUSR1 ends the child at once with exit code WING_FORK_EXIT_STOPPED. SIGKILL comes when the
 * thread that forked ends, as it does with its process: nobody would take the result. So fork from
 * a thread that stays. Memory that it allocates comes in small pages only, lest few bytes cost 2 MiB.
 *
 * The fork runs the process's atfork handlers, so a malloc that has them (glibc, jemalloc) works in
 * the child; locks of other kinds, held by other threads at that moment, stay held in it for ever.
 */
#ifndef WING_FORK_H
#define WING_FORK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    WING_FORK_KEEP_MAX = 64,      /**< descriptors in a keep list */
    WING_FORK_EXIT_FAILED = 1,    /**< exit code when the function returned < 0 */
    WING_FORK_EXIT_STOPPED = 255, /**< exit code after SIGUSR1: ended on request, not failed */
};

/** How the child is set up; all bytes zero is a valid choice. Only read during the call. */
struct wing_fork_options {
    const int *keep;    /**< descriptors that stay open, besides 0, 1 and 2; any order */
    size_t keep_count;  /**< 0 … WING_FORK_KEEP_MAX */
    int niceness;       /**< added to the parent's niceness; a refusal is ignored */
    const char *title;  /**< what ps shows, its first 15 bytes as the command name; or NULL */
    char *title_buffer; /**< the memory of the parent's argv strings, overwritten in the child; or
                             NULL: then only the command name changes */
    size_t title_size;  /**< bytes at title_buffer */
};

/** A child as its parent sees it. wing_fork_close gives the descriptors back. */
struct wing_fork_child {
    pid_t pid;
    int pidfd;        /**< readable once the child has ended; close-on-exec */
    int report;       /**< the report pipe's reading end; non-blocking, close-on-exec */
    uint64_t fork_us; /**< how long fork(2) held the parent, microseconds */
};

/** The child's end of the report pipe; valid while the function runs, the library's. */
struct wing_fork_report;

/**
 * What the child does: 0 is success, 1 … 254 an exit code of its own, < 0 a failure (the parent
 * finds the number in wing_fork_message.result).
 */
typedef int (*wing_fork_function)(void *context, struct wing_fork_report *report);

/** One report of the child. */
struct wing_fork_message {
    uint64_t keys;                /**< written so far, as told to wing_fork_progress */
    uint64_t bytes;               /**< written so far, likewise */
    uint64_t private_dirty_bytes; /**< the copy-on-write bill when last measured, see below */
    uint64_t elapsed_us;          /**< since the child began, microseconds */
    int32_t result;               /**< the function's result; 0 until is_final */
    uint32_t is_final;            /**< 1 in the last message, 0 before */
};

/**
 * Forks a child that runs `function` and then ends by _exit; see the top of this file.
 * Returns   0 and fills *child, or < 0: -EAGAIN, -ENOMEM fork was refused; -EINVAL a keep list that
 *           is too long or holds a negative number; -EMFILE, -ENFILE; other -errno of pipe2(2) and
 *           pidfd_open(2). After an error there is no child and nothing to close.
 * Ownership *child's descriptors are the caller's (wing_fork_close); the child process must be
 *           reaped (wing_fork_reap). `context` is the caller's; the child sees its copy of it.
 * Threads   any.   Fork: child.
 */
int wing_fork_spawn(const struct wing_fork_options *options, wing_fork_function function,
                    void *context, struct wing_fork_child *child);

/**
 * In the child: tells the parent how far it is. Cheap enough for every thousandth key: at most ten
 * messages a second are sent, and the dirty memory is measured for them as long as that takes less
 * than a hundredth of the time. If the parent reads too slowly the message is dropped, never waited
 * for. The last message, with the function's result, is sent by the library.
 * Threads   object (`report`).   Fork: safe.
 */
void wing_fork_progress(struct wing_fork_report *report, uint64_t keys, uint64_t bytes);

/**
 * In the parent: takes all messages that have arrived and gives the newest.
 * Returns   1 and fills *newest; 0: none has arrived (wait for EPOLLIN); WING_E_END: the child has
 *           closed its end, nothing follows; WING_E_FORMAT; other -errno of read(2).
 * Threads   object (`report`).   Fork: safe.
 */
int wing_fork_read(int report, struct wing_fork_message *newest);

/** How a child ended. */
struct wing_fork_end {
    int exit_code; /**< 0 … 255, or -1 when a signal ended it */
    int signal;    /**< that signal, or 0 */
};

/**
 * Takes the child's exit status; does not wait.
 * Returns   1 and fills *end: it has ended and is gone from the process table; 0: it runs yet;
 *           -ECHILD: already reaped, or SIGCHLD is ignored; other -errno of waitid(2).
 * Ownership the descriptors stay open: the last report may still lie in the pipe.
 * Threads   object (`child`).   Fork: no (it is the parent's child).
 */
int wing_fork_reap(const struct wing_fork_child *child, struct wing_fork_end *end);

/**
 * Sends a signal: SIGUSR1 to end it quietly, SIGKILL at once. By the pidfd, so that no stranger
 * with a reused process id is ever hit.
 * Returns   0, or < 0: -ESRCH it has ended and was reaped; other -errno of pidfd_send_signal(2).
 * Threads   any.   Fork: safe.
 */
int wing_fork_kill(const struct wing_fork_child *child, int signal);

/** Closes the descriptors that are not -1 and sets them to -1. Threads: object. Fork: safe. */
void wing_fork_close(struct wing_fork_child *child);

/**
 * Bytes of private dirty memory of the calling process, from /proc/self/smaps_rollup. In a forked
 * child that is its copy-on-write bill: what either side has written since the fork. The kernel
 * walks the page tables for it: some milliseconds a GiB with 4 KiB pages.
 * Returns   bytes, or < 0: -errno of open(2) or read(2); WING_E_FORMAT no such line.
 * Threads   any.   Fork: safe.
 */
int64_t wing_fork_private_dirty(void);

#ifdef __cplusplus
}
#endif
#endif
