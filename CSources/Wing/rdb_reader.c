/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening a reader, and the items around the values: see rdb_reader.h, rdb.h. */
#include "rdb_input.h"
#include <stdlib.h>

#define DEFAULT_WINDOW (64 * 1024)

static struct wing_rdb_reader *open_reader(const struct wing_rdb_reader_options *options,
                                           bool window) {
    static const struct wing_rdb_reader_options defaults;
    if (!options) options = &defaults;
    struct wing_rdb_reader *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->limit = options->limit ? options->limit : UINT64_MAX;
    r->refuse = options->refuse;
    r->sums = !options->ignore_checksum;
    if (!window) return r;
    r->capacity = options->buffer_size ? options->buffer_size : DEFAULT_WINDOW;
    if (r->capacity < 128) r->capacity = 128;
    r->data = r->window = malloc(r->capacity);
    if (r->window) return r;
    free(r);
    return NULL;
}

struct wing_rdb_reader *wing_rdb_reader_open_fd(int fd,
                                                const struct wing_rdb_reader_options *options) {
    struct wing_rdb_reader *r = open_reader(options, true);
    if (!r) return NULL;
    r->kind = FROM_FD;
    r->fd = fd;
    return r;
}

struct wing_rdb_reader *wing_rdb_reader_open_source(wing_source source, void *context,
                                                    const struct wing_rdb_reader_options *options) {
    struct wing_rdb_reader *r = open_reader(options, true);
    if (!r) return NULL;
    r->kind = FROM_SOURCE;
    r->source = source;
    r->context = context;
    return r;
}

struct wing_rdb_reader *wing_rdb_reader_open_memory(const void *bytes, size_t size,
                                                    const struct wing_rdb_reader_options *options) {
    struct wing_rdb_reader *r = open_reader(options, false);
    if (!r) return NULL;
    r->kind = FROM_MEMORY;
    r->data = size > 0 ? bytes : (const uint8_t *)"";
    r->end = size < r->limit ? size : (size_t)r->limit;
    return r;
}

struct wing_rdb_reader *wing_rdb_reader_open_dump(const void *payload, size_t size,
                                                  const struct wing_rdb_reader_options *options) {
    struct wing_rdb_reader *r = wing_rdb_reader_open_memory(payload, size, options);
    if (!r) return NULL;
    r->is_dump = true;
    r->sums = false;
    return r;
}

void wing_rdb_reader_free(struct wing_rdb_reader *r) {
    if (!r) return;
    free(r->window);
    free(r->key.bytes);
    free(r->kept.bytes);
    free(r->packed.bytes);
    for (int i = 0; i < 2; i++) {
        free(r->raw[i].bytes);
        free(r->plain[i].bytes);
    }
    free(r);
}

const struct wing_fault *wing_rdb_reader_fault(const struct wing_rdb_reader *r) {
    return &r->fault;
}
uint64_t wing_rdb_reader_offset(const struct wing_rdb_reader *r) {
    return input_offset(r);
}
uint64_t wing_rdb_reader_received(const struct wing_rdb_reader *r) {
    return r->base + r->end;
}

const void *wing_rdb_reader_left(const struct wing_rdb_reader *r, size_t *size) {
    *size = r->end - r->pos;
    return r->data + r->pos;
}

int wing_rdb_reader_trail(struct wing_rdb_reader *r, void *out, size_t size) {
    for (size_t have = 0, got; have < size; have += got) {
        if (r->fault.code < 0) return r->fault.code;
        int code = wing_input_direct(r, (uint8_t *)out + have, size - have, &got);
        if (code < 0) return code;
        if (got == 0)
            return wing_input_fail(r, WING_E_END, input_offset(r),
                                   "the input ends %zu bytes after the RDB", have);
    }
    return 0;
}

static void trim(struct space *space) {
    if (space->capacity <= SPACE_KEPT) return;
    free(space->bytes);
    *space = (struct space){0};
}

static void trim_all(struct wing_rdb_reader *r) {
    for (int i = 0; i < 2; i++) {
        trim(&r->raw[i]);
        trim(&r->plain[i]);
    }
    trim(&r->packed);
    trim(&r->key);
    trim(&r->kept);
    r->bulky = false;
}

static int read_header(struct wing_rdb_reader *r, struct wing_rdb_item *item) {
    int code = input_need(r, 9);
    if (code < 0) return code;
    const uint8_t *p = r->data + r->pos;
    if (memcmp(p, "REDIS", 5) != 0) {
        char shown[64];
        wing_printable(&(struct wing_rdb_text){.bytes = p, .size = 9}, shown, sizeof shown);
        return wing_input_fail(r, WING_E_FORMAT, 0,
                               "not an RDB file: it starts with '%s', not 'REDIS'", shown);
    }
    int version = 0;
    for (int i = 5; i < 9; i++) {
        if (p[i] < '0' || p[i] > '9')
            return wing_input_fail(r, WING_E_FORMAT, 5, "no digit in the version: byte 0x%02x",
                                   p[i]);
        version = version * 10 + (p[i] - '0');
    }
    if (version < 1 || version > WING_RDB_VERSION_READ)
        return wing_input_fail(r, WING_E_VERSION, 5, "RDB version %d, can read 1 to %d", version,
                               WING_RDB_VERSION_READ);
    r->pos += 9;
    r->begun = true;
    r->version = item->version = version;
    item->kind = WING_RDB_ITEM_HEADER;
    return 0;
}

static int read_end(struct wing_rdb_reader *r, struct wing_rdb_item *item) {
    wing_input_sum(r);
    if (r->version >= 5) {
        uint64_t offset = input_offset(r), said, crc = r->crc;
        int code = input_le64(r, &said);
        if (code < 0) return code;
        if (r->sums && said != 0 && said != crc)
            return wing_input_fail(r, WING_E_CHECKSUM, offset,
                                   "checksum is %016llx, of the bytes it is %016llx",
                                   (unsigned long long)said, (unsigned long long)crc);
        r->checksum = said;
    }
    r->sums = false; /* what follows belongs to nobody's sum */
    r->ended = true;
    item->checksum = r->checksum;
    item->kind = WING_RDB_ITEM_END;
    return 0;
}

static int read_aux(struct wing_rdb_reader *r, struct wing_rdb_item *item) {
    int code;
    if ((code = wing_input_text(r, 0, &item->name)) < 0) return code;
    if ((code = wing_input_keep(r, &r->key, &item->name)) < 0) return code;
    item->kind = WING_RDB_ITEM_AUX;
    return wing_input_text(r, 1, &item->text);
}

static int read_expiry(struct wing_rdb_reader *r, bool is_ms, int64_t *expiry_ms) {
    uint64_t value = 0;
    if (is_ms) {
        int code = input_le64(r, &value);
        *expiry_ms = (int64_t)value;
        return code;
    }
    int code = input_need(r, 4);
    if (code < 0) return code;
    *expiry_ms = (int64_t)(int32_t)load_le32(r->data + r->pos) * 1000;
    r->pos += 4;
    return 0;
}

static int note_item(struct wing_rdb_reader *r, struct wing_rdb_item *item) {
    r->note_waits = false;
    item->kind = WING_RDB_ITEM_NOTE;
    item->about = r->note_about;
    item->text = (struct wing_rdb_text){.bytes = (const uint8_t *)r->note, .size = strlen(r->note)};
    return 0;
}

/* After the type byte: the name, then what the value starts with. */
static int read_key(struct wing_rdb_reader *r, uint8_t type, struct wing_rdb_item *item) {
    uint64_t offset = input_offset(r) - 1;
    int code;
    if (type > WING_RDB_TYPE_HASH_LISTPACK_EX || type == 8)
        return wing_input_fail(r, WING_E_FORMAT, offset, "no value has type %u", type);
    item->kind = WING_RDB_ITEM_KEY;
    item->type = r->type = (enum wing_rdb_type)type;
    item->name = (struct wing_rdb_text){.bytes = (const uint8_t *)""};
    if (!r->is_dump && ((code = wing_input_text(r, 0, &item->name)) < 0 ||
                        (code = wing_input_keep(r, &r->key, &item->name)) < 0))
        return code;
    r->name = item->name;
    if (type == WING_RDB_TYPE_MODULE || type == WING_RDB_TYPE_MODULE_2) {
        code = wing_skip_module(r, false);
        return code < 0 ? code : note_item(r, item);
    }
    return wing_value_begin(r, r->type, item);
}

static int read_item(struct wing_rdb_reader *r, struct wing_rdb_item *item) {
    for (;;) {
        uint8_t opcode;
        uint64_t number;
        int code = input_byte(r, &opcode);
        if (code < 0) return code;
        switch (opcode) {
        case WING_RDB_OPCODE_EXPIRETIME_MS:
        case WING_RDB_OPCODE_EXPIRETIME:
            code = read_expiry(r, opcode == WING_RDB_OPCODE_EXPIRETIME_MS, &item->expiry_ms);
            break;
        case WING_RDB_OPCODE_IDLE:
            code = wing_input_length(r, &number);
            item->idle_s = number > INT64_MAX ? INT64_MAX : (int64_t)number;
            break;
        case WING_RDB_OPCODE_FREQ:
            if ((code = input_byte(r, &opcode)) == 0) item->freq = opcode;
            break;
        case WING_RDB_OPCODE_SELECTDB:
            item->kind = WING_RDB_ITEM_SELECTDB;
            return wing_input_length(r, &item->database);
        case WING_RDB_OPCODE_RESIZEDB:
            item->kind = WING_RDB_ITEM_RESIZEDB;
            if ((code = wing_input_length(r, &item->keys)) < 0) return code;
            return wing_input_length(r, &item->expires);
        case WING_RDB_OPCODE_AUX:
            return read_aux(r, item);
        case WING_RDB_OPCODE_EOF:
            return read_end(r, item);
        case WING_RDB_OPCODE_MODULE_AUX:
            if ((code = wing_skip_module(r, true)) == 0) return note_item(r, item);
            break;
        case WING_RDB_OPCODE_FUNCTION2:
        case WING_RDB_OPCODE_FUNCTION_PRE_GA:
            code = wing_skip_function(r, opcode == WING_RDB_OPCODE_FUNCTION_PRE_GA);
            if (code == 0) return note_item(r, item);
            break;
        case WING_RDB_OPCODE_SLOT_INFO:
            if ((code = wing_skip_slot_info(r)) == 0) return note_item(r, item);
            break;
        default:
            return read_key(r, opcode, item);
        }
        if (code < 0) return code;
    }
}

static int read_dump(struct wing_rdb_reader *r, struct wing_rdb_item *item) {
    uint8_t type;
    if (!r->begun) {
        int code = input_byte(r, &type);
        r->begun = true;
        return code < 0 ? code : read_key(r, type, item);
    }
    if (r->pos != r->end)
        return wing_input_fail(r, WING_E_FORMAT, input_offset(r), "%zu bytes follow the value",
                               r->end - r->pos);
    r->ended = true;
    item->kind = WING_RDB_ITEM_END;
    return 0;
}

static int finish_value(struct wing_rdb_reader *r) {
    struct wing_rdb_part part;
    while (r->stage != STAGE_NONE) {
        int code = wing_rdb_reader_part(r, &part);
        if (code < 0) return code;
    }
    if (r->bulky) trim_all(r);
    return 0;
}

int wing_rdb_reader_next(struct wing_rdb_reader *r, struct wing_rdb_item *item) {
    if (r->fault.code < 0) return r->fault.code;
    int code = finish_value(r);
    if (code < 0) return code;
    item->expiry_ms = item->idle_s = item->freq = -1;
    item->version = r->version;
    r->pinned = NULL;
    if (r->note_waits) return note_item(r, item);
    if (r->ended) {
        item->kind = WING_RDB_ITEM_END;
        item->checksum = r->checksum;
        return 0;
    }
    if (r->is_dump) return read_dump(r, item);
    return r->begun ? read_item(r, item) : read_header(r, item);
}

int wing_rdb_reader_part(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    if (r->fault.code < 0) return r->fault.code;
    int code = wing_value_part(r, part);
    r->pinned = NULL;
    return code;
}
