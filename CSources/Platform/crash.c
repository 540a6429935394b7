/* SPDX-License-Identifier: BSD-3-Clause */
#include "process.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* All that the handler uses is made before: nothing may be allocated in it. */
static char log_path[4096];
static char version_text[64];
static char stack[64 << 10]; /* for a crash by an exhausted one */

static const int watched[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
enum { WATCHED = sizeof watched / sizeof watched[0], FRAMES = 64 };

struct line {
    char text[512];
    size_t size;
};

static void put(struct line *line, const char *text) {
    while (*text != 0 && line->size < sizeof line->text) line->text[line->size++] = *text++;
}

static void put_number(struct line *line, uintptr_t value, unsigned base) {
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = 0;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    put(line, digits + at);
}

/** The line as the log's others begin, with the Unix time: local time takes a lock. */
static void crashed(int number, siginfo_t *info, void *context) {
    (void)context;
    struct line line = {.size = 0};
    put_number(&line, (uintptr_t)getpid(), 10);
    put(&line, ":signal-handler (");
    put_number(&line, (uintptr_t)time(NULL), 10);
    put(&line, ") Redwing ");
    put(&line, version_text);
    put(&line, " crashed by signal: ");
    put_number(&line, (uintptr_t)number, 10);
    if (info->si_code > 0) {
        put(&line, ", accessing address: 0x");
        put_number(&line, (uintptr_t)info->si_addr, 16);
    } else {
        put(&line, ", sent by pid: ");
        put_number(&line, (uintptr_t)info->si_pid, 10);
    }
    put(&line, "\n");
    int fd = STDOUT_FILENO;
    if (log_path[0] != 0) fd = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0) {
        ssize_t written = write(fd, line.text, line.size);
        (void)written;
        void *frames[FRAMES];
        backtrace_symbols_fd(frames, backtrace(frames, FRAMES), fd);
        if (log_path[0] != 0) close(fd);
    }
    /* SA_RESETHAND: this one ends the process, with a core if it may, once the handler returns. */
    raise(number);
}

static void set_handlers(const struct sigaction *action) {
    for (size_t i = 0; i < WATCHED; i++) sigaction(watched[i], action, NULL);
}

void redwing_crash_watch(const char *log, const char *version) {
    if (log == NULL) log = "";
    if (strlen(log) >= sizeof log_path) return;
    strcpy(log_path, log);
    strncpy(version_text, version, sizeof version_text - 1);
    /* The first call loads a library, which the handler must not. */
    void *frames[1];
    backtrace(frames, 1);
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&other, NULL);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = crashed;
    action.sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND);
    sigemptyset(&action.sa_mask);
    set_handlers(&action);
}

void redwing_crash_ignore(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    set_handlers(&action);
}
