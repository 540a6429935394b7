/* SPDX-License-Identifier: BSD-3-Clause */
/* What goes around the values: header, aux fields, keys, end, DUMP. See rdb_writer.h, rdb.h. */
#include "rdb_output.h"

void wing_rdb_write_header(struct wing_rdb_writer *w) {
    output_bytes(w, "REDIS0009", 9);
}

void wing_rdb_write_aux(struct wing_rdb_writer *w, const void *name, size_t name_size,
                        const void *value, size_t value_size) {
    uint8_t *p = output_room(w, 1);
    *p = WING_RDB_OPCODE_AUX;
    output_to(w, p + 1);
    wing_rdb_write_string(w, name, name_size);
    wing_rdb_write_string(w, value, value_size);
}

void wing_rdb_write_aux_text(struct wing_rdb_writer *w, const char *name, const char *value) {
    wing_rdb_write_aux(w, name, strlen(name), value, strlen(value));
}

void wing_rdb_write_aux_integer(struct wing_rdb_writer *w, const char *name, int64_t value) {
    char text[20];
    wing_rdb_write_aux(w, name, strlen(name), text, wing_listpack_format_integer(value, text));
}

void wing_rdb_write_select(struct wing_rdb_writer *w, uint64_t database) {
    uint8_t *p = output_room(w, 10);
    *p++ = WING_RDB_OPCODE_SELECTDB;
    output_to(w, put_length(p, database));
}

void wing_rdb_write_resize(struct wing_rdb_writer *w, uint64_t keys, uint64_t expires) {
    uint8_t *p = output_room(w, 19);
    *p++ = WING_RDB_OPCODE_RESIZEDB;
    output_to(w, put_length(put_length(p, keys), expires));
}

void wing_rdb_write_end(struct wing_rdb_writer *w) {
    uint8_t *p = output_room(w, 9);
    *p = WING_RDB_OPCODE_EOF;
    output_to(w, p + 1);
    wing_output_sum(w);
    store_le64(p + 1, w->checksum ? w->crc : 0);
    output_to(w, p + 9);
    w->summed = w->used;
}

/* Framing counts in no checksum: it is put after all before it was summed, and called summed. */
static void write_framing(struct wing_rdb_writer *w, const char *before, const char *mark,
                          const char *after) {
    uint8_t *p = output_room(w, ROOM / 2);
    wing_output_sum(w);
    memcpy(p, before, strlen(before));
    p += strlen(before);
    memcpy(p, mark, WING_RDB_MARK_SIZE);
    p += WING_RDB_MARK_SIZE;
    memcpy(p, after, strlen(after));
    output_to(w, p + strlen(after));
    w->summed = w->used;
}

void wing_rdb_write_mark_begin(struct wing_rdb_writer *w, const char *mark) {
    write_framing(w, "$EOF:", mark, "\r\n");
}

void wing_rdb_write_mark_end(struct wing_rdb_writer *w, const char *mark) {
    write_framing(w, "", mark, "");
}

void wing_rdb_write_key(struct wing_rdb_writer *w, enum wing_rdb_type type, const void *key,
                        size_t size, int64_t expiry_ms, int64_t idle_s, int freq) {
    uint8_t *p = output_room(w, 32);
    if (expiry_ms != -1) {
        *p = WING_RDB_OPCODE_EXPIRETIME_MS;
        store_le64(p + 1, (uint64_t)expiry_ms);
        p += 9;
    }
    if (idle_s >= 0) {
        *p++ = WING_RDB_OPCODE_IDLE;
        p = put_length(p, (uint64_t)idle_s);
    }
    if (freq >= 0) {
        *p++ = WING_RDB_OPCODE_FREQ;
        *p++ = (uint8_t)freq;
    }
    *p++ = (uint8_t)type;
    output_to(w, p);
    wing_rdb_write_string(w, key, size);
}

void wing_rdb_write_string_key(struct wing_rdb_writer *w, const void *key, size_t size,
                               int64_t expiry_ms, int64_t idle_s, int freq, const void *value,
                               size_t value_size) {
    wing_rdb_write_key(w, WING_RDB_TYPE_STRING, key, size, expiry_ms, idle_s, freq);
    wing_rdb_write_string(w, value, value_size);
}

void wing_rdb_write_made(struct wing_rdb_writer *w, const void *bytes, size_t size) {
    output_bytes(w, bytes, size);
}

void wing_rdb_write_dump_begin(struct wing_rdb_writer *w, enum wing_rdb_type type) {
    uint8_t *p = output_room(w, 1);
    *p = (uint8_t)type;
    output_to(w, p + 1);
}

void wing_rdb_write_dump_end(struct wing_rdb_writer *w) {
    uint8_t *p = output_room(w, 10);
    store_le16(p, WING_RDB_VERSION);
    output_to(w, p + 2);
    store_le64(p + 2, wing_crc64(0, w->buffer, w->used));
    output_to(w, p + 10);
}

ssize_t wing_rdb_dump_verify(const void *payload, size_t size) {
    if (size < 11) return WING_E_END; /* a type byte, version, checksum */
    const uint8_t *footer = (const uint8_t *)payload + size - 10;
    uint16_t version = load_le16(footer);
    if (version < 1 || version > WING_RDB_VERSION_READ) return WING_E_VERSION;
    if (wing_crc64(0, payload, size - 8) != load_le64(footer + 2)) return WING_E_CHECKSUM;
    return (ssize_t)(size - 10);
}
