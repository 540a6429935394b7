/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader's window over its input: see rdb_input.h. */
#include "rdb_input.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* What is reserved on the word of a length; beyond it space doubles as bytes arrive. */
#define FIRST_RESERVATION (256 * 1024)
/* LZF's best: 3 bytes stand for 264. */
#define LZF_RATIO 88
/* Behind what LZF expands to: near the end of the space it would copy piece by piece. */
#define LZF_ROOM 64

int wing_input_fail(struct wing_rdb_reader *r, int code, uint64_t offset, const char *format, ...) {
    va_list list;
    va_start(list, format);
    r->fault.code = code;
    r->fault.offset = offset;
    vsnprintf(r->fault.text, sizeof r->fault.text, format, list);
    va_end(list);
    return code;
}

uint8_t *wing_input_space(struct wing_rdb_reader *r, struct space *space, size_t size) {
    if (size <= space->capacity && space->bytes) return space->bytes;
    size_t capacity = size < 4096 ? 4096 : size;
    uint8_t *bytes = realloc(space->bytes, capacity);
    if (!bytes) {
        wing_input_fail(r, WING_E_NOMEM, input_offset(r), "no memory for a string of %zu bytes",
                        size);
        return NULL;
    }
    space->bytes = bytes;
    space->capacity = capacity;
    if (capacity > SPACE_KEPT) r->bulky = true;
    return bytes;
}

/* Add the consumed bytes of the window to the checksum. */
void wing_input_sum(struct wing_rdb_reader *r) {
    if (r->sums && r->pos > r->summed)
        r->crc = wing_crc64(r->crc, r->data + r->summed, r->pos - r->summed);
    r->summed = r->pos;
}

static int ends_early(struct wing_rdb_reader *r, uint64_t missing) {
    return wing_input_fail(r, WING_E_END, r->base + r->end,
                           "the input ends where %llu more bytes were due",
                           (unsigned long long)missing);
}

/* Once from the source: *got bytes, 0 at the end or at the limit. */
static int read_some(struct wing_rdb_reader *r, uint8_t *out, size_t capacity, size_t *got) {
    uint64_t received = r->base + r->end, allowed = r->limit > received ? r->limit - received : 0;
    *got = 0;
    if (capacity > allowed) capacity = (size_t)allowed;
    if (capacity == 0 || r->kind == FROM_MEMORY) return 0;
    ssize_t count;
    if (r->kind == FROM_SOURCE) {
        count = r->source(r->context, out, capacity);
    } else {
        do
            count = read(r->fd, out, capacity);
        while (count < 0 && errno == EINTR);
        if (count < 0) count = -errno;
    }
    if (count > (ssize_t)capacity) count = -EINVAL;
    if (count < 0)
        return wing_input_fail(r, (int)count, received, "reading failed: %s",
                               wing_strerror((int)count));
    *got = (size_t)count;
    return 0;
}

/* Copy `text` out of the window, into `space`. */
int wing_input_keep(struct wing_rdb_reader *r, struct space *space, struct wing_rdb_text *text) {
    uint8_t *copy = wing_input_space(r, space, text->size);
    if (!copy) return r->fault.code;
    memcpy(copy, text->bytes, text->size);
    text->bytes = copy;
    return 0;
}

static bool in_window(const struct wing_rdb_reader *r, const uint8_t *p) {
    return (uintptr_t)p - (uintptr_t)r->window < r->capacity;
}

/* Move the window on until it holds `size` unread bytes, `size` at most its capacity. */
int wing_input_fill(struct wing_rdb_reader *r, size_t size) {
    size_t unread = r->end - r->pos;
    if (r->kind == FROM_MEMORY) return ends_early(r, size - unread);
    if (r->pinned && in_window(r, r->pinned->bytes)) {
        int code = wing_input_keep(r, &r->kept, r->pinned);
        if (code < 0) return code;
    }
    wing_input_sum(r);
    memmove(r->window, r->window + r->pos, unread);
    r->base += r->pos;
    r->pos = r->summed = 0;
    r->end = unread;
    while (r->end < size) {
        size_t got;
        int code = read_some(r, r->window + r->end, r->capacity - r->end, &got);
        if (code < 0) return code;
        if (got == 0) return ends_early(r, size - r->end);
        r->end += got;
    }
    return 0;
}

/* Up to `size` bytes, from the window and then past it; *got 0 only at the end. */
int wing_input_direct(struct wing_rdb_reader *r, uint8_t *out, size_t size, size_t *got) {
    size_t unread = r->end - r->pos;
    if (unread > 0) {
        *got = unread < size ? unread : size;
        memcpy(out, r->data + r->pos, *got);
        r->pos += *got;
        return 0;
    }
    wing_input_sum(r);
    int code = read_some(r, out, size, got);
    if (code < 0) return code;
    if (r->sums) r->crc = wing_crc64(r->crc, out, *got);
    r->base += *got;
    return 0;
}

/* More bytes than the window should hold: into space that grows as they come. */
static int long_bytes(struct wing_rdb_reader *r, size_t size, struct space *space,
                      const uint8_t **bytes) {
    size_t have = 0;
    while (have < size) {
        if (have >= space->capacity || !space->bytes) {
            size_t wanted = have < FIRST_RESERVATION / 2 ? FIRST_RESERVATION : have * 2;
            if (!wing_input_space(r, space, wanted < size ? wanted : size)) return r->fault.code;
        }
        size_t room = space->capacity < size ? space->capacity - have : size - have, got;
        int code = wing_input_direct(r, space->bytes + have, room, &got);
        if (code < 0) return code;
        if (got == 0) return ends_early(r, size - have);
        have += got;
    }
    *bytes = space->bytes;
    return 0;
}

/* `size` bytes in one piece, in the window or in raw[slot]. */
int wing_input_bytes(struct wing_rdb_reader *r, uint64_t size, int slot, const uint8_t **bytes) {
    if (__builtin_expect(size > r->end - r->pos, 0)) {
        uint64_t offset = input_offset(r), final = r->kind == FROM_MEMORY ? r->end : r->limit;
        if (final != UINT64_MAX && size > final - offset)
            return wing_input_fail(r, WING_E_END, offset,
                                   "%llu bytes are due where only %llu are left",
                                   (unsigned long long)size, (unsigned long long)(final - offset));
        if (size > SIZE_MAX / 4)
            return wing_input_fail(r, WING_E_FORMAT, offset, "string length %llu is impossible",
                                   (unsigned long long)size);
        if (size > r->capacity / 2) return long_bytes(r, (size_t)size, &r->raw[slot], bytes);
        int code = wing_input_fill(r, (size_t)size);
        if (code < 0) return code;
    }
    *bytes = r->data + r->pos;
    r->pos += (size_t)size;
    return 0;
}

int wing_input_skip(struct wing_rdb_reader *r, uint64_t size) {
    while (size > r->end - r->pos) {
        size -= r->end - r->pos;
        r->pos = r->end;
        int code = wing_input_fill(r, 1);
        if (code < 0) return code;
    }
    r->pos += (size_t)size;
    return 0;
}

/* A length, or with *special the low six bits of a string's special form. */
static int take_length(struct wing_rdb_reader *r, uint64_t *length, bool *special) {
    int code = input_need(r, 1);
    if (code < 0) return code;
    uint8_t first = r->data[r->pos];
    *special = first >= 0xC0;
    size_t size = first < 0x40 || first >= 0xC0 ? 1 : first < 0x80 ? 2 : first == 0x80 ? 5 : 9;
    if (first > 0x81 && first < 0xC0)
        return wing_input_fail(r, WING_E_FORMAT, input_offset(r),
                               "no length starts with byte 0x%02x", first);
    if ((code = input_need(r, size)) < 0) return code;
    const uint8_t *p = r->data + r->pos;
    *length = size == 1   ? first & 63u
              : size == 2 ? (uint64_t)(first & 63) << 8 | p[1]
              : size == 5 ? load_be32(p + 1)
                          : load_be64(p + 1);
    r->pos += size;
    return 0;
}

int wing_input_length(struct wing_rdb_reader *r, uint64_t *length) {
    bool special;
    uint64_t offset = input_offset(r);
    int code = take_length(r, length, &special);
    if (code < 0) return code;
    if (special)
        return wing_input_fail(r, WING_E_FORMAT, offset, "a string where a length was due");
    return 0;
}

static int integer_text(struct wing_rdb_reader *r, int slot, size_t size,
                        struct wing_rdb_text *text) {
    int code = input_need(r, size);
    if (code < 0) return code;
    const uint8_t *p = r->data + r->pos;
    r->pos += size;
    text->integer = size == 1   ? (int8_t)p[0]
                    : size == 2 ? (int16_t)load_le16(p)
                                : (int32_t)load_le32(p);
    text->is_integer = true;
    text->bytes = r->digits[slot];
    text->size = wing_listpack_format_integer(text->integer, r->digits[slot]);
    return 0;
}

static int lzf_text(struct wing_rdb_reader *r, int slot, struct wing_rdb_text *text) {
    uint64_t small, large, offset = input_offset(r);
    const uint8_t *bytes;
    int code;
    if ((code = wing_input_length(r, &small)) < 0 || (code = wing_input_length(r, &large)) < 0)
        return code;
    if (large / LZF_RATIO > small)
        return wing_input_fail(r, WING_E_FORMAT, offset, "%llu bytes of LZF can't expand to %llu",
                               (unsigned long long)small, (unsigned long long)large);
    if ((code = wing_input_bytes(r, small, slot, &bytes)) < 0) return code;
    size_t capacity = (size_t)large + LZF_ROOM;
    uint8_t *plain = wing_input_space(r, &r->plain[slot], capacity);
    if (!plain) return r->fault.code;
    ssize_t size = wing_lzf_decompress(bytes, (size_t)small, plain, capacity);
    if (size < 0 || (uint64_t)size != large)
        return wing_input_fail(r, WING_E_FORMAT, offset,
                               "LZF data doesn't expand to the %llu bytes it should",
                               (unsigned long long)large);
    text->bytes = plain;
    text->size = (size_t)large;
    return 0;
}

/* A string in any of its forms. Slots 0 and 1 have scratch space of their own. */
int wing_input_text(struct wing_rdb_reader *r, int slot, struct wing_rdb_text *text) {
    uint64_t length, offset = input_offset(r);
    bool special;
    int code = take_length(r, &length, &special);
    if (code < 0) return code;
    text->integer = 0;
    text->is_integer = false;
    if (!special) {
        text->size = (size_t)length;
        return wing_input_bytes(r, length, slot, &text->bytes);
    }
    if (length <= 2) return integer_text(r, slot, (size_t)1 << length, text);
    if (length == 3) return lzf_text(r, slot, text);
    return wing_input_fail(r, WING_E_FORMAT, offset, "a string of unknown form 0x%02x",
                           (unsigned)length | 0xC0);
}
