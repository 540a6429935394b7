/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of a value, one a call, in whatever form the file has it: see rdb_reader.h, rdb.h.
 *
 *     stream    nodes → meta → group → its pending → consumer → its pending → consumer … → group …
 */
#include "rdb_input.h"
#include <math.h>
#include <stdlib.h>

static enum wing_rdb_value value_of(enum wing_rdb_type type) {
    switch (type) {
    case WING_RDB_TYPE_STRING:
    case WING_RDB_TYPE_MODULE:
    case WING_RDB_TYPE_MODULE_2:
        return WING_RDB_VALUE_STRING;
    case WING_RDB_TYPE_LIST:
    case WING_RDB_TYPE_LIST_ZIPLIST:
    case WING_RDB_TYPE_LIST_QUICKLIST:
    case WING_RDB_TYPE_LIST_QUICKLIST_2:
        return WING_RDB_VALUE_LIST;
    case WING_RDB_TYPE_SET:
    case WING_RDB_TYPE_SET_INTSET:
    case WING_RDB_TYPE_SET_LISTPACK:
        return WING_RDB_VALUE_SET;
    case WING_RDB_TYPE_ZSET:
    case WING_RDB_TYPE_ZSET_2:
    case WING_RDB_TYPE_ZSET_ZIPLIST:
    case WING_RDB_TYPE_ZSET_LISTPACK:
        return WING_RDB_VALUE_ZSET;
    case WING_RDB_TYPE_STREAM_LISTPACKS:
    case WING_RDB_TYPE_STREAM_LISTPACKS_2:
    case WING_RDB_TYPE_STREAM_LISTPACKS_3:
        return WING_RDB_VALUE_STREAM;
    case WING_RDB_TYPE_HASH:
    case WING_RDB_TYPE_HASH_ZIPMAP:
    case WING_RDB_TYPE_HASH_ZIPLIST:
    case WING_RDB_TYPE_HASH_LISTPACK:
    case WING_RDB_TYPE_HASH_METADATA_PRE_GA:
    case WING_RDB_TYPE_HASH_LISTPACK_EX_PRE_GA:
    case WING_RDB_TYPE_HASH_METADATA:
    case WING_RDB_TYPE_HASH_LISTPACK_EX:
        return WING_RDB_VALUE_HASH;
    }
    return WING_RDB_VALUE_STRING;
}

static enum stage stage_of(enum wing_rdb_type type) {
    switch (type) {
    case WING_RDB_TYPE_STRING:
        return STAGE_STRING;
    case WING_RDB_TYPE_LIST:
    case WING_RDB_TYPE_SET:
        return STAGE_ELEMENTS;
    case WING_RDB_TYPE_ZSET:
    case WING_RDB_TYPE_ZSET_2:
        return STAGE_MEMBERS;
    case WING_RDB_TYPE_HASH:
    case WING_RDB_TYPE_HASH_METADATA_PRE_GA:
    case WING_RDB_TYPE_HASH_METADATA:
        return STAGE_FIELDS;
    case WING_RDB_TYPE_HASH_LISTPACK_EX_PRE_GA:
    case WING_RDB_TYPE_HASH_LISTPACK_EX:
        return STAGE_WALK_EX;
    case WING_RDB_TYPE_SET_INTSET:
        return STAGE_INTSET;
    case WING_RDB_TYPE_LIST_QUICKLIST:
        return STAGE_ZIPLISTS;
    case WING_RDB_TYPE_LIST_QUICKLIST_2:
        return STAGE_NODES;
    case WING_RDB_TYPE_STREAM_LISTPACKS:
    case WING_RDB_TYPE_STREAM_LISTPACKS_2:
    case WING_RDB_TYPE_STREAM_LISTPACKS_3:
        return STAGE_STREAM_NODES;
    case WING_RDB_TYPE_MODULE:
    case WING_RDB_TYPE_MODULE_2:
        return STAGE_NONE;
    case WING_RDB_TYPE_HASH_ZIPMAP:
    case WING_RDB_TYPE_LIST_ZIPLIST:
    case WING_RDB_TYPE_ZSET_ZIPLIST:
    case WING_RDB_TYPE_HASH_ZIPLIST:
    case WING_RDB_TYPE_HASH_LISTPACK:
    case WING_RDB_TYPE_ZSET_LISTPACK:
    case WING_RDB_TYPE_SET_LISTPACK:
        return STAGE_BLOB;
    }
    return STAGE_NONE;
}

static int begin_walk(struct wing_rdb_reader *r);

int wing_value_begin(struct wing_rdb_reader *r, enum wing_rdb_type type,
                     struct wing_rdb_item *item) {
    uint64_t ignored;
    int code = 0;
    r->stage = stage_of(type);
    r->left = 1;
    r->dropped = 0;
    if (type >= WING_RDB_TYPE_HASH_METADATA_PRE_GA && r->refuse & WING_RDB_REFUSE_FIELD_EXPIRY) {
        char key[96];
        wing_printable(&r->name, key, sizeof key);
        return wing_input_fail(r, WING_E_UNSUPPORTED, input_offset(r),
                               "hash '%s' has fields that expire", key);
    }
    /* The earliest of the fields' expiries, to which the others are relative. */
    if ((type == WING_RDB_TYPE_HASH_METADATA || type == WING_RDB_TYPE_HASH_LISTPACK_EX) &&
        (code = input_le64(r, &ignored)) < 0)
        return code;
    switch (r->stage) {
    case STAGE_ELEMENTS:
    case STAGE_FIELDS:
    case STAGE_MEMBERS:
    case STAGE_ZIPLISTS:
    case STAGE_NODES:
    case STAGE_STREAM_NODES:
        code = wing_input_length(r, &r->left);
        break;
    case STAGE_WALK_EX:
        code = begin_walk(r);
        break;
    default:
        break;
    }
    item->value = value_of(type);
    item->elements = r->left;
    return code;
}

/* The fault of a block that starts at `offset`. */
static int block_fault(struct wing_rdb_reader *r, uint64_t offset, const struct wing_fault *inner) {
    return wing_input_fail(r, inner->code, offset, "%.110s (byte %llu of the block)", inner->text,
                           (unsigned long long)inner->offset);
}

enum form { LISTPACK, ZIPLIST, ZIPMAP };

static enum form form_of(enum wing_rdb_type type) {
    switch (type) {
    case WING_RDB_TYPE_HASH_ZIPMAP:
        return ZIPMAP;
    case WING_RDB_TYPE_LIST_ZIPLIST:
    case WING_RDB_TYPE_ZSET_ZIPLIST:
    case WING_RDB_TYPE_HASH_ZIPLIST:
        return ZIPLIST;
    default:
        return LISTPACK;
    }
}

/* A string that is a packed block: checked, and made a listpack. */
static int take_block(struct wing_rdb_reader *r, enum form form, struct wing_rdb_part *part) {
    uint64_t offset = input_offset(r);
    struct wing_fault inner;
    struct wing_rdb_text *text = &part->text;
    int code = wing_input_text(r, 0, text);
    if (code < 0) return code;
    part->kind = WING_RDB_PART_LISTPACK;
    if (form != ZIPLIST) {
        code = form == LISTPACK
                   ? wing_listpack_validate(text->bytes, text->size, &part->entries, &inner)
                   : wing_zipmap_validate(text->bytes, text->size, &part->entries, &inner);
        if (code < 0) return block_fault(r, offset, &inner);
        if (form == LISTPACK) return 0;
        part->entries *= 2;
    }
    size_t bound = wing_listpack_bound(text->size);
    uint8_t *lp = wing_input_space(r, &r->packed, bound);
    if (!lp) return r->fault.code;
    ssize_t size = form == ZIPLIST ? wing_listpack_from_ziplist(text->bytes, text->size, lp, bound,
                                                                &part->entries, &inner)
                                   : wing_listpack_from_zipmap(text->bytes, text->size, lp, bound);
    if (size == WING_E_FORMAT) return block_fault(r, offset, &inner);
    if (size < 0)
        return wing_input_fail(r, WING_E_LIMIT, offset, "a packed block of %zu bytes is too large",
                               text->size);
    text->bytes = lp;
    text->size = (size_t)size;
    return 0;
}

static int take_blob(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    uint64_t offset = input_offset(r);
    int code = take_block(r, form_of(r->type), part);
    if (code < 0) return code;
    enum wing_rdb_value value = value_of(r->type);
    if ((value == WING_RDB_VALUE_HASH || value == WING_RDB_VALUE_ZSET) && part->entries % 2 != 0)
        return wing_input_fail(r, WING_E_FORMAT, offset, "%s of %llu entries, an odd number",
                               value == WING_RDB_VALUE_HASH ? "a hash" : "a sorted set",
                               (unsigned long long)part->entries);
    return 0;
}

static int take_intset(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    uint64_t offset = input_offset(r);
    struct wing_fault inner;
    int code = wing_input_text(r, 0, &part->text);
    if (code < 0) return code;
    part->kind = WING_RDB_PART_INTSET;
    code = wing_intset_validate(part->text.bytes, part->text.size, &part->entries, &inner);
    return code < 0 ? block_fault(r, offset, &inner) : 0;
}

/* A quicklist node of Redis 7: container 1, one element as it is; 2, a listpack. */
static int take_node(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    uint64_t container, offset = input_offset(r);
    int code = wing_input_length(r, &container);
    if (code < 0) return code;
    if (container == 2) return take_block(r, LISTPACK, part);
    part->kind = WING_RDB_PART_ELEMENT;
    if (container == 1) return wing_input_text(r, 0, &part->text);
    return wing_input_fail(r, WING_E_FORMAT, offset, "a list node of unknown container %llu",
                           (unsigned long long)container);
}

static int take_field(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    uint64_t expiry;
    int code;
    if (r->type != WING_RDB_TYPE_HASH) {
        if ((code = wing_input_length(r, &expiry)) < 0) return code;
        if (expiry != 0) r->dropped++;
    }
    part->kind = WING_RDB_PART_FIELD;
    if ((code = wing_input_text(r, 0, &part->text)) < 0) return code;
    r->pinned = &part->text;
    return wing_input_text(r, 1, &part->other);
}

/* The score of old files: a length byte and decimal text, or 253 NaN, 254 +inf, 255 -inf. */
static int take_decimal(struct wing_rdb_reader *r, double *score) {
    uint8_t length;
    char text[256], *end;
    const uint8_t *bytes;
    uint64_t offset = input_offset(r);
    int code = input_byte(r, &length);
    if (code < 0) return code;
    if (length >= 253) {
        *score = length == 253 ? (double)NAN : length == 254 ? (double)INFINITY : -(double)INFINITY;
        return 0;
    }
    if ((code = wing_input_bytes(r, length, 1, &bytes)) < 0) return code;
    memcpy(text, bytes, length);
    text[length] = 0;
    *score = strtod(text, &end);
    if (length == 0 || end != text + length)
        return wing_input_fail(r, WING_E_FORMAT, offset, "a score that isn't a number");
    return 0;
}

static int take_member(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    int code = wing_input_text(r, 0, &part->text);
    if (code < 0) return code;
    r->pinned = &part->text;
    part->kind = WING_RDB_PART_MEMBER;
    uint64_t bits, offset = input_offset(r);
    if (r->type == WING_RDB_TYPE_ZSET_2) {
        code = input_le64(r, &bits);
        if (code == 0) memcpy(&part->score, &bits, sizeof bits);
    } else {
        code = take_decimal(r, &part->score);
    }
    if (code < 0) return code;
    if (isnan(part->score))
        return wing_input_fail(r, WING_E_FORMAT, offset, "a score that isn't a number");
    return 0;
}

/* The hash of 7.4 in one listpack: field, value, expiry, … It stays where it is while it is
 * walked: nothing is read meanwhile. */
static int begin_walk(struct wing_rdb_reader *r) {
    struct wing_rdb_part block;
    uint64_t offset = input_offset(r);
    int code = take_block(r, LISTPACK, &block);
    if (code < 0) return code;
    if (block.entries % 3 != 0)
        return wing_input_fail(r, WING_E_FORMAT, offset,
                               "a hash of %llu entries, not a multiple of three",
                               (unsigned long long)block.entries);
    r->walk = block.text.bytes;
    r->walk_at = wing_listpack_first(r->walk);
    r->left = block.entries / 3;
    return 0;
}

static void walk_text(struct wing_rdb_reader *r, int slot, struct wing_rdb_text *text) {
    struct wing_packed_entry entry;
    wing_listpack_get(r->walk, r->walk_at, &entry);
    r->walk_at = wing_listpack_next(r->walk, r->walk_at);
    text->is_integer = !entry.bytes;
    text->integer = entry.integer;
    text->bytes = entry.bytes ? entry.bytes : r->digits[slot];
    text->size =
        entry.bytes ? entry.size : wing_listpack_format_integer(entry.integer, r->digits[slot]);
}

static int walk_field(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    struct wing_packed_entry expiry;
    part->kind = WING_RDB_PART_FIELD;
    walk_text(r, 0, &part->text);
    walk_text(r, 1, &part->other);
    wing_listpack_get(r->walk, r->walk_at, &expiry);
    r->walk_at = wing_listpack_next(r->walk, r->walk_at);
    if (expiry.bytes || expiry.integer != 0) r->dropped++;
    return 0;
}

/* Streams. */

static int take_raw_id(struct wing_rdb_reader *r, struct wing_stream_id *id) {
    int code = input_need(r, 16);
    if (code < 0) return code;
    id->ms = load_be64(r->data + r->pos);
    id->seq = load_be64(r->data + r->pos + 8);
    r->pos += 16;
    return 0;
}

static int take_id(struct wing_rdb_reader *r, struct wing_stream_id *id) {
    int code = wing_input_length(r, &id->ms);
    return code < 0 ? code : wing_input_length(r, &id->seq);
}

static int take_ms(struct wing_rdb_reader *r, int64_t *ms) {
    uint64_t value = 0;
    int code = input_le64(r, &value);
    *ms = (int64_t)value;
    return code;
}

static int take_stream_node(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    uint64_t offset = input_offset(r);
    struct wing_rdb_text key;
    struct wing_fault inner;
    int code = wing_input_text(r, 1, &key);
    if (code < 0) return code;
    if (key.size != 16)
        return wing_input_fail(r, WING_E_FORMAT, offset, "a stream id of %zu bytes, not 16",
                               key.size);
    part->id.ms = load_be64(key.bytes);
    part->id.seq = load_be64(key.bytes + 8);
    offset = input_offset(r);
    if ((code = take_block(r, LISTPACK, part)) < 0) return code;
    part->kind = WING_RDB_PART_STREAM_NODE;
    code = wing_listpack_validate_stream_node(part->text.bytes, part->text.size, &inner);
    return code < 0 ? block_fault(r, offset, &inner) : 0;
}

static int take_stream_meta(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    int code;
    part->kind = WING_RDB_PART_STREAM_META;
    part->first_id = part->max_deleted_id = (struct wing_stream_id){0, 0};
    if ((code = wing_input_length(r, &part->length)) < 0 || (code = take_id(r, &part->id)) < 0)
        return code;
    part->entries_added = part->length;
    if (r->type != WING_RDB_TYPE_STREAM_LISTPACKS) {
        if ((code = take_id(r, &part->first_id)) < 0 ||
            (code = take_id(r, &part->max_deleted_id)) < 0 ||
            (code = wing_input_length(r, &part->entries_added)) < 0)
            return code;
    }
    r->stage = STAGE_STREAM_GROUPS;
    return wing_input_length(r, &r->groups);
}

static int take_group(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    uint64_t read = UINT64_MAX;
    int code;
    r->groups--;
    part->kind = WING_RDB_PART_STREAM_GROUP;
    if ((code = wing_input_text(r, 0, &part->text)) < 0) return code;
    r->pinned = &part->text;
    if ((code = take_id(r, &part->id)) < 0) return code;
    if (r->type != WING_RDB_TYPE_STREAM_LISTPACKS && (code = wing_input_length(r, &read)) < 0)
        return code;
    part->entries_read = (int64_t)read;
    r->stage = STAGE_STREAM_PENDING;
    return wing_input_length(r, &r->left);
}

static int take_pending(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    int code;
    part->kind = WING_RDB_PART_STREAM_PENDING;
    if ((code = take_raw_id(r, &part->id)) < 0 || (code = take_ms(r, &part->time_ms)) < 0)
        return code;
    return wing_input_length(r, &part->deliveries);
}

static int take_consumer(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    int code;
    r->consumers--;
    part->kind = WING_RDB_PART_STREAM_CONSUMER;
    part->active_ms = -1;
    if ((code = wing_input_text(r, 0, &part->text)) < 0) return code;
    r->pinned = &part->text;
    if ((code = take_ms(r, &part->time_ms)) < 0) return code;
    if (r->type == WING_RDB_TYPE_STREAM_LISTPACKS_3 && (code = take_ms(r, &part->active_ms)) < 0)
        return code;
    r->stage = STAGE_STREAM_CONSUMER_PENDING;
    return wing_input_length(r, &r->left);
}

static int end_value(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    r->stage = STAGE_NONE;
    part->kind = WING_RDB_PART_END;
    if (r->dropped == 0) return 0;
    char key[96];
    wing_printable(&r->name, key, sizeof key);
    wing_note(r, WING_RDB_REFUSE_FIELD_EXPIRY, "hash '%s': dropped the expiry of %llu fields", key,
              (unsigned long long)r->dropped);
    r->dropped = 0;
    return 0;
}

/* What follows a stage that is used up: no part of its own, just the next stage. */
static int next_stage(struct wing_rdb_reader *r) {
    int code = 0;
    switch (r->stage) {
    case STAGE_STREAM_PENDING:
        r->stage = STAGE_STREAM_CONSUMERS;
        code = wing_input_length(r, &r->consumers);
        r->left = r->consumers;
        break;
    case STAGE_STREAM_CONSUMER_PENDING:
        r->stage = STAGE_STREAM_CONSUMERS;
        r->left = r->consumers;
        break;
    default: /* STAGE_STREAM_CONSUMERS */
        r->stage = STAGE_STREAM_GROUPS;
        break;
    }
    return code;
}

int wing_value_part(struct wing_rdb_reader *r, struct wing_rdb_part *part) {
    int code;
    while (r->left == 0 && r->stage > STAGE_STREAM_GROUPS)
        if ((code = next_stage(r)) < 0) return code;
    if (r->stage == STAGE_STREAM_GROUPS)
        return r->groups > 0 ? take_group(r, part) : end_value(r, part);
    if (r->stage == STAGE_STREAM_CONSUMERS) return take_consumer(r, part);
    if (r->stage == STAGE_STREAM_NODES && r->left == 0) return take_stream_meta(r, part);
    if (r->stage == STAGE_NONE || r->left == 0) return end_value(r, part);
    r->left--;
    switch (r->stage) {
    case STAGE_STRING:
        part->kind = WING_RDB_PART_STRING;
        return wing_input_text(r, 0, &part->text);
    case STAGE_ELEMENTS:
        part->kind = WING_RDB_PART_ELEMENT;
        return wing_input_text(r, 0, &part->text);
    case STAGE_FIELDS:
        return take_field(r, part);
    case STAGE_MEMBERS:
        return take_member(r, part);
    case STAGE_BLOB:
        return take_blob(r, part);
    case STAGE_INTSET:
        return take_intset(r, part);
    case STAGE_ZIPLISTS:
        return take_block(r, ZIPLIST, part);
    case STAGE_NODES:
        return take_node(r, part);
    case STAGE_WALK_EX:
        return walk_field(r, part);
    case STAGE_STREAM_NODES:
        return take_stream_node(r, part);
    case STAGE_STREAM_PENDING:
        return take_pending(r, part);
    case STAGE_STREAM_CONSUMER_PENDING:
        part->kind = WING_RDB_PART_STREAM_CONSUMER_PENDING;
        return take_raw_id(r, &part->id);
    default:
        return end_value(r, part);
    }
}
