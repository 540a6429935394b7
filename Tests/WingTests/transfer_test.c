/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transfers over real sockets, pipes and files, with faults put between them and the kernel: every
 * so-many-th call is interrupted, refused or cut short, and still each byte arrives once, in order.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "transfer_seam.h"
#include "wing/transfer.h"
#include "wing/wing.h"

/* MARK: faults */

static struct {
    unsigned calls;
    unsigned interrupt_each; /* 0: never */
    unsigned refuse_each;    /* EAGAIN */
    size_t longest;          /* 0: no bound */
    int file_error;          /* for splices to a file: this errno, once */
} faults;

static void no_faults(void) {
    memset(&faults, 0, sizeof faults);
}

/* Between pipes, with room and bytes known to be there, the kernel has no reason to refuse. */
static int is_socket(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

static int strikes(int may_refuse) {
    faults.calls++;
    if (faults.interrupt_each != 0 && faults.calls % faults.interrupt_each == 0) {
        errno = EINTR;
        return 1;
    }
    if (may_refuse && faults.refuse_each != 0 && faults.calls % faults.refuse_each == 0) {
        errno = EAGAIN;
        return 1;
    }
    return 0;
}

static size_t cut(size_t count) {
    return faults.longest != 0 && count > faults.longest ? faults.longest : count;
}

ssize_t wing_seam_sendfile(int out, int in, off_t *offset, size_t count) {
    return strikes(1) ? -1 : sendfile(out, in, offset, cut(count));
}

ssize_t wing_seam_splice(int in, off_t *in_at, int out, off_t *out_at, size_t n, unsigned flags) {
    if (out_at != NULL && faults.file_error != 0) {
        errno = faults.file_error;
        faults.file_error = 0;
        return -1;
    }
    if (strikes(is_socket(in) || is_socket(out))) return -1;
    return splice(in, in_at, out, out_at, cut(n), flags);
}

ssize_t wing_seam_tee(int in, int out, size_t count, unsigned flags) {
    return strikes(0) ? -1 : tee(in, out, count, flags);
}

/* MARK: helpers */

enum { SIZE = 300000 };

static unsigned char data[SIZE], got[4][SIZE + 1];

static void set_up(void) {
    signal(SIGPIPE, SIG_IGN);
    uint64_t seed = 7;
    random_fill(&seed, data, SIZE);
    memset(got, 0, sizeof got);
    no_faults();
}

static int temporary_file(void) {
    FILE *file = tmpfile();
    int fd = dup(fileno(file));
    fclose(file);
    return fd;
}

/* ends[0] is ours and small, ends[1] the peer's; both non-blocking. */
static void make_sockets(int ends[2]) {
    CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    int small = 8192;
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
}

static size_t drain(int socket, unsigned char *into, size_t have, size_t most) {
    while (most > 0 && have < SIZE) {
        ssize_t n = read(socket, into + have, most < SIZE - have ? most : SIZE - have);
        if (n <= 0) break;
        have += (size_t)n, most -= (size_t)n;
    }
    return have;
}

/* MARK: file to socket */

TEST(transfer_send_resumes_at_any_byte) {
    set_up();
    int file = temporary_file(), ends[2];
    CHECK_EQUAL(pwrite(file, data, SIZE, 0), SIZE);
    make_sockets(ends);
    faults.interrupt_each = 3, faults.refuse_each = 5, faults.longest = 4999;
    uint64_t offset = 0;
    size_t have = 0;
    int waits = 0;
    while (have < SIZE) {
        uint64_t before = offset;
        ssize_t sent = wing_transfer_send(ends[0], file, &offset, 1 << 20);
        CHECK_EQUAL(offset, before + (sent > 0 ? (uint64_t)sent : 0));
        if (sent == WING_E_END)
            CHECK_EQUAL(offset, SIZE);
        else
            REQUIRE(sent >= 0);
        if (sent <= 0) {
            waits++;
            size_t now = drain(ends[1], got[0], have, 3001);
            if (sent == WING_E_END) REQUIRE(now > have);
            have = now;
        }
    }
    CHECK(waits > 10);
    CHECK(memcmp(got[0], data, SIZE) == 0);
    no_faults();
    CHECK_EQUAL(wing_transfer_send(ends[0], file, &offset, 10), WING_E_END);
    /* A file that grows goes on. */
    CHECK_EQUAL(pwrite(file, "more", 4, SIZE), 4);
    CHECK_EQUAL(wing_transfer_send(ends[0], file, &offset, 10), 4);
    close(ends[1]);
    offset = 100;
    CHECK_EQUAL(wing_transfer_send(ends[0], file, &offset, 10), -EPIPE);
    CHECK_EQUAL(offset, 100);
    CHECK_EQUAL(wing_transfer_send(-1, file, &offset, 10), -EBADF);
    close(ends[0]), close(file);
}

/* MARK: pipe to socket */

TEST(transfer_splice_tells_full_empty_and_ended_apart) {
    set_up();
    int pipe_ends[2], ends[2];
    REQUIRE(pipe(pipe_ends) == 0);
    make_sockets(ends);
    CHECK_EQUAL(wing_transfer_splice(ends[0], pipe_ends[0], 100), -EAGAIN);
    CHECK_EQUAL(write(pipe_ends[1], data, 10000), 10000);
    CHECK_EQUAL(wing_transfer_splice(ends[0], pipe_ends[0], 100), 100);
    size_t written = 10000, have = 0;
    ssize_t moved;
    while ((moved = wing_transfer_splice(ends[0], pipe_ends[0], 1 << 20)) != 0) {
        if (moved == -EAGAIN) {
            REQUIRE(written + 10000 <= SIZE);
            CHECK_EQUAL(write(pipe_ends[1], data + written, 10000), 10000);
            written += 10000;
        } else {
            REQUIRE(moved > 0);
        }
    }
    while (have < written) { /* the socket was full, and the pipe wasn't empty */
        have = drain(ends[1], got[0], have, SIZE);
        moved = wing_transfer_splice(ends[0], pipe_ends[0], 1 << 20);
        CHECK(moved >= 0 || moved == -EAGAIN);
    }
    CHECK(memcmp(got[0], data, written) == 0);
    CHECK_EQUAL(wing_transfer_splice(ends[0], pipe_ends[0], 100), -EAGAIN);
    CHECK_EQUAL(write(pipe_ends[1], "end", 3), 3);
    close(pipe_ends[1]);
    CHECK_EQUAL(wing_transfer_splice(ends[0], pipe_ends[0], 100), 3);
    CHECK_EQUAL(wing_transfer_splice(ends[0], pipe_ends[0], 100), WING_E_END);
    close(pipe_ends[0]), close(ends[0]), close(ends[1]);
}

/* MARK: the fan */

/* Sinks that read at different speeds; sink 1 goes away at a third of the data if `one_dies`. */
static void run_fan(size_t count, int one_dies) {
    int pipe_ends[2], ends[4][2];
    size_t have[4] = {0}, written = 0;
    uint64_t seed = 8 + count;
    REQUIRE(pipe2(pipe_ends, O_NONBLOCK) == 0);
    struct wing_transfer_fan *fan = wing_transfer_fan_create(pipe_ends[0]);
    REQUIRE(fan != NULL);
    for (size_t i = 0; i < count; i++) {
        make_sockets(ends[i]);
        CHECK_EQUAL(wing_transfer_fan_add(fan, ends[i][0]), i);
    }
    CHECK(wing_transfer_fan_wants_source(fan));
    CHECK_EQUAL(wing_transfer_fan_step(fan, 1 << 20), 0);
    int dead = 0;
    ssize_t step = 0;
    for (int round = 0; round < 100000 && step >= 0; round++) {
        if (written < SIZE) {
            size_t n = 1 + random_next(&seed) % 20000;
            ssize_t wrote =
                write(pipe_ends[1], data + written, n < SIZE - written ? n : SIZE - written);
            if (wrote > 0) written += (size_t)wrote;
            if (written == SIZE) close(pipe_ends[1]);
        }
        step = wing_transfer_fan_step(fan, 1 + random_next(&seed) % 50000);
        for (size_t i = 0; i < count; i++) {
            if (dead && i == 1) continue;
            have[i] = drain(ends[i][1], got[i], have[i], 1000 * (i + 1) * (i + 1));
        }
        if (one_dies && !dead && have[1] > SIZE / 3) {
            close(ends[1][1]);
            dead = 1;
        }
    }
    CHECK_EQUAL(step, WING_E_END);
    for (size_t i = 0; i < count; i++) {
        const struct wing_transfer_sink *sink = wing_transfer_fan_sink(fan, i);
        if (dead && i == 1) {
            CHECK_EQUAL(sink->error, -EPIPE);
            close(ends[i][0]);
            continue;
        }
        have[i] = drain(ends[i][1], got[i], have[i], SIZE);
        CHECK_EQUAL(sink->error, 0);
        CHECK_EQUAL(sink->pending, 0);
        CHECK_EQUAL(sink->sent, SIZE);
        CHECK_EQUAL(have[i], SIZE);
        CHECK(memcmp(got[i], data, SIZE) == 0);
        CHECK(sink->calls > sink->stalls);
        close(ends[i][0]), close(ends[i][1]);
    }
    wing_transfer_fan_free(fan);
    close(pipe_ends[0]);
}

TEST(transfer_fan_feeds_each_sink_everything) {
    for (size_t count = 1; count <= 4; count++) {
        set_up();
        run_fan(count, 0);
        set_up();
        faults.interrupt_each = 4, faults.refuse_each = 7;
        run_fan(count, 0);
        no_faults();
    }
}

TEST(transfer_fan_goes_on_without_the_dead) {
    for (size_t count = 2; count <= 4; count++) {
        set_up();
        run_fan(count, 1);
    }
}

TEST(transfer_fan_rules) {
    set_up();
    int pipe_ends[2], a[2], b[2];
    REQUIRE(pipe(pipe_ends) == 0);
    make_sockets(a), make_sockets(b);
    struct wing_transfer_fan *fan = wing_transfer_fan_create(pipe_ends[0]);
    REQUIRE(fan != NULL);
    CHECK_EQUAL(wing_transfer_fan_step(fan, 10), -EPIPE);
    CHECK_EQUAL(wing_transfer_fan_add(fan, a[0]), 0);
    CHECK_EQUAL(wing_transfer_fan_add(fan, b[0]), 1);
    CHECK_EQUAL(write(pipe_ends[1], "0123456789", 10), 10);
    CHECK_EQUAL(wing_transfer_fan_step(fan, 4), 4);
    CHECK_EQUAL(wing_transfer_fan_add(fan, a[0]), -EBUSY);
    CHECK_EQUAL(wing_transfer_fan_remove(fan, 0), 0);
    CHECK_EQUAL(wing_transfer_fan_remove(fan, 2), -EINVAL);
    CHECK(wing_transfer_fan_sink(fan, 2) == NULL);
    CHECK_EQUAL(wing_transfer_fan_sink(fan, 0)->error, -ECANCELED);
    CHECK_EQUAL(wing_transfer_fan_step(fan, 100), 6);
    CHECK_EQUAL(drain(b[1], got[0], 0, 100), 10);
    CHECK(memcmp(got[0], "0123456789", 10) == 0);
    CHECK_EQUAL(drain(a[1], got[0], 0, 100), 4);
    CHECK_EQUAL(wing_transfer_fan_remove(fan, 1), 0);
    CHECK_EQUAL(wing_transfer_fan_step(fan, 100), -EPIPE);
    wing_transfer_fan_free(fan);
    wing_transfer_fan_free(NULL);
    close(pipe_ends[0]), close(pipe_ends[1]);
    close(a[0]), close(a[1]), close(b[0]), close(b[1]);
}

/* Whoever waits for the source while a socket is full would find it readable, again and again. */
TEST(transfer_fan_lets_the_source_rest_while_a_sink_is_full) {
    for (size_t count = 1; count <= 2; count++) {
        set_up();
        int pipe_ends[2], ends[2][2];
        size_t have = 0;
        REQUIRE(pipe2(pipe_ends, O_NONBLOCK) == 0);
        struct wing_transfer_fan *fan = wing_transfer_fan_create(pipe_ends[0]);
        REQUIRE(fan != NULL);
        for (size_t i = 0; i < count; i++) {
            make_sockets(ends[i]);
            CHECK_EQUAL(wing_transfer_fan_add(fan, ends[i][0]), i);
        }
        ssize_t written = 0, moved;
        do {
            REQUIRE(written + 4096 <= SIZE);
            ssize_t wrote = write(pipe_ends[1], data + written, 4096);
            if (wrote > 0) written += wrote;
            moved = wing_transfer_fan_step(fan, 1 << 20);
            if (count == 2) drain(ends[1][1], got[1], 0, SIZE);
        } while (moved > 0);
        CHECK_EQUAL(moved, 0);
        CHECK(wing_transfer_fan_sink(fan, 0)->pending > 0);
        CHECK(!wing_transfer_fan_wants_source(fan));
        close(pipe_ends[1]);
        while ((moved = wing_transfer_fan_step(fan, 1 << 20)) >= 0) {
            have = drain(ends[0][1], got[0], have, SIZE);
            if (count == 2) drain(ends[1][1], got[1], 0, SIZE);
        }
        CHECK_EQUAL(moved, WING_E_END);
        have = drain(ends[0][1], got[0], have, SIZE);
        CHECK_EQUAL(have, written);
        CHECK(memcmp(got[0], data, have) == 0);
        wing_transfer_fan_free(fan);
        close(pipe_ends[0]);
        for (size_t i = 0; i < count; i++)
            close(ends[i][0]), close(ends[i][1]);
    }
}

/* MARK: receiving */

TEST(transfer_receive_writes_each_byte_once) {
    set_up();
    int file = temporary_file(), ends[2];
    make_sockets(ends);
    struct wing_transfer_receiver *receiver = wing_transfer_receiver_create();
    REQUIRE(receiver != NULL);
    uint64_t offset = 0;
    CHECK_EQUAL(wing_transfer_receive(receiver, ends[1], file, &offset, 100), 0);
    faults.interrupt_each = 3, faults.refuse_each = 5, faults.longest = 3333;
    size_t sent = 0;
    int failures = 0;
    for (int round = 0; offset < SIZE && round < 100000; round++) {
        ssize_t n = write(ends[0], data + sent, SIZE - sent < 5000 ? SIZE - sent : 5000);
        if (n > 0) sent += (size_t)n;
        if (round % 10 == 0) faults.file_error = ENOSPC;
        uint64_t before = offset;
        ssize_t received = wing_transfer_receive(receiver, ends[1], file, &offset, 4096);
        CHECK_EQUAL(offset, before + (received > 0 ? (uint64_t)received : 0));
        if (received == -ENOSPC) {
            failures++;
            CHECK(wing_transfer_receiver_pending(receiver) > 0);
        } else {
            REQUIRE(received >= 0);
        }
    }
    CHECK(failures > 3);
    no_faults();
    CHECK_EQUAL(pread(file, got[0], SIZE + 1, 0), SIZE);
    CHECK(memcmp(got[0], data, SIZE) == 0);
    /* The limit is exact: what lies behind stays in the socket. */
    CHECK_EQUAL(write(ends[0], "abcdef", 6), 6);
    CHECK_EQUAL(wing_transfer_receive(receiver, ends[1], file, &offset, 4), 4);
    CHECK_EQUAL(drain(ends[1], got[1], 0, 100), 2);
    CHECK(memcmp(got[1], "ef", 2) == 0);
    close(ends[0]);
    CHECK_EQUAL(wing_transfer_receive(receiver, ends[1], file, &offset, 4), WING_E_END);
    CHECK_EQUAL(wing_transfer_receiver_pending(receiver), 0);
    wing_transfer_receiver_free(receiver);
    wing_transfer_receiver_free(NULL);
    close(ends[1]), close(file);
}
