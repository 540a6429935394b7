/* SPDX-License-Identifier: BSD-3-Clause */
/* See rdb_copy.h. What only newer versions hold is brought down to version 9, as a server would. */
#include "rdb_copy.h"

struct copy {
    struct wing_rdb_reader *r;
    struct wing_rdb_writer *w;
    struct copy_counts *counts;
};

static void mix(struct copy *c, const void *bytes, size_t size) {
    c->counts->hash = wing_crc64(c->counts->hash ^ size, bytes, size);
    c->counts->bytes += size;
}

static void mix_number(struct copy *c, uint64_t number) {
    mix(c, &number, sizeof number);
}
static void mix_text(struct copy *c, const struct wing_rdb_text *text) {
    mix(c, text->bytes, text->size);
}

static int write_type(const struct wing_rdb_item *item) {
    switch (item->type) {
    case WING_RDB_TYPE_ZSET:
        return WING_RDB_TYPE_ZSET_2;
    case WING_RDB_TYPE_HASH_ZIPMAP:
    case WING_RDB_TYPE_HASH_LISTPACK:
        return WING_RDB_TYPE_HASH_ZIPLIST;
    case WING_RDB_TYPE_LIST:
    case WING_RDB_TYPE_LIST_ZIPLIST:
    case WING_RDB_TYPE_LIST_QUICKLIST_2:
        return WING_RDB_TYPE_LIST_QUICKLIST;
    case WING_RDB_TYPE_ZSET_LISTPACK:
        return WING_RDB_TYPE_ZSET_ZIPLIST;
    case WING_RDB_TYPE_SET_LISTPACK:
        return WING_RDB_TYPE_SET;
    case WING_RDB_TYPE_STREAM_LISTPACKS_2:
    case WING_RDB_TYPE_STREAM_LISTPACKS_3:
        return WING_RDB_TYPE_STREAM_LISTPACKS;
    default:
        return item->type >= WING_RDB_TYPE_HASH_METADATA_PRE_GA ? WING_RDB_TYPE_HASH
                                                                : (int)item->type;
    }
}

static void copy_string(struct copy *c, const struct wing_rdb_text *text) {
    mix_text(c, text);
    if (!c->w) return;
    if (text->is_integer)
        wing_rdb_write_integer(c->w, text->integer);
    else
        wing_rdb_write_string(c->w, text->bytes, text->size);
}

static void copy_members(struct copy *c, const struct wing_rdb_part *part) {
    const uint8_t *lp = part->text.bytes;
    if (!c->w) return;
    wing_rdb_write_count(c->w, part->entries);
    for (size_t at = wing_listpack_first(lp); at != 0; at = wing_listpack_next(lp, at)) {
        struct wing_packed_entry entry;
        wing_listpack_get(lp, at, &entry);
        if (entry.bytes)
            wing_rdb_write_string(c->w, entry.bytes, entry.size);
        else
            wing_rdb_write_integer(c->w, entry.integer);
    }
}

static void copy_listpack(struct copy *c, const struct wing_rdb_item *item,
                          const struct wing_rdb_part *part) {
    mix_text(c, &part->text);
    mix_number(c, part->entries);
    if (item->value == WING_RDB_VALUE_SET) {
        copy_members(c, part);
    } else if (c->w && item->value == WING_RDB_VALUE_LIST) {
        if (item->type == WING_RDB_TYPE_LIST_ZIPLIST) wing_rdb_write_count(c->w, 1);
        wing_rdb_write_list_node(c->w, part->text.bytes);
    } else if (c->w) {
        wing_rdb_write_listpack(c->w, part->text.bytes);
    }
}

/* Counts of a stream's lists are written before their parts, but the reader gives them one by one:
 * so a first pass over a second reader's value would be needed. Instead each list is gathered. */
struct stream {
    struct wing_rdb_part parts[4096];
    uint8_t *texts[4096];
    size_t count;
};

static void write_stream(struct copy *c, const struct stream *s) {
    size_t nodes = 0, groups = 0;
    for (size_t i = 0; i < s->count; i++) {
        nodes += s->parts[i].kind == WING_RDB_PART_STREAM_NODE;
        groups += s->parts[i].kind == WING_RDB_PART_STREAM_GROUP;
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct wing_rdb_part *part = &s->parts[i];
        size_t follow = 0, consumers = 0;
        bool announces_consumers = false;
        if (i == 0) wing_rdb_write_count(c->w, nodes);
        switch (part->kind) {
        case WING_RDB_PART_STREAM_NODE:
            wing_rdb_write_stream_node(c->w, part->id, s->texts[i], part->text.size);
            break;
        case WING_RDB_PART_STREAM_META:
            wing_rdb_write_stream_meta(c->w, part->length, part->id);
            wing_rdb_write_count(c->w, groups);
            break;
        case WING_RDB_PART_STREAM_GROUP:
            wing_rdb_write_stream_group(c->w, s->texts[i], part->text.size, part->id);
            while (i + 1 + follow < s->count &&
                   s->parts[i + 1 + follow].kind == WING_RDB_PART_STREAM_PENDING)
                follow++;
            wing_rdb_write_count(c->w, follow);
            announces_consumers = follow == 0;
            break;
        case WING_RDB_PART_STREAM_PENDING:
            wing_rdb_write_stream_pending(c->w, part->id, part->time_ms, part->deliveries);
            announces_consumers =
                i + 1 == s->count || s->parts[i + 1].kind != WING_RDB_PART_STREAM_PENDING;
            break;
        case WING_RDB_PART_STREAM_CONSUMER:
            wing_rdb_write_stream_consumer(c->w, s->texts[i], part->text.size, part->time_ms);
            while (i + 1 + follow < s->count &&
                   s->parts[i + 1 + follow].kind == WING_RDB_PART_STREAM_CONSUMER_PENDING)
                follow++;
            wing_rdb_write_count(c->w, follow);
            break;
        case WING_RDB_PART_STREAM_CONSUMER_PENDING:
            wing_rdb_write_stream_consumer_pending(c->w, part->id);
            break;
        default:
            break;
        }
        if (!announces_consumers) continue;
        for (size_t k = i + 1; k < s->count && s->parts[k].kind != WING_RDB_PART_STREAM_GROUP; k++)
            consumers += s->parts[k].kind == WING_RDB_PART_STREAM_CONSUMER;
        wing_rdb_write_count(c->w, consumers);
    }
}

static void gather(struct copy *c, struct stream *s, const struct wing_rdb_part *part) {
    bool has_text = part->kind == WING_RDB_PART_STREAM_NODE ||
                    part->kind == WING_RDB_PART_STREAM_GROUP ||
                    part->kind == WING_RDB_PART_STREAM_CONSUMER;
    mix_number(c, (uint64_t)part->kind);
    if (part->kind != WING_RDB_PART_STREAM_CONSUMER) {
        mix_number(c, part->id.ms);
        mix_number(c, part->id.seq);
    }
    if (has_text) mix_text(c, &part->text);
    if (!c->w || s->count == 4096) return;
    s->texts[s->count] = NULL;
    if (has_text) {
        s->texts[s->count] = malloc(part->text.size + 1);
        if (!s->texts[s->count]) abort();
        memcpy(s->texts[s->count], part->text.bytes, part->text.size);
    }
    s->parts[s->count++] = *part;
}

static int copy_stream(struct copy *c) {
    struct stream *s = malloc(sizeof *s);
    struct wing_rdb_part part;
    int code;
    if (!s) return WING_E_NOMEM;
    s->count = 0;
    while ((code = wing_rdb_reader_part(c->r, &part)) == 0 && part.kind != WING_RDB_PART_END)
        gather(c, s, &part);
    if (code == 0 && c->w) write_stream(c, s);
    for (size_t i = 0; i < s->count; i++)
        free(s->texts[i]);
    free(s);
    return code;
}

static int copy_value(struct copy *c, const struct wing_rdb_item *item) {
    struct wing_rdb_part part;
    int code;
    if (item->value == WING_RDB_VALUE_STREAM) return copy_stream(c);
    bool counted =
        item->type != WING_RDB_TYPE_STRING && write_type(item) != WING_RDB_TYPE_SET_INTSET &&
        write_type(item) != WING_RDB_TYPE_HASH_ZIPLIST &&
        write_type(item) != WING_RDB_TYPE_ZSET_ZIPLIST &&
        item->type != WING_RDB_TYPE_SET_LISTPACK && item->type != WING_RDB_TYPE_LIST_ZIPLIST;
    if (counted && c->w) wing_rdb_write_count(c->w, item->elements);
    while ((code = wing_rdb_reader_part(c->r, &part)) == 0 && part.kind != WING_RDB_PART_END) {
        c->counts->parts++;
        switch (part.kind) {
        case WING_RDB_PART_STRING:
            copy_string(c, &part.text);
            break;
        case WING_RDB_PART_ELEMENT:
            if (item->value == WING_RDB_VALUE_LIST) {
                mix_text(c, &part.text);
                if (c->w) wing_rdb_write_list_plain(c->w, part.text.bytes, part.text.size);
            } else {
                copy_string(c, &part.text);
            }
            break;
        case WING_RDB_PART_LISTPACK:
            copy_listpack(c, item, &part);
            break;
        case WING_RDB_PART_INTSET:
            mix_text(c, &part.text);
            if (c->w) wing_rdb_write_blob(c->w, part.text.bytes, part.text.size);
            break;
        case WING_RDB_PART_FIELD:
            copy_string(c, &part.text);
            copy_string(c, &part.other);
            break;
        case WING_RDB_PART_MEMBER:
            copy_string(c, &part.text);
            mix(c, &part.score, sizeof part.score);
            if (c->w) wing_rdb_write_score(c->w, part.score);
            break;
        default:
            break;
        }
    }
    return code;
}

static int copy_item(struct copy *c, const struct wing_rdb_item *item) {
    struct wing_rdb_writer *w = c->w;
    switch (item->kind) {
    case WING_RDB_ITEM_HEADER:
        if (w) wing_rdb_write_header(w);
        return 0;
    case WING_RDB_ITEM_AUX:
        if (w)
            wing_rdb_write_aux(w, item->name.bytes, item->name.size, item->text.bytes,
                               item->text.size);
        return 0;
    case WING_RDB_ITEM_SELECTDB:
        mix_number(c, item->database);
        if (w) wing_rdb_write_select(w, item->database);
        return 0;
    case WING_RDB_ITEM_RESIZEDB:
        if (w) wing_rdb_write_resize(w, item->keys, item->expires);
        return 0;
    case WING_RDB_ITEM_KEY:
        c->counts->keys++;
        mix_text(c, &item->name);
        mix_number(c, (uint64_t)item->expiry_ms);
        mix_number(c, (uint64_t)item->value);
        if (w)
            wing_rdb_write_key(w, (enum wing_rdb_type)write_type(item), item->name.bytes,
                               item->name.size, item->expiry_ms, item->idle_s, item->freq);
        return copy_value(c, item);
    case WING_RDB_ITEM_NOTE:
        c->counts->notes++;
        return 0;
    case WING_RDB_ITEM_END:
        if (w) wing_rdb_write_end(w);
        return 0;
    }
    return 0;
}

int rdb_copy(struct wing_rdb_reader *r, struct wing_rdb_writer *w, struct copy_counts *counts) {
    struct copy_counts own;
    struct copy c = {r, w, counts ? counts : &own};
    struct wing_rdb_item item;
    int code;
    *c.counts = (struct copy_counts){0};
    do {
        if ((code = wing_rdb_reader_next(r, &item)) < 0 || (code = copy_item(&c, &item)) < 0)
            return code;
    } while (item.kind != WING_RDB_ITEM_END);
    return 0;
}

unsigned char *rdb_fixture(const char *name, size_t *size) {
    static const char *folders[] = {"", "../Fixtures/", "Tests/Fixtures/", "../../Tests/Fixtures/"};
    char path[256];
    FILE *file = NULL;
    for (size_t i = 0; i < 4 && !file; i++) {
        snprintf(path, sizeof path, "%s%s", folders[i], name);
        file = fopen(path, "rb");
    }
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*size);
    if (bytes && fread(bytes, 1, *size, file) != *size) *size = 0;
    fclose(file);
    return bytes;
}
