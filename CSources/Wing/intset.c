/* SPDX-License-Identifier: BSD-3-Clause */
/* Intsets: see intset.h for the format. */
#include "bytes.h"

static inline int64_t integer_at(const uint8_t *p, uint32_t width, uint32_t index) {
    p += WING_INTSET_HEADER + (size_t)index * width;
    if (width == 2) return (int16_t)load_le16(p);
    if (width == 4) return (int32_t)load_le32(p);
    return (int64_t)load_le64(p);
}

int wing_intset_validate(const void *set, size_t size, uint64_t *count, struct wing_fault *fault) {
    if (size < WING_INTSET_HEADER)
        return fault_at(fault, WING_E_FORMAT, 0, "an intset of %zu bytes", size);
    uint32_t width = load_le32(set), length = load_le32((const uint8_t *)set + 4);
    if (width != 2 && width != 4 && width != 8)
        return fault_at(fault, WING_E_FORMAT, 0, "intset with integers of %u bytes", width);
    if ((uint64_t)length * width != size - WING_INTSET_HEADER)
        return fault_at(fault, WING_E_FORMAT, 4, "intset of %u integers of %u bytes in %zu bytes",
                        length, width, size);
    for (uint32_t i = 1; i < length; i++)
        if (integer_at(set, width, i - 1) >= integer_at(set, width, i))
            return fault_at(fault, WING_E_FORMAT, WING_INTSET_HEADER + (uint64_t)i * width,
                            "intset isn't in ascending order");
    if (count) *count = length;
    return 0;
}

uint32_t wing_intset_count(const void *set) {
    return load_le32((const uint8_t *)set + 4);
}

int64_t wing_intset_get(const void *set, uint32_t index) {
    return integer_at(set, load_le32(set), index);
}
