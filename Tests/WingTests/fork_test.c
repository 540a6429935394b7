/* SPDX-License-Identifier: BSD-3-Clause */
/* The snapshot child: what it inherits, what it reports, how it ends, and when it isn't there. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fork_seam.h"
#include "harness.h"
#include "wing/fork.h"
#include "wing/wing.h"

pid_t (*wing_fork_seam)(void) = fork;

static const struct wing_fork_options plain;

/* Waits for the end; returns the last message's is_final (0 if none came). */
static int wait_for_end(struct wing_fork_child *child, struct wing_fork_message *message,
                        struct wing_fork_end *end) {
    struct pollfd ended = {.fd = child->pidfd, .events = POLLIN};
    CHECK_EQUAL(poll(&ended, 1, 10000), 1);
    memset(message, 0, sizeof *message);
    while (wing_fork_read(child->report, message) == 1)
        continue;
    CHECK_EQUAL(wing_fork_read(child->report, message), WING_E_END);
    CHECK_EQUAL(wing_fork_reap(child, end), 1);
    CHECK_EQUAL(wing_fork_reap(child, end), -ECHILD);
    wing_fork_close(child);
    CHECK_EQUAL(child->pidfd, -1);
    return (int)message->is_final;
}

static int count_to(void *context, struct wing_fork_report *report) {
    wing_fork_progress(report, 1, 2);
    wing_fork_progress(report, 41, 410);
    return *(int *)context;
}

TEST(fork_reports_the_result) {
    static const struct {
        int result, exit_code;
    } rows[] = {{0, 0}, {7, 7}, {-ENOSPC, WING_FORK_EXIT_FAILED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wing_fork_child child;
        struct wing_fork_message message;
        struct wing_fork_end end;
        int result = rows[i].result;
        REQUIRE(wing_fork_spawn(&plain, count_to, &result, &child) == 0);
        CHECK(child.pid > 0);
        CHECK(child.fork_us < 5000000);
        CHECK_EQUAL(wait_for_end(&child, &message, &end), 1);
        CHECK_EQUAL(message.result, rows[i].result);
        CHECK_EQUAL(message.keys, 41);
        CHECK_EQUAL(message.bytes, 410);
        CHECK_EQUAL(end.exit_code, rows[i].exit_code);
        CHECK_EQUAL(end.signal, 0);
    }
}

static int go_on_slowly(void *context, struct wing_fork_report *report) {
    (void)context;
    for (uint64_t i = 1; i < 6000; i++) {
        wing_fork_progress(report, i, i * 10);
        usleep(5000);
    }
    return 0;
}

TEST(fork_progress_arrives_and_sigusr1_ends_quietly) {
    struct wing_fork_child child;
    struct wing_fork_message message = {0};
    struct wing_fork_end end;
    REQUIRE(wing_fork_spawn(&plain, go_on_slowly, NULL, &child) == 0);
    for (int i = 0; i < 2; i++) {
        struct pollfd readable = {.fd = child.report, .events = POLLIN};
        CHECK_EQUAL(poll(&readable, 1, 10000), 1);
        CHECK_EQUAL(wing_fork_read(child.report, &message), 1);
        CHECK(message.keys >= 1 && message.bytes == message.keys * 10);
        CHECK(message.private_dirty_bytes > 0);
        CHECK_EQUAL(message.is_final, 0);
    }
    CHECK(message.elapsed_us >= 50000);
    CHECK_EQUAL(wing_fork_read(child.report, &message), 0);
    CHECK_EQUAL(wing_fork_reap(&child, &end), 0);
    CHECK_EQUAL(wing_fork_kill(&child, SIGUSR1), 0);
    CHECK_EQUAL(wait_for_end(&child, &message, &end), 0);
    CHECK_EQUAL(end.exit_code, WING_FORK_EXIT_STOPPED);

    REQUIRE(wing_fork_spawn(&plain, go_on_slowly, NULL, &child) == 0);
    CHECK_EQUAL(wing_fork_kill(&child, SIGKILL), 0);
    wait_for_end(&child, &message, &end);
    CHECK_EQUAL(end.exit_code, -1);
    CHECK_EQUAL(end.signal, SIGKILL);
}

static void on_signal(int signal) {
    (void)signal;
}

struct surroundings {
    int kept, closed, high;
    int niceness;
    char *title_buffer;
};

/* Returns the number of the first thing that is not as it should be, or 0. */
static int look_around(void *context, struct wing_fork_report *report) {
    (void)report;
    struct surroundings *s = context;
    if (fcntl(s->kept, F_GETFD) < 0) return 1;
    if (fcntl(s->high, F_GETFD) < 0) return 2;
    if (fcntl(s->closed, F_GETFD) >= 0) return 3;
    if (fcntl(2, F_GETFD) < 0) return 4;
    struct sigaction action;
    sigaction(SIGTERM, NULL, &action);
    if (action.sa_handler != SIG_DFL) return 5;
    sigaction(SIGPIPE, NULL, &action);
    if (action.sa_handler != SIG_IGN) return 6;
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    if (sigismember(&mask, SIGHUP) || sigismember(&mask, SIGUSR2)) return 7;
    char name[17] = {0};
    prctl(PR_GET_NAME, name);
    if (strcmp(name, "redwing-rdb-bgs") != 0) return 8;
    if (strcmp(s->title_buffer, "redwing-rdb-bgsave") != 0) return 9;
    if (s->title_buffer[30] != 0) return 10;
    if (getpriority(PRIO_PROCESS, 0) != s->niceness) return 11;
    if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) != 1) return 12;
    return 0;
}

TEST(fork_child_has_only_what_is_its_own) {
    char title_buffer[32];
    memset(title_buffer, 'q', sizeof title_buffer);
    struct surroundings s = {.title_buffer = title_buffer};
    s.closed = open("/dev/null", O_RDONLY);
    s.kept = open("/dev/null", O_RDONLY);
    s.high = fcntl(s.kept, F_DUPFD, 300);
    int other = open("/dev/null", O_RDONLY);
    s.niceness = getpriority(PRIO_PROCESS, 0) + 3;
    struct sigaction action = {.sa_handler = on_signal}, before;
    sigaction(SIGTERM, &action, &before);
    sigset_t blocked, mask;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGHUP);
    sigprocmask(SIG_BLOCK, &blocked, &mask);

    int keep[] = {s.high, s.kept, s.kept, 0};
    struct wing_fork_options options = {.keep = keep,
                                        .keep_count = 4,
                                        .niceness = 3,
                                        .title = "redwing-rdb-bgsave",
                                        .title_buffer = title_buffer,
                                        .title_size = sizeof title_buffer};
    struct wing_fork_child child;
    struct wing_fork_message message;
    struct wing_fork_end end = {0};
    REQUIRE(wing_fork_spawn(&options, look_around, &s, &child) == 0);
    wait_for_end(&child, &message, &end);
    CHECK_EQUAL(end.exit_code, 0);
    CHECK(title_buffer[0] == 'q'); /* the parent's memory is its own */

    sigset_t after;
    sigprocmask(SIG_SETMASK, &mask, &after);
    CHECK(sigismember(&after, SIGHUP) && !sigismember(&after, SIGUSR2));
    sigaction(SIGTERM, &before, NULL);
    close(s.closed), close(s.kept), close(s.high), close(other);
}

enum { BILL = 8 << 20 };

static int write_memory(void *context, struct wing_fork_report *report) {
    (void)report;
    memset(context, 2, BILL);
    return 0;
}

static int read_memory(void *context, struct wing_fork_report *report) {
    (void)report;
    unsigned sum = 0;
    for (size_t i = 0; i < BILL; i += 64)
        sum += ((volatile unsigned char *)context)[i];
    return sum == BILL / 64 ? 0 : 1;
}

TEST(fork_reports_its_copy_on_write_bill) {
    unsigned char *memory =
        mmap(NULL, BILL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    memset(memory, 1, BILL);
    CHECK(wing_fork_private_dirty() >= BILL);
    struct wing_fork_child child;
    struct wing_fork_message reading, writing;
    struct wing_fork_end end;
    REQUIRE(wing_fork_spawn(&plain, read_memory, memory, &child) == 0);
    wait_for_end(&child, &reading, &end);
    CHECK_EQUAL(end.exit_code, 0);
    REQUIRE(wing_fork_spawn(&plain, write_memory, memory, &child) == 0);
    wait_for_end(&child, &writing, &end);
    CHECK(reading.private_dirty_bytes < BILL / 2);
    CHECK(writing.private_dirty_bytes >= reading.private_dirty_bytes + BILL / 2);
    munmap(memory, BILL);
}

static int refusal;
static pid_t refuse(void) {
    errno = refusal;
    return -1;
}

static int lowest_free(void) {
    int fd = dup(0);
    close(fd);
    return fd;
}

TEST(fork_refused_is_an_error_that_leaves_nothing) {
    static const int refusals[] = {EAGAIN, ENOMEM};
    int free_before = lowest_free();
    int result = 0;
    struct wing_fork_child child;
    for (size_t i = 0; i < 2; i++) {
        refusal = refusals[i];
        wing_fork_seam = refuse;
        CHECK_EQUAL(wing_fork_spawn(&plain, count_to, &result, &child), -refusals[i]);
        wing_fork_seam = fork;
    }
    int keep[] = {-1};
    struct wing_fork_options bad = {.keep = keep, .keep_count = 1};
    CHECK_EQUAL(wing_fork_spawn(&bad, count_to, &result, &child), -EINVAL);
    bad.keep_count = WING_FORK_KEEP_MAX + 1;
    CHECK_EQUAL(wing_fork_spawn(&bad, count_to, &result, &child), -EINVAL);
    CHECK_EQUAL(lowest_free(), free_before);
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    CHECK(!sigismember(&mask, SIGTERM));
}

/* The forking process ends; its child must not live on, be it at work or stopped. */
static void run_orphan(int is_stopped) {
    int pipe_ends[2];
    REQUIRE(pipe(pipe_ends) == 0);
    pid_t middle = fork();
    if (middle == 0) {
        struct wing_fork_child child;
        int keep[] = {pipe_ends[1]};
        struct wing_fork_options options = {.keep = keep, .keep_count = 1};
        if (wing_fork_spawn(&options, go_on_slowly, NULL, &child) != 0) _exit(1);
        siginfo_t info;
        struct pollfd works = {.fd = child.report, .events = POLLIN};
        if (poll(&works, 1, 10000) != 1) _exit(1);
        if (is_stopped && wing_fork_kill(&child, SIGSTOP) == 0)
            waitid(P_PID, (id_t)child.pid, &info, WSTOPPED);
        _exit(0);
    }
    close(pipe_ends[1]);
    struct pollfd closed = {.fd = pipe_ends[0], .events = POLLIN};
    CHECK_EQUAL(poll(&closed, 1, 10000), 1); /* the last holder of the other end is gone */
    close(pipe_ends[0]);
    siginfo_t info;
    CHECK_EQUAL(waitid(P_PID, (id_t)middle, &info, WEXITED), 0);
}

TEST(fork_child_ends_with_its_parent) {
    run_orphan(0);
    run_orphan(1);
}
