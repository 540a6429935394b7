/* SPDX-License-Identifier: BSD-3-Clause */
/* Zipmaps, the small hashes of Redis before 2.6: see ziplist.h for the format. */
#include "bytes.h"

/* A text of a zipmap at *at: its place and size, or false when it runs past `last`, the end byte.
 */
static bool take(const uint8_t *p, size_t last, bool is_value, size_t *at,
                 struct wing_packed_entry *entry) {
    size_t place = *at, field = p[place] < 254 ? 1 : 5, spare = 0;
    if (p[place] == 255 || field + is_value > last - place) return false;
    size_t size = field == 1 ? p[place] : load_le32(p + place + 1);
    place += field;
    if (is_value) spare = p[place++];
    if (size > last - place || spare > last - place - size) return false;
    *entry = (struct wing_packed_entry){p + place, size, 0};
    *at = place + size + spare;
    return true;
}

int wing_zipmap_validate(const void *zm, size_t size, uint64_t *count, struct wing_fault *fault) {
    const uint8_t *p = zm;
    if (size < 2) return fault_at(fault, WING_E_FORMAT, 0, "a zipmap of %zu bytes", size);
    size_t at = 1, last = size - 1;
    uint64_t seen = 0;
    struct wing_packed_entry entry;
    while (at < last) {
        size_t start = at;
        if (!take(p, last, false, &at, &entry) || at >= last || !take(p, last, true, &at, &entry))
            return fault_at(fault, WING_E_FORMAT, start,
                            "a field or its value runs past the end of the zipmap");
        seen++;
    }
    if (p[last] != 0xFF)
        return fault_at(fault, WING_E_FORMAT, last, "zipmap ends in byte 0x%02x, not 0xff",
                        p[last]);
    if (p[0] < 254 && p[0] != seen)
        return fault_at(fault, WING_E_FORMAT, 0, "zipmap says %u fields, has %llu", p[0],
                        (unsigned long long)seen);
    if (count) *count = seen;
    return 0;
}

ssize_t wing_listpack_from_zipmap(const void *zm, size_t size, void *out, size_t capacity) {
    const uint8_t *p = zm;
    size_t at = 1, end = WING_LISTPACK_HEADER;
    uint64_t count = 0;
    struct wing_packed_entry entry;
    if (capacity < WING_LISTPACK_EMPTY) return WING_E_LIMIT;
    while (at < size - 1 && take(p, size - 1, count & 1, &at, &entry)) {
        if (capacity - end < 1 + wing_listpack_entry_bound(entry.size)) return WING_E_LIMIT;
        if (wing_listpack_parse_integer(entry.bytes, entry.size, &entry.integer)) {
            entry.bytes = NULL;
            entry.size = 0;
        }
        end += wing_listpack_put((uint8_t *)out + end, &entry);
        count++;
    }
    if (end + 1 > UINT32_MAX) return WING_E_LIMIT;
    return (ssize_t)wing_listpack_close(out, end, count);
}
