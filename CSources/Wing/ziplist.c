/* SPDX-License-Identifier: BSD-3-Clause */
/* Ziplists and zipmaps: see ziplist.h for the formats. */
#include "bytes.h"

/* Texts of up to 63 bytes, most of what small collections hold, have a head of one byte in both
 * forms: they go over without a look at the other ones. */
#define SHORT_MAX 63

/* Size of an entry's "previous size" field. */
static inline size_t previous_field(const uint8_t *p) {
    return p[0] < 254 ? 1 : 5;
}

/* Bytes of the head (after the previous size): 0 for no valid head. */
static inline size_t head_size(uint8_t b) {
    if (b < 0x40) return 1;
    if (b < 0x80) return 2;
    if (b < 0xC0) return b == 0x80 ? 5 : 0;
    return b == 0xC0 || b == 0xD0 || b == 0xE0 || (b >= 0xF0 && b <= 0xFE) ? 1 : 0;
}

static inline size_t data_size(const uint8_t *head) {
    uint8_t b = head[0];
    if (b < 0x40) return b;
    if (b < 0x80) return (size_t)(b & 63) << 8 | head[1];
    if (b == 0x80) return load_be32(head + 1);
    return b == 0xC0 ? 2 : b == 0xD0 ? 4 : b == 0xE0 ? 8 : b == 0xF0 ? 3 : b == 0xFE ? 1 : 0;
}

/* Whether the entry at `p`, behind one of `previous` bytes, is a text of one byte's head: two bytes
 * say it all. `left`: bytes up to the block's end, its mark included. */
static inline bool is_short_text(const uint8_t *p, size_t left, size_t previous) {
    return left > 3 && p[0] == previous && previous < 254 && p[1] <= SHORT_MAX && p[1] <= left - 3;
}

/* Check any entry; its size, or a negative code. `at`: its offset, for the fault. */
static ssize_t check_entry(const uint8_t *p, size_t left, size_t previous, size_t at,
                           struct wing_fault *fault) {
    size_t field = previous_field(p), last = left - 1;
    if (field + 1 > last)
        return fault_at(fault, WING_E_FORMAT, at, "entry head runs past the end of the ziplist");
    size_t said = field == 1 ? p[0] : load_le32(p + 1);
    if (p[0] == 255 || said != previous)
        return fault_at(fault, WING_E_FORMAT, at, "previous entry has %zu bytes, not %zu", previous,
                        said);
    const uint8_t *head = p + field;
    size_t heads = head_size(head[0]);
    if (heads == 0)
        return fault_at(fault, WING_E_FORMAT, at + field, "no ziplist entry has head 0x%02x",
                        head[0]);
    if (heads > last - field)
        return fault_at(fault, WING_E_FORMAT, at, "entry head runs past the end of the ziplist");
    size_t data = data_size(head);
    if (data > last - field - heads)
        return fault_at(fault, WING_E_FORMAT, at + field,
                        "string length %zu runs past the end of the ziplist", data);
    return (ssize_t)(field + heads + data);
}

static int check_size(const uint8_t *zl, size_t size, struct wing_fault *fault) {
    if (size < WING_ZIPLIST_EMPTY)
        return fault_at(fault, WING_E_FORMAT, 0, "a ziplist of %zu bytes", size);
    if (load_le32(zl) != size)
        return fault_at(fault, WING_E_FORMAT, 0, "ziplist says %u bytes, has %zu", load_le32(zl),
                        size);
    return 0;
}

/* The end mark, and what the header says of the entries walked through. */
static int check_ends(const uint8_t *zl, size_t size, size_t tail, uint64_t seen,
                      struct wing_fault *fault) {
    if (zl[size - 1] != 0xFF)
        return fault_at(fault, WING_E_FORMAT, size - 1, "ziplist ends in byte 0x%02x, not 0xff",
                        zl[size - 1]);
    if (load_le32(zl + 4) != tail)
        return fault_at(fault, WING_E_FORMAT, 4,
                        "ziplist says its last entry is at %u, it is at %zu", load_le32(zl + 4),
                        tail);
    if (load_le16(zl + 8) != 0xFFFF && load_le16(zl + 8) != seen)
        return fault_at(fault, WING_E_FORMAT, 8, "ziplist says %u entries, has %llu",
                        load_le16(zl + 8), (unsigned long long)seen);
    return 0;
}

int wing_ziplist_validate(const void *zl, size_t size, uint64_t *count, struct wing_fault *fault) {
    const uint8_t *p = zl;
    int code = check_size(p, size, fault);
    if (code < 0) return code;
    size_t at = WING_ZIPLIST_HEADER, previous = 0, tail = at;
    uint64_t seen = 0;
    for (; size - at > 1; seen++) {
        tail = at;
        if (is_short_text(p + at, size - at, previous)) {
            previous = 2 + (size_t)p[at + 1];
        } else {
            ssize_t taken = check_entry(p + at, size - at, previous, at, fault);
            if (taken < 0) return (int)taken;
            previous = (size_t)taken;
        }
        at += previous;
    }
    if ((code = check_ends(p, size, tail, seen, fault)) < 0) return code;
    if (count) *count = seen;
    return 0;
}

size_t wing_ziplist_first(const void *zl) {
    return ((const uint8_t *)zl)[WING_ZIPLIST_HEADER] == 0xFF ? 0 : WING_ZIPLIST_HEADER;
}

size_t wing_ziplist_next(const void *zl, size_t at) {
    const uint8_t *p = zl;
    at += previous_field(p + at);
    at += head_size(p[at]) + data_size(p + at);
    return p[at] == 0xFF ? 0 : at;
}

void wing_ziplist_get(const void *zl, size_t at, struct wing_packed_entry *entry) {
    const uint8_t *p = (const uint8_t *)zl + at;
    p += previous_field(p);
    uint8_t b = p[0];
    *entry = (struct wing_packed_entry){0};
    if (b < 0xC0) {
        entry->bytes = p + head_size(b);
        entry->size = data_size(p);
    } else if (b == 0xC0) {
        entry->integer = (int16_t)load_le16(p + 1);
    } else if (b == 0xD0) {
        entry->integer = (int32_t)load_le32(p + 1);
    } else if (b == 0xE0) {
        entry->integer = (int64_t)load_le64(p + 1);
    } else if (b == 0xF0) {
        entry->integer = load_le24_signed(p + 1);
    } else if (b == 0xFE) {
        entry->integer = (int8_t)p[1];
    } else {
        entry->integer = (b & 15) - 1;
    }
}

/* What copy_short reads and writes, and a head before it. */
#define SHORT_ROOM (SHORT_MAX + 1 + 8)

/* The worst case is a two-byte listpack integer that needs three (previous size, head, int8); a
 * five-byte previous size comes only after 254 bytes or more, which pay for it. */
size_t wing_ziplist_bound(size_t size) {
    return size + size / 2 + 32 + SHORT_ROOM;
}

/* Head of a text of `size` bytes; returns its size. */
static size_t put_text_head(uint8_t *out, size_t size) {
    if (size < 64) {
        out[0] = (uint8_t)size;
        return 1;
    }
    if (size < 16384) {
        out[0] = (uint8_t)(0x40 | size >> 8);
        out[1] = (uint8_t)size;
        return 2;
    }
    out[0] = 0x80;
    store_be32(out + 1, (uint32_t)size);
    return 5;
}

static size_t put_integer(uint8_t *out, int64_t v) {
    if (v >= 0 && v <= 12) {
        out[0] = (uint8_t)(0xF1 + v);
        return 1;
    }
    if (v >= INT8_MIN && v <= INT8_MAX) {
        out[0] = 0xFE;
        out[1] = (uint8_t)v;
        return 2;
    }
    if (v >= INT16_MIN && v <= INT16_MAX) {
        out[0] = 0xC0;
        store_le16(out + 1, (uint16_t)v);
        return 3;
    }
    if (v >= -8388608 && v <= 8388607) {
        store_le32(out, (uint32_t)v << 8);
        out[0] = 0xF0;
        return 4;
    }
    if (v >= INT32_MIN && v <= INT32_MAX) {
        out[0] = 0xD0;
        store_le32(out + 1, (uint32_t)v);
        return 5;
    }
    out[0] = 0xE0;
    store_le64(out + 1, (uint64_t)v);
    return 9;
}

static size_t put_previous(uint8_t *out, size_t previous) {
    if (previous < 254) {
        out[0] = (uint8_t)previous;
        return 1;
    }
    out[0] = 0xFE;
    store_le32(out + 1, (uint32_t)previous);
    return 5;
}

static ssize_t close_ziplist(uint8_t *out, size_t end, size_t tail, uint64_t count) {
    if (end + 1 > UINT32_MAX) return WING_E_LIMIT;
    out[end] = 0xFF;
    store_le32(out, (uint32_t)(end + 1));
    store_le32(out + 4, (uint32_t)tail);
    store_le16(out + 8, count < 0xFFFF ? (uint16_t)count : 0xFFFF);
    return (ssize_t)(end + 1);
}

/* Previous size 5, integer head and data 9 or text head 5, end byte 1. */
#define ENTRY_EXTRA 16

/* Copy up to 63 bytes; 64 are there to be read and written, whatever their values. Without a branch
 * on the size, which could not be predicted. */
static inline void copy_short(uint8_t *out, const uint8_t *bytes) {
    memcpy(out, bytes, 64);
}

/* The last bytes of a block with room behind them, for copy_short: half of most blocks would lie
 * too near to the end of their memory. */
struct tail {
    uint8_t bytes[SHORT_ROOM + SHORT_MAX + 1];
    bool used;
};

/* Where the entry at `p` can be read, with `left` bytes up to the block's end. */
static inline const uint8_t *with_room(const uint8_t *p, size_t left, struct tail *tail) {
    if (left > SHORT_ROOM || tail->used) return p;
    tail->used = true;
    memcpy(tail->bytes, p, left);
    memset(tail->bytes + left, 0, sizeof tail->bytes - left);
    return tail->bytes;
}

ssize_t wing_ziplist_from_listpack(const void *lp, void *out, size_t capacity) {
    uint8_t *zl = out;
    size_t end = WING_ZIPLIST_HEADER, last = end, previous = 0;
    uint64_t count = 0;
    if (capacity < WING_ZIPLIST_EMPTY) return WING_E_LIMIT;
    const uint8_t *p = (const uint8_t *)lp + WING_LISTPACK_HEADER;
    size_t left = wing_listpack_size(lp) - WING_LISTPACK_HEADER;
    for (struct tail tail = {.used = false}; left > 1; count++) {
        p = with_room(p, left, &tail);
        size_t size = p[0] - 0x80u, taken;
        last = end;
        if (size <= SHORT_MAX && previous < 254 && capacity - end > SHORT_ROOM + ENTRY_EXTRA) {
            zl[end] = (uint8_t)previous;
            zl[end + 1] = (uint8_t)size;
            copy_short(zl + end + 2, p + 1);
            end += taken = size + 2;
        } else {
            struct wing_packed_entry entry;
            wing_listpack_get(p, 0, &entry);
            if (capacity - end < ENTRY_EXTRA || capacity - end - ENTRY_EXTRA < entry.size)
                return WING_E_LIMIT;
            end += put_previous(zl + end, previous);
            if (entry.bytes) {
                end += put_text_head(zl + end, entry.size);
                memcpy(zl + end, entry.bytes, entry.size);
                end += entry.size;
            } else {
                end += put_integer(zl + end, entry.integer);
            }
            size_t next = wing_listpack_next(p, 0);
            taken = next != 0 ? next : left - 1;
        }
        previous = end - last;
        p += taken;
        left -= taken;
    }
    return close_ziplist(zl, end, last, count);
}

size_t wing_ziplist_single_bound(size_t size) {
    return WING_ZIPLIST_EMPTY + ENTRY_EXTRA + size;
}

ssize_t wing_ziplist_from_string(const void *bytes, size_t size, void *out, size_t capacity) {
    uint8_t *zl = out;
    size_t end = WING_ZIPLIST_HEADER;
    if (size > UINT32_MAX - 64 || capacity < wing_ziplist_single_bound(size)) return WING_E_LIMIT;
    end += put_previous(zl + end, 0);
    end += put_text_head(zl + end, size);
    if (size > 0) memcpy(zl + end, bytes, size);
    return close_ziplist(zl, end + size, WING_ZIPLIST_HEADER, 1);
}

/* A field and a value of a zipmap without bytes, 3 bytes, become 4; a text of 4096 bytes gains 5.
 */
size_t wing_listpack_bound(size_t size) {
    return size + size / 2 + 32 + SHORT_ROOM;
}

/* Append `entry`, text that spells an integer as an integer, as every listpack has it. */
static bool append(uint8_t *lp, size_t *end, size_t capacity, struct wing_packed_entry entry) {
    if (capacity - *end < 1 + wing_listpack_entry_bound(entry.size)) return false;
    if (entry.bytes && wing_listpack_parse_integer(entry.bytes, entry.size, &entry.integer)) {
        entry.bytes = NULL;
        entry.size = 0;
    }
    *end += wing_listpack_put(lp + *end, &entry);
    return true;
}

/* Whether a text of up to 63 bytes begins as an integer does, its first 8 bytes digits behind a minus
 * or none. A ziplist of Redis's own making has no text that is one, but many, as scores, whose first
 * byte looks so: hence one condition, that hardly ever holds, and no branch on the way to it. As many
 * bytes as for copy_short are there. */
static inline bool may_spell_integer(const uint8_t *bytes, size_t size) {
    const uint64_t upper = UINT64_C(0xF0F0F0F0F0F0F0F0), zeros = UINT64_C(0x3030303030303030);
    uint64_t text = load_le64(bytes);
    text ^= (uint64_t)(bytes[0] == '-') * ('-' ^ '0');
    uint64_t other = (text & upper) ^ zeros;
    other |= ((text + UINT64_C(0x0606060606060606)) & upper) ^ zeros;
    size_t beyond = size < 8 ? 8 - size : 0;
    return (size - 1 < 20) & (other << (beyond * 8 & 63) == 0);
}

ssize_t wing_listpack_from_ziplist(const void *zl, size_t size, void *out, size_t capacity,
                                   uint64_t *count, struct wing_fault *fault) {
    int code = check_size(zl, size, fault);
    if (code < 0) return code;
    if (capacity < WING_LISTPACK_EMPTY) return WING_E_LIMIT;
    uint8_t *lp = out;
    const uint8_t *p = (const uint8_t *)zl + WING_ZIPLIST_HEADER;
    size_t end = WING_LISTPACK_HEADER, left = size - WING_ZIPLIST_HEADER, taken = 0, last = left;
    uint64_t seen = 0;
    for (struct tail tail = {.used = false}; left > 1; seen++) {
        p = with_room(p, left, &tail);
        last = left;
        if (is_short_text(p, left, taken) && capacity - end > SHORT_ROOM &&
            !may_spell_integer(p + 2, p[1])) {
            size_t text = p[1];
            lp[end] = (uint8_t)(0x80 | text);
            copy_short(lp + end + 1, p + 2);
            lp[end + 1 + text] = (uint8_t)(text + 1);
            end += taken = text + 2;
        } else {
            ssize_t whole = check_entry(p, left, taken, size - left, fault);
            if (whole < 0) return whole;
            taken = (size_t)whole;
            struct wing_packed_entry entry;
            wing_ziplist_get(p, 0, &entry);
            if (!append(lp, &end, capacity, entry)) return WING_E_LIMIT;
        }
        p += taken;
        left -= taken;
    }
    if ((code = check_ends(zl, size, size - last, seen, fault)) < 0) return code;
    if (end + 1 > UINT32_MAX) return WING_E_LIMIT;
    if (count) *count = seen;
    return (ssize_t)wing_listpack_close(lp, end, seen);
}
