/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The snapshot child. What happens when:
 *
 *     parent                                child
 *     blocks all signals
 *     fork ────────────────────────────────▶ default actions, own handlers, then unblocks
 *     unblocks, opens the pidfd              closes, renames, renices
 *     reads the report pipe ◀─ progress ──── runs the function
 *                           ◀─ final ─────── _exit
 *     sees the pidfd readable, reaps
 *
 * Signals are blocked across the fork so that a handler of the parent never runs in the child.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "wing/fork.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fork_seam.h"
#include "wing/wing.h"

enum {
    PROGRESS_INTERVAL_US = 100 * 1000,
    DIRTY_COST_FACTOR = 100,  /* dirty memory is measured for at most 1/100 of the time */
    FINAL_PATIENCE_MS = 1000, /* how long the last message waits for room in the pipe */
};

struct wing_fork_report {
    int pipe;
    uint64_t started_us;
    uint64_t sent_us;       /* when the last progress message went */
    uint64_t next_dirty_us; /* not before this time is dirty memory measured again */
    struct wing_fork_message message;
};

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* MARK: dirty memory */

int64_t wing_fork_private_dirty(void) {
    char text[4096]; /* the file has about 25 lines of 30 bytes */
    size_t length = 0;
    int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (file < 0) return -errno;
    while (length < sizeof text - 1) {
        ssize_t got = read(file, text + length, sizeof text - 1 - length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            int error = errno;
            close(file);
            return -error;
        }
        if (got == 0) break;
        length += (size_t)got;
    }
    close(file);
    text[length] = 0;
    static const char label[] = "\nPrivate_Dirty:";
    const char *p = strstr(text, label);
    if (p == NULL) return WING_E_FORMAT;
    p += sizeof label - 1;
    while (*p == ' ')
        p++;
    int64_t kib = 0;
    for (; *p >= '0' && *p <= '9' && kib < INT64_MAX / 16384; p++)
        kib = kib * 10 + (*p - '0');
    return kib * 1024;
}

/* MARK: the child */

static void measure(struct wing_fork_report *report, uint64_t now) {
    int64_t dirty = wing_fork_private_dirty();
    if (dirty >= 0) report->message.private_dirty_bytes = (uint64_t)dirty;
    uint64_t end = now_us();
    report->next_dirty_us = end + (end - now) * DIRTY_COST_FACTOR;
}

/* Smaller than PIPE_BUF: all of it is written, or nothing. */
static bool send_message(const struct wing_fork_report *report) {
    struct wing_fork_message message = report->message;
    return write(report->pipe, &message, sizeof message) >= 0;
}

void wing_fork_progress(struct wing_fork_report *report, uint64_t keys, uint64_t bytes) {
    report->message.keys = keys;
    report->message.bytes = bytes;
    uint64_t now = now_us();
    if (now - report->sent_us < PROGRESS_INTERVAL_US) return;
    report->sent_us = now;
    if (now >= report->next_dirty_us) measure(report, now);
    report->message.elapsed_us = now - report->started_us;
    send_message(report); /* what finds no room is only progress */
}

static void send_final(struct wing_fork_report *report, int result) {
    uint64_t now = now_us();
    measure(report, now);
    report->message.elapsed_us = now - report->started_us;
    report->message.result = result;
    report->message.is_final = 1;
    while (!send_message(report)) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return;
        struct pollfd room = {.fd = report->pipe, .events = POLLOUT};
        if (poll(&room, 1, FINAL_PATIENCE_MS) <= 0) return;
    }
}

static void stop(int signal) {
    (void)signal;
    _exit(WING_FORK_EXIT_STOPPED);
}

static void reset_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; signal++)
        sigaction(signal, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = stop;
    sigaction(SIGUSR1, &action, NULL);
    sigprocmask(SIG_SETMASK, &action.sa_mask, NULL);
}

/* Closes first…last; both are bounds that exist or not. */
static void close_span(unsigned first, unsigned last) {
    if (first > last) return;
    if (syscall(SYS_close_range, first, last, 0) == 0) return;
    /* Before Linux 5.9: one by one, as far as the limit lets descriptors exist. */
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    for (unsigned fd = first; fd <= last && fd < limit.rlim_cur; fd++)
        close((int)fd);
}

/* `keep` is in ascending order. */
static void close_others(const int *keep, size_t count) {
    unsigned first = 3;
    for (size_t i = 0; i < count; i++) {
        unsigned kept = (unsigned)keep[i];
        if (kept < first) continue; /* 0, 1, 2, or a second mention */
        if (kept > first) close_span(first, kept - 1);
        first = kept + 1;
    }
    close_span(first, ~0u);
}

static void set_title(const struct wing_fork_options *options) {
    if (options->title == NULL) return;
    prctl(PR_SET_NAME, options->title); /* the kernel takes the first 15 bytes */
    if (options->title_buffer == NULL || options->title_size == 0) return;
    size_t length = strlen(options->title);
    if (length > options->title_size - 1) length = options->title_size - 1;
    /* The title may lie in the very memory it goes to. */
    memmove(options->title_buffer, options->title, length);
    memset(options->title_buffer + length, 0, options->title_size - length);
}

_Noreturn static void run_child(const struct wing_fork_options *options, pid_t parent, int pipe,
                                const int *keep, size_t keep_count, wing_fork_function function,
                                void *context) {
    reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* reaches a stopped child as well */
    /* What it allocates is of 4 KiB pages: a huge one would be cleared and counted for a few bytes. */
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    if (getppid() != parent) _exit(WING_FORK_EXIT_STOPPED); /* it ended before the line above */
    close_others(keep, keep_count);
    set_title(options);
    if (options->niceness != 0) {
        int now = getpriority(PRIO_PROCESS, 0);
        setpriority(PRIO_PROCESS, 0, now + options->niceness);
    }
    struct wing_fork_report report = {.pipe = pipe, .started_us = now_us()};
    int result = function(context, &report);
    send_final(&report, result);
    _exit(result < 0 ? WING_FORK_EXIT_FAILED : result);
}

/* MARK: the parent */

/* The keep list and the pipe, in ascending order. */
static int sorted_keep(const struct wing_fork_options *options, int pipe, int *out) {
    if (options->keep_count > WING_FORK_KEEP_MAX) return -EINVAL;
    for (size_t count = 0; count <= options->keep_count; count++) {
        int fd = count < options->keep_count ? options->keep[count] : pipe;
        if (fd < 0) return -EINVAL;
        size_t place = count;
        for (; place > 0 && out[place - 1] > fd; place--)
            out[place] = out[place - 1];
        out[place] = fd;
    }
    return 0;
}

int wing_fork_spawn(const struct wing_fork_options *options, wing_fork_function function,
                    void *context, struct wing_fork_child *child) {
    int pipe[2], keep[WING_FORK_KEEP_MAX + 1];
    if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK) != 0) return -errno;
    int error = sorted_keep(options, pipe[1], keep);
    if (error != 0) goto close_pipe;

    pid_t parent = getpid();
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    uint64_t start = now_us();
    pid_t pid = WING_FORK_CALL();
    if (pid == 0) {
        run_child(options, parent, pipe[1], keep, options->keep_count + 1, function, context);
    }
    error = pid < 0 ? -errno : 0;
    uint64_t fork_us = now_us() - start;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) goto close_pipe;

    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        error = -errno;
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        goto close_pipe;
    }
    close(pipe[1]);
    *child =
        (struct wing_fork_child){.pid = pid, .pidfd = pidfd, .report = pipe[0], .fork_us = fork_us};
    return 0;

close_pipe:
    close(pipe[0]);
    close(pipe[1]);
    return error;
}

int wing_fork_read(int report, struct wing_fork_message *newest) {
    struct wing_fork_message messages[32];
    bool found = false;
    for (;;) {
        ssize_t got = read(report, messages, sizeof messages);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return found;
        if (got < 0) return -errno;
        if (got == 0) return found ? 1 : WING_E_END;
        if ((size_t)got % sizeof messages[0] != 0) return WING_E_FORMAT;
        *newest = messages[(size_t)got / sizeof messages[0] - 1];
        found = true;
    }
}

int wing_fork_reap(const struct wing_fork_child *child, struct wing_fork_end *end) {
    siginfo_t info;
    info.si_pid = 0;
    while (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG) != 0) {
        if (errno != EINTR) return -errno;
    }
    if (info.si_pid == 0) return 0;
    bool exited = info.si_code == CLD_EXITED;
    *end = (struct wing_fork_end){.exit_code = exited ? info.si_status : -1,
                                  .signal = exited ? 0 : info.si_status};
    return 1;
}

int wing_fork_kill(const struct wing_fork_child *child, int signal) {
    return syscall(SYS_pidfd_send_signal, child->pidfd, signal, NULL, 0) == 0 ? 0 : -errno;
}

void wing_fork_close(struct wing_fork_child *child) {
    if (child->pidfd >= 0) close(child->pidfd);
    if (child->report >= 0) close(child->report);
    child->pidfd = child->report = -1;
}
