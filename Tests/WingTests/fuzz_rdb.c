/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libFuzzer's entry to the RDB reader (`make fuzz-rdb`, the fixtures as corpus); the runner calls it
 * with the fixtures and damaged ones (rdb_damage_test.c). The first byte picks the way in; what can
 * be read is written and must be readable again, and every other way in must say the same of it.
 */
#include "rdb_copy.h"
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void write_and_read(struct wing_rdb_reader *r, bool compression) {
    struct wing_rdb_writer_options options = {.compression = compression, .checksum = true};
    struct wing_rdb_writer *w = wing_rdb_writer_open_memory(&options);
    if (w && rdb_copy(r, w, NULL) == 0 && wing_rdb_writer_error(w) == 0) {
        size_t size;
        const void *copied = wing_rdb_writer_memory(w, &size);
        struct wing_rdb_reader *again = wing_rdb_reader_open_memory(copied, size, NULL);
        if (again && rdb_copy(again, NULL, NULL) < 0) abort();
        wing_rdb_reader_free(again);
    }
    wing_rdb_writer_free(w);
}

/* A source that gives from 1 to 97 bytes at a time. */
struct drip {
    const uint8_t *bytes;
    size_t size, at;
    uint64_t seed;
};

static ssize_t drip(void *context, void *out, size_t capacity) {
    struct drip *d = context;
    size_t left = d->size - d->at, count = 1 + random_next(&d->seed) % 97;
    if (count > capacity) count = capacity;
    if (count > left) count = left;
    memcpy(out, d->bytes + d->at, count);
    d->at += count;
    return (ssize_t)count;
}

/* What a way in makes of the input. */
struct outcome {
    int code;
    struct copy_counts counts;
};

static struct outcome read_all(struct wing_rdb_reader *r) {
    struct outcome outcome = {.code = WING_E_NOMEM};
    if (r) outcome.code = rdb_copy(r, NULL, &outcome.counts);
    wing_rdb_reader_free(r);
    return outcome;
}

/* The memory reader looks ahead further than one with a window of 128 bytes, so of an input that is
 * wrong in two places they may name one each; but only both may refuse it. */
static void must_agree(struct outcome a, struct outcome b) {
    if ((a.code == 0) != (b.code == 0)) abort();
    if (a.code == 0 && a.counts.hash != b.counts.hash) abort();
}

static void read_each_way(const uint8_t *bytes, size_t size) {
    struct wing_rdb_reader_options options = {.ignore_checksum = true, .buffer_size = 128};
    struct outcome memory = read_all(wing_rdb_reader_open_memory(bytes, size, &options));
    struct drip source = {.bytes = bytes, .size = size, .seed = size};
    must_agree(memory, read_all(wing_rdb_reader_open_source(drip, &source, &options)));
    int fd = memfd_create("fuzz", 0);
    if (fd >= 0 && write(fd, bytes, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0)
        must_agree(memory, read_all(wing_rdb_reader_open_fd(fd, &options)));
    close(fd);

    struct wing_rdb_reader *r = wing_rdb_reader_open_memory(bytes, size, &options);
    struct wing_rdb_ahead *a = r ? wing_rdb_ahead_start(r) : NULL;
    struct wing_rdb_item item = {.kind = WING_RDB_ITEM_HEADER};
    struct wing_rdb_part part;
    int code = a ? 0 : WING_E_NOMEM;
    while (code == 0 && item.kind != WING_RDB_ITEM_END) {
        code = wing_rdb_ahead_next(a, &item);
        if (code == 0 && item.kind == WING_RDB_ITEM_KEY)
            while ((code = wing_rdb_ahead_part(a, &part)) == 0 && part.kind != WING_RDB_PART_END)
                continue;
    }
    wing_rdb_ahead_stop(a);
    wing_rdb_reader_free(r);
    if (code != memory.code) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct wing_rdb_reader_options options = {.ignore_checksum = true};
    if (size == 0) return 0;
    bool is_dump = bytes[0] & 1;
    struct wing_rdb_reader *r =
        is_dump ? wing_rdb_reader_open_dump(bytes + 1, size - 1, &options)
                : wing_rdb_reader_open_memory(bytes[0] == 'R' ? bytes : bytes + 1,
                                              bytes[0] == 'R' ? size : size - 1, &options);
    if (!r) return 0;
    if (is_dump)
        rdb_copy(r, NULL, NULL);
    else
        write_and_read(r, bytes[0] & 2);
    wing_rdb_reader_free(r);
    if (!is_dump) read_each_way(bytes[0] == 'R' ? bytes : bytes + 1, size - (bytes[0] != 'R'));
    return 0;
}
