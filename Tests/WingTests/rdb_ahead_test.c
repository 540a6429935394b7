/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader ahead gives what the reader gives, faults included, and can be left at any item. */
#include "rdb_copy.h"
#include "wing/rdb_ahead.h"
#include <sched.h>
#include <stdatomic.h>

static bool same_text(const struct wing_rdb_text *a, const struct wing_rdb_text *b) {
    return a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0) &&
           a->is_integer == b->is_integer;
}

static bool same_id(struct wing_stream_id a, struct wing_stream_id b) {
    return a.ms == b.ms && a.seq == b.seq;
}

static bool same_part(const struct wing_rdb_part *a, const struct wing_rdb_part *b) {
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case WING_RDB_PART_END:
        return true;
    case WING_RDB_PART_STRING:
    case WING_RDB_PART_ELEMENT:
        return same_text(&a->text, &b->text);
    case WING_RDB_PART_LISTPACK:
    case WING_RDB_PART_INTSET:
        return same_text(&a->text, &b->text) && a->entries == b->entries;
    case WING_RDB_PART_FIELD:
        return same_text(&a->text, &b->text) && same_text(&a->other, &b->other);
    case WING_RDB_PART_MEMBER:
        return same_text(&a->text, &b->text) && memcmp(&a->score, &b->score, 8) == 0;
    case WING_RDB_PART_STREAM_NODE:
        return same_text(&a->text, &b->text) && same_id(a->id, b->id) && a->entries == b->entries;
    case WING_RDB_PART_STREAM_META:
        return a->length == b->length && same_id(a->id, b->id) &&
               same_id(a->first_id, b->first_id) && a->entries_added == b->entries_added;
    case WING_RDB_PART_STREAM_GROUP:
        return same_text(&a->text, &b->text) && same_id(a->id, b->id) &&
               a->entries_read == b->entries_read;
    case WING_RDB_PART_STREAM_PENDING:
        return same_id(a->id, b->id) && a->time_ms == b->time_ms && a->deliveries == b->deliveries;
    case WING_RDB_PART_STREAM_CONSUMER:
        return same_text(&a->text, &b->text) && a->time_ms == b->time_ms;
    default:
        return same_id(a->id, b->id);
    }
}

static bool same_item(const struct wing_rdb_item *a, const struct wing_rdb_item *b) {
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case WING_RDB_ITEM_KEY:
        return a->type == b->type && a->value == b->value && a->freq == b->freq &&
               a->expiry_ms == b->expiry_ms && a->idle_s == b->idle_s &&
               a->elements == b->elements && a->name.size == b->name.size &&
               memcmp(a->name.bytes, b->name.bytes, a->name.size) == 0;
    case WING_RDB_ITEM_AUX:
        return same_text(&a->name, &b->name) && same_text(&a->text, &b->text);
    case WING_RDB_ITEM_NOTE:
        return same_text(&a->text, &b->text) && a->about == b->about;
    case WING_RDB_ITEM_SELECTDB:
        return a->database == b->database;
    case WING_RDB_ITEM_RESIZEDB:
        return a->keys == b->keys && a->expires == b->expires;
    case WING_RDB_ITEM_HEADER:
        return a->version == b->version;
    default:
        return a->checksum == b->checksum;
    }
}

/* Both to the end, or to the same fault; returns its code. `skip`: parts of each such key are left. */
static int compare(const void *bytes, size_t size, size_t skip) {
    struct wing_rdb_reader *plain = wing_rdb_reader_open_memory(bytes, size, NULL);
    struct wing_rdb_reader *r = wing_rdb_reader_open_memory(bytes, size, NULL);
    struct wing_rdb_ahead *a = wing_rdb_ahead_start(r);
    int code = 0, other = 0;
    struct wing_rdb_item items[2];
    struct wing_rdb_part parts[2];
    for (size_t keys = 0; code == 0;) {
        code = wing_rdb_reader_next(plain, &items[0]);
        other = wing_rdb_ahead_next(a, &items[1]);
        if (code < 0 || other < 0) break;
        CHECK(same_item(&items[0], &items[1]));
        if (items[0].kind == WING_RDB_ITEM_END) break;
        if (items[0].kind != WING_RDB_ITEM_KEY) continue;
        if (skip > 0 && keys++ % skip == 0) continue;
        do {
            code = wing_rdb_reader_part(plain, &parts[0]);
            other = wing_rdb_ahead_part(a, &parts[1]);
            if (code < 0 || other < 0) break;
            CHECK(same_part(&parts[0], &parts[1]));
        } while (parts[0].kind != WING_RDB_PART_END);
    }
    CHECK_EQUAL(code, other);
    wing_rdb_ahead_stop(a);
    CHECK_EQUAL(wing_rdb_reader_fault(r)->code, wing_rdb_reader_fault(plain)->code);
    CHECK_EQUAL(wing_rdb_reader_fault(r)->offset, wing_rdb_reader_fault(plain)->offset);
    wing_rdb_reader_free(r);
    wing_rdb_reader_free(plain);
    return code;
}

TEST(rdb_ahead_gives_what_the_reader_gives) {
    static const char *const names[] = {"redis-6.0.7.rdb", "redis-7.0.15.rdb"};
    for (size_t i = 0; i < 2; i++) {
        size_t size;
        unsigned char *bytes = rdb_fixture(names[i], &size);
        REQUIRE(bytes != NULL);
        CHECK_EQUAL(compare(bytes, size, 0), 0);
        CHECK_EQUAL(compare(bytes, size, 2), 0);
        for (size_t cut = 1; cut < size; cut += 1 + size / 50)
            CHECK(compare(bytes, cut, 0) < 0);
        free(bytes);
    }
}

/* Long strings, and more batches than the ring has. */
TEST(rdb_ahead_waits_and_can_be_left) {
    static char value[300000];
    struct wing_rdb_writer *w = wing_rdb_writer_open_memory(NULL);
    wing_rdb_write_header(w);
    wing_rdb_write_select(w, 0);
    for (int i = 0; i < 12000; i++) {
        char name[16];
        size_t length = (size_t)snprintf(name, sizeof name, "key:%d", i);
        size_t count = i % 500 == 7 ? sizeof value : (size_t)(i % 1000);
        memset(value, 'a' + i % 26, count);
        wing_rdb_write_string_key(w, name, length, -1, -1, -1, value, count);
    }
    wing_rdb_write_end(w);
    size_t size;
    const void *bytes = wing_rdb_writer_memory(w, &size);
    CHECK_EQUAL(compare(bytes, size, 0), 0);
    for (int keys = 0; keys < 12000; keys += 1700) {
        struct wing_rdb_reader *r = wing_rdb_reader_open_memory(bytes, size, NULL);
        struct wing_rdb_ahead *a = wing_rdb_ahead_start(r);
        struct wing_rdb_item item;
        for (int i = 0; i < keys; i++)
            CHECK_EQUAL(wing_rdb_ahead_next(a, &item), 0);
        wing_rdb_ahead_stop(a);
        wing_rdb_reader_free(r);
    }
    wing_rdb_writer_free(w);
}

struct counted {
    const uint8_t *bytes;
    size_t size;
    _Atomic size_t given;
};

static ssize_t give(void *context, void *out, size_t capacity) {
    struct counted *from = context;
    size_t given = from->given, left = from->size - given;
    size_t count = capacity < left ? capacity : left;
    memcpy(out, from->bytes + given, count);
    from->given = given + count;
    return (ssize_t)count;
}

/* 2 MiB, then the string at hand and the one that comes: not as many strings as the ring has places. */
TEST(rdb_ahead_holds_few_long_strings) {
    enum { LONG = 1 << 20, KEYS = 24, MOST = (2 << 20) + 3 * LONG };
    uint8_t *value = calloc(1, LONG);
    REQUIRE(value != NULL);
    struct wing_rdb_writer *w = wing_rdb_writer_open_memory(NULL);
    wing_rdb_write_header(w);
    wing_rdb_write_select(w, 0);
    for (int i = 0; i < KEYS; i++)
        wing_rdb_write_string_key(w, "key", 3, -1, -1, -1, value, LONG);
    wing_rdb_write_end(w);
    struct counted from = {0};
    from.bytes = wing_rdb_writer_memory(w, &from.size);
    CHECK(from.size > (size_t)KEYS * LONG);
    struct wing_rdb_reader *r = wing_rdb_reader_open_source(give, &from, NULL);
    struct wing_rdb_ahead *a = wing_rdb_ahead_start(r);
    REQUIRE(a != NULL);
    while (from.given < 2 << 20)
        sched_yield();
    struct wing_rdb_item item = {.kind = WING_RDB_ITEM_HEADER};
    int keys = 0;
    while (item.kind != WING_RDB_ITEM_END) {
        for (int i = 0; i < 100; i++)
            sched_yield();
        CHECK(from.given - wing_rdb_ahead_offset(a) <= MOST);
        REQUIRE(wing_rdb_ahead_next(a, &item) == 0);
        keys += item.kind == WING_RDB_ITEM_KEY;
    }
    CHECK_EQUAL(keys, KEYS);
    wing_rdb_ahead_stop(a);
    wing_rdb_reader_free(r);
    wing_rdb_writer_free(w);
    free(value);
}
