/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every mover asks the kernel once or twice a call and lets the caller's loop do the rest. EINTR is
 * repeated at once. EAGAIN of splice(2) doesn't say which end it means; the pipe's fill does.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "wing/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "transfer_seam.h"
#include "wing/wing.h"

enum {
    INNER_PIPE_SIZE = 1 << 20, /* the most an unprivileged process may ask for by default */
};

static size_t clamp_limit(size_t limit) {
    return limit < INT32_MAX ? limit : INT32_MAX;
}

ssize_t wing_transfer_send(int socket, int source, uint64_t *offset, size_t limit) {
    off_t position = (off_t)*offset;
    if (position < 0) return -EINVAL;
    ssize_t sent;
    do {
        sent = SEAM(sendfile)(socket, source, &position, clamp_limit(limit));
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    if (sent == 0) return WING_E_END;
    *offset += (uint64_t)sent;
    return sent;
}

/* MARK: pipes */

/* splice(2), non-blocking, from or to a pipe: -errno for errors, EINTR repeated. */
static ssize_t move(int from, int to, off_t *to_offset, size_t limit) {
    ssize_t moved;
    do {
        moved = SEAM(splice)(from, NULL, to, to_offset, clamp_limit(limit),
                             SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    } while (moved < 0 && errno == EINTR);
    return moved < 0 ? -errno : moved;
}

static size_t bytes_in(int pipe) {
    int count = 0;
    return ioctl(pipe, FIONREAD, &count) == 0 && count > 0 ? (size_t)count : 0;
}

/* Whether an empty pipe has lost its last writer. */
static bool has_ended(int pipe) {
    struct pollfd state = {.fd = pipe, .events = POLLIN};
    return poll(&state, 1, 0) == 1 && (state.revents & (POLLHUP | POLLIN)) == POLLHUP;
}

ssize_t wing_transfer_splice(int socket, int source, size_t limit) {
    ssize_t moved = move(source, socket, NULL, limit);
    if (moved > 0) return moved;
    if (moved == 0) return WING_E_END;
    if (moved != -EAGAIN) return moved;
    if (bytes_in(source) > 0) return 0;
    return has_ended(source) ? WING_E_END : -EAGAIN;
}

/* Opens a pipe as large as may be; *slots_size gets its size in bytes. */
static int open_inner_pipe(int ends[2], int *size) {
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -errno;
    /* Refused to a user who has many pipes; a smaller one works as well, only in more steps. */
    int got = fcntl(ends[1], F_SETPIPE_SZ, INNER_PIPE_SIZE);
    *size = got > 0 ? got : fcntl(ends[1], F_GETPIPE_SZ);
    return 0;
}

/* MARK: the fan */

struct sink {
    struct wing_transfer_sink state;
    int inner[2]; /* -1 once it has ended */
    int size;     /* of the inner pipe, bytes */
};

struct wing_transfer_fan {
    int source;
    bool started;
    size_t count;
    struct sink *sinks;
};

struct wing_transfer_fan *wing_transfer_fan_create(int source) {
    struct wing_transfer_fan *fan = calloc(1, sizeof *fan);
    if (fan != NULL) fan->source = source;
    return fan;
}

static void end_sink(struct sink *sink, int error) {
    if (sink->state.error != 0) return;
    sink->state.error = error;
    sink->state.pending = 0;
    close(sink->inner[0]);
    close(sink->inner[1]);
}

void wing_transfer_fan_free(struct wing_transfer_fan *fan) {
    if (fan == NULL) return;
    for (size_t i = 0; i < fan->count; i++)
        end_sink(&fan->sinks[i], -ECANCELED);
    free(fan->sinks);
    free(fan);
}

int wing_transfer_fan_add(struct wing_transfer_fan *fan, int socket) {
    if (fan->started) return -EBUSY;
    struct sink *grown = realloc(fan->sinks, (fan->count + 1) * sizeof *grown);
    if (grown == NULL) return WING_E_NOMEM;
    fan->sinks = grown;
    struct sink *sink = &grown[fan->count];
    memset(sink, 0, sizeof *sink);
    sink->state.socket = socket;
    int error = open_inner_pipe(sink->inner, &sink->size);
    if (error != 0) return error;
    return (int)fan->count++;
}

int wing_transfer_fan_remove(struct wing_transfer_fan *fan, size_t index) {
    if (index >= fan->count) return -EINVAL;
    end_sink(&fan->sinks[index], -ECANCELED);
    return 0;
}

const struct wing_transfer_sink *wing_transfer_fan_sink(const struct wing_transfer_fan *fan,
                                                        size_t index) {
    return index < fan->count ? &fan->sinks[index].state : NULL;
}

static bool lives(const struct sink *sink) {
    return sink->state.error == 0;
}

int wing_transfer_fan_wants_source(const struct wing_transfer_fan *fan) {
    bool any = false;
    for (size_t i = 0; i < fan->count; i++) {
        if (!lives(&fan->sinks[i])) continue;
        if (fan->sinks[i].state.pending > 0) return 0;
        any = true;
    }
    return any;
}

/* Sends from `pipe` to the sink's socket; returns the bytes that went. */
static size_t feed(struct sink *sink, int pipe, size_t limit) {
    sink->state.calls++;
    ssize_t moved = move(pipe, sink->state.socket, NULL, limit);
    if (moved > 0) {
        sink->state.sent += (uint64_t)moved;
        return (size_t)moved;
    }
    if (moved == -EAGAIN) {
        sink->state.stalls++;
    } else {
        end_sink(sink, moved < 0 ? (int)moved : -EPIPE);
    }
    return 0;
}

static size_t flush(struct sink *sink, size_t limit) {
    if (!lives(sink) || sink->state.pending == 0) return 0;
    size_t wanted = sink->state.pending < limit ? (size_t)sink->state.pending : limit;
    size_t moved = feed(sink, sink->inner[0], wanted);
    if (lives(sink)) sink->state.pending -= moved;
    return moved;
}

/* Moves exactly `length` bytes from the source into an empty inner pipe that has room for them. */
static int take(int source, struct sink *sink, size_t length) {
    while (length > 0) {
        ssize_t moved = move(source, sink->inner[1], NULL, length);
        if (moved <= 0) return moved < 0 ? (int)moved : -EIO;
        sink->state.pending += (uint64_t)moved;
        length -= (size_t)moved;
    }
    return 0;
}

static ssize_t duplicate(int source, const struct sink *sink, size_t limit) {
    ssize_t length;
    do {
        length = SEAM(tee)(source, sink->inner[1], clamp_limit(limit), SPLICE_F_NONBLOCK);
    } while (length < 0 && errno == EINTR);
    return length < 0 ? -errno : length;
}

/*
 * One round: all inner pipes are empty; each gets the same bytes. tee(2) starts at the head of the
 * source every time, so all must take the same length: the smallest pipe goes first and sets it,
 * for whatever fits it fits the others; the largest goes last, and takes the bytes themselves.
 * Returns bytes taken from the source, 0 when it has none, WING_E_END or -errno.
 */
static ssize_t fill_all(struct wing_transfer_fan *fan, size_t limit) {
    struct sink *smallest = NULL, *largest = NULL;
    for (size_t i = 0; i < fan->count; i++) {
        struct sink *sink = &fan->sinks[i];
        if (!lives(sink)) continue;
        if (smallest == NULL || sink->size < smallest->size) smallest = sink;
        if (largest == NULL || sink->size >= largest->size) largest = sink;
    }
    ssize_t length = duplicate(fan->source, smallest, limit);
    if (length == -EAGAIN) return 0;
    if (length < 0) return length;
    if (length == 0) return has_ended(fan->source) ? WING_E_END : 0;
    smallest->state.pending = (uint64_t)length;
    for (size_t i = 0; i < fan->count; i++) {
        struct sink *sink = &fan->sinks[i];
        if (!lives(sink) || sink == smallest || sink == largest) continue;
        ssize_t copied = duplicate(fan->source, sink, (size_t)length);
        if (copied == length) {
            sink->state.pending = (uint64_t)length;
        } else {
            end_sink(sink, copied < 0 ? (int)copied : -EIO);
        }
    }
    int error = take(fan->source, largest, (size_t)length);
    return error < 0 ? error : length;
}

/* Exactly one sink lives and its inner pipe is empty: no detour. */
static struct sink *only_sink(struct wing_transfer_fan *fan, size_t *living) {
    struct sink *only = NULL;
    *living = 0;
    for (size_t i = 0; i < fan->count; i++) {
        if (!lives(&fan->sinks[i])) continue;
        only = &fan->sinks[i];
        ++*living;
    }
    return *living == 1 && only->state.pending == 0 ? only : NULL;
}

ssize_t wing_transfer_fan_step(struct wing_transfer_fan *fan, size_t limit) {
    size_t most = 0, living;
    for (size_t i = 0; i < fan->count; i++) {
        size_t moved = flush(&fan->sinks[i], limit);
        if (moved > most) most = moved;
    }
    struct sink *only = only_sink(fan, &living);
    if (living == 0) return -EPIPE;
    if (most >= limit || !wing_transfer_fan_wants_source(fan)) return (ssize_t)most;

    if (only != NULL) {
        if (bytes_in(fan->source) == 0) {
            if (most > 0) return (ssize_t)most;
            return has_ended(fan->source) ? WING_E_END : 0;
        }
        size_t moved = feed(only, fan->source, limit - most);
        if (!lives(only)) return -EPIPE;
        fan->started = true;
        if (moved > 0) return (ssize_t)(most + moved);
        /* Full: with bytes of its own it waits as each of several does, and the source rests. */
        ssize_t kept = move(fan->source, only->inner[1], NULL, limit - most);
        if (kept > 0) only->state.pending = (uint64_t)kept;
        return kept >= 0 || kept == -EAGAIN || most > 0 ? (ssize_t)most : kept;
    }

    ssize_t taken = fill_all(fan, limit - most);
    if (taken <= 0) return most > 0 ? (ssize_t)most : taken;
    fan->started = true;
    size_t most_of_round = 0;
    living = 0;
    for (size_t i = 0; i < fan->count; i++) {
        size_t moved = flush(&fan->sinks[i], limit - most);
        if (moved > most_of_round) most_of_round = moved;
        living += lives(&fan->sinks[i]);
    }
    return living == 0 ? -EPIPE : (ssize_t)(most + most_of_round);
}

/* MARK: receiving */

struct wing_transfer_receiver {
    int inner[2];
    uint64_t pending;
};

struct wing_transfer_receiver *wing_transfer_receiver_create(void) {
    struct wing_transfer_receiver *receiver = calloc(1, sizeof *receiver);
    int size;
    if (receiver != NULL && open_inner_pipe(receiver->inner, &size) != 0) {
        free(receiver);
        return NULL;
    }
    return receiver;
}

void wing_transfer_receiver_free(struct wing_transfer_receiver *receiver) {
    if (receiver == NULL) return;
    close(receiver->inner[0]);
    close(receiver->inner[1]);
    free(receiver);
}

uint64_t wing_transfer_receiver_pending(const struct wing_transfer_receiver *receiver) {
    return receiver->pending;
}

ssize_t wing_transfer_receive(struct wing_transfer_receiver *receiver, int socket, int file,
                              uint64_t *offset, size_t limit) {
    ssize_t taken = 0;
    if (receiver->pending < limit) {
        taken = move(socket, receiver->inner[1], NULL, limit - (size_t)receiver->pending);
        if (taken > 0) receiver->pending += (uint64_t)taken;
    }
    ssize_t written = 0;
    while (receiver->pending > 0) {
        off_t position = (off_t)*offset + written;
        ssize_t moved = move(receiver->inner[0], file, &position, (size_t)receiver->pending);
        if (moved <= 0) {
            if (written > 0) break; /* what went is told first; the error comes again */
            return moved < 0 ? moved : -EIO;
        }
        receiver->pending -= (uint64_t)moved;
        written += moved;
    }
    if (written > 0) {
        *offset += (uint64_t)written;
        return written;
    }
    if (taken == 0) return WING_E_END;
    return taken == -EAGAIN ? 0 : taken;
}
