/* SPDX-License-Identifier: BSD-3-Clause */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int redwing_spool_memory(void) {
    int fd = memfd_create("redwing-spool", MFD_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int redwing_spool_named(void) {
    char name[] = "temp-spool-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0) return -errno;
    unlink(name);
    return fd;
}

int redwing_spool_disk(void) {
    int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) return fd;
    /* Not every file system knows files without a name; a kernel that knows none says EISDIR. */
    return errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT ? redwing_spool_named() : -errno;
}

int redwing_spool_punch(int fd, uint64_t offset, uint64_t count) {
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return fallocate(fd, mode, (off_t)offset, (off_t)count) == 0 ? 0 : -errno;
}

/* MARK: the gate */

struct redwing_spool_gate {
    _Atomic uint64_t end;   /* the writer stops in front of this byte */
    _Atomic uint32_t turns; /* how often `end` has moved: what a writer that waits sleeps on */
    _Atomic int is_narrow;  /* the link is slower than the writer */
    uint64_t written;       /* the writer's own */
    int fd;
};

struct redwing_spool_gate *redwing_spool_gate_create(int fd) {
    struct redwing_spool_gate *gate =
        mmap(NULL, sizeof *gate, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (gate == MAP_FAILED) return NULL;
    gate->fd = fd;
    return gate;
}

void redwing_spool_gate_free(struct redwing_spool_gate *gate) {
    if (gate != NULL) munmap(gate, sizeof *gate);
}

void redwing_spool_gate_open(struct redwing_spool_gate *gate, uint64_t end) {
    if (atomic_exchange(&gate->end, end) == end) return;
    atomic_fetch_add(&gate->turns, 1);
    syscall(SYS_futex, &gate->turns, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void redwing_spool_gate_narrow(struct redwing_spool_gate *gate, int is_narrow) {
    atomic_store_explicit(&gate->is_narrow, is_narrow, memory_order_relaxed);
}

int redwing_spool_gate_is_narrow(struct redwing_spool_gate *gate) {
    return atomic_load_explicit(&gate->is_narrow, memory_order_relaxed);
}

/* How many bytes may be written now; waits until it is at least one. */
static uint64_t await_room(struct redwing_spool_gate *gate) {
    for (;;) {
        uint32_t turns = atomic_load(&gate->turns);
        uint64_t end = atomic_load(&gate->end);
        if (end > gate->written) return end - gate->written;
        /* Woken, interrupted or moved meanwhile: in each case it is looked at again. */
        syscall(SYS_futex, &gate->turns, FUTEX_WAIT, turns, NULL, NULL, 0);
    }
}

int redwing_spool_write(void *context, const void *bytes, size_t size) {
    struct redwing_spool_gate *gate = context;
    const char *rest = bytes;
    while (size > 0) {
        uint64_t room = await_room(gate);
        ssize_t n = write(gate->fd, rest, size < room ? size : (size_t)room);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 ? -errno : -EIO;
        gate->written += (uint64_t)n;
        rest += n;
        size -= (size_t)n;
    }
    return 0;
}

/* MARK: sockets */

int redwing_peer_has_room(int fd) {
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return -errno;
    uint64_t under_way = (uint64_t)info.tcpi_unacked * info.tcpi_snd_mss;
    return info.tcpi_snd_wnd >= under_way + 2 * (uint64_t)info.tcpi_snd_mss;
}

/* MARK: other files */

int redwing_write_behind(int fd, int64_t offset, int64_t count) {
    return sync_file_range(fd, offset, count, SYNC_FILE_RANGE_WRITE) == 0 ? 0 : -errno;
}

int redwing_pipe(int *ends, int size) {
    if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
    (void)fcntl(ends[0], F_SETPIPE_SZ, size);
    return 0;
}
