/* SPDX-License-Identifier: BSD-3-Clause */
/* The files real servers wrote: read from memory and from a trickle, copied, read again. */
#include "rdb_copy.h"
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const fixtures[] = {"redis-6.0.7.rdb", "redis-7.0.15.rdb"};

struct trickle {
    const unsigned char *bytes;
    size_t size, at, most;
    uint64_t seed;
};

static ssize_t next_drops(void *context, void *out, size_t capacity) {
    struct trickle *t = context;
    size_t count = 1 + (size_t)(random_next(&t->seed) % t->most);
    if (count > capacity) count = capacity;
    if (count > t->size - t->at) count = t->size - t->at;
    memcpy(out, t->bytes + t->at, count);
    t->at += count;
    return (ssize_t)count;
}

TEST(rdb_fixtures_are_copied_without_loss) {
    for (size_t i = 0; i < 2; i++) {
        size_t size, copied_size;
        unsigned char *bytes = rdb_fixture(fixtures[i], &size);
        REQUIRE(bytes != NULL);
        struct copy_counts first, second;
        for (int compression = 0; compression < 2; compression++) {
            struct wing_rdb_writer_options options = {.compression = compression, .checksum = true};
            struct wing_rdb_reader *r = wing_rdb_reader_open_memory(bytes, size, NULL);
            struct wing_rdb_writer *w = wing_rdb_writer_open_memory(&options);
            int code = rdb_copy(r, w, &first);
            if (code < 0) printf("%s: %s\n", fixtures[i], wing_rdb_reader_fault(r)->text);
            CHECK_EQUAL(code, 0);
            CHECK_EQUAL(wing_rdb_reader_offset(r), size);
            CHECK_EQUAL(wing_rdb_writer_error(w), 0);
            const void *copied = wing_rdb_writer_memory(w, &copied_size);
            CHECK_EQUAL(wing_rdb_writer_bytes(w), copied_size);
            const char *keep = getenv("WING_KEEP");
            if (keep) {
                char path[256];
                snprintf(path, sizeof path, "%s/%s.%d", keep, fixtures[i], compression);
                FILE *file = fopen(path, "wb");
                if (file) {
                    fwrite(copied, 1, copied_size, file);
                    fclose(file);
                }
            }
            struct wing_rdb_reader *again = wing_rdb_reader_open_memory(copied, copied_size, NULL);
            code = rdb_copy(again, NULL, &second);
            if (code < 0) printf("copy: %s\n", wing_rdb_reader_fault(again)->text);
            CHECK_EQUAL(code, 0);
            CHECK_EQUAL(first.keys, second.keys);
            if (i == 0) CHECK_EQUAL(first.hash, second.hash);
            wing_rdb_reader_free(again);
            wing_rdb_writer_free(w);
            wing_rdb_reader_free(r);
        }
        free(bytes);
    }
}

TEST(rdb_reads_the_same_in_any_pieces) {
    for (size_t i = 0; i < 2; i++) {
        size_t size;
        unsigned char *bytes = rdb_fixture(fixtures[i], &size);
        REQUIRE(bytes != NULL);
        struct wing_rdb_reader *r = wing_rdb_reader_open_memory(bytes, size, NULL);
        struct copy_counts whole, pieces;
        CHECK_EQUAL(rdb_copy(r, NULL, &whole), 0);
        wing_rdb_reader_free(r);
        static const size_t windows[] = {128, 200, 1000, 5000, 100000, 0};
        for (size_t k = 0; k < 12; k++) {
            struct trickle t = {bytes, size, 0, k < 6 ? 7 : 3000, k};
            struct wing_rdb_reader_options options = {.buffer_size = windows[k % 6]};
            r = wing_rdb_reader_open_source(next_drops, &t, &options);
            int code = rdb_copy(r, NULL, &pieces);
            if (code < 0)
                printf("window %zu: %s\n", windows[k % 6], wing_rdb_reader_fault(r)->text);
            CHECK_EQUAL(code, 0);
            CHECK_EQUAL(pieces.hash, whole.hash);
            CHECK_EQUAL(pieces.parts, whole.parts);
            wing_rdb_reader_free(r);
        }
        free(bytes);
    }
}
