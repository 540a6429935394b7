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
 * When to try LZF. What a sample takes for text is compressed with care, in any mixture. Noise
 * (pictures, ciphertext, random letters) is searched for long repetitions only, and comes in
 * crowds. So among values of about one size, after NOISE_PATIENCE of noise in a row, only each
 * NOISE_STEP-th is sampled; and after LZF_PATIENCE searches of noise in vain, noise is searched at
 * each power of two and each LZF_PAUSE_MAX-th value of it. A sample takes about 15 ns, a search of
 * noise 100 ns and more, writing a value 20 ns and more (with all that a server does for a key:
 * 200): noise costs less than the tenth that compression may cost there.
 */
#define NOISE_PATIENCE 32
#define NOISE_STEP 4
#define LZF_PATIENCE 8
#define LZF_PAUSE_MAX 256

static inline bool passes_untried(struct lzf_luck *luck) {
    if (luck->noise < NOISE_PATIENCE) return false;
    return ++luck->passed % NOISE_STEP != 0;
}

/* After another value of noise. */
static bool noise_worth_searching(const struct lzf_luck *luck) {
    uint32_t vain = luck->vain;
    return vain < LZF_PATIENCE || vain % LZF_PAUSE_MAX == 0 || (vain & (vain - 1)) == 0;
}

/* The compressed size, its bytes in w->compressed; 0: not worth it, or no memory (error kept). */
static size_t compress(struct wing_rdb_writer *w, struct lzf_luck *luck, const void *bytes,
                       size_t size) {
    bool is_noise = !wing_lzf_promises(bytes, size);
    if (is_noise) {
        if (luck->noise < NOISE_PATIENCE) luck->noise++;
        luck->vain++;
        if (!noise_worth_searching(luck)) return 0;
    } else {
        luck->noise = 0;
    }
    uint8_t *out = wing_output_scratch(w, &w->compressed, size - 4);
    if (!out) return 0;
    if (!is_noise) return wing_lzf_compress(bytes, size, out, size - 4);
    size_t small = wing_lzf_compress_coarse(bytes, size, out, size - 4);
    if (small > 0) luck->noise = 0, luck->vain = 0;
    return small;
}

/*
 * The LZF form, if that saves four bytes or more; false: nothing was written. Out of line, because
 * the registers that it needs saved would else be saved for each value, also for one that passes
 * untried: 6 ns of its 40.
 */
static __attribute__((noinline)) bool put_compressed(struct wing_rdb_writer *w,
                                                     struct lzf_luck *luck, const void *bytes,
                                                     size_t size) {
    size_t small = compress(w, luck, bytes, size);
    if (small == 0) return false;
    uint8_t *p = output_room(w, 20);
    *p++ = 0xC3;
    output_to(w, put_length(put_length(p, small), size));
    output_bytes(w, w->compressed.bytes, small);
    return true;
}

void wing_rdb_write_blob(struct wing_rdb_writer *w, const void *bytes, size_t size) {
    if (w->error != 0) return;
    if (w->compression && size > 20) {
        struct lzf_luck *luck = &w->luck[63 - __builtin_clzll(size)];
        if (!passes_untried(luck) && put_compressed(w, luck, bytes, size)) return;
    }
    output_to(w, put_length(output_room(w, 9), size));
    output_bytes(w, bytes, size);
}

void wing_rdb_write_string(struct wing_rdb_writer *w, const void *bytes, size_t size) {
    int64_t value;
    if (size <= 11 && wing_listpack_parse_integer(bytes, size, &value) &&
        put_short_integer(w, value))
        return;
    wing_rdb_write_blob(w, bytes, size);
}

void wing_rdb_write_integer(struct wing_rdb_writer *w, int64_t value) {
    if (put_short_integer(w, value)) return;
    uint8_t *p = output_room(w, 32);
    size_t size = wing_listpack_format_integer(value, p + 1);
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
