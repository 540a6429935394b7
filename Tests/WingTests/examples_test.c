/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The headers' examples, line for line (test_tidy.py compares), so that they compile; those that
 * can run do. What they leave to the reader is made up here.
 */
#include "harness.h"
#include "wing/wing.h"
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

static void write_all(struct wing_rdb_writer *w) {
    wing_rdb_write_header(w);
    wing_rdb_write_select(w, 0);
    wing_rdb_write_key(w, WING_RDB_TYPE_STRING, "greeting", 8, -1, -1, -1);
    wing_rdb_write_string(w, "hello", 5);
    wing_rdb_write_end(w);
}

static int texts;

static void use(const struct wing_rdb_item *item, const struct wing_rdb_part *part) {
    texts += item->name.size == 8 && part->text.size == 5;
}

static void report(const struct wing_fault *fault) {
    printf("%s\n", fault->text);
}

static const char folder[] = "/tmp/wing-examples-XXXXXX";

/* rdb_file.h, rdb_writer.h, rdb_reader.h, rdb_ahead.h */

static int write_file(const char *path) {
    int fd, error;
    struct wing_rdb_writer_options options = {.checksum = true};
    struct wing_rdb_file *file = wing_rdb_file_create(path, &fd, &error);
    if (!file) return error;
    struct wing_rdb_writer *w = wing_rdb_writer_open_fd(fd, &options);
    write_all(w);
    error = wing_rdb_writer_finish(w);
    wing_rdb_writer_free(w);
    if (error < 0)
        wing_rdb_file_abort(file);
    else
        error = wing_rdb_file_commit(file);
    return error;
}

static void read_file(int fd) {
    struct wing_rdb_reader *r = wing_rdb_reader_open_fd(fd, NULL);
    struct wing_rdb_item item;
    struct wing_rdb_part part;
    int code;
    while ((code = wing_rdb_reader_next(r, &item)) == 0 && item.kind != WING_RDB_ITEM_END) {
        if (item.kind != WING_RDB_ITEM_KEY) continue;
        while ((code = wing_rdb_reader_part(r, &part)) == 0 && part.kind != WING_RDB_PART_END)
            use(&item, &part);
    }
    if (code < 0) report(wing_rdb_reader_fault(r)); // code, offset, text
    wing_rdb_reader_free(r);
}

static void build(struct wing_rdb_ahead *a, const struct wing_rdb_item *item) {
    struct wing_rdb_part part;
    if (item->kind != WING_RDB_ITEM_KEY) return;
    while (wing_rdb_ahead_part(a, &part) == 0 && part.kind != WING_RDB_PART_END)
        use(item, &part);
}

static int read_ahead(struct wing_rdb_reader *reader) {
    struct wing_rdb_item item;
    int code;
    struct wing_rdb_ahead *a = wing_rdb_ahead_start(reader);
    while ((code = wing_rdb_ahead_next(a, &item)) == 0 && item.kind != WING_RDB_ITEM_END)
        build(a, &item); // its parts by wing_rdb_ahead_part
    wing_rdb_ahead_stop(a);     // the reader is the caller's again
    return code;
}

TEST(examples_write_a_file_and_read_it) {
    char name[sizeof folder], path[sizeof folder + 16];
    memcpy(name, folder, sizeof folder);
    REQUIRE(mkdtemp(name) != NULL);
    snprintf(path, sizeof path, "%s/dump.rdb", name);
    CHECK_EQUAL(write_file(path), 0);
    int fd = open(path, O_RDONLY);
    texts = 0;
    read_file(fd);
    CHECK_EQUAL(texts, 1);
    CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
    struct wing_rdb_reader *reader = wing_rdb_reader_open_fd(fd, NULL);
    CHECK_EQUAL(read_ahead(reader), 0);
    CHECK_EQUAL(texts, 2);
    wing_rdb_reader_free(reader);
    close(fd);
    unlink(path);
    rmdir(name);
}

static int write_descriptor(int fd) {
    struct wing_rdb_writer_options options = {.compression = true};
    struct wing_rdb_writer *w = wing_rdb_writer_open_fd(fd, &options);
    wing_rdb_write_header(w);
    wing_rdb_write_select(w, 0);
    wing_rdb_write_key(w, WING_RDB_TYPE_STRING, "greeting", 8, -1, -1, -1);
    wing_rdb_write_string(w, "hello", 5);
    wing_rdb_write_end(w);
    int error = wing_rdb_writer_finish(w); // 0, or the first thing that went wrong
    wing_rdb_writer_free(w);
    return error;
}

TEST(examples_write_a_descriptor) {
    int fd = open("/dev/null", O_WRONLY);
    CHECK_EQUAL(write_descriptor(fd), 0);
    close(fd);
}

/* codec.h */

struct store {
    char bytes[4096];
    size_t size, taken;
};

static int emit(void *context, const void *bytes, size_t size) {
    struct store *store = context;
    if (size > sizeof store->bytes - store->size) return WING_E_LIMIT;
    memcpy(store->bytes + store->size, bytes, size);
    store->size += size;
    return 0;
}

static ssize_t pull(void *context, void *out, size_t capacity) {
    struct store *store = context;
    size_t left = store->size - store->taken, size = left < capacity ? left : capacity;
    memcpy(out, store->bytes + store->taken, size);
    store->taken += size;
    return (ssize_t)size;
}

static int save(struct wing_rdb_writer *w) {
    write_all(w);
    return wing_rdb_writer_error(w);
}

TEST(examples_pack_and_unpack) {
    struct store file = {.size = 0};
    struct wing_rdb_writer_options options = {.checksum = true};

    struct wing_codec_encoder *e = wing_codec_encoder_create(WING_CODEC_LZ4, 0, emit, &file);
    struct wing_rdb_writer *w = wing_rdb_writer_open_sink(wing_codec_encoder_write, e, &options);
    int error = save(w);
    if (error == 0) error = wing_rdb_writer_finish(w);
    if (error == 0) error = wing_codec_encoder_finish(e);

    CHECK_EQUAL(error, 0);
    wing_rdb_writer_free(w);
    wing_codec_encoder_free(e);

    struct wing_codec_reader *c = wing_codec_reader_create(WING_CODEC_AUTO, pull, &file);
    struct wing_rdb_reader *r = wing_rdb_reader_open_source(wing_codec_reader_read, c, NULL);

    texts = 0;
    CHECK_EQUAL(read_ahead(r), 0);
    CHECK_EQUAL(texts, 1);
    wing_rdb_reader_free(r);
    wing_codec_reader_free(c);
}

/* crc64.h, lzf.h, listpack.h, fault.h */

TEST(examples_sum) {
    static const char head[] = "REDIS", body[] = "0009";
    size_t head_length = 5, body_length = 4, length_of_b = 4;
    uint64_t crc_a = wing_crc64(0, head, 5), crc_b = wing_crc64(0, body, 4), whole;
    uint64_t crc = wing_crc64(0, head, head_length);
    crc = wing_crc64(crc, body, body_length);              // goes on where the first call ended
    whole = wing_crc64_combine(crc_a, crc_b, length_of_b); // parts summed apart, in any order
    CHECK(crc == whole);
}

TEST(examples_compress) {
    char in[100], out[100], value[100];
    size_t length = sizeof value;
    memset(value, 'x', length);
    size_t packed = wing_lzf_compress(value, length, out, length - 4); // 0: keep it as it is
    CHECK(packed > 0);
    memcpy(in, out, packed);
    ssize_t size = wing_lzf_decompress(in, packed, value, length); // == length when intact
    CHECK_EQUAL(size, length);
}

static int logged;

__attribute__((format(printf, 1, 2))) static void log_line(const char *format, ...) {
    logged += format[0] == 'l';
}
#define log log_line

TEST(examples_walk_and_find_fault) {
    uint8_t blob[32];
    struct wing_packed_entry entry = {.bytes = (const uint8_t *)"ab", .size = 2};
    size_t end = WING_LISTPACK_HEADER + wing_listpack_put(blob + WING_LISTPACK_HEADER, &entry);
    size_t size = wing_listpack_close(blob, end, 1);
    const void *lp = blob;
    entry.size = 0;
    for (size_t at = wing_listpack_first(lp); at != 0; at = wing_listpack_next(lp, at))
        wing_listpack_get(lp, at, &entry);
    CHECK_EQUAL(entry.size, 2);

    blob[end] = 0;
    struct wing_fault fault;
    if (wing_listpack_validate(blob, size, NULL, &fault) < 0)
        log("listpack: %s (byte %llu)", fault.text, (unsigned long long)fault.offset);
    CHECK_EQUAL(logged, 1);
}
#undef log

/* fork.h, transfer.h: compiled only; fork_test.c and transfer_test.c run them. */

struct replica {
    uint64_t offset;
    unsigned waits_for;
    const char *dropped;
};

static void wait_for(struct replica *replica, unsigned event) {
    replica->waits_for = event;
}

static void drop(struct replica *replica, const char *why) {
    replica->dropped = why;
}

void example_of_transfer(struct replica *replica, int socket, int rdb);
void example_of_transfer(struct replica *replica, int socket, int rdb) {
    ssize_t sent = wing_transfer_send(socket, rdb, &replica->offset, 1 << 20);
    if (sent == 0) wait_for(replica, EPOLLOUT);
    if (sent < 0) drop(replica, wing_strerror((int)sent));
    // > 0: replica->offset has moved; more may go in the next turn
}

static uint64_t keys, bytes;

static int write_thousand_keys(void *context) {
    keys += 1000, bytes += 20000;
    return context == NULL;
}

#define save save_in_child
static int save(void *context, struct wing_fork_report *report) {
    while (write_thousand_keys(context))
        wing_fork_progress(report, keys, bytes);
    return 0;
}

int example_of_fork(struct wing_fork_options options, int context);
int example_of_fork(struct wing_fork_options options, int context) {
    struct wing_fork_child child;
    int error = wing_fork_spawn(&options, save, &context, &child); // -EAGAIN, -ENOMEM: refused
    // epoll: child.report readable -> wing_fork_read; child.pidfd readable -> wing_fork_reap
    return error;
}
