/* SPDX-License-Identifier: BSD-3-Clause */
/* The values: strings in their four forms, packed blocks, streams. See rdb_writer.h, rdb.h. */
#include "rdb_output.h"

void wing_rdb_write_count(struct wing_rdb_writer *w, uint64_t count) {
    output_to(w, put_length(output_room(w, 9), count));
}

/* int8, int16 or int32 form; false when it takes more. */
static inline bool put_short_integer(struct wing_rdb_writer *w, int64_t value) {
    uint8_t *p = output_room(w, 8);
    if (value >= INT8_MIN && value <= INT8_MAX) {
        p[0] = 0xC0;
        p[1] = (uint8_t)value;
        output_to(w, p + 2);
    } else if (value >= INT16_MIN && value <= INT16_MAX) {
        p[0] = 0xC1;
        store_le16(p + 1, (uint16_t)value);
        output_to(w, p + 3);
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
        p[0] = 0xC2;
        store_le32(p + 1, (uint32_t)value);
        output_to(w, p + 5);
    } else {
        return false;
    }
    return true;
}

/*
 * When to try LZF. Data that doesn't compress comes in crowds (pictures, ciphertext), so after
 * LZF_PATIENCE failures in a row among values of about one size, values pass by untried: 1, 2, 4, …
 * up to LZF_PAUSE_MAX between two tries. The first success brings back trying each. A try costs
 * roughly ten times what writing the value costs, so 1 in 256 is well within the 10 % that it may
 * cost.
 */
#define LZF_PATIENCE 8
#define LZF_PAUSE_MAX 256

static bool lzf_worth_trying(struct lzf_luck *luck) {
    if (luck->waiting == 0) return true;
    luck->waiting--;
    return false;
}

static void lzf_tried(struct lzf_luck *luck, bool helped) {
    if (helped) {
        *luck = (struct lzf_luck){0};
    } else if (luck->failures < LZF_PATIENCE) {
        luck->failures++;
    } else {
        luck->pause = luck->pause == 0              ? 1
                      : luck->pause < LZF_PAUSE_MAX ? (uint16_t)(2 * luck->pause)
                                                    : LZF_PAUSE_MAX;
        luck->waiting = luck->pause;
    }
}

/* The LZF form, if that saves four bytes or more; false: nothing was written. */
static bool put_compressed(struct wing_rdb_writer *w, const void *bytes, size_t size) {
    struct lzf_luck *luck = &w->luck[63 - __builtin_clzll(size)];
    if (!lzf_worth_trying(luck)) return false;
    uint8_t *out = wing_output_scratch(w, &w->compressed, size - 4);
    if (!out) return true; /* the error is kept; there is no more to write */
    size_t small = wing_lzf_compress(bytes, size, out, size - 4);
    lzf_tried(luck, small > 0);
    if (small == 0) return false;
    uint8_t *p = output_room(w, 20);
    *p++ = 0xC3;
    output_to(w, put_length(put_length(p, small), size));
    output_bytes(w, out, small);
    return true;
}

void wing_rdb_write_blob(struct wing_rdb_writer *w, const void *bytes, size_t size) {
    if (w->error != 0) return;
    if (w->compression && size > 20 && put_compressed(w, bytes, size)) return;
    output_to(w, put_length(output_room(w, 9), size));
    output_bytes(w, bytes, size);
}

void wing_rdb_write_string(struct wing_rdb_writer *w, const void *bytes, size_t size) {
    int64_t value;
    if (size <= 11 && wing_text_to_integer(bytes, size, &value) && put_short_integer(w, value))
        return;
    wing_rdb_write_blob(w, bytes, size);
}

void wing_rdb_write_integer(struct wing_rdb_writer *w, int64_t value) {
    if (put_short_integer(w, value)) return;
    uint8_t *p = output_room(w, 32);
    size_t size = wing_integer_to_text(value, p + 1);
    *p = (uint8_t)size;
    output_to(w, p + 1 + size);
}

void wing_rdb_write_score(struct wing_rdb_writer *w, double score) {
    uint64_t bits;
    memcpy(&bits, &score, sizeof bits);
    uint8_t *p = output_room(w, 8);
    store_le64(p, bits);
    output_to(w, p + 8);
}

void wing_rdb_write_listpack(struct wing_rdb_writer *w, const void *lp) {
    size_t bound = wing_ziplist_bound(wing_listpack_size(lp));
    uint8_t *zl = wing_output_scratch(w, &w->packed, bound);
    if (!zl) return;
    ssize_t size = wing_ziplist_from_listpack(lp, zl, bound);
    if (size < 0)
        output_fail(w, (int)size);
    else
        wing_rdb_write_blob(w, zl, (size_t)size);
}

void wing_rdb_write_list_node(struct wing_rdb_writer *w, const void *lp) {
    wing_rdb_write_listpack(w, lp);
}

void wing_rdb_write_list_plain(struct wing_rdb_writer *w, const void *bytes, size_t size) {
    size_t bound = wing_ziplist_single_bound(size);
    uint8_t *zl = wing_output_scratch(w, &w->packed, bound);
    if (!zl) return;
    ssize_t made = wing_ziplist_from_string(bytes, size, zl, bound);
    if (made < 0)
        output_fail(w, (int)made);
    else
        wing_rdb_write_blob(w, zl, (size_t)made);
}

/* Streams. An id in key form is a 16-byte string, in a list of pending entries 16 bytes alone. */

static uint8_t *put_id(uint8_t *p, struct wing_stream_id id) {
    store_be64(p, id.ms);
    store_be64(p + 8, id.seq);
    return p + 16;
}

void wing_rdb_write_stream_node(struct wing_rdb_writer *w, struct wing_stream_id id, const void *lp,
                                size_t size) {
    uint8_t *p = output_room(w, 17);
    *p++ = 16;
    output_to(w, put_id(p, id));
    wing_rdb_write_blob(w, lp, size);
}

void wing_rdb_write_stream_meta(struct wing_rdb_writer *w, uint64_t length,
                                struct wing_stream_id last_id) {
    uint8_t *p = output_room(w, 27);
    output_to(w, put_length(put_length(put_length(p, length), last_id.ms), last_id.seq));
}

void wing_rdb_write_stream_group(struct wing_rdb_writer *w, const void *name, size_t size,
                                 struct wing_stream_id last_id) {
    wing_rdb_write_string(w, name, size);
    uint8_t *p = output_room(w, 18);
    output_to(w, put_length(put_length(p, last_id.ms), last_id.seq));
}

void wing_rdb_write_stream_pending(struct wing_rdb_writer *w, struct wing_stream_id id,
                                   int64_t delivered_ms, uint64_t deliveries) {
    uint8_t *p = put_id(output_room(w, 33), id);
    store_le64(p, (uint64_t)delivered_ms);
    output_to(w, put_length(p + 8, deliveries));
}

void wing_rdb_write_stream_consumer(struct wing_rdb_writer *w, const void *name, size_t size,
                                    int64_t seen_ms) {
    wing_rdb_write_string(w, name, size);
    uint8_t *p = output_room(w, 8);
    store_le64(p, (uint64_t)seen_ms);
    output_to(w, p + 8);
}

void wing_rdb_write_stream_consumer_pending(struct wing_rdb_writer *w, struct wing_stream_id id) {
    output_to(w, put_id(output_room(w, 16), id));
}
