/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside libwing only: the writer's buffer and where it goes. rdb_output.c moves bytes (and sums
 * them, in bulk, when they leave); rdb_writer.c and rdb_values.c know what they mean.
 *
 * The buffer always has ROOM bytes or more of capacity, also after errors, when it is emptied
 * instead of passed on: code that puts a few bytes needs no check but room().
 */
#ifndef WING_RDB_OUTPUT_H
#define WING_RDB_OUTPUT_H
#include "bytes.h"
#include "wing/rdb_writer.h"

#define ROOM 256
#define SIZE_CLASSES 64

/* How compression fares with values of one size class (sizes of the same highest bit). */
struct lzf_luck {
    uint8_t noise;  /* values of noise in a row, up to what makes a crowd */
    uint8_t passed; /* values since that passed by, sampled or not; wraps */
    uint32_t vain;  /* values of noise since one compressed; wraps */
};

struct scratch {
    uint8_t *bytes;
    size_t capacity;
};

struct wing_rdb_writer {
    uint8_t *buffer;
    size_t used;
    size_t capacity;
    size_t summed; /* bytes at the buffer's start that crc has, or that don't count */
    uint64_t crc;
    uint64_t passed; /* bytes that left the buffer */
    int error;
    bool checksum;
    bool compression;
    enum { TO_FD, TO_MEMORY, TO_SINK } kind;
    int fd;
    wing_sink sink;
    void *context;
    uint64_t sync_bytes;
    uint64_t sync_started; /* offsets up to which writing to the disk was started, was awaited */
    uint64_t sync_done;
    struct scratch packed;     /* a ziplist being made */
    struct scratch compressed; /* LZF data being made */
    struct lzf_luck luck[SIZE_CLASSES];
};

#pragma GCC visibility push(hidden)
void wing_output_more_room(struct wing_rdb_writer *w, size_t size);
void wing_output_long(struct wing_rdb_writer *w, const void *bytes, size_t size);
void wing_output_sum(struct wing_rdb_writer *w);
uint8_t *wing_output_scratch(struct wing_rdb_writer *w, struct scratch *scratch, size_t size);
#pragma GCC visibility pop

static inline void output_fail(struct wing_rdb_writer *w, int code) {
    if (w->error == 0) w->error = code;
}

/* Where the next bytes go; up to ROOM of them. The caller adds what it wrote to `used`. */
static inline uint8_t *output_room(struct wing_rdb_writer *w, size_t size) {
    if (__builtin_expect(w->capacity - w->used < size, 0)) wing_output_more_room(w, size);
    return w->buffer + w->used;
}

static inline void output_to(struct wing_rdb_writer *w, const uint8_t *end) {
    w->used = (size_t)(end - w->buffer);
}

static inline void output_bytes(struct wing_rdb_writer *w, const void *bytes, size_t size) {
    if (__builtin_expect(w->capacity - w->used < size || size >= 65536, 0)) {
        wing_output_long(w, bytes, size);
    } else if (size > 0) {
        memcpy(w->buffer + w->used, bytes, size);
        w->used += size;
    }
}

/* A length: at most 9 bytes. */
static inline uint8_t *put_length(uint8_t *p, uint64_t n) {
    if (n < 64) {
        *p = (uint8_t)n;
        return p + 1;
    }
    if (n < 16384) {
        p[0] = (uint8_t)(0x40 | n >> 8);
        p[1] = (uint8_t)n;
        return p + 2;
    }
    if (n <= UINT32_MAX) {
        p[0] = 0x80;
        store_be32(p + 1, (uint32_t)n);
        return p + 5;
    }
    p[0] = 0x81;
    store_be64(p + 1, n);
    return p + 9;
}

#endif
