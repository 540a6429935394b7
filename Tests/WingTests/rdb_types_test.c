/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every type and opcode of versions 1 to 12, byte by byte: a row is a file's body and what the
 * reader makes of it, as text. The bytes are written by hand from the table in rdb.h.
 */
#include "harness.h"
#include "wing/wing.h"
#include <stdarg.h>
#include <stdbool.h>

struct story {
    char text[2000];
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void say(struct story *s, const char *format, ...) {
    va_list list;
    va_start(list, format);
    int size = vsnprintf(s->text + s->size, sizeof s->text - s->size, format, list);
    va_end(list);
    if (size > 0) s->size += (size_t)size;
    if (s->size >= sizeof s->text) s->size = sizeof s->text - 1;
}

static void say_text(struct story *s, const struct wing_rdb_text *text) {
    say(s, text->is_integer ? " #%.*s" : " %.*s", (int)text->size, (const char *)text->bytes);
}

static void say_listpack(struct story *s, const struct wing_rdb_part *part) {
    const uint8_t *lp = part->text.bytes;
    CHECK_EQUAL(wing_listpack_size(lp), part->text.size);
    CHECK_EQUAL(wing_listpack_count(lp), part->entries);
    say(s, " [");
    for (size_t at = wing_listpack_first(lp); at != 0; at = wing_listpack_next(lp, at)) {
        struct wing_packed_entry entry;
        wing_listpack_get(lp, at, &entry);
        if (entry.bytes)
            say(s, " %.*s", (int)entry.size, (const char *)entry.bytes);
        else
            say(s, " #%lld", (long long)entry.integer);
    }
    say(s, " ]");
}

static void say_id(struct story *s, struct wing_stream_id id) {
    say(s, " %llu-%llu", (unsigned long long)id.ms, (unsigned long long)id.seq);
}

static void say_part(struct story *s, const struct wing_rdb_part *part) {
    switch (part->kind) {
    case WING_RDB_PART_END:
        say(s, ".");
        break;
    case WING_RDB_PART_STRING:
    case WING_RDB_PART_ELEMENT:
        say_text(s, &part->text);
        break;
    case WING_RDB_PART_LISTPACK:
        say_listpack(s, part);
        break;
    case WING_RDB_PART_INTSET:
        for (uint32_t i = 0; i < part->entries; i++)
            say(s, " #%lld", (long long)wing_intset_get(part->text.bytes, i));
        break;
    case WING_RDB_PART_FIELD:
        say_text(s, &part->text);
        say_text(s, &part->other);
        break;
    case WING_RDB_PART_MEMBER:
        say_text(s, &part->text);
        say(s, "=%g", part->score);
        break;
    case WING_RDB_PART_STREAM_NODE:
        say(s, " node");
        say_id(s, part->id);
        say_listpack(s, part);
        break;
    case WING_RDB_PART_STREAM_META:
        say(s, " meta %llu", (unsigned long long)part->length);
        say_id(s, part->id);
        say_id(s, part->first_id);
        say_id(s, part->max_deleted_id);
        say(s, " %llu", (unsigned long long)part->entries_added);
        break;
    case WING_RDB_PART_STREAM_GROUP:
        say(s, " group");
        say_text(s, &part->text);
        say_id(s, part->id);
        say(s, " %lld", (long long)part->entries_read);
        break;
    case WING_RDB_PART_STREAM_PENDING:
        say(s, " pending");
        say_id(s, part->id);
        say(s, " %lld %llu", (long long)part->time_ms, (unsigned long long)part->deliveries);
        break;
    case WING_RDB_PART_STREAM_CONSUMER:
        say(s, " consumer");
        say_text(s, &part->text);
        say(s, " %lld %lld", (long long)part->time_ms, (long long)part->active_ms);
        break;
    case WING_RDB_PART_STREAM_CONSUMER_PENDING:
        say(s, " owns");
        say_id(s, part->id);
        break;
    }
}

static void say_item(struct story *s, const struct wing_rdb_item *item) {
    static const char *const values[] = {"string", "list", "set", "hash", "zset", "stream"};
    switch (item->kind) {
    case WING_RDB_ITEM_HEADER:
    case WING_RDB_ITEM_END:
        break;
    case WING_RDB_ITEM_AUX:
        say(s, "aux");
        say_text(s, &item->name);
        say_text(s, &item->text);
        say(s, ".");
        break;
    case WING_RDB_ITEM_SELECTDB:
        say(s, "db %llu.", (unsigned long long)item->database);
        break;
    case WING_RDB_ITEM_RESIZEDB:
        say(s, "sizes %llu %llu.", (unsigned long long)item->keys,
            (unsigned long long)item->expires);
        break;
    case WING_RDB_ITEM_NOTE:
        say(s, "note:%.*s.", (int)item->text.size, (const char *)item->text.bytes);
        break;
    case WING_RDB_ITEM_KEY:
        say(s, "%s", values[item->value]);
        say_text(s, &item->name);
        if (item->expiry_ms != -1) say(s, " at %lld", (long long)item->expiry_ms);
        if (item->idle_s != -1) say(s, " idle %lld", (long long)item->idle_s);
        if (item->freq != -1) say(s, " freq %d", item->freq);
        say(s, ":");
        break;
    }
}

static int tell(struct story *s, const void *bytes, size_t size, unsigned refuse) {
    struct wing_rdb_reader_options options = {.refuse = refuse};
    struct wing_rdb_reader *r = wing_rdb_reader_open_memory(bytes, size, &options);
    struct wing_rdb_item item;
    struct wing_rdb_part part;
    int code;
    if (!r) return WING_E_NOMEM;
    *s = (struct story){0};
    do {
        if ((code = wing_rdb_reader_next(r, &item)) < 0) break;
        say_item(s, &item);
        if (item.kind != WING_RDB_ITEM_KEY) continue;
        do {
            if ((code = wing_rdb_reader_part(r, &part)) == 0) say_part(s, &part);
        } while (code == 0 && part.kind != WING_RDB_PART_END);
    } while (code == 0 && item.kind != WING_RDB_ITEM_END);
    if (code < 0) say(s, "!%s", wing_rdb_reader_fault(r)->text);
    wing_rdb_reader_free(r);
    return code;
}

#define B(bytes) bytes, sizeof bytes - 1
#define LISTPACK_A1                                                                                \
    "\x0c\x0c\0\0\0\x02\0\x81"                                                                     \
    "a\x02\x01\x01\xff" /* a, 1 */
#define ZIPLIST_A1                                                                                 \
    "\x10\x10\0\0\0\x0d\0\0\0\x02\0\0\x01"                                                         \
    "a\x03\xf2\xff" /* a, 1 */
#define LISTPACK_A1X                                                                               \
    "\x10\x10\0\0\0\x03\0\x81"                                                                     \
    "a\x02\x01\x01\xf1\x2c\x01\x03\xff"
#define ID(ms, seq) "\0\0\0\0\0\0\0" ms "\0\0\0\0\0\0\0" seq
/* One entry with field f, value v: count 1, deleted 0, fields 1, f, 0; flags 2, 0, 0, v, items 4 */
#define NODE                                                                                       \
    "\x1d\x1d\0\0\0\x0a\0\x01\x01\0\x01\x01\x01\x81"                                               \
    "f\x02\0\x01\x02\x01\0\x01\0\x01\x81"                                                          \
    "v\x02\x04\x01\xff"
#define MODULE_ID "\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03" /* ReJSON-RL, encoding 3 */

TEST(rdb_every_type_is_told) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *told;
    } rows[] = {
        {B("\x00\x01k\x01v"), "string k: v."},
        {B("\x00\x01k\xc0\xff"), "string k: #-1."},
        {B("\x00\xc0\x07\xc1\x00\x80"), "string #7: #-32768."},
        {B("\x00\x01k\xc2\x00\x00\x00\x80"), "string k: #-2147483648."},
        {B("\x00\x01k\xc3\x05\x0a\x00"
           "a\xe0\x00\x00"),
         "string k: aaaaaaaaaa."},
        {B("\x00\x01k\x80\x00\x00\x00\x01v"), "string k: v."},
        {B("\x00\x01k\x81\x00\x00\x00\x00\x00\x00\x00\x01v"), "string k: v."},
        {B("\x01\x01k\x02\x01"
           "a\xc0\x02"),
         "list k: a #2."},
        {B("\x01\x01k\x00"), "list k:."},
        {B("\x02\x01k\x01\x01"
           "a"),
         "set k: a."},
        {B("\x03\x01k\x03\x01"
           "a\x03"
           "1.5\x01"
           "b\xfe\x01"
           "c\xff"),
         "zset k: a=1.5 b=inf c=-inf."},
        {B("\x04\x01k\x01\x01"
           "f\x01v"),
         "hash k: f v."},
        {B("\x05\x01k\x01\x01"
           "a\0\0\0\0\0\0\xf8\x3f"),
         "zset k: a=1.5."},
        {B("\x09\x01k\x07\x01\x01"
           "f\x01\x00v\xff"),
         "hash k: [ f v ]."},
        {B("\x0a\x01k" ZIPLIST_A1), "list k: [ a #1 ]."},
        {B("\x0b\x01k\x0c\x02\0\0\0\x02\0\0\0\xff\xff\x05\0"), "set k: #-1 #5."},
        {B("\x0c\x01k" ZIPLIST_A1), "zset k: [ a #1 ]."},
        {B("\x0d\x01k" ZIPLIST_A1), "hash k: [ a #1 ]."},
        {B("\x0e\x01k\x02" ZIPLIST_A1 ZIPLIST_A1), "list k: [ a #1 ] [ a #1 ]."},
        {B("\x10\x01k" LISTPACK_A1), "hash k: [ a #1 ]."},
        {B("\x11\x01k" LISTPACK_A1), "zset k: [ a #1 ]."},
        {B("\x12\x01k\x02\x01\x03"
           "big\x02" LISTPACK_A1),
         "list k: big [ a #1 ]."},
        {B("\x14\x01k" LISTPACK_A1), "set k: [ a #1 ]."},
        {B("\x0f\x01k\x01\x10" ID("\x05", "\x01") NODE "\x01\x05\x01\x00"),
         "stream k: node 5-1 [ #1 #0 #1 f #0 #2 #0 #0 v #4 ] meta 1 5-1 0-0 0-0 1."},
        {B("\x0f\x01k\x00\x00\x05\x01\x02\x01g\x05\x00\x01" ID(
             "\x05", "\x01") "\x09\0\0\0\0\0\0\0\x03\x02\x01"
                             "c\x07\0\0\0\0\0\0\0\x01" ID(
                                 "\x05", "\x01") "\x01"
                                                 "d\x08\0\0\0\0\0\0\0\x00\x01h\x00\x00\x00\x00"),
         "stream k: meta 0 5-1 0-0 0-0 0 group g 5-0 -1 pending 5-1 9 3 consumer c 7 -1 owns 5-1"
         " consumer d 8 -1 group h 0-0 -1."},
        {B("\x13\x01k\x00\x00\x05\x01\x01\x02\x03\x04\x09\x01\x01g\x05\x00\x08\x00\x00"),
         "stream k: meta 0 5-1 1-2 3-4 9 group g 5-0 8."},
        {B("\x15\x01k\x00\x00\x05\x01\x01\x02\x03\x04\x09\x01\x01g\x05\x00\x08\x00\x01\x01"
           "c"
           "\x07\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\x00"),
         "stream k: meta 0 5-1 1-2 3-4 9 group g 5-0 8 consumer c 7 6."},
        {B("\x16\x01k\x02\x00\x01"
           "f\x01v\x05\x01g\x01w"),
         "hash k: f v g w.note:hash 'k': dropped the expiry of 1 fields."},
        {B("\x18\x01k\x09\0\0\0\0\0\0\0\x01\x00\x01"
           "f\x01v"),
         "hash k: f v."},
        {B("\x17\x01k" LISTPACK_A1X),
         "hash k: a #1.note:hash 'k': dropped the expiry of 1 fields."},
        {B("\x19\x01k\x09\0\0\0\0\0\0\0" LISTPACK_A1X),
         "hash k: a #1.note:hash 'k': dropped the expiry of 1 fields."},
        {B("\xfc\xe8\x03\0\0\0\0\0\0\xf8\x05\x00\x01k\x01v"), "string k at 1000 idle 5: v."},
        {B("\xfd\x02\0\0\0\xf9\xff\x00\x01k\x01v\x00\x01m\x01v"),
         "string k at 2000 freq 255: v.string m: v."},
        {B("\xfe\x09\xfb\x05\x40\x40\xfa\x01n\xc0\x40"), "db 9.sizes 5 64.aux n #64."},
        {B("\xf4\x01\x02\x03"), "note:skipped sizes of slot 1: 2 keys."},
        {B("\xf5\x0c#!lua name=x"), "note:skipped function library '#!lua name=x'."},
        {B("\xf6\x01x\x03lua\x01\x01"
           "d\x04"
           "code"),
         "note:skipped function library 'x'."},
        {B("\xf7" MODULE_ID "\x02\x02\x01\x05\x02\x07\x03"
           "1234\x04"
           "12345678\x05\x01s\x00"),
         "note:skipped data of module 'ReJSON-RL'."},
        {B("\x07\x01k" MODULE_ID "\x02\x05\x05\xc0\x01\x00\x00\x01m\x01v"),
         "note:skipped key 'k', a value of module 'ReJSON-RL'.string m: v."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t file[512] = "REDIS0012";
        struct story story;
        memcpy(file + 9, rows[i].bytes, rows[i].size);
        memcpy(file + 9 + rows[i].size, "\xff\0\0\0\0\0\0\0\0", 9);
        CHECK_EQUAL(tell(&story, file, 18 + rows[i].size, 0), 0);
        bool right = strcmp(story.text, rows[i].told) == 0;
        if (!right) printf("row %zu: told  %s\n        not %s\n", i, story.text, rows[i].told);
        CHECK(right);
        for (size_t cut = 9; cut < 18 + rows[i].size; cut++)
            CHECK_EQUAL(tell(&story, file, cut, 0), WING_E_END);
    }
}

TEST(rdb_what_is_refused_is_named) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *told;
    } rows[] = {
        {B("\x07\x01k" MODULE_ID "\x00"), "!key 'k' is a value of module 'ReJSON-RL'"},
        {B("\x06\x01k" MODULE_ID),
         "!key 'k' is a value of module 'ReJSON-RL' in a form that can't be skipped"},
        {B("\xf7" MODULE_ID "\x02\x02\x00"), "!data of module 'ReJSON-RL'"},
        {B("\xf5\x01x"), "!a function library"},
        {B("\x18\x01k\x09\0\0\0\0\0\0\0\x01\x00\x01"
           "f\x01v"),
         "!hash 'k' has fields that expire"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t file[512] = "REDIS0012";
        struct story story;
        memcpy(file + 9, rows[i].bytes, rows[i].size);
        memcpy(file + 9 + rows[i].size, "\xff\0\0\0\0\0\0\0\0", 9);
        CHECK_EQUAL(tell(&story, file, 18 + rows[i].size, ~0u), WING_E_UNSUPPORTED);
        bool right = strcmp(story.text, rows[i].told) == 0;
        if (!right) printf("row %zu: told  %s\n        not %s\n", i, story.text, rows[i].told);
        CHECK(right);
    }
}

/* Versions up to 4 end in 255, from 5 on in a checksum as well. */
TEST(rdb_every_version_is_read) {
    for (int version = 1; version <= 12; version++) {
        char file[64];
        struct story story;
        snprintf(file, sizeof file, "REDIS%04d", version);
        memcpy(file + 9, "\xfe\x01\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0", 16);
        CHECK_EQUAL(tell(&story, file, version < 5 ? 17 : 25, 0), 0);
        CHECK(strcmp(story.text, "db 1.string k: v.") == 0);
    }
}
