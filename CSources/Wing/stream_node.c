/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream's node, a listpack of its own grammar:
 *
 *     node      count · deleted · field count · fields · 0 · entry*
 *     entry     flags (1 deleted, 2 the node's own fields) · ms - node's ms · seq - node's seq
 *               · [field count · (field · value)*] or values · number of the entry's items before
 * this
 *
 * Whoever walks a node counts on these numbers, so they are checked where the bytes come in.
 */
#include "bytes.h"

struct walk {
    const uint8_t *lp;
    size_t at; /* 0: after the last item */
    struct wing_fault *fault;
};

static int broken(struct walk *w, const char *what) {
    return fault_at(w->fault, WING_E_FORMAT, w->at, "stream node: %s", what);
}

static int take_integer(struct walk *w, int64_t *value, const char *missing) {
    struct wing_packed_entry entry;
    if (w->at == 0) return broken(w, missing);
    wing_listpack_get(w->lp, w->at, &entry);
    if (entry.bytes && !wing_listpack_parse_integer(entry.bytes, entry.size, &entry.integer))
        return broken(w, missing);
    *value = entry.integer;
    w->at = wing_listpack_next(w->lp, w->at);
    return 0;
}

static int skip(struct walk *w, int64_t count, const char *missing) {
    for (; count > 0; count--) {
        if (w->at == 0) return broken(w, missing);
        w->at = wing_listpack_next(w->lp, w->at);
    }
    return 0;
}

static int take_entry(struct walk *w, int64_t shared_fields, bool *deleted) {
    int64_t flags, ms, seq, fields = shared_fields, items, said;
    int code;
    if ((code = take_integer(w, &flags, "an entry has no flags")) < 0 ||
        (code = take_integer(w, &ms, "an entry has no time")) < 0 ||
        (code = take_integer(w, &seq, "an entry has no sequence number")) < 0)
        return code;
    if (flags & 2) {
        items = 3 + fields;
    } else {
        if ((code = take_integer(w, &fields, "an entry has no field count")) < 0) return code;
        if (fields < 0 || fields > INT32_MAX)
            return broken(w, "impossible field count in an entry");
        items = 4 + 2 * fields;
    }
    if ((code = skip(w, flags & 2 ? fields : 2 * fields, "an entry ends within its fields")) < 0 ||
        (code = take_integer(w, &said, "an entry has no item count")) < 0)
        return code;
    if (said != items) return broken(w, "an entry's item count is wrong");
    *deleted = flags & 1;
    return 0;
}

int wing_listpack_validate_stream_node(const void *lp, size_t size, struct wing_fault *fault) {
    (void)size;
    struct walk w = {lp, wing_listpack_first(lp), fault};
    int64_t valid, deleted, fields, zero;
    int code;
    if ((code = take_integer(&w, &valid, "no entry count")) < 0 ||
        (code = take_integer(&w, &deleted, "no count of deleted entries")) < 0 ||
        (code = take_integer(&w, &fields, "no field count")) < 0)
        return code;
    if (valid < 0 || deleted < 0 || fields < 0 || fields > INT32_MAX)
        return broken(&w, "impossible counts");
    if ((code = skip(&w, fields, "ends within its fields")) < 0 ||
        (code = take_integer(&w, &zero, "no end of the fields")) < 0)
        return code;
    if (zero != 0) return broken(&w, "the end of the fields isn't 0");
    while (w.at != 0) {
        bool gone = false;
        if ((code = take_entry(&w, fields, &gone)) < 0) return code;
        if (gone)
            deleted--;
        else
            valid--;
    }
    if (valid != 0 || deleted != 0) return broken(&w, "entry counts are wrong");
    return 0;
}
