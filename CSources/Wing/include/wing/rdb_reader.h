/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Reads RDB versions 1 to 12 by pulling: the next item, then the parts of its value.
 *
 *     struct wing_rdb_reader *r = wing_rdb_reader_open_fd(fd, NULL);
 *     struct wing_rdb_item item;
 *     struct wing_rdb_part part;
 *     int code;
 *     while ((code = wing_rdb_reader_next(r, &item)) == 0 && item.kind != WING_RDB_ITEM_END) {
 *         if (item.kind != WING_RDB_ITEM_KEY) continue;
 *         while ((code = wing_rdb_reader_part(r, &part)) == 0 && part.kind != WING_RDB_PART_END)
 *             use(&item, &part);
 *     }
 *     if (code < 0) report(wing_rdb_reader_fault(r)); // code, offset, text
 *     wing_rdb_reader_free(r);
 *
 * What lies in the file as ziplist, zipmap or listpack comes as a listpack, whole and validated.
 * Left to the caller: duplicate fields or members, order and scores of packed sorted sets, empty
 * collections, and whether pending entries have owners. Hostile bytes end in an error, never in
 * access outside the buffers; memory grows with the bytes that arrived, not with the lengths they
 * claim, and so must the caller's: `elements` and RESIZEDB are claims.
 *
 * Functions here, where they say nothing else: Threads: object (the reader). Fork: child.
 * Ownership: what is passed in stays the caller's; an open_ function's result is freed with
 * wing_rdb_reader_free, and is NULL when memory is short. options NULL: defaults.
 */
#ifndef WING_RDB_READER_H
#define WING_RDB_READER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <wing/fault.h>
#include <wing/rdb.h>
#ifdef __cplusplus
extern "C" {
#endif

struct wing_rdb_reader;

/** What to refuse (WING_E_UNSUPPORTED). What isn't refused is skipped, and a NOTE item says so. */
enum wing_rdb_refuse {
    WING_RDB_REFUSE_FUNCTIONS = 1,
    WING_RDB_REFUSE_MODULE_AUX = 2,
    WING_RDB_REFUSE_MODULES = 4,      /**< keys of module types */
    WING_RDB_REFUSE_FIELD_EXPIRY = 8, /**< else the fields come without their expiry */
    WING_RDB_REFUSE_ALL = 15,
};

/** All zero is a fine set of defaults. */
struct wing_rdb_reader_options {
    size_t buffer_size;   /**< 0: 64 KiB */
    uint64_t limit;       /**< bytes to read at most (a bulk's known length); 0: to the end */
    unsigned refuse;      /**< WING_RDB_REFUSE_* */
    bool ignore_checksum; /**< don't compute and compare (rdbchecksum no) */
};

/** Up to `capacity` bytes into `out`: how many, 0 at the end, < 0 -errno or WING_E_*. */
typedef ssize_t (*wing_source)(void *context, void *out, size_t capacity);

/**
 * A reader over `fd` in blocking mode (a timeout, SO_RCVTIMEO, comes out as -EAGAIN), which stays
 * the caller's. It may read past the end of the RDB: see wing_rdb_reader_trail.
 */
struct wing_rdb_reader *wing_rdb_reader_open_fd(int fd,
                                                const struct wing_rdb_reader_options *options);
/** A reader over `size` bytes, which must outlive it. */
struct wing_rdb_reader *wing_rdb_reader_open_memory(const void *bytes, size_t size,
                                                    const struct wing_rdb_reader_options *options);
/** A reader over a callback, also the place to count, to show progress and to stop. */
struct wing_rdb_reader *wing_rdb_reader_open_source(wing_source source, void *context,
                                                    const struct wing_rdb_reader_options *options);
/**
 * A reader over the type byte and value of a DUMP payload, `size` as wing_rdb_dump_verify returned:
 * one KEY item without a name, then END. Bytes left over are WING_E_FORMAT.
 */
struct wing_rdb_reader *wing_rdb_reader_open_dump(const void *payload, size_t size,
                                                  const struct wing_rdb_reader_options *options);
/** Frees the reader, not what it reads; NULL is fine. Fork: child. */
void wing_rdb_reader_free(struct wing_rdb_reader *r);

/** A string; `bytes` is always valid (never NULL), also when it spells an integer in the file. */
struct wing_rdb_text {
    const uint8_t *bytes;
    size_t size;
    int64_t integer;
    bool is_integer;
};

enum wing_rdb_item_kind {
    WING_RDB_ITEM_HEADER,   /**< version */
    WING_RDB_ITEM_AUX,      /**< name, text */
    WING_RDB_ITEM_SELECTDB, /**< database */
    WING_RDB_ITEM_RESIZEDB, /**< keys, expires */
    WING_RDB_ITEM_KEY,      /**< name, type, value, elements, expiry_ms, idle_s, freq */
    WING_RDB_ITEM_NOTE,     /**< text: what was skipped, for the log; about */
    WING_RDB_ITEM_END,      /**< checksum (0: none), which was right unless ignored */
};

struct wing_rdb_item {
    enum wing_rdb_item_kind kind;
    enum wing_rdb_type type;   /**< as it lies in the file */
    enum wing_rdb_value value; /**< what it is */
    unsigned about; /**< the WING_RDB_REFUSE_* that would have refused it; 0: sizes of a slot */
    int version;
    int freq;          /**< 0…255 or -1 */
    int64_t expiry_ms; /**< UNIX time or -1 */
    int64_t idle_s;    /**< seconds or -1 */
    uint64_t database;
    uint64_t keys;
    uint64_t expires;
    uint64_t elements; /**< parts announced: nodes, members, fields; 1 for a packed block */
    uint64_t checksum;
    struct wing_rdb_text name; /**< valid until the next call of wing_rdb_reader_next */
    struct wing_rdb_text text; /**< valid until the next call on the reader */
};

/**
 * The next item. Parts of the last value that weren't pulled are skipped (and checked).
 * Returns   0; or < 0, for good: WING_E_END, WING_E_FORMAT, WING_E_CHECKSUM, WING_E_VERSION,
 *           WING_E_UNSUPPORTED, WING_E_NOMEM, or what the source returned. See
 *           wing_rdb_reader_fault. After END again END.
 */
int wing_rdb_reader_next(struct wing_rdb_reader *r, struct wing_rdb_item *item);

enum wing_rdb_part_kind {
    WING_RDB_PART_END,      /**< the value is complete */
    WING_RDB_PART_STRING,   /**< text: the string value, is_integer when the file has it as one */
    WING_RDB_PART_LISTPACK, /**< text: a list's next node, or all of a hash, zset, set; `entries` */
    WING_RDB_PART_INTSET,   /**< text: all of a set; `entries` */
    WING_RDB_PART_ELEMENT,  /**< text: a list's or set's next element */
    WING_RDB_PART_FIELD,    /**< text: the field; other: its value */
    WING_RDB_PART_MEMBER,   /**< text: the member; score (never NaN) */
    /* A stream: nodes, meta, then each group with its pending, its consumers each with their
       pending. */
    WING_RDB_PART_STREAM_NODE,    /**< id; text: a listpack, validated as a node; `entries` */
    WING_RDB_PART_STREAM_META,    /**< length, id (last), first_id, max_deleted_id, entries_added */
    WING_RDB_PART_STREAM_GROUP,   /**< text: name; id: last delivered; entries_read */
    WING_RDB_PART_STREAM_PENDING, /**< id; time_ms: last delivery; deliveries */
    WING_RDB_PART_STREAM_CONSUMER,         /**< text: name; time_ms: last seen; active_ms */
    WING_RDB_PART_STREAM_CONSUMER_PENDING, /**< id: one of the group's pending, now owned */
};

struct wing_rdb_part {
    enum wing_rdb_part_kind kind;
    struct wing_rdb_text text;
    struct wing_rdb_text other;
    double score;
    uint64_t entries; /**< of the listpack (even for hash and zset) or intset */
    struct wing_stream_id id;
    struct wing_stream_id first_id;       /**< 0-0 where the file (type 15) has none */
    struct wing_stream_id max_deleted_id; /**< likewise */
    uint64_t length;
    uint64_t entries_added; /**< `length` where the file has none */
    int64_t entries_read;   /**< -1: unknown */
    int64_t time_ms;
    int64_t active_ms; /**< -1: never, or not in the file */
    uint64_t deliveries;
};

/**
 * The next part of the value of the KEY item that came last. Everything it points to is valid until
 * the next call on the reader.
 * Returns   0 or < 0 as wing_rdb_reader_next. After PART_END again PART_END.
 */
int wing_rdb_reader_part(struct wing_rdb_reader *r, struct wing_rdb_part *part);

/** What went wrong; code 0 when nothing did. Valid as long as the reader. Fork: safe. */
const struct wing_fault *wing_rdb_reader_fault(const struct wing_rdb_reader *r);
/** Bytes consumed so far, what the next read starts at. Fork: safe. */
uint64_t wing_rdb_reader_offset(const struct wing_rdb_reader *r);
/** Bytes that the source has given so far (>= offset). Fork: safe. */
uint64_t wing_rdb_reader_received(const struct wing_rdb_reader *r);
/**
 * After END: exactly `size` bytes that follow the RDB (the mark of an "$EOF:" stream), from the
 * buffer and then the source.  Returns 0 or < 0 (WING_E_END, the source's).
 */
int wing_rdb_reader_trail(struct wing_rdb_reader *r, void *out, size_t size);
/** After END: bytes that were read from the source but not consumed; valid until the next call. */
const void *wing_rdb_reader_left(const struct wing_rdb_reader *r, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
