/* SPDX-License-Identifier: BSD-3-Clause */
/* Listpacks: see listpack.h for the format. */
#include "bytes.h"

/* Size of the back length of an entry whose head and data take `size` bytes. The odd bounds (16383,
 * not 16384) are those of every listpack in the wild. */
static inline size_t back_size(size_t size) {
    if (size <= 127) return 1;
    if (size < 16383) return 2;
    if (size < 2097151) return 3;
    if (size < 268435455) return 4;
    return 5;
}

static inline size_t put_back(uint8_t *out, size_t size) {
    size_t count = back_size(size);
    for (size_t i = count; i-- > 0; size >>= 7)
        out[i] = (uint8_t)((size & 127) | (i == 0 ? 0 : 128));
    return count;
}

static inline bool back_is(const uint8_t *p, size_t count, size_t size) {
    for (size_t i = count; i-- > 0; size >>= 7)
        if (p[i] != ((size & 127) | (i == 0 ? 0 : 128u))) return false;
    return true;
}

/* Bytes of the head that must be there before head_and_data may look: 0 for no valid head. */
static inline size_t head_size(uint8_t b) {
    if (b < 0x80) return 1;
    if (b < 0xC0) return 1;
    if (b < 0xE0) return 2;
    if (b < 0xF0) return 2;
    if (b == 0xF0) return 5;
    return b <= 0xF4 ? 1 : 0;
}

static inline size_t head_and_data(const uint8_t *p) {
    uint8_t b = p[0];
    if (b < 0x80) return 1;
    if (b < 0xC0) return 1 + (size_t)(b & 63);
    if (b < 0xE0) return 2;
    if (b < 0xF0) return 2 + ((size_t)(b & 15) << 8 | p[1]);
    if (b == 0xF0) return 5 + (size_t)load_le32(p + 1);
    return b == 0xF1 ? 3 : b == 0xF2 ? 4 : b == 0xF3 ? 5 : 9;
}

int wing_listpack_validate(const void *lp, size_t size, uint64_t *count, struct wing_fault *fault) {
    const uint8_t *p = lp;
    if (size < WING_LISTPACK_EMPTY)
        return fault_at(fault, WING_E_FORMAT, 0, "a listpack of %zu bytes", size);
    if (load_le32(p) != size)
        return fault_at(fault, WING_E_FORMAT, 0, "listpack says %u bytes, has %zu", load_le32(p),
                        size);
    size_t at = WING_LISTPACK_HEADER, last = size - 1;
    uint64_t seen = 0;
    while (at < last) {
        size_t head = head_size(p[at]);
        if (head == 0)
            return fault_at(fault, WING_E_FORMAT, at, "no listpack entry starts with byte 0x%02x",
                            p[at]);
        if (head > last - at)
            return fault_at(fault, WING_E_FORMAT, at,
                            "entry head runs past the end of the listpack");
        size_t body = head_and_data(p + at);
        if (body > last - at)
            return fault_at(fault, WING_E_FORMAT, at,
                            "entry of %zu bytes runs past the end of the listpack", body);
        size_t back = back_size(body);
        if (back > last - at - body || !back_is(p + at + body, back, body))
            return fault_at(fault, WING_E_FORMAT, at + body,
                            "back length isn't that of the entry's %zu bytes", body);
        at += body + back;
        seen++;
    }
    if (p[last] != 0xFF)
        return fault_at(fault, WING_E_FORMAT, last, "listpack ends in byte 0x%02x, not 0xff",
                        p[last]);
    if (load_le16(p + 4) != 0xFFFF && load_le16(p + 4) != seen)
        return fault_at(fault, WING_E_FORMAT, 4, "listpack says %u entries, has %llu",
                        load_le16(p + 4), (unsigned long long)seen);
    if (count) *count = seen;
    return 0;
}

size_t wing_listpack_size(const void *lp) {
    return load_le32(lp);
}

uint64_t wing_listpack_count(const void *lp) {
    uint64_t count = load_le16((const uint8_t *)lp + 4);
    if (count != 0xFFFF) return count;
    count = 0;
    for (size_t at = wing_listpack_first(lp); at != 0; at = wing_listpack_next(lp, at))
        count++;
    return count;
}

size_t wing_listpack_first(const void *lp) {
    return ((const uint8_t *)lp)[WING_LISTPACK_HEADER] == 0xFF ? 0 : WING_LISTPACK_HEADER;
}

size_t wing_listpack_next(const void *lp, size_t at) {
    const uint8_t *p = lp;
    size_t body = head_and_data(p + at);
    at += body + back_size(body);
    return p[at] == 0xFF ? 0 : at;
}

void wing_listpack_get(const void *lp, size_t at, struct wing_packed_entry *entry) {
    const uint8_t *p = (const uint8_t *)lp + at;
    uint8_t b = p[0];
    *entry = (struct wing_packed_entry){0};
    if (b < 0x80) {
        entry->integer = b;
    } else if (b < 0xC0) {
        entry->bytes = p + 1;
        entry->size = b & 63;
    } else if (b < 0xE0) {
        int value = (b & 31) << 8 | p[1];
        entry->integer = value >= 4096 ? value - 8192 : value;
    } else if (b < 0xF0) {
        entry->bytes = p + 2;
        entry->size = (size_t)(b & 15) << 8 | p[1];
    } else if (b == 0xF0) {
        entry->bytes = p + 5;
        entry->size = load_le32(p + 1);
    } else if (b == 0xF1) {
        entry->integer = (int16_t)load_le16(p + 1);
    } else if (b == 0xF2) {
        entry->integer = load_le24_signed(p + 1);
    } else if (b == 0xF3) {
        entry->integer = (int32_t)load_le32(p + 1);
    } else {
        entry->integer = (int64_t)load_le64(p + 1);
    }
}

/* An integer's head and data are at most 9 bytes, a text's head at most 5. */
size_t wing_listpack_entry_bound(size_t size) {
    return size + 5 + 5;
}

static size_t put_integer(uint8_t *out, int64_t v) {
    if (v >= 0 && v <= 127) {
        out[0] = (uint8_t)v;
        return 1;
    }
    if (v >= -4096 && v <= 4095) {
        uint64_t u = (uint64_t)v & 0x1FFF;
        out[0] = (uint8_t)(0xC0 | u >> 8);
        out[1] = (uint8_t)u;
        return 2;
    }
    if (v >= INT16_MIN && v <= INT16_MAX) {
        out[0] = 0xF1;
        store_le16(out + 1, (uint16_t)v);
        return 3;
    }
    if (v >= -8388608 && v <= 8388607) {
        store_le32(out, (uint32_t)v << 8);
        out[0] = 0xF2;
        return 4;
    }
    if (v >= INT32_MIN && v <= INT32_MAX) {
        out[0] = 0xF3;
        store_le32(out + 1, (uint32_t)v);
        return 5;
    }
    out[0] = 0xF4;
    store_le64(out + 1, (uint64_t)v);
    return 9;
}

size_t wing_listpack_put(uint8_t *out, const struct wing_packed_entry *entry) {
    size_t size = entry->size, body;
    if (!entry->bytes) {
        body = put_integer(out, entry->integer);
    } else {
        size_t head = size < 64 ? 1 : size < 4096 ? 2 : 5;
        if (head == 1) {
            out[0] = (uint8_t)(0x80 | size);
        } else if (head == 2) {
            out[0] = (uint8_t)(0xE0 | size >> 8);
            out[1] = (uint8_t)size;
        } else {
            out[0] = 0xF0;
            store_le32(out + 1, (uint32_t)size);
        }
        memcpy(out + head, entry->bytes, size);
        body = head + size;
    }
    return body + put_back(out + body, body);
}

size_t wing_listpack_close(uint8_t *lp, size_t end, uint64_t count) {
    lp[end] = 0xFF;
    store_le32(lp, (uint32_t)(end + 1));
    store_le16(lp + 4, count < 0xFFFF ? (uint16_t)count : 0xFFFF);
    return end + 1;
}

int wing_listpack_parse_integer(const void *text, size_t size, int64_t *integer) {
    const uint8_t *p = text;
    bool negative = size > 0 && p[0] == '-';
    size_t at = negative ? 1 : 0;
    if (size == at || size - at > 19) return 0;
    if (p[at] == '0') {
        *integer = 0;
        return size == 1;
    }
    uint64_t value = 0;
    for (; at < size; at++) {
        unsigned digit = p[at] - (unsigned)'0';
        if (digit > 9) return 0;
        value = value * 10 + digit; /* 19 digits stay below 2^64 */
    }
    if (value > (uint64_t)INT64_MAX + negative) return 0;
    *integer = (int64_t)(negative ? 0 - value : value);
    return 1;
}

size_t wing_listpack_format_integer(int64_t integer, void *out) {
    uint8_t digits[20];
    size_t at = sizeof digits;
    uint64_t value = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    do {
        digits[--at] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    if (integer < 0) digits[--at] = '-';
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}
