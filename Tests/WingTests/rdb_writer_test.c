/* SPDX-License-Identifier: BSD-3-Clause */
/* The writer: exact bytes, where they go, when it compresses, files and DUMP payloads. */
#include "harness.h"
#include "wing/wing.h"
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static struct wing_rdb_writer *memory_writer(bool compression) {
    struct wing_rdb_writer_options options = {.compression = compression, .checksum = true};
    return wing_rdb_writer_open_memory(&options);
}

static void check_bytes(struct wing_rdb_writer *w, const char *bytes, size_t size) {
    size_t written;
    const uint8_t *memory = wing_rdb_writer_memory(w, &written);
    CHECK_EQUAL(written, size);
    CHECK(written == size && memcmp(memory, bytes, size) == 0);
    wing_rdb_writer_reset(w);
}

TEST(rdb_writer_strings_take_the_shortest_form) {
    struct wing_rdb_writer *w = memory_writer(false);
    REQUIRE(w != NULL);
    wing_rdb_write_string(w, "-128", 4);
    check_bytes(w, "\xc0\x80", 2);
    wing_rdb_write_string(w, "128", 3);
    check_bytes(w, "\xc1\x80\0", 3);
    wing_rdb_write_string(w, "-2147483648", 11);
    check_bytes(w, "\xc2\0\0\0\x80", 5);
    wing_rdb_write_string(w, "2147483648", 10);
    check_bytes(w,
                "\x0a"
                "2147483648",
                11);
    wing_rdb_write_string(w, "007", 3);
    check_bytes(w,
                "\x03"
                "007",
                4);
    wing_rdb_write_string(w, NULL, 0);
    check_bytes(w, "\0", 1);
    wing_rdb_write_integer(w, INT64_MIN);
    check_bytes(w, "\x14-9223372036854775808", 21);
    wing_rdb_write_integer(w, 32768);
    check_bytes(w, "\xc2\0\x80\0\0", 5);
    wing_rdb_write_count(w, 16383);
    check_bytes(w, "\x7f\xff", 2);
    wing_rdb_write_count(w, 16384);
    check_bytes(w, "\x80\0\0\x40\0", 5);
    wing_rdb_write_count(w, UINT64_C(1) << 32);
    check_bytes(w, "\x81\0\0\0\x01\0\0\0\0", 9);
    wing_rdb_write_key(w, WING_RDB_TYPE_SET, "k", 1, 1000, 70, 255);
    check_bytes(w, "\xfc\xe8\x03\0\0\0\0\0\0\xf8\x40\x46\xf9\xff\x02\x01k", 17);
    wing_rdb_writer_free(w);
}

/* Gathers what a sink is given; after `fail_after` bytes it refuses. */
struct gathered {
    uint8_t *bytes;
    size_t size, fail_after;
};

static int gather(void *context, const void *bytes, size_t size) {
    struct gathered *g = context;
    if (g->size + size > g->fail_after) return WING_E_CALLBACK;
    memcpy(g->bytes + g->size, bytes, size);
    g->size += size;
    return 0;
}

static void write_sample(struct wing_rdb_writer *w, const uint8_t *blob, size_t most) {
    uint64_t seed = 9;
    wing_rdb_write_header(w);
    for (int i = 0; i < 300; i++) {
        char key[32];
        int size = snprintf(key, sizeof key, "key:%d", i);
        wing_rdb_write_string_key(w, key, (size_t)size, -1, -1, -1, blob,
                                  random_next(&seed) % most);
    }
    wing_rdb_write_end(w);
}

/* Through any buffer and any way out, the same bytes. */
TEST(rdb_writer_is_the_same_to_memory_file_and_sink) {
    static uint8_t blob[200000], out[40000000];
    uint64_t seed = 8;
    random_fill(&seed, blob, sizeof blob);
    static const size_t most[] = {30, 3000, 200000};
    for (size_t k = 0; k < 3; k++) {
        struct wing_rdb_writer *memory = memory_writer(true);
        REQUIRE(memory != NULL);
        write_sample(memory, blob, most[k]);
        size_t size;
        const void *expected = wing_rdb_writer_memory(memory, &size);
        for (size_t buffer = 0; buffer < 40000; buffer = buffer * 9 + 700) {
            struct wing_rdb_writer_options options = {buffer, true, true, 50000};
            struct gathered g = {out, 0, sizeof out};
            struct wing_rdb_writer *sink = wing_rdb_writer_open_sink(gather, &g, &options);
            write_sample(sink, blob, most[k]);
            CHECK_EQUAL(wing_rdb_writer_finish(sink), 0);
            CHECK(g.size == size && memcmp(out, expected, size) == 0);
            CHECK_EQUAL(wing_rdb_writer_bytes(sink), size);
            wing_rdb_writer_free(sink);
            FILE *file = tmpfile();
            REQUIRE(file != NULL);
            struct wing_rdb_writer *fd = wing_rdb_writer_open_fd(fileno(file), &options);
            write_sample(fd, blob, most[k]);
            CHECK_EQUAL(wing_rdb_writer_finish(fd), 0);
            CHECK_EQUAL(pread(fileno(file), out, sizeof out, 0), size);
            CHECK(memcmp(out, expected, size) == 0);
            wing_rdb_writer_free(fd);
            fclose(file);
        }
        wing_rdb_writer_free(memory);
    }
}

TEST(rdb_writer_keeps_the_first_error) {
    static uint8_t blob[200000], out[200000];
    struct gathered g = {out, 0, 100000};
    struct wing_rdb_writer *w = wing_rdb_writer_open_sink(gather, &g, NULL);
    REQUIRE(w != NULL);
    write_sample(w, blob, 200000);
    CHECK_EQUAL(wing_rdb_writer_finish(w), WING_E_CALLBACK);
    CHECK(g.size <= 100000);
    wing_rdb_writer_free(w);
    w = wing_rdb_writer_open_fd(-1, NULL);
    write_sample(w, blob, 200000);
    CHECK_EQUAL(wing_rdb_writer_finish(w), -EBADF);
    wing_rdb_writer_free(w);
}

TEST(rdb_writer_tells_of_a_full_disk) {
    static uint8_t blob[200000];
    FILE *full = fopen("/dev/full", "wb");
    REQUIRE(full != NULL);
    struct wing_rdb_writer *w = wing_rdb_writer_open_fd(fileno(full), NULL);
    write_sample(w, blob, 200000);
    CHECK_EQUAL(wing_rdb_writer_error(w), -ENOSPC);
    CHECK_EQUAL(wing_rdb_writer_finish(w), -ENOSPC);
    wing_rdb_writer_free(w);
    fclose(full);
}

static size_t written(struct wing_rdb_writer *w, const void *bytes, size_t size) {
    uint64_t before = wing_rdb_writer_bytes(w);
    wing_rdb_write_string(w, bytes, size);
    return (size_t)(wing_rdb_writer_bytes(w) - before);
}

/* Text that compresses is compressed, also among noise of the same size. */
TEST(rdb_writer_compresses_where_it_pays) {
    static uint8_t noise[16384], text[16384];
    uint64_t seed = 10;
    random_fill(&seed, noise, sizeof noise);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t) "a fine and repetitive text, "[i % 28];
    struct wing_rdb_writer *w = memory_writer(true);
    REQUIRE(w != NULL);
    for (int i = 0; i < 1000; i++)
        CHECK_EQUAL(written(w, noise, sizeof noise), sizeof noise + 5);
    CHECK(written(w, text, 4000) < 200); /* another size: not affected by the noise */
    int passed_by = 0;
    for (int i = 0; i < 400; i++)
        passed_by += written(w, text, sizeof text) > 1000;
    CHECK(passed_by < 4);
    for (int i = 0; i < 100; i++) { /* every second value noise: no pause ever */
        written(w, noise, 600);
        CHECK(written(w, text, 600) < 200);
    }
    /* Noise that repeats itself is no text, and pays. */
    memcpy(noise + 2000, noise, 2000);
    CHECK(written(w, noise, 4000) < 2200);
    wing_rdb_writer_free(w);
}

/* What a session looks like in JSON: it hardly repeats itself, and liblzf saves a tenth. */
static size_t make_session(uint64_t *seed, char *out, size_t capacity) {
    unsigned day = (unsigned)(random_next(seed) % 90) + 10;
    return (size_t)snprintf(
        out, capacity,
        "{\"session\":{\"id\":\"%016llx%016llx\",\"user_id\":%llu,"
        "\"created_at\":\"2024-03-%uT12:%02llu:00Z\",\"updated_at\":\"2024-03-%uT13:%02llu:00Z\","
        "\"roles\":[\"user\",\"editor\"],\"preferences\":{\"theme\":\"dark\",\"language\":\"en\"}}}",
        (unsigned long long)random_next(seed), (unsigned long long)random_next(seed),
        (unsigned long long)(random_next(seed) % 10000000), day,
        (unsigned long long)(random_next(seed) % 60), day,
        (unsigned long long)(random_next(seed) % 60));
}

/* A few texts among much noise of their size: per cent of texts, per cent of them compressed. */
TEST(rdb_writer_finds_texts_among_noise) {
    static const int rows[][2] = {{1, 20}, {10, 80}, {30, 99}, {50, 100}, {100, 100}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct wing_rdb_writer *w = memory_writer(true);
        REQUIRE(w != NULL);
        uint64_t seed = 11;
        int texts = 0, compressed = 0;
        for (int i = 0; i < 10000; i++) {
            char value[300];
            size_t size = 240;
            bool is_text = random_next(&seed) % 100 < (unsigned)rows[row][0];
            if (is_text)
                size = make_session(&seed, value, sizeof value);
            else
                random_fill(&seed, (uint8_t *)value, size);
            bool is_smaller = written(w, value, size) < size;
            texts += is_text;
            compressed += is_text && is_smaller;
        }
        CHECK(compressed * 100 >= texts * rows[row][1]);
        wing_rdb_writer_free(w);
    }
}

TEST(rdb_mark_frames_a_file_whose_sum_it_is_no_part_of) {
    static const char mark[] = "0123456789abcdef0123456789abcdef01234567";
    struct wing_rdb_writer *w = memory_writer(true);
    REQUIRE(w != NULL);
    wing_rdb_write_mark_begin(w, mark);
    wing_rdb_write_header(w);
    wing_rdb_write_aux_text(w, "redis-ver", "6.0.7");
    wing_rdb_write_aux_integer(w, "ctime", 1600000000);
    wing_rdb_write_end(w);
    wing_rdb_write_mark_end(w, mark);
    size_t size;
    const uint8_t *memory = wing_rdb_writer_memory(w, &size);
    CHECK(memcmp(memory, "$EOF:0123456789abcdef0123456789abcdef01234567\r\nREDIS0009", 56) == 0);
    struct wing_rdb_reader *r = wing_rdb_reader_open_memory(memory + 47, size - 47, NULL);
    struct wing_rdb_item item = {.kind = WING_RDB_ITEM_NOTE};
    while (item.kind != WING_RDB_ITEM_END)
        REQUIRE(wing_rdb_reader_next(r, &item) == 0);
    CHECK(item.checksum != 0);
    char read[40];
    size_t left;
    wing_rdb_reader_left(r, &left);
    CHECK_EQUAL(left, 40);
    CHECK_EQUAL(wing_rdb_reader_trail(r, read, 40), 0);
    CHECK(memcmp(read, mark, 40) == 0);
    CHECK_EQUAL(wing_rdb_reader_trail(r, read, 1), WING_E_END);
    wing_rdb_reader_free(r);
    wing_rdb_writer_free(w);
}

TEST(rdb_dump_is_verified_and_read) {
    struct wing_rdb_writer *w = memory_writer(true);
    REQUIRE(w != NULL);
    wing_rdb_write_dump_begin(w, WING_RDB_TYPE_STRING);
    wing_rdb_write_string(w, "hello", 5);
    wing_rdb_write_dump_end(w);
    size_t size;
    uint8_t payload[64];
    const void *memory = wing_rdb_writer_memory(w, &size);
    REQUIRE(size == 17);
    memcpy(payload, memory, size);
    ssize_t value = wing_rdb_dump_verify(payload, size);
    CHECK_EQUAL(value, 7);
    struct wing_rdb_reader *r = wing_rdb_reader_open_dump(payload, (size_t)value, NULL);
    struct wing_rdb_item item;
    struct wing_rdb_part part;
    CHECK_EQUAL(wing_rdb_reader_next(r, &item), 0);
    CHECK(item.kind == WING_RDB_ITEM_KEY && item.name.size == 0 && item.expiry_ms == -1);
    CHECK_EQUAL(wing_rdb_reader_part(r, &part), 0);
    CHECK(part.text.size == 5 && memcmp(part.text.bytes, "hello", 5) == 0);
    CHECK_EQUAL(wing_rdb_reader_part(r, &part), 0);
    CHECK(part.kind == WING_RDB_PART_END);
    CHECK_EQUAL(wing_rdb_reader_next(r, &item), 0);
    CHECK(item.kind == WING_RDB_ITEM_END);
    wing_rdb_reader_free(r);
    for (size_t i = 0; i < size; i++) {
        payload[i] ^= 1;
        CHECK(wing_rdb_dump_verify(payload, size) < 0);
        payload[i] ^= 1;
        CHECK(wing_rdb_dump_verify(payload, i) < 0);
    }
    wing_rdb_writer_free(w);
}

TEST(rdb_file_replaces_only_when_whole) {
    char folder[] = "/tmp/wing-file-XXXXXX", path[64], temporary[64];
    REQUIRE(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/dump.rdb", folder);
    snprintf(temporary, sizeof temporary, "%s/temp-%ld.rdb", folder, (long)getpid());
    int fd, error;
    struct stat status;
    struct wing_rdb_file *file = wing_rdb_file_create(path, &fd, &error);
    REQUIRE(file != NULL);
    CHECK_EQUAL(write(fd, "first", 5), 5);
    CHECK_EQUAL(stat(path, &status), -1);
    CHECK_EQUAL(wing_rdb_file_commit(file), 0);
    CHECK_EQUAL(stat(path, &status), 0);
    CHECK_EQUAL(status.st_size, 5);
    file = wing_rdb_file_create(path, &fd, &error);
    REQUIRE(file != NULL);
    CHECK_EQUAL(write(fd, "second", 6), 6);
    CHECK_EQUAL(stat(temporary, &status), 0);
    wing_rdb_file_abort(file);
    CHECK_EQUAL(stat(temporary, &status), -1);
    CHECK_EQUAL(stat(path, &status), 0);
    CHECK_EQUAL(status.st_size, 5);
    CHECK(wing_rdb_file_create("/nowhere/at/all.rdb", &fd, &error) == NULL);
    CHECK_EQUAL(error, -ENOENT);
    unlink(path);
    rmdir(folder);
}

TEST(rdb_writer_compresses_as_told_from_here_on) {
    char text[200];
    memset(text, 'a', sizeof text);
    struct wing_rdb_writer *w = memory_writer(true);
    size_t before = 0, packed = 0, plain = 0, again = 0;
    wing_rdb_writer_memory(w, &before);
    wing_rdb_write_string(w, text, sizeof text);
    wing_rdb_writer_memory(w, &packed);
    wing_rdb_writer_compress(w, false);
    wing_rdb_write_string(w, text, sizeof text);
    wing_rdb_writer_memory(w, &plain);
    wing_rdb_writer_compress(w, true);
    wing_rdb_write_string(w, text, sizeof text);
    wing_rdb_writer_memory(w, &again);
    CHECK(packed - before < 20);
    CHECK_EQUAL(plain - packed, sizeof text + 2);
    CHECK_EQUAL(again - plain, packed - before);
    CHECK_EQUAL(wing_rdb_writer_finish(w), 0);
    wing_rdb_writer_free(w);
}
