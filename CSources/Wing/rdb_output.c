/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening, closing and emptying a writer: see rdb_writer.h and rdb_output.h. */
#include "rdb_output.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define DEFAULT_BUFFER                                                                             \
    (256 * 1024) /* half of a common second-level cache, so the sum finds it there */
#define SCRATCH_KEPT (16 * 1024 * 1024)

static struct wing_rdb_writer *open_writer(const struct wing_rdb_writer_options *options,
                                           size_t buffer) {
    static const struct wing_rdb_writer_options defaults;
    if (!options) options = &defaults;
    struct wing_rdb_writer *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->capacity = options->buffer_size ? options->buffer_size : buffer;
    if (w->capacity < 2 * ROOM) w->capacity = 2 * ROOM;
    w->buffer = malloc(w->capacity);
    if (!w->buffer) {
        free(w);
        return NULL;
    }
    w->checksum = options->checksum;
    w->compression = options->compression;
    w->sync_bytes = options->sync_bytes;
    return w;
}

struct wing_rdb_writer *wing_rdb_writer_open_fd(int fd,
                                                const struct wing_rdb_writer_options *options) {
    struct wing_rdb_writer *w = open_writer(options, DEFAULT_BUFFER);
    if (!w) return NULL;
    w->kind = TO_FD;
    w->fd = fd;
    return w;
}

struct wing_rdb_writer *wing_rdb_writer_open_memory(const struct wing_rdb_writer_options *options) {
    struct wing_rdb_writer *w = open_writer(options, 2 * ROOM);
    if (!w) return NULL;
    w->kind = TO_MEMORY;
    return w;
}

struct wing_rdb_writer *wing_rdb_writer_open_sink(wing_sink sink, void *context,
                                                  const struct wing_rdb_writer_options *options) {
    struct wing_rdb_writer *w = open_writer(options, DEFAULT_BUFFER);
    if (!w) return NULL;
    w->kind = TO_SINK;
    w->sink = sink;
    w->context = context;
    return w;
}

void wing_rdb_writer_free(struct wing_rdb_writer *w) {
    if (!w) return;
    free(w->buffer);
    free(w->packed.bytes);
    free(w->compressed.bytes);
    free(w);
}

int wing_rdb_writer_error(const struct wing_rdb_writer *w) {
    return w->error;
}

void wing_rdb_writer_fail(struct wing_rdb_writer *w, int error) {
    output_fail(w, error);
}

void wing_rdb_writer_compress(struct wing_rdb_writer *w, bool compression) {
    w->compression = compression;
}

uint64_t wing_rdb_writer_bytes(const struct wing_rdb_writer *w) {
    return w->passed + w->used;
}

const void *wing_rdb_writer_memory(const struct wing_rdb_writer *w, size_t *size) {
    *size = w->used;
    return w->buffer;
}

void wing_rdb_writer_reset(struct wing_rdb_writer *w) {
    w->used = w->summed = 0;
    w->crc = w->passed = 0;
    w->error = 0;
}

/* Bring the checksum up to date with the buffer. */
void wing_output_sum(struct wing_rdb_writer *w) {
    if (w->checksum && w->used > w->summed)
        w->crc = wing_crc64(w->crc, w->buffer + w->summed, w->used - w->summed);
    w->summed = w->used;
}

/* Start writing what has gathered since the last time, wait for what was started then: no more than
 * two portions are ever dirty, and the disk works while we do. A refusal (pipes) is no failure. */
static void sync_range(struct wing_rdb_writer *w) {
    if (w->sync_bytes == 0 || w->passed - w->sync_started < w->sync_bytes) return;
    sync_file_range(w->fd, (off64_t)w->sync_started, (off64_t)(w->passed - w->sync_started),
                    SYNC_FILE_RANGE_WRITE);
    if (w->sync_started > w->sync_done)
        sync_file_range(w->fd, (off64_t)w->sync_done, (off64_t)(w->sync_started - w->sync_done),
                        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                            SYNC_FILE_RANGE_WAIT_AFTER);
    w->sync_done = w->sync_started;
    w->sync_started = w->passed;
}

static void write_fd(struct wing_rdb_writer *w, struct iovec *parts, int count) {
    while (count > 0) {
        if (parts->iov_len == 0) {
            parts++;
            count--;
            continue;
        }
        ssize_t sent = writev(w->fd, parts, count);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) {
            output_fail(w, sent < 0 ? -errno : -EIO);
            return;
        }
        w->passed += (uint64_t)sent;
        for (size_t left = (size_t)sent; left > 0;) {
            size_t step = left < parts->iov_len ? left : parts->iov_len;
            parts->iov_base = (uint8_t *)parts->iov_base + step;
            parts->iov_len -= step;
            left -= step;
            if (parts->iov_len == 0) {
                parts++;
                count--;
            }
        }
    }
    sync_range(w);
}

/* Pass on the buffer and then `size` bytes at `bytes`. */
static void pass_on(struct wing_rdb_writer *w, const void *bytes, size_t size) {
    wing_output_sum(w);
    if (w->checksum && size > 0) w->crc = wing_crc64(w->crc, bytes, size);
    if (w->error == 0 && w->kind == TO_FD) {
        struct iovec parts[2] = {{w->buffer, w->used}, {(void *)(uintptr_t)bytes, size}};
        write_fd(w, parts, 2);
    } else if (w->error == 0) {
        int code = w->used > 0 ? w->sink(w->context, w->buffer, w->used) : 0;
        if (code >= 0 && size > 0) code = w->sink(w->context, bytes, size);
        if (code < 0) output_fail(w, code);
        w->passed += w->used + size;
    }
    w->used = w->summed = 0;
}

/* Memory: grow; else, or when memory is short, the buffer is emptied and `size` is at most ROOM. */
void wing_output_more_room(struct wing_rdb_writer *w, size_t size) {
    if (w->kind != TO_MEMORY) {
        pass_on(w, NULL, 0);
        return;
    }
    if (w->error == 0) {
        size_t capacity = w->capacity * 2;
        if (capacity - w->used < size) capacity = w->used + size + ROOM;
        uint8_t *buffer = capacity > w->used ? realloc(w->buffer, capacity) : NULL;
        if (buffer) {
            w->buffer = buffer;
            w->capacity = capacity;
            return;
        }
        output_fail(w, WING_E_NOMEM);
    }
    w->used = w->summed = 0;
}

/* Bytes that don't fit, or are too many to be worth a copy. */
void wing_output_long(struct wing_rdb_writer *w, const void *bytes, size_t size) {
    if (w->kind == TO_MEMORY) {
        if (w->capacity - w->used < size) wing_output_more_room(w, size);
    } else if (size >= 65536 || size > w->capacity) {
        pass_on(w, bytes, size);
        return;
    } else {
        pass_on(w, NULL, 0);
    }
    if (w->error != 0) return;
    memcpy(w->buffer + w->used, bytes, size);
    w->used += size;
}

/* Space for `size` bytes until the scratch is asked for again; NULL, with the error kept, when
 * short. */
uint8_t *wing_output_scratch(struct wing_rdb_writer *w, struct scratch *scratch, size_t size) {
    bool too_big = scratch->capacity > SCRATCH_KEPT && size <= SCRATCH_KEPT;
    if (size <= scratch->capacity && !too_big) return scratch->bytes;
    size_t capacity = size < 4096 ? 4096 : size <= SCRATCH_KEPT / 2 ? 2 * size : size;
    free(scratch->bytes);
    scratch->bytes = malloc(capacity);
    scratch->capacity = scratch->bytes ? capacity : 0;
    if (!scratch->bytes) output_fail(w, WING_E_NOMEM);
    return scratch->bytes;
}

int wing_rdb_writer_flush(struct wing_rdb_writer *w) {
    if (w->kind != TO_MEMORY) pass_on(w, NULL, 0);
    return w->error;
}

int wing_rdb_writer_finish(struct wing_rdb_writer *w) {
    return wing_rdb_writer_flush(w);
}
