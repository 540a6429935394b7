/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside libwing only: the reader's state, and the bottom of it, bytes, lengths and strings from a
 * window over the input (rdb_input.c). Above it: items (rdb_reader.c), values (rdb_parts.c), and
 * what is passed by (rdb_skip.c). Each input_ function returns 0 or, with the fault kept, its
 * negative code.
 *
 *     data      summed      pos            end          base: offset in the input of data[0]
 *     |  in crc  | consumed  | to be read   |
 *
 * A text is handed out where it lies in the window when it lies there whole; else out of a scratch
 * buffer. Moving the window would spoil a text that is still needed: it is pinned while more is
 * read.
 */
#ifndef WING_RDB_INPUT_H
#define WING_RDB_INPUT_H
#include "bytes.h"
#include "wing/rdb_reader.h"

enum stage {
    STAGE_NONE, /* no value is being read */
    STAGE_STRING,
    STAGE_ELEMENTS,
    STAGE_FIELDS,
    STAGE_MEMBERS,
    STAGE_BLOB,
    STAGE_INTSET,
    STAGE_ZIPLISTS,
    STAGE_NODES,
    STAGE_WALK_EX, /* a listpack of (field, value, expiry) is being walked */
    STAGE_STREAM_NODES,
    STAGE_STREAM_GROUPS,
    STAGE_STREAM_PENDING,
    STAGE_STREAM_CONSUMERS,
    STAGE_STREAM_CONSUMER_PENDING,
};

#define SPACE_KEPT (16 * 1024 * 1024) /* scratch space beyond it is given back after the value */

struct space {
    uint8_t *bytes;
    size_t capacity;
};

struct wing_rdb_reader {
    const uint8_t *data;
    size_t pos;
    size_t end;
    size_t summed;
    uint64_t base;
    uint64_t crc;
    uint64_t limit;  /* UINT64_MAX: none */
    uint8_t *window; /* own memory, NULL when reading the caller's */
    size_t capacity;
    enum { FROM_MEMORY, FROM_FD, FROM_SOURCE } kind;
    int fd;
    wing_source source;
    void *context;
    bool sums;
    struct wing_fault fault;

    unsigned refuse;
    bool is_dump;
    bool begun;
    bool ended;
    int version;
    uint64_t checksum; /* of the file, once ended */

    enum stage stage;
    enum wing_rdb_type type;
    uint64_t left;   /* parts of this stage still to come */
    uint64_t groups; /* stream groups still to come */
    uint64_t consumers;
    uint64_t dropped; /* expiries of fields that were left out */
    const uint8_t *walk;
    size_t walk_at;

    struct wing_rdb_text *pinned;
    struct wing_rdb_text name; /* of the item, in `key` */
    struct space key;
    struct space kept;     /* a pinned text when the window moved */
    struct space raw[2];   /* strings longer than the window can hold */
    struct space plain[2]; /* what LZF expanded */
    struct space packed;   /* a listpack made of an older form */
    bool bulky;            /* some scratch space is so large that it goes back after the value */
    uint8_t digits[2][24];
    char note[256];
    unsigned note_about; /* a WING_RDB_REFUSE_*, or 0 */
    bool note_waits;
};

#pragma GCC visibility push(hidden)
int wing_input_fail(struct wing_rdb_reader *r, int code, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));
int wing_input_fill(struct wing_rdb_reader *r, size_t size);
int wing_input_direct(struct wing_rdb_reader *r, uint8_t *out, size_t size, size_t *got);
int wing_input_bytes(struct wing_rdb_reader *r, uint64_t size, int slot, const uint8_t **bytes);
int wing_input_skip(struct wing_rdb_reader *r, uint64_t size);
int wing_input_length(struct wing_rdb_reader *r, uint64_t *length);
int wing_input_text(struct wing_rdb_reader *r, int slot, struct wing_rdb_text *text);
int wing_input_keep(struct wing_rdb_reader *r, struct space *space, struct wing_rdb_text *text);
void wing_input_sum(struct wing_rdb_reader *r);
uint8_t *wing_input_space(struct wing_rdb_reader *r, struct space *space, size_t size);

int wing_value_begin(struct wing_rdb_reader *r, enum wing_rdb_type type,
                     struct wing_rdb_item *item);
int wing_value_part(struct wing_rdb_reader *r, struct wing_rdb_part *part);
int wing_skip_module(struct wing_rdb_reader *r, bool is_aux);
int wing_skip_function(struct wing_rdb_reader *r, bool is_pre_ga);
int wing_skip_slot_info(struct wing_rdb_reader *r);
void wing_note(struct wing_rdb_reader *r, unsigned about, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
size_t wing_printable(const struct wing_rdb_text *text, char *out, size_t capacity);
#pragma GCC visibility pop

static inline uint64_t input_offset(const struct wing_rdb_reader *r) {
    return r->base + r->pos;
}

/* At least `size` bytes (no more than 64) in the window. */
static inline int input_need(struct wing_rdb_reader *r, size_t size) {
    if (__builtin_expect(r->end - r->pos >= size, 1)) return 0;
    return wing_input_fill(r, size);
}

static inline int input_byte(struct wing_rdb_reader *r, uint8_t *byte) {
    int code = input_need(r, 1);
    if (code < 0) return code;
    *byte = r->data[r->pos++];
    return 0;
}

static inline int input_le64(struct wing_rdb_reader *r, uint64_t *value) {
    int code = input_need(r, 8);
    if (code < 0) return code;
    *value = load_le64(r->data + r->pos);
    r->pos += 8;
    return 0;
}

#endif
