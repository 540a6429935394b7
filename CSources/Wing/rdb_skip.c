/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What our data model has no place for: module values, functions, slot info. Each is walked by its
 * own grammar and leaves a note.
 *
 *     module id       length of 64 bits: 9 characters of 6 bits, 10 bits of encoding version
 *     module values   (1 length | 2 length | 3 float, 4 bytes | 4 double, 8 bytes | 5 string)* · 0
 */
#include "rdb_input.h"

void wing_note(struct wing_rdb_reader *r, unsigned about, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(r->note, sizeof r->note, format, list);
    va_end(list);
    r->note_about = about;
    r->note_waits = true;
}

/* The text for a log line: what isn't printable as \xHH, cut with "..." where it is long. */
size_t wing_printable(const struct wing_rdb_text *text, char *out, size_t capacity) {
    size_t end = 0;
    for (size_t i = 0; i < text->size; i++) {
        if (end + 8 > capacity) {
            memcpy(out + end, "...", 3);
            end += 3;
            break;
        }
        uint8_t c = text->bytes[i];
        if (c >= 0x20 && c < 0x7F && c != '\\' && c != '\'') {
            out[end++] = (char)c;
        } else {
            static const char hex[] = "0123456789abcdef";
            out[end++] = '\\';
            out[end++] = 'x';
            out[end++] = hex[c >> 4];
            out[end++] = hex[c & 15];
        }
    }
    out[end] = 0;
    return end;
}

static void module_name(uint64_t id, char name[10]) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    id >>= 10;
    for (int i = 8; i >= 0; i--, id >>= 6)
        name[i] = letters[id & 63];
    name[9] = 0;
}

static int skip_string(struct wing_rdb_reader *r) {
    struct wing_rdb_text text;
    if (input_need(r, 1) == 0 && r->data[r->pos] < 0xC0) {
        uint64_t length;
        int code = wing_input_length(r, &length);
        return code < 0 ? code : wing_input_skip(r, length);
    }
    return r->fault.code < 0 ? r->fault.code : wing_input_text(r, 0, &text);
}

static int skip_module_values(struct wing_rdb_reader *r) {
    for (;;) {
        uint64_t opcode, value, offset = input_offset(r);
        int code = wing_input_length(r, &opcode);
        if (code < 0) return code;
        switch (opcode) {
        case 0:
            return 0;
        case 1:
        case 2:
            code = wing_input_length(r, &value);
            break;
        case 3:
            code = wing_input_skip(r, 4);
            break;
        case 4:
            code = wing_input_skip(r, 8);
            break;
        case 5:
            code = skip_string(r);
            break;
        default:
            return wing_input_fail(r, WING_E_FORMAT, offset, "a module value of unknown kind %llu",
                                   (unsigned long long)opcode);
        }
        if (code < 0) return code;
    }
}

/* After the opcode, or after type and key. */
int wing_skip_module(struct wing_rdb_reader *r, bool is_aux) {
    uint64_t id, offset = input_offset(r), ignored;
    int code = wing_input_length(r, &id);
    if (code < 0) return code;
    char name[10], key[96];
    module_name(id, name);
    if (!is_aux) wing_printable(&r->name, key, sizeof key);
    if (!is_aux && r->type == WING_RDB_TYPE_MODULE)
        return wing_input_fail(r, WING_E_UNSUPPORTED, offset,
                               "key '%s' is a value of module '%s' in a form that can't be skipped",
                               key, name);
    if (!is_aux && r->refuse & WING_RDB_REFUSE_MODULES)
        return wing_input_fail(r, WING_E_UNSUPPORTED, offset, "key '%s' is a value of module '%s'",
                               key, name);
    if (is_aux && r->refuse & WING_RDB_REFUSE_MODULE_AUX)
        return wing_input_fail(r, WING_E_UNSUPPORTED, offset, "data of module '%s'", name);
    if (is_aux) { /* when: before or after the keys, itself as a module value */
        if ((code = wing_input_length(r, &ignored)) < 0 ||
            (code = wing_input_length(r, &ignored)) < 0)
            return code;
    }
    if ((code = skip_module_values(r)) < 0) return code;
    if (is_aux)
        wing_note(r, WING_RDB_REFUSE_MODULE_AUX, "skipped data of module '%s'", name);
    else
        wing_note(r, WING_RDB_REFUSE_MODULES, "skipped key '%s', a value of module '%s'", key,
                  name);
    return 0;
}

int wing_skip_function(struct wing_rdb_reader *r, bool is_pre_ga) {
    uint64_t offset = input_offset(r), described;
    struct wing_rdb_text text;
    int code;
    char shown[96];
    if (r->refuse & WING_RDB_REFUSE_FUNCTIONS)
        return wing_input_fail(r, WING_E_UNSUPPORTED, offset, "a function library");
    if ((code = wing_input_text(r, 0, &text)) < 0) return code;
    /* The source's first line, "#!lua name=mylib", or the function's name. */
    const uint8_t *line = memchr(text.bytes, '\n', text.size);
    if (line) text.size = (size_t)(line - text.bytes);
    wing_printable(&text, shown, sizeof shown);
    if (is_pre_ga) {
        if ((code = skip_string(r)) < 0 || (code = wing_input_length(r, &described)) < 0)
            return code;
        if (described && (code = skip_string(r)) < 0) return code;
        if ((code = skip_string(r)) < 0) return code;
    }
    wing_note(r, WING_RDB_REFUSE_FUNCTIONS, "skipped function library '%s'", shown);
    return 0;
}

int wing_skip_slot_info(struct wing_rdb_reader *r) {
    uint64_t slot, keys, expires;
    int code;
    if ((code = wing_input_length(r, &slot)) < 0 || (code = wing_input_length(r, &keys)) < 0 ||
        (code = wing_input_length(r, &expires)) < 0)
        return code;
    wing_note(r, 0, "skipped sizes of slot %llu: %llu keys", (unsigned long long)slot,
              (unsigned long long)keys);
    return 0;
}
