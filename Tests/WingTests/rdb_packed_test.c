/* SPDX-License-Identifier: BSD-3-Clause */
/* Listpacks, ziplists, zipmaps, intsets: every size and number at the edges of the encodings. */
#include "harness.h"
#include "wing/wing.h"
#include <stdbool.h>

/* Entries made of a seed: integers at powers of two, texts with sizes around each head's limit. */
static struct wing_packed_entry make_entry(uint64_t *seed, const uint8_t *text) {
    static const size_t edges[] = {0,   1,   20,  63,   64,   126,   127,
                                   251, 253, 254, 4095, 4096, 16383, 16384};
    uint64_t pick = random_next(seed);
    if (pick % 3 == 0) {
        size_t size = edges[(pick >> 8) % 14] + (pick >> 16) % 3;
        return (struct wing_packed_entry){text, size, 0};
    }
    uint64_t value = (UINT64_C(1) << (pick >> 8) % 64) - 2 + (pick >> 16) % 4;
    return (struct wing_packed_entry){NULL, 0, (int64_t)(pick & 1 ? value : 0 - value)};
}

static bool same_entry(const struct wing_packed_entry *a, const struct wing_packed_entry *b) {
    if (!a->bytes || !b->bytes) return !a->bytes && !b->bytes && a->integer == b->integer;
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static size_t make_listpack(uint64_t *seed, int count, const uint8_t *text, uint8_t *lp) {
    size_t end = WING_LISTPACK_HEADER;
    for (int i = 0; i < count; i++) {
        struct wing_packed_entry entry = make_entry(seed, text);
        size_t size = wing_listpack_put(lp + end, &entry);
        CHECK(size <= wing_listpack_entry_bound(entry.size));
        end += size;
    }
    return wing_listpack_close(lp, end, (uint64_t)count);
}

TEST(rdb_listpack_to_ziplist_and_back_is_the_same) {
    uint64_t seed = 5;
    uint8_t *text = malloc(20000), *lp = malloc(400000);
    REQUIRE(text != NULL && lp != NULL);
    memset(text, 'x', 20000);
    for (int run = 0; run < 1000; run++) {
        uint64_t kept, count, zl_count;
        int entries = (int)(random_next(&seed) % 20);
        kept = seed;
        size_t size = make_listpack(&seed, entries, text, lp);
        CHECK_EQUAL(wing_listpack_validate(lp, size, &count, NULL), 0);
        CHECK_EQUAL(count, entries);
        CHECK_EQUAL(wing_listpack_count(lp), entries);
        size_t bound = wing_ziplist_bound(size);
        uint8_t *zl = malloc(bound), *back = malloc(wing_listpack_bound(bound));
        REQUIRE(zl != NULL && back != NULL);
        ssize_t zl_size = wing_ziplist_from_listpack(lp, zl, bound);
        REQUIRE(zl_size > 0);
        CHECK_EQUAL(wing_ziplist_validate(zl, (size_t)zl_size, &zl_count, NULL), 0);
        CHECK_EQUAL(zl_count, entries);
        size_t at = wing_ziplist_first(zl), lp_at = wing_listpack_first(lp);
        for (int i = 0; i < entries; i++) {
            struct wing_packed_entry made = make_entry(&kept, text), from_zl, from_lp;
            REQUIRE(at != 0 && lp_at != 0);
            wing_ziplist_get(zl, at, &from_zl);
            wing_listpack_get(lp, lp_at, &from_lp);
            CHECK(same_entry(&made, &from_zl) && same_entry(&made, &from_lp));
            at = wing_ziplist_next(zl, at);
            lp_at = wing_listpack_next(lp, lp_at);
        }
        CHECK(at == 0 && lp_at == 0);
        size_t back_bound = wing_listpack_bound((size_t)zl_size);
        CHECK_EQUAL(
            wing_listpack_from_ziplist(zl, (size_t)zl_size, back, back_bound, &zl_count, NULL),
            size);
        CHECK_EQUAL(zl_count, entries);
        CHECK(memcmp(back, lp, size) == 0);
        /* Too little room is an error, never a step past it. */
        if (entries > 0) {
            size_t less = (size_t)(random_next(&seed) % (uint64_t)zl_size);
            uint8_t *tight = malloc(less ? less : 1);
            REQUIRE(tight != NULL);
            CHECK_EQUAL(wing_ziplist_from_listpack(lp, tight, less), WING_E_LIMIT);
            free(tight);
        }
        free(back);
        free(zl);
    }
    free(lp);
    free(text);
}

TEST(rdb_worst_cases_fit_the_bounds) {
    size_t count = 5000;
    uint8_t *lp = malloc(count * 300);
    REQUIRE(lp != NULL);
    static uint8_t text[300];
    for (int shape = 0; shape < 3;
         shape++) { /* small integers; empty texts; big and small in turn */
        size_t end = WING_LISTPACK_HEADER;
        for (size_t i = 0; i < count; i++) {
            struct wing_packed_entry entry = {NULL, 0, 100};
            if (shape == 1 || (shape == 2 && i % 2 == 0)) entry.bytes = text;
            if (shape == 2 && i % 2 == 0) entry.size = 251;
            end += wing_listpack_put(lp + end, &entry);
        }
        size_t size = wing_listpack_close(lp, end, count);
        uint8_t *zl = malloc(wing_ziplist_bound(size));
        REQUIRE(zl != NULL);
        CHECK(wing_ziplist_from_listpack(lp, zl, wing_ziplist_bound(size)) > 0);
        free(zl);
    }
    free(lp);
}

TEST(rdb_packed_validators_survive_any_byte) {
    uint64_t seed = 6;
    static uint8_t text[20000], lp[400000], zl[700000], back[1100000];
    for (int run = 0; run < 300; run++) {
        size_t size = make_listpack(&seed, 8, text, lp);
        ssize_t zl_size = wing_ziplist_from_listpack(lp, zl, sizeof zl);
        REQUIRE(zl_size > 0);
        for (int k = 0; k < 20; k++) {
            uint8_t *exact = malloc(size), *zl_exact = malloc((size_t)zl_size);
            REQUIRE(exact != NULL && zl_exact != NULL);
            memcpy(exact, lp, size);
            memcpy(zl_exact, zl, (size_t)zl_size);
            exact[random_next(&seed) % size] = (uint8_t)random_next(&seed);
            zl_exact[random_next(&seed) % (uint64_t)zl_size] = (uint8_t)random_next(&seed);
            if (wing_listpack_validate(exact, size, NULL, NULL) == 0)
                CHECK(wing_ziplist_from_listpack(exact, back, sizeof back) > 0);
            struct wing_fault checked = {.code = 0}, made = {.code = 0};
            uint64_t count, made_count;
            int code = wing_ziplist_validate(zl_exact, (size_t)zl_size, &count, &checked);
            ssize_t made_size = wing_listpack_from_ziplist(zl_exact, (size_t)zl_size, back,
                                                           sizeof back, &made_count, &made);
            if (code == 0) {
                CHECK(made_size > 0 && made_count == count);
            } else {
                CHECK(made_size == code && made.offset == checked.offset);
                CHECK(strcmp(made.text, checked.text) == 0);
            }
            wing_listpack_validate_stream_node(lp, size, NULL);
            free(zl_exact);
            free(exact);
        }
    }
}

/* Only what spells an integer becomes one, however much the rest looks like it. */
TEST(rdb_ziplist_texts_keep_their_bytes) {
    static const char alphabet[] = "0123456789012345678901234567890123456789-.e/: ";
    uint64_t seed = 11;
    for (int run = 0; run < 20000; run++) {
        char texts[6][24];
        uint8_t zl[256], lp[512];
        size_t sizes[6], end = WING_ZIPLIST_HEADER, tail = end, previous = 0;
        for (int i = 0; i < 6; i++) {
            sizes[i] = random_next(&seed) % 23;
            for (size_t k = 0; k < sizes[i]; k++)
                texts[i][k] = alphabet[random_next(&seed) % (k < 8 ? 46 : 40)];
            tail = end;
            zl[end] = (uint8_t)previous;
            zl[end + 1] = (uint8_t)sizes[i];
            memcpy(zl + end + 2, texts[i], sizes[i]);
            end += previous = sizes[i] + 2;
        }
        zl[end++] = 0xFF;
        uint32_t head[2] = {htole32((uint32_t)end), htole32((uint32_t)tail)};
        uint64_t count;
        memcpy(zl, head, 8);
        memcpy(zl + 8, "\6", 2);
        uint8_t *exact = malloc(end);
        REQUIRE(exact != NULL);
        memcpy(exact, zl, end);
        ssize_t size = wing_listpack_from_ziplist(exact, end, lp, sizeof lp, &count, NULL);
        free(exact);
        REQUIRE(size > 0 && count == 6);
        CHECK_EQUAL(wing_listpack_validate(lp, (size_t)size, NULL, NULL), 0);
        size_t at = wing_listpack_first(lp);
        for (int i = 0; i < 6; i++, at = wing_listpack_next(lp, at)) {
            struct wing_packed_entry entry;
            int64_t integer;
            wing_listpack_get(lp, at, &entry);
            if (wing_listpack_parse_integer(texts[i], sizes[i], &integer)) {
                CHECK(!entry.bytes && entry.integer == integer);
            } else {
                CHECK(entry.bytes && entry.size == sizes[i]);
                CHECK(memcmp(entry.bytes, texts[i], sizes[i]) == 0);
            }
        }
    }
}

TEST(rdb_zipmap_becomes_a_listpack) {
    static const uint8_t zm[] = "\x02\x03key\x02\x01"
                                "12x\x01"
                                "f\x05\x00hello\xff";
    uint8_t lp[64];
    uint64_t count;
    CHECK_EQUAL(wing_zipmap_validate(zm, sizeof zm - 1, &count, NULL), 0);
    CHECK_EQUAL(count, 2);
    ssize_t size = wing_listpack_from_zipmap(zm, sizeof zm - 1, lp, sizeof lp);
    CHECK_EQUAL(wing_listpack_validate(lp, (size_t)size, &count, NULL), 0);
    CHECK_EQUAL(count, 4);
    struct wing_packed_entry entry;
    size_t at = wing_listpack_next(lp, wing_listpack_first(lp));
    wing_listpack_get(lp, at, &entry);
    CHECK(entry.bytes == NULL && entry.integer == 12);
    at = wing_listpack_next(lp, wing_listpack_next(lp, at));
    wing_listpack_get(lp, at, &entry);
    CHECK(entry.size == 5 && memcmp(entry.bytes, "hello", 5) == 0);
    for (size_t cut = 0; cut < sizeof zm - 1; cut++) {
        uint8_t *exact = malloc(cut + 1);
        REQUIRE(exact != NULL);
        memcpy(exact, zm, cut);
        CHECK_EQUAL(wing_zipmap_validate(exact, cut, NULL, NULL), WING_E_FORMAT);
        free(exact);
    }
}

TEST(rdb_intset_is_read_in_all_widths) {
    static const uint8_t narrow[] = "\x02\0\0\0\x02\0\0\0\xff\xff\x05\0";
    static const uint8_t wide[] = "\x08\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\x80";
    uint64_t count;
    CHECK_EQUAL(wing_intset_validate(narrow, 12, &count, NULL), 0);
    CHECK_EQUAL(count, 2);
    CHECK_EQUAL(wing_intset_get(narrow, 0), -1);
    CHECK_EQUAL(wing_intset_get(narrow, 1), 5);
    CHECK_EQUAL(wing_intset_validate(wide, 16, NULL, NULL), 0);
    CHECK_EQUAL(wing_intset_get(wide, 0), INT64_MIN);
    CHECK_EQUAL(wing_intset_validate(narrow, 11, NULL, NULL), WING_E_FORMAT);
    CHECK_EQUAL(wing_intset_validate(narrow, 7, NULL, NULL), WING_E_FORMAT);
}

TEST(rdb_text_and_integers_agree) {
    static const struct {
        const char *text;
        int is_integer;
    } rows[] = {{"0", 1},
                {"-1", 1},
                {"9223372036854775807", 1},
                {"-9223372036854775808", 1},
                {"9223372036854775808", 0},
                {"-9223372036854775809", 0},
                {"", 0},
                {"-", 0},
                {"-0", 0},
                {"00", 0},
                {"01", 0},
                {"+1", 0},
                {" 1", 0},
                {"1 ", 0},
                {"99999999999999999999", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value;
        char text[20];
        size_t size = strlen(rows[i].text);
        CHECK_EQUAL(wing_listpack_parse_integer(rows[i].text, size, &value), rows[i].is_integer);
        if (!rows[i].is_integer) continue;
        CHECK_EQUAL(wing_listpack_format_integer(value, text), size);
        CHECK(memcmp(text, rows[i].text, size) == 0);
    }
}
