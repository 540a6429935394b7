/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hostile input: the fixtures with bytes damaged, cut at many lengths, and lengths that lie. A
 * reader may take what is still valid; it may not touch memory that isn't its own (the sanitizers
 * watch), loop, or reserve memory on a lie.
 */
#include "rdb_copy.h"
#include <malloc.h>

static const char *const fixtures[] = {"redis-6.0.7.rdb", "redis-7.0.15.rdb"};

/* Reads all of `bytes` out of a block of its own exact size, so that a step past its end is seen.
 */
static int read_all(const unsigned char *bytes, size_t size, struct wing_fault *fault) {
    struct wing_rdb_reader_options options = {.ignore_checksum = true};
    unsigned char *exact = malloc(size ? size : 1);
    if (!exact) abort();
    memcpy(exact, bytes, size);
    struct wing_rdb_reader *r = wing_rdb_reader_open_memory(exact, size, &options);
    int code = rdb_copy(r, NULL, NULL);
    *fault = *wing_rdb_reader_fault(r);
    CHECK_EQUAL(fault->code, code);
    if (code < 0) CHECK(fault->text[0] != 0 && fault->offset <= size);
    wing_rdb_reader_free(r);
    free(exact);
    return code;
}

/* Where in a fixture small values lie: reading it only up to there keeps thousands of runs short.
 */
static size_t interesting_size(size_t size) {
    return size < 40000 ? size : 40000;
}

TEST(rdb_damaged_bytes_never_hurt) {
    uint64_t seed = 1;
    for (size_t i = 0; i < 2; i++) {
        size_t size, refused = 0;
        unsigned char *bytes = rdb_fixture(fixtures[i], &size);
        REQUIRE(bytes != NULL);
        size_t some = interesting_size(size);
        struct wing_fault fault;
        for (size_t at = 0; at < some; at += 1 + random_next(&seed) % 29) {
            unsigned char was = bytes[at];
            static const unsigned char nasty[] = {0x00, 0x01, 0x7F, 0x80, 0x81,
                                                  0xC3, 0xF0, 0xFE, 0xFF};
            uint64_t pick = random_next(&seed);
            unsigned flipped = was ^ 1u << (pick >> 8) % 8;
            bytes[at] = (unsigned char)(pick % 2 ? nasty[(pick >> 8) % sizeof nasty] : flipped);
            refused += read_all(bytes, some, &fault) < 0;
            bytes[at] = was;
        }
        CHECK(refused > 0);
        free(bytes);
    }
}

TEST(rdb_many_damaged_bytes_never_hurt) {
    uint64_t seed = 2;
    size_t size;
    unsigned char *bytes = rdb_fixture(fixtures[1], &size);
    REQUIRE(bytes != NULL);
    unsigned char *damaged = malloc(size);
    REQUIRE(damaged != NULL);
    for (int run = 0; run < 400; run++) {
        struct wing_fault fault;
        memcpy(damaged, bytes, size);
        for (uint64_t k = random_next(&seed) % 20; k > 0; k--)
            damaged[9 + random_next(&seed) % (size - 9)] = (unsigned char)random_next(&seed);
        read_all(damaged, size, &fault);
    }
    free(damaged);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Memory, source, descriptor, small windows and the reader ahead say the same (fuzz_rdb.c). */
TEST(rdb_each_way_in_says_the_same) {
    uint64_t seed = 13;
    for (size_t i = 0; i < 2; i++) {
        size_t size;
        unsigned char *bytes = rdb_fixture(fixtures[i], &size);
        REQUIRE(bytes != NULL);
        CHECK_EQUAL(LLVMFuzzerTestOneInput(bytes, size), 0);
        size_t some = interesting_size(size);
        for (int run = 0; run < 100; run++) {
            size_t at = 9 + random_next(&seed) % (some - 9);
            bytes[at] ^= (unsigned char)(1 + random_next(&seed) % 255);
            CHECK_EQUAL(LLVMFuzzerTestOneInput(bytes, run % 2 == 0 ? some : size), 0);
        }
        free(bytes);
    }
}

TEST(rdb_cut_anywhere_says_so) {
    uint64_t seed = 3;
    for (size_t i = 0; i < 2; i++) {
        size_t size;
        unsigned char *bytes = rdb_fixture(fixtures[i], &size);
        REQUIRE(bytes != NULL);
        for (size_t cut = 0; cut < size; cut += cut < 600 ? 1 : 1 + random_next(&seed) % 1999) {
            struct wing_fault fault;
            CHECK_EQUAL(read_all(bytes, cut, &fault), WING_E_END);
        }
        free(bytes);
    }
}

TEST(rdb_any_changed_byte_fails_the_checksum_or_sooner) {
    uint64_t seed = 4;
    size_t size;
    unsigned char *bytes = rdb_fixture(fixtures[0], &size);
    REQUIRE(bytes != NULL);
    for (int run = 0; run < 60; run++) {
        size_t at = (size_t)(random_next(&seed) % size);
        bytes[at] ^= 0x10;
        struct wing_rdb_reader *r = wing_rdb_reader_open_memory(bytes, size, NULL);
        int code = rdb_copy(r, NULL, NULL);
        CHECK(code < 0);
        wing_rdb_reader_free(r);
        bytes[at] ^= 0x10;
    }
    free(bytes);
}

/* A callback that gives a head and then, if asked for more, zeroes up to a total. */
struct tap {
    const unsigned char *head;
    size_t size, at, total;
};

static ssize_t from_tap(void *context, void *out, size_t capacity) {
    struct tap *t = context;
    size_t left = t->total - t->at, count = capacity < left ? capacity : left;
    memset(out, 0, count);
    for (size_t i = 0; i < count && t->at + i < t->size; i++)
        ((unsigned char *)out)[i] = t->head[t->at + i];
    t->at += count;
    return (ssize_t)count;
}

/* Each row: bytes after the header, that claim far more than what comes. */
TEST(rdb_lengths_that_lie_reserve_nothing) {
    static const struct {
        const char *what;
        const char *bytes;
        size_t size;
        int code;
    } rows[] = {
        {"a key of 2^62 bytes", "\x00\x81\x40\0\0\0\0\0\0\0", 10, WING_E_FORMAT},
        {"a key of 1 TiB", "\x00\x81\0\0\x01\0\0\0\0\0", 10, WING_E_END},
        {"a value of 4 GiB - 1", "\x00\x01k\x80\xff\xff\xff\xff", 8, WING_E_END},
        {"LZF to 1 TiB", "\x00\x01k\xc3\x05\x81\0\0\x01\0\0\0\0\0", 14, WING_E_FORMAT},
        {"LZF of 1 TiB", "\x00\x01k\xc3\x81\0\0\x01\0\0\0\0\0\x81\0\0\x02\0\0\0\0\0", 22,
         WING_E_END},
        {"a list of 2^63 strings", "\x01\x01k\x81\x80\0\0\0\0\0\0\0", 12, WING_E_END},
        {"a hash of 2^63 fields", "\x04\x01k\x81\x80\0\0\0\0\0\0\0", 12, WING_E_END},
        {"a quicklist of 2^63 nodes", "\x0e\x01k\x81\x80\0\0\0\0\0\0\0", 12, WING_E_FORMAT},
        {"a stream of 2^63 nodes", "\x0f\x01k\x81\x80\0\0\0\0\0\0\0", 12, WING_E_FORMAT},
        {"a ziplist of 1 TiB", "\x0d\x01k\x81\0\0\x01\0\0\0\0\0", 12, WING_E_END},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned char head[64];
        memcpy(head, "REDIS0009", 9);
        memcpy(head + 9, rows[i].bytes, rows[i].size);
        struct tap tap = {head, 9 + rows[i].size, 0, 100000};
        struct wing_rdb_reader *r = wing_rdb_reader_open_source(from_tap, &tap, NULL);
#if !defined(__SANITIZE_ADDRESS__)
        size_t before = (size_t)mallinfo2().uordblks + (size_t)mallinfo2().hblkhd;
#endif
        int code = rdb_copy(r, NULL, NULL);
        if (code != rows[i].code) printf("%s: %s\n", rows[i].what, wing_rdb_reader_fault(r)->text);
        CHECK_EQUAL(code, rows[i].code);
#if !defined(__SANITIZE_ADDRESS__)
        size_t after = (size_t)mallinfo2().uordblks + (size_t)mallinfo2().hblkhd;
        CHECK(after - before < 2 * 1024 * 1024);
#endif
        wing_rdb_reader_free(r);
    }
}

/* Packed blocks that are wrong in one way each, as values of a hash. */
TEST(rdb_faults_say_what_and_where) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
        uint64_t offset; /* where it shows; of a packed block, where its string begins */
    } rows[] = {
        {"RADIS0009", 9, "not an RDB file: it starts with 'RADIS0009', not 'REDIS'", 0},
        {"REDIS00x9", 9, "no digit in the version: byte 0x78", 5},
        {"REDIS0013", 9, "RDB version 13, can read 1 to 12", 5},
        {"REDIS0009\x63", 10, "no value has type 99", 9},
        {"REDIS0009\x00\x01k\x05", 13, "5 bytes are due where only 0 are left", 13},
        {"REDIS0009\x00\x01k\x82", 13, "no length starts with byte 0x82", 12},
        {"REDIS0009\x00\x01k\xc4", 13, "a string of unknown form 0xc4", 12},
        {"REDIS0009\x01\x01k\xc0", 13, "a string where a length was due", 12},
        {"REDIS0009\x0d\x01k\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\0\x09x\xff", 27,
         "string length 9 runs past the end of the ziplist (byte 11 of the block)", 12},
        {"REDIS0009\x0d\x01k\x0d\x0d\0\0\0\x0a\0\0\0\x01\0\0\xf2\xff", 26,
         "a hash of 1 entries, an odd number", 12},
        {"REDIS0009\x0b\x01k\x0c\x02\0\0\0\x02\0\0\0\x05\0\x05\0", 25,
         "intset isn't in ascending order (byte 10 of the block)", 12},
        {"REDIS0009\x05\x01k\x01\x01m\0\0\0\0\0\0\xf8\x7f", 23, "a score that isn't a number", 15},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wing_fault fault;
        CHECK(read_all((const unsigned char *)rows[i].bytes, rows[i].size, &fault) < 0);
        if (strcmp(fault.text, rows[i].text) != 0) printf("row %zu: %s\n", i, fault.text);
        CHECK(strcmp(fault.text, rows[i].text) == 0);
        CHECK_EQUAL(fault.offset, rows[i].offset);
    }
}
