/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * LZF, built as today's fast compressors are: one probe of a small hash table a position, matches
 * measured eight bytes at a time, literals copied only once a match ends them (so data without a
 * match costs no copying at all), and a stride that grows with a long row of misses.
 *
 * There are two searches. The fine one finds what liblzf finds: repetitions of three bytes, at each
 * position. The coarse one is for noise, in which only a long repetition is worth finding. A sample
 * of the bytes tells text from noise for a tenth of what a search costs.
 */
#include "wing/lzf.h"

#include <stdbool.h>
#include <string.h>

#include "le.h"
#include "wing/wing.h"

enum {
    LITERALS_MAX = 32,
    DISTANCE_MAX = 8192,
    MATCH_MIN = 3,
    MATCH_MAX = 264,
    SLOT_BITS_MAX = 13,
    SLOT_BITS_MIN = 6,
    SLOTS_MAX = 1 << SLOT_BITS_MAX,
    /* A slot holds a place as its distance from an origin, in 16 bits: half of the cache that 32 take.
     * The origin follows when a place is this far from it. */
    ORIGIN_STEP = 32768,
    /* The stride grows by one after every 2^5 misses in a row: short values are searched at each
     * place, and 16 KiB without a match cost 3 us instead of 30. */
    FINE_SHIFT = 5,
    /* The coarse search: after every 2^3 until something matches, then after every 2^4. */
    COARSE_FIRST_SHIFT = 3,
    COARSE_SHIFT = 4,
    /* See wing_lzf_promises. Equal pairs among 2 * 16 * 16: noise of 64 letters has 8 of them and
     * in 97 of 100 samples under 14, random bytes have 2; English, JSON and code have 25 to 50 and
     * in 98 of 100 samples over 14. */
    SAMPLE = 16,
    PROMISING_PAIRS = 14,
};

/* MARK: compression */

/* The table grows with the input, so that a short value doesn't pay for clearing a long one: two to
 * four slots a position, so that few places are forgotten because another took their slot. */
static unsigned slot_bits_for(size_t length) {
    unsigned bits = SLOT_BITS_MIN;
    while (bits < SLOT_BITS_MAX && ((size_t)1 << bits) < 2 * length)
        bits++;
    return bits;
}

/* How many bytes at p equal those at q, q < p, up to end. */
static inline size_t common_length(const unsigned char *p, const unsigned char *q,
                                   const unsigned char *end) {
    const unsigned char *start = p;
    while (end - p >= 8) {
        uint64_t difference = load_le64(p) ^ load_le64(q);
        if (difference != 0) return (size_t)(p - start) + (size_t)(__builtin_ctzll(difference) / 8);
        p += 8, q += 8;
    }
    while (p < end && *p == *q)
        p++, q++;
    return (size_t)(p - start);
}

/* Writes `count` literals; the caller has checked that count + ceil(count / 32) bytes fit. */
static inline unsigned char *put_literals(unsigned char *op, const unsigned char *out_end,
                                          const unsigned char *from, const unsigned char *in_end,
                                          size_t count) {
    for (; count >= LITERALS_MAX; count -= LITERALS_MAX) {
        *op++ = LITERALS_MAX - 1;
        memcpy(op, from, LITERALS_MAX);
        op += LITERALS_MAX, from += LITERALS_MAX;
    }
    if (count == 0) return op;
    *op++ = (unsigned char)(count - 1);
    if (out_end - op >= LITERALS_MAX && in_end - from >= LITERALS_MAX) {
        memcpy(op, from, LITERALS_MAX); /* a fixed size is two instructions; the excess is void */
    } else {
        memcpy(op, from, count);
    }
    return op + count;
}

static inline size_t with_literals(size_t count) {
    return count + (count + LITERALS_MAX - 1) / LITERALS_MAX;
}

/* One item of 3 … 264 bytes. Branch-free, for matches come in all lengths: three bytes are written,
 * of which the last may be void. */
static inline unsigned char *put_match(unsigned char *op, size_t distance, size_t length) {
    size_t offset = distance - 1, code = length - 2;
    bool is_long = code >= 7;
    op[0] = (unsigned char)((is_long ? 7 << 5 : code << 5) | (offset >> 8));
    op[1] = (unsigned char)(code - 7);
    op[1 + is_long] = (unsigned char)offset;
    return op + 2 + is_long;
}

enum search { FINE, COARSE };

/* Of the four bytes at p, those that a match begins with: three for the fine search. */
static inline uint32_t first_bytes(uint32_t four, enum search search) {
    return search == FINE ? four << 8 : four;
}

static inline uint32_t slot_of(uint32_t first_bytes, unsigned bits) {
    return first_bytes * UINT32_C(2654435761) >> (32 - bits);
}

/* For an origin that moves: what lay before it has long been too far, and is taken for the origin. */
static void move_places(uint16_t *slots, unsigned bits) {
    for (size_t i = 0; i < (size_t)1 << bits; i++)
        slots[i] = slots[i] > ORIGIN_STEP ? slots[i] - ORIGIN_STEP : 0;
}

/* The last place for which 16 bits suffice, if that is before `last`. */
static inline const unsigned char *nearer(const unsigned char *last, const unsigned char *origin) {
    return last - origin > UINT16_MAX ? origin + UINT16_MAX : last;
}

/* Inlined into one function a search, each with its own constants. */
__attribute__((always_inline)) static inline size_t
compress(enum search search, const unsigned char *in, size_t length, unsigned char *out,
         size_t capacity) {
    const unsigned char *in_end = in + length, *out_end = out + capacity;
    /* anchor: the first byte not yet written. The first place is in all slots that are empty. */
    const unsigned char *ip = in + 1, *anchor = in;
    unsigned char *op = out;
    /* The last place where four bytes can be read. */
    const unsigned char *last_start = length >= 4 ? in_end - 4 : in;
    /* Nothing can come before the first place: that was the first miss. */
    unsigned shift = search == FINE ? FINE_SHIFT : COARSE_FIRST_SHIFT, misses = (1u << shift) + 1;
    /* The places seen, each in the slot of the bytes there. Whatever a slot holds lies in the input:
     * a look there needs no check before it. */
    uint16_t slots[SLOTS_MAX];
    const unsigned bits = slot_bits_for(length);
    const unsigned char *origin = in;
    memset(slots, 0, sizeof slots[0] << bits); /* no more is touched */

    const unsigned char *last_near = nearer(last_start, origin);
    for (;;) {
        if (ip > last_near) {
            if (ip > last_start) break;
            move_places(slots, bits);
            origin += ORIGIN_STEP;
            last_near = nearer(last_start, origin);
            continue;
        }
        const uint32_t four = load_le32(ip);
        const uint32_t slot = slot_of(first_bytes(four, search), bits);
        const unsigned char *match = origin + slots[slot];
        slots[slot] = (uint16_t)(ip - origin);
        /* Less than nothing when the place lies ahead: a match that was cut short ended before it. */
        const size_t distance = (size_t)(ip - match);
        if (first_bytes(load_le32(match) ^ four, search) != 0 || distance - 1 >= DISTANCE_MAX) {
            ip += misses++ >> shift;
            continue;
        }
        const bool strode = search == COARSE || misses >= 2u << FINE_SHIFT;
        shift = search == FINE ? FINE_SHIFT : COARSE_SHIFT, misses = 1u << shift;
        /* What was stepped over may belong to the match. (Looking behind each match, where a slot
         * lost to another place hid its start, takes 5 % more time for 0.6 % of the size.) */
        while (strode && ip > anchor && match > in && ip[-1] == match[-1])
            ip--, match--;
        size_t rest = MATCH_MIN + common_length(ip + MATCH_MIN, match + MATCH_MIN, in_end);
        size_t literals = (size_t)(ip - anchor), room = (size_t)(out_end - op);
        if (literals <= LITERALS_MAX && room > LITERALS_MAX + 3 &&
            in_end - anchor >= LITERALS_MAX) {
            op[0] = (unsigned char)(literals - 1);
            memcpy(op + 1, anchor, LITERALS_MAX);
            op += literals + (literals > 0);
        } else {
            if (with_literals(literals) + 3 > room) break; /* the literals below decide */
            op = put_literals(op, out_end, anchor, in_end, literals);
        }
        for (; rest > MATCH_MAX && out_end - op >= 6; ip += MATCH_MAX, rest -= MATCH_MAX) {
            op = put_match(op, distance, MATCH_MAX);
        }
        if (rest >= MATCH_MIN) {
            size_t part = rest < MATCH_MAX ? rest : MATCH_MAX;
            op = put_match(op, distance, part);
            ip += part;
        }
        anchor = ip;
        /* Of the places inside the match, the last two are remembered. */
        if (ip <= last_start) {
            for (const unsigned char *place = ip - 2; place < ip; place++)
                slots[slot_of(first_bytes(load_le32(place), search), bits)] =
                    (uint16_t)(place - origin);
        }
    }

    size_t literals = (size_t)(in_end - anchor);
    if (with_literals(literals) > (size_t)(out_end - op)) return 0;
    op = put_literals(op, out_end, anchor, in_end, literals);
    return (size_t)(op - out);
}

static bool is_beyond_bound(size_t length) {
    return length > UINT32_MAX - (64 << 10);
}

size_t wing_lzf_compress(const void *in, size_t length, void *out, size_t capacity) {
    if (length == 0 || is_beyond_bound(length)) return 0;
    return compress(FINE, in, length, out, capacity);
}

size_t wing_lzf_compress_coarse(const void *in, size_t length, void *out, size_t capacity) {
    if (length == 0 || is_beyond_bound(length)) return 0;
    return compress(COARSE, in, length, out, capacity);
}

/* Sixteen bytes side by side; gcc and clang make vector instructions of it, where there are any. */
typedef uint8_t bytes16 __attribute__((vector_size(SAMPLE)));

static inline bytes16 load16(const unsigned char *p) {
    bytes16 v;
    memcpy(&v, p, sizeof v);
    return v;
}

int wing_lzf_promises(const void *bytes, size_t length) {
    if (length <= SAMPLE) return 0;
    /* How often is a byte the same as one of the 16 after it? A source of few symbols, or of some
     * that are far more frequent, shows in that (Friedman's index of coincidence). */
    size_t lags = length - SAMPLE < SAMPLE ? length - SAMPLE : SAMPLE;
    const unsigned char *head = bytes, *tail = head + length - SAMPLE - lags;
    const bytes16 in_head = load16(head), in_tail = load16(tail);
    bytes16 equal = {0}; /* at most 32 each */
    for (size_t lag = 1; lag <= lags; lag++) {
        equal -= (bytes16)(in_head == load16(head + lag)); /* true is -1 */
        equal -= (bytes16)(in_tail == load16(tail + lag));
    }
    unsigned pairs = 0;
    for (int i = 0; i < SAMPLE; i++)
        pairs += equal[i];
    return pairs * SAMPLE >= PROMISING_PAIRS * lags;
}

/* MARK: decompression */

/* Repeats `length` bytes from `distance` back; both lie within what is written and the capacity. */
static inline void copy_back(unsigned char *op, const unsigned char *out_end, size_t distance,
                             size_t length) {
    const unsigned char *from = op - distance;
    if (distance >= 16 && (size_t)(out_end - op) >= length + 32) {
        /* The pieces don't overlap; the last may write up to 31 bytes too many. Most matches end in
         * the first two, and how many of them they need couldn't be predicted. */
        unsigned char *end = op + length;
        do {
            memcpy(op, from, 16);
            memcpy(op + 16, from + 16, 16);
            op += 32, from += 32;
        } while (op < end);
    } else if (distance >= 8 && (size_t)(out_end - op) >= length + 8) {
        unsigned char *end = op + length;
        do {
            memcpy(op, from, 8);
            op += 8, from += 8;
        } while (op < end);
    } else if (distance == 1) {
        memset(op, *from, length);
    } else if (length <= distance) {
        memcpy(op, from, length);
    } else {
        /* A pattern shorter than the match: what is copied can be copied again, doubled. */
        size_t size = distance;
        while (length > size) {
            memcpy(op, from, size);
            op += size, length -= size, size *= 2;
        }
        memcpy(op, from, length);
    }
}

ssize_t wing_lzf_decompress(const void *in, size_t length, void *out, size_t capacity) {
    const unsigned char *ip = in, *in_end = ip + length;
    unsigned char *op = out;
    const unsigned char *out_start = out, *out_end = op + capacity;
    /* The last of the input, with room behind it: there, too, literals are copied all 32 at once. */
    unsigned char tail[2 * LITERALS_MAX];
    bool in_tail = false;
    while (ip < in_end) {
        if (in_end - ip <= LITERALS_MAX && !in_tail) {
            size_t left = (size_t)(in_end - ip);
            memset(tail, 0, sizeof tail);
            memcpy(tail, ip, left);
            ip = tail, in_end = tail + left;
            in_tail = true;
        }
        unsigned control = *ip++;
        size_t in_left = (size_t)(in_end - ip), out_left = (size_t)(out_end - op);
        if (control < LITERALS_MAX) {
            size_t count = control + 1;
            if (count > in_left) return WING_E_FORMAT;
            if (out_left >= LITERALS_MAX) {
                memcpy(op, ip, LITERALS_MAX); /* the excess is overwritten or void */
            } else {
                if (count > out_left) return WING_E_LIMIT;
                memcpy(op, ip, count);
            }
            ip += count, op += count;
            continue;
        }
        size_t count = (control >> 5) + 2;
        if (count == 9) {
            if (in_left < 2) return WING_E_FORMAT;
            count += *ip++;
        } else if (in_left < 1) {
            return WING_E_FORMAT;
        }
        size_t distance = (((size_t)control & 31) << 8) + *ip++ + 1;
        if (distance > (size_t)(op - out_start)) return WING_E_FORMAT;
        if (count > out_left) return WING_E_LIMIT;
        copy_back(op, out_end, distance, count);
        op += count;
    }
    return (ssize_t)(op - out_start);
}
