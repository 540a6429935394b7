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

int wing_ziplist_validate(const void *zl, size_t size, uint64_t *count, struct wing_fault *fault) {
    const uint8_t *p = zl;
    if (size < WING_ZIPLIST_EMPTY)
        return fault_at(fault, WING_E_FORMAT, 0, "a ziplist of %zu bytes", size);
    if (load_le32(p) != size)
        return fault_at(fault, WING_E_FORMAT, 0, "ziplist says %u bytes, has %zu", load_le32(p),
                        size);
    size_t at = WING_ZIPLIST_HEADER, last = size - 1, previous = 0, tail = at;
    uint64_t seen = 0;
    while (at < last) {
        /* A short text behind another short entry: two bytes say it all. */
        if (last - at > 2 && p[at] == previous && previous < 254 && p[at + 1] <= SHORT_MAX &&
            p[at + 1] <= last - at - 2) {
            tail = at;
            previous = 2 + (size_t)p[at + 1];
            at += previous;
            seen++;
            continue;
        }
        size_t field = previous_field(p + at);
        if (field + 1 > last - at)
            return fault_at(fault, WING_E_FORMAT, at,
                            "entry head runs past the end of the ziplist");
        size_t said = field == 1 ? p[at] : load_le32(p + at + 1);
        if (p[at] == 255 || said != previous)
            return fault_at(fault, WING_E_FORMAT, at, "previous entry has %zu bytes, not %zu",
                            previous, said);
        const uint8_t *head = p + at + field;
        size_t heads = head_size(head[0]);
        if (heads == 0)
            return fault_at(fault, WING_E_FORMAT, at + field, "no ziplist entry has head 0x%02x",
                            head[0]);
        if (heads > last - at - field)
            return fault_at(fault, WING_E_FORMAT, at,
                            "entry head runs past the end of the ziplist");
        size_t data = data_size(head);
        if (data > last - at - field - heads)
            return fault_at(fault, WING_E_FORMAT, at + field,
                            "string length %zu runs past the end of the ziplist", data);
        tail = at;
        previous = field + heads + data;
        at += previous;
        seen++;
    }
    if (p[last] != 0xFF)
        return fault_at(fault, WING_E_FORMAT, last, "ziplist ends in byte 0x%02x, not 0xff",
                        p[last]);
    if (load_le32(p + 4) != tail)
        return fault_at(fault, WING_E_FORMAT, 4,
                        "ziplist says its last entry is at %u, it is at %zu", load_le32(p + 4),
                        tail);
    if (load_le16(p + 8) != 0xFFFF && load_le16(p + 8) != seen)
        return fault_at(fault, WING_E_FORMAT, 8, "ziplist says %u entries, has %llu",
                        load_le16(p + 8), (unsigned long long)seen);
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

/* The worst case is a two-byte listpack integer that needs three (previous size, head, int8); a
 * five-byte previous size comes only after 254 bytes or more, which pay for it. */
size_t wing_ziplist_bound(size_t size) {
    return size + size / 2 + 32;
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

/* What copy_short may write behind its end. */
#define SHORT_ROOM (SHORT_MAX + 1 + 8)

/* Copy up to 63 bytes; 64 are there to be read and written, whatever their values. Without a branch
 * on the size, which could not be predicted. */
static inline void copy_short(uint8_t *out, const uint8_t *bytes) {
    memcpy(out, bytes, 64);
}

ssize_t wing_ziplist_from_listpack(const void *lp, void *out, size_t capacity) {
    uint8_t *zl = out;
    size_t end = WING_ZIPLIST_HEADER, tail = end, previous = 0;
    uint64_t count = 0;
    if (capacity < WING_ZIPLIST_EMPTY) return WING_E_LIMIT;
    const uint8_t *from = lp;
    size_t from_size = wing_listpack_size(lp);
    for (size_t at = wing_listpack_first(lp); at != 0;) {
        size_t size = from[at] - 0x80u;
        if (size <= SHORT_MAX && previous < 254 && from_size - at > SHORT_ROOM &&
            capacity - end > SHORT_ROOM + ENTRY_EXTRA) {
            tail = end;
            zl[end] = (uint8_t)previous;
            zl[end + 1] = (uint8_t)size;
            copy_short(zl + end + 2, from + at + 1);
            end += previous = size + 2;
            count++;
            at += size + 2;
            if (from[at] == 0xFF) break;
            continue;
        }
        struct wing_packed_entry entry;
        wing_listpack_get(lp, at, &entry);
        if (capacity - end < ENTRY_EXTRA || capacity - end - ENTRY_EXTRA < entry.size)
            return WING_E_LIMIT;
        tail = end;
        end += put_previous(zl + end, previous);
        if (entry.bytes) {
            end += put_text_head(zl + end, entry.size);
            memcpy(zl + end, entry.bytes, entry.size);
            end += entry.size;
        } else {
            end += put_integer(zl + end, entry.integer);
        }
        previous = end - tail;
        count++;
        at = wing_listpack_next(lp, at);
    }
    return close_ziplist(zl, end, tail, count);
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
    return size + size / 2 + 32;
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

/* Whether a text begins as an integer does; a ziplist of Redis's own making has none that is one. */
static inline bool may_spell_integer(const uint8_t *bytes, size_t size) {
    return size > 0 && (bytes[0] == '-' || (bytes[0] >= '0' && bytes[0] <= '9'));
}

ssize_t wing_listpack_from_ziplist(const void *zl, void *out, size_t capacity) {
    size_t end = WING_LISTPACK_HEADER;
    uint64_t count = 0;
    if (capacity < WING_LISTPACK_EMPTY) return WING_E_LIMIT;
    const uint8_t *from = zl;
    uint8_t *lp = out;
    size_t from_size = load_le32(from);
    for (size_t at = wing_ziplist_first(zl); at != 0;) {
        const uint8_t *head = from + at + previous_field(from + at);
        size_t size = head[0];
        if (size <= SHORT_MAX && from_size - (size_t)(head - from) > SHORT_ROOM &&
            capacity - end > SHORT_ROOM && !may_spell_integer(head + 1, size)) {
            lp[end] = (uint8_t)(0x80 | size);
            copy_short(lp + end + 1, head + 1);
            lp[end + 1 + size] = (uint8_t)(size + 1);
            end += size + 2;
            count++;
            at = (size_t)(head - from) + 1 + size;
            if (from[at] == 0xFF) break;
            continue;
        }
        struct wing_packed_entry entry;
        wing_ziplist_get(zl, at, &entry);
        if (!append(out, &end, capacity, entry)) return WING_E_LIMIT;
        count++;
        at = wing_ziplist_next(zl, at);
    }
    if (end + 1 > UINT32_MAX) return WING_E_LIMIT;
    return (ssize_t)wing_listpack_close(out, end, count);
}
