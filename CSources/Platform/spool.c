/* SPDX-License-Identifier: BSD-3-Clause */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int redwing_spool_memory(void) {
    int fd = memfd_create("redwing-spool", MFD_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int redwing_spool_disk(void) {
    int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : -errno;
}

int redwing_spool_punch(int fd, int64_t offset, int64_t count) {
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, count) == 0 ? 0 : -errno;
}

int redwing_write_behind(int fd, int64_t offset, int64_t count) {
    return sync_file_range(fd, offset, count, SYNC_FILE_RANGE_WRITE) == 0 ? 0 : -errno;
}

int redwing_pipe(int *ends, int size) {
    if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
    (void)fcntl(ends[0], F_SETPIPE_SZ, size);
    return 0;
}
