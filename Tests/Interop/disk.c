/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A disk that obeys: preloaded into a server, it makes fdatasync and write of the append only file
 * slow or fail as the file $DISK_SAYS has it: "sync fail", "sync slow", "write slow", or nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int says(const char *what) {
    const char *path = getenv("DISK_SAYS");
    if (path == NULL) return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    char text[32] = {0};
    long n = syscall(SYS_read, fd, text, sizeof text - 1);
    close(fd);
    return n > 0 && strcmp(text, what) == 0;
}

static int is_aof(int fd) {
    char link[64], path[4096] = {0};
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof path - 1) > 0 && strstr(path, ".aof") != NULL;
}

int fdatasync(int fd) {
    if (says("sync fail")) {
        errno = EIO;
        return -1;
    }
    if (says("sync slow")) usleep(20000);
    return (int)syscall(SYS_fdatasync, fd);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    if (is_aof(fd) && says("write slow")) usleep(20000);
    return syscall(SYS_write, fd, bytes, size);
}
