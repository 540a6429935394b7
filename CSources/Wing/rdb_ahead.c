/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader ahead of its user: see rdb_ahead.h. Batches go round a ring; each is a run of records
 * of multiples of 8 bytes, a head and what its kind needs.
 *
 * Who has to wait is woken when half of the ring is there for it: woken for each batch, the two
 * would sleep thousands of times a second, which took a fourth of a load of large values. */
#include "wing/rdb_ahead.h"
#include "wing/turn.h"
#include "bytes.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { BATCHES = 32, BATCH = 64 * 1024, BATCH_KEPT = 256 * 1024, HELD = BATCHES * BATCH };
enum { APART = 128 }; /* two cache lines: x86 fetches them in pairs */

enum { OF_KEY, OF_OTHER_ITEM, OF_PART, OF_STREAM, OF_END, OF_FAULT };

struct head {
    uint8_t what;
    uint8_t kind;
    uint8_t type;
    uint8_t value;
    int16_t freq;
    bool text_is_integer;
    bool other_is_integer;
};

struct key {
    struct head head;
    uint64_t size; /* of the name, which follows */
    int64_t expiry_ms;
    int64_t idle_s;
    uint64_t elements;
    uint64_t offset;
};

struct part {
    struct head head;
    uint64_t size;
    union {
        int64_t integer;
        uint64_t entries;
    };
    union {
        double score;
        uint64_t other_size;
    };
    int64_t other_integer;
}; /* the text and the other text follow */

struct other_item {
    struct head head;
    uint64_t offset;
    struct wing_rdb_item item;
}; /* name and text follow */

struct stream_part {
    struct head head;
    struct wing_rdb_part part;
}; /* the text follows */

struct batch {
    uint8_t *bytes;
    size_t capacity;
    size_t used;
};

struct wing_rdb_ahead {
    struct wing_rdb_reader *reader;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t made; /* batches handed over, and taken back; under the lock */
    uint64_t spent;
    size_t held; /* bytes of those between: long strings make long batches */
    bool sleeps; /* one of the two; never both */
    bool stop;
    bool ended; /* no batch comes behind those made */
    /* The thread's, which it writes to for each record, as the user does to its own: in one cache
     * line the two took it from each other each time. */
    _Alignas(APART) struct batch batches[BATCHES];
    struct batch *filling;
    uint64_t filled;
    /* The user's. */
    _Alignas(APART) const uint8_t *at, *end;
    uint64_t reading; /* the number of the batch; changed under the lock */
    bool has_batch;
    uint64_t offset;
    int fault;
    uint8_t *name;
    size_t name_capacity;
};

/* The next four under the lock. */
static bool is_full(const struct wing_rdb_ahead *a) {
    return a->made - a->spent >= BATCHES || a->held >= HELD;
}

static bool has_room(const struct wing_rdb_ahead *a) {
    return a->made - a->spent <= BATCHES / 2 && a->held <= HELD / 2;
}

static void wait(struct wing_rdb_ahead *a) {
    a->sleeps = true;
    pthread_cond_wait(&a->changed, &a->lock);
}

static void wake(struct wing_rdb_ahead *a) {
    a->sleeps = false;
    pthread_cond_signal(&a->changed);
}

/* MARK: the thread */

/* The batch being filled goes to the user, the next one is waited for; false: stop. */
static bool hand_over(struct wing_rdb_ahead *a, bool last) {
    pthread_mutex_lock(&a->lock);
    a->made = ++a->filled;
    a->ended = last;
    a->held += a->filling->used;
    bool is_much = a->made - a->reading >= BATCHES / 2 || a->held >= HELD / 2;
    if (a->sleeps && (last || is_much)) wake(a);
    while (!last && !a->stop && is_full(a))
        wait(a);
    bool go_on = !a->stop;
    pthread_mutex_unlock(&a->lock);
    wing_turn_offer();
    a->filling = &a->batches[a->filled % BATCHES];
    if (last || !go_on) return false;
    a->filling->used = 0;
    if (a->filling->capacity > BATCH_KEPT) {
        uint8_t *small = realloc(a->filling->bytes, BATCH);
        if (small) a->filling->bytes = small, a->filling->capacity = BATCH;
    }
    return true;
}

static inline size_t whole(size_t size) {
    return (size + 7) & ~(size_t)7;
}

/* Place for a record; NULL: stop. */
static inline uint8_t *record(struct wing_rdb_ahead *a, size_t size) {
    size = whole(size);
    if (__builtin_expect(a->filling->capacity - a->filling->used < size, 0)) {
        if (a->filling->used > 0 && !hand_over(a, false)) return NULL;
        if (a->filling->capacity < size) {
            uint8_t *large = realloc(a->filling->bytes, size);
            if (!large) return NULL;
            a->filling->bytes = large;
            a->filling->capacity = size;
        }
    }
    uint8_t *place = a->filling->bytes + a->filling->used;
    a->filling->used += size;
    return place;
}

static bool put_item(struct wing_rdb_ahead *a, const struct wing_rdb_item *item) {
    uint64_t offset = wing_rdb_reader_offset(a->reader);
    if (item->kind == WING_RDB_ITEM_KEY) {
        struct key key = {.head = {.what = OF_KEY,
                                   .type = (uint8_t)item->type,
                                   .value = (uint8_t)item->value,
                                   .freq = (int16_t)item->freq},
                          .size = item->name.size,
                          .expiry_ms = item->expiry_ms,
                          .idle_s = item->idle_s,
                          .elements = item->elements,
                          .offset = offset};
        uint8_t *p = record(a, sizeof key + item->name.size);
        if (!p) return false;
        memcpy(p, &key, sizeof key);
        memcpy(p + sizeof key, item->name.bytes, item->name.size);
        return true;
    }
    struct other_item other = {.head = {.what = OF_OTHER_ITEM}, .offset = offset, .item = *item};
    bool is_aux = item->kind == WING_RDB_ITEM_AUX;
    bool has_text = is_aux || item->kind == WING_RDB_ITEM_NOTE;
    size_t name = is_aux ? item->name.size : 0, text = has_text ? item->text.size : 0;
    uint8_t *p = record(a, sizeof other + name + text);
    if (!p) return false;
    other.item.name.size = name;
    other.item.text.size = text;
    memcpy(p, &other, sizeof other);
    if (name > 0) memcpy(p + sizeof other, item->name.bytes, name);
    if (text > 0) memcpy(p + sizeof other + name, item->text.bytes, text);
    return true;
}

static bool put_part(struct wing_rdb_ahead *a, const struct wing_rdb_part *part) {
    uint8_t *p;
    if (part->kind == WING_RDB_PART_END) {
        p = record(a, sizeof(struct head));
        if (p) memcpy(p, &(struct head){.what = OF_END}, sizeof(struct head));
        return p != NULL;
    }
    if (part->kind >= WING_RDB_PART_STREAM_NODE) {
        bool has_text = part->kind == WING_RDB_PART_STREAM_NODE ||
                        part->kind == WING_RDB_PART_STREAM_GROUP ||
                        part->kind == WING_RDB_PART_STREAM_CONSUMER;
        struct stream_part stream = {.head = {.what = OF_STREAM}, .part = *part};
        stream.part.text.size = has_text ? part->text.size : 0;
        p = record(a, sizeof stream + stream.part.text.size);
        if (!p) return false;
        memcpy(p, &stream, sizeof stream);
        if (has_text) memcpy(p + sizeof stream, part->text.bytes, part->text.size);
        return true;
    }
    bool is_packed = part->kind == WING_RDB_PART_LISTPACK || part->kind == WING_RDB_PART_INTSET;
    bool is_pair = part->kind == WING_RDB_PART_FIELD;
    struct part record_head = {.head = {.what = OF_PART,
                                        .kind = (uint8_t)part->kind,
                                        .text_is_integer = !is_packed && part->text.is_integer},
                               .size = part->text.size};
    if (is_packed)
        record_head.entries = part->entries;
    else
        record_head.integer = part->text.integer;
    size_t other = 0;
    if (is_pair) {
        record_head.head.other_is_integer = part->other.is_integer;
        record_head.other_size = other = part->other.size;
        record_head.other_integer = part->other.integer;
    } else if (part->kind == WING_RDB_PART_MEMBER) {
        record_head.score = part->score;
    }
    p = record(a, sizeof record_head + part->text.size + other);
    if (!p) return false;
    memcpy(p, &record_head, sizeof record_head);
    memcpy(p + sizeof record_head, part->text.bytes, part->text.size);
    if (other > 0) memcpy(p + sizeof record_head + part->text.size, part->other.bytes, other);
    return true;
}

static int read_all(struct wing_rdb_ahead *a) {
    struct wing_rdb_item item = {.kind = WING_RDB_ITEM_HEADER};
    struct wing_rdb_part part;
    memset(&part, 0, sizeof part);
    for (;;) {
        int code = wing_rdb_reader_next(a->reader, &item);
        if (code < 0) return code;
        if (!put_item(a, &item)) return WING_E_NOMEM;
        if (item.kind == WING_RDB_ITEM_END) return 0;
        if (item.kind != WING_RDB_ITEM_KEY) continue;
        do {
            if ((code = wing_rdb_reader_part(a->reader, &part)) < 0) return code;
            if (!put_part(a, &part)) return WING_E_NOMEM;
        } while (part.kind != WING_RDB_PART_END);
    }
}

static void *run(void *context) {
    struct wing_rdb_ahead *a = context;
    int code = read_all(a);
    if (code < 0) {
        /* The last record. Without memory for it the user finds that no batch comes. */
        uint8_t *p = record(a, sizeof(struct head) + sizeof code);
        if (p) {
            memcpy(p, &(struct head){.what = OF_FAULT}, sizeof(struct head));
            memcpy(p + sizeof(struct head), &code, sizeof code);
        }
    }
    hand_over(a, true);
    return NULL;
}

static void free_all(struct wing_rdb_ahead *a) {
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    for (int i = 0; i < BATCHES; i++)
        free(a->batches[i].bytes);
    free(a->name);
    free(a);
}

struct wing_rdb_ahead *wing_rdb_ahead_start(struct wing_rdb_reader *r) {
    struct wing_rdb_ahead *a = aligned_alloc(APART, sizeof *a);
    if (!a) return NULL;
    memset(a, 0, sizeof *a);
    a->reader = r;
    a->filling = a->batches;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    bool ready = true;
    for (int i = 0; i < BATCHES; i++) {
        a->batches[i] = (struct batch){.bytes = malloc(BATCH), .capacity = BATCH};
        if (!a->batches[i].bytes) ready = false;
    }
    sigset_t every, before;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    ready = ready && pthread_create(&a->thread, NULL, run, a) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (ready) return a;
    free_all(a);
    return NULL;
}

void wing_rdb_ahead_stop(struct wing_rdb_ahead *a) {
    if (!a) return;
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    free_all(a);
}

/* MARK: the user */

/* The next batch, the one before going back; false behind the last. */
static bool take_batch(struct wing_rdb_ahead *a) {
    pthread_mutex_lock(&a->lock);
    if (a->has_batch) {
        a->held -= a->batches[a->reading % BATCHES].used;
        a->spent = ++a->reading;
        if (a->sleeps && has_room(a)) wake(a);
    }
    while (a->made == a->reading && !a->ended)
        wait(a);
    bool is_there = a->made > a->reading;
    pthread_mutex_unlock(&a->lock);
    if (!is_there) return false;
    wing_turn_offer();
    struct batch *batch = &a->batches[a->reading % BATCHES];
    a->has_batch = true;
    a->at = batch->bytes;
    a->end = batch->bytes + batch->used;
    return a->at < a->end;
}

static int fault(struct wing_rdb_ahead *a, int code) {
    a->fault = code;
    return code;
}

/* The head of the record that comes next, which stays; NULL with the fault set. */
static inline const struct head *peek(struct wing_rdb_ahead *a) {
    if (a->fault < 0) return NULL;
    if (__builtin_expect(a->at == a->end, 0) && !take_batch(a)) {
        fault(a, WING_E_NOMEM);
        return NULL;
    }
    const struct head *head = (const struct head *)(const void *)a->at;
    if (head->what == OF_FAULT) {
        int code;
        memcpy(&code, a->at + sizeof *head, sizeof code);
        fault(a, code);
        return NULL;
    }
    return head;
}

static size_t record_size(const struct head *head) {
    switch (head->what) {
    case OF_KEY:
        return whole(sizeof(struct key) + ((const struct key *)(const void *)head)->size);
    case OF_PART: {
        const struct part *part = (const void *)head;
        size_t other = head->kind == WING_RDB_PART_FIELD ? part->other_size : 0;
        return whole(sizeof *part + part->size + other);
    }
    case OF_STREAM:
        return whole(sizeof(struct stream_part) +
                     ((const struct stream_part *)(const void *)head)->part.text.size);
    case OF_OTHER_ITEM: {
        const struct other_item *other = (const void *)head;
        return whole(sizeof *other + other->item.name.size + other->item.text.size);
    }
    default:
        return sizeof(struct head);
    }
}

int wing_rdb_ahead_next(struct wing_rdb_ahead *a, struct wing_rdb_item *item) {
    const struct head *head;
    for (;;) {
        if (!(head = peek(a))) return a->fault;
        if (head->what == OF_KEY || head->what == OF_OTHER_ITEM) break;
        a->at += record_size(head);
    }
    if (head->what == OF_OTHER_ITEM) {
        const struct other_item *other = (const void *)head;
        *item = other->item;
        item->name.bytes = a->at + sizeof *other;
        item->text.bytes = a->at + sizeof *other + other->item.name.size;
        a->offset = other->offset;
        /* END comes again and again. */
        if (item->kind != WING_RDB_ITEM_END) a->at += record_size(head);
        return 0;
    }
    const struct key *key = (const void *)head;
    if (key->size > a->name_capacity || !a->name) {
        size_t capacity = key->size < 256 ? 256 : key->size;
        free(a->name);
        a->name = malloc(capacity);
        a->name_capacity = a->name ? capacity : 0;
        if (!a->name) return fault(a, WING_E_NOMEM);
    }
    memcpy(a->name, key + 1, key->size);
    item->kind = WING_RDB_ITEM_KEY;
    item->type = (enum wing_rdb_type)head->type;
    item->value = (enum wing_rdb_value)head->value;
    item->freq = head->freq;
    item->expiry_ms = key->expiry_ms;
    item->idle_s = key->idle_s;
    item->elements = key->elements;
    item->name = (struct wing_rdb_text){.bytes = a->name, .size = key->size};
    a->offset = key->offset;
    a->at += whole(sizeof *key + key->size);
    return 0;
}

int wing_rdb_ahead_part(struct wing_rdb_ahead *a, struct wing_rdb_part *out) {
    const struct head *head = peek(a);
    if (!head) return a->fault;
    if (head->what == OF_STREAM) {
        const struct stream_part *stream = (const void *)head;
        *out = stream->part;
        out->text.bytes = a->at + sizeof *stream;
    } else if (head->what == OF_PART) {
        const struct part *part = (const void *)head;
        out->kind = (enum wing_rdb_part_kind)head->kind;
        out->text = (struct wing_rdb_text){.bytes = a->at + sizeof *part,
                                           .size = part->size,
                                           .integer = part->integer,
                                           .is_integer = head->text_is_integer};
        out->entries = part->entries;
        if (head->kind == WING_RDB_PART_FIELD)
            out->other = (struct wing_rdb_text){.bytes = out->text.bytes + part->size,
                                                .size = part->other_size,
                                                .integer = part->other_integer,
                                                .is_integer = head->other_is_integer};
        else
            out->score = part->score;
    } else { /* END, and again until the next item is asked for */
        out->kind = WING_RDB_PART_END;
        return 0;
    }
    a->at += record_size(head);
    return 0;
}

uint64_t wing_rdb_ahead_offset(const struct wing_rdb_ahead *a) {
    return a->offset;
}
