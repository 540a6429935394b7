/* SPDX-License-Identifier: BSD-3-Clause */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static char *title_place;
static size_t title_size;

extern char **environ;

/** The end of `text` when it begins where the room ends so far, else that end. */
static char *joined(char *text, char *end) { return text == end ? text + strlen(text) + 1 : end; }

size_t redwing_title_prepare(int count, char **arguments) {
    if (title_place != NULL) return title_size;
    if (count < 1 || arguments == NULL || arguments[0] == NULL) return 0;
    char *end = arguments[0];
    for (int i = 0; i < count && arguments[i] != NULL; i++) end = joined(arguments[i], end);
    size_t variables = 0;
    while (environ != NULL && environ[variables] != NULL) variables++;
    char **copy = calloc(variables + 1, sizeof *copy);
    if (copy == NULL) return 0;
    for (size_t i = 0; i < variables; i++) {
        copy[i] = strdup(environ[i]);
        if (copy[i] == NULL) return 0; /* at the very start of a process: nothing to save */
        end = joined(environ[i], end);
    }
    environ = copy;
    title_place = arguments[0];
    title_size = (size_t)(end - title_place);
    return title_size;
}

char *redwing_title_place(void) { return title_place; }

void redwing_title_set(const char *title) {
    if (title_place == NULL || title_size < 2) return;
    size_t size = strlen(title);
    if (size > title_size - 1) size = title_size - 1;
    memmove(title_place, title, size);
    memset(title_place + size, 0, title_size - size);
}

int redwing_daemonize(void) {
    pid_t pid = fork();
    if (pid < 0) return -errno;
    if (pid > 0) _exit(0);
    setsid();
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        if (null > STDERR_FILENO) close(null);
    }
    return 0;
}

void redwing_syslog_open(const char *ident, const char *facility) {
    static const int locals[] = {LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3,
                                 LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7};
    int code = LOG_USER;
    if (strncmp(facility, "local", 5) == 0 && facility[5] >= '0' && facility[5] <= '7') {
        code = locals[facility[5] - '0'];
    }
    /* openlog keeps the pointer for ever. */
    char *name = strdup(ident);
    openlog(name, LOG_PID | LOG_NDELAY | LOG_NOWAIT, code);
}

void redwing_syslog(int level, const char *text, size_t size) {
    static const int priorities[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING};
    if (level < 0 || level > 3) level = 3;
    syslog(priorities[level], "%.*s", (int)size, text);
}

int redwing_notify(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || (path[0] != '@' && path[0] != '/') || path[1] == 0) return -ENOENT;
    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    size_t size = strlen(path);
    if (size >= sizeof address.sun_path) return -ENAMETOOLONG;
    memcpy(address.sun_path, path, size);
    if (path[0] == '@') address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                          (const struct sockaddr *)&address, length);
    int code = sent < 0 ? -errno : 0;
    close(fd);
    return code;
}

long redwing_utc_offset(long seconds) {
    time_t at = (time_t)seconds;
    struct tm local;
    if (localtime_r(&at, &local) == NULL) return 0;
    return local.tm_gmtoff;
}

/** A CPU's number at `*text`, which moves behind it; negative when there is none. */
static long cpu_number(const char **text) {
    if (**text < '0' || **text > '9') return -1;
    char *end;
    long number = strtol(*text, &end, 10);
    *text = end;
    return number < CPU_SETSIZE ? number : -1;
}

int redwing_cpu_affinity(const char *list) {
    if (*list == 0) return 0;
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const char *at = list;; at++) {
        long first = cpu_number(&at), last = first, step = 1;
        if (first >= 0 && *at == '-') {
            at++;
            last = cpu_number(&at);
        }
        if (last >= 0 && *at == ':') {
            at++;
            step = cpu_number(&at);
        }
        if (first < 0 || last < first || step < 1) return -EINVAL;
        for (long cpu = first; cpu <= last; cpu += step) CPU_SET((size_t)cpu, &set);
        if (*at == 0) break;
        if (*at != ',') return -EINVAL;
    }
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : -errno;
}
