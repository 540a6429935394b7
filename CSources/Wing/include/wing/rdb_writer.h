/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Writes RDB version 9, to a descriptor, into memory (DUMP) or through a callback (codecs).
 *
 *     struct wing_rdb_writer *w = wing_rdb_writer_open_fd(fd, &options);
 *     wing_rdb_write_header(w);
 *     wing_rdb_write_select(w, 0);
 *     wing_rdb_write_key(w, WING_RDB_TYPE_STRING, "greeting", 8, -1, -1, -1);
 *     wing_rdb_write_string(w, "hello", 5);
 *     wing_rdb_write_end(w);
 *     int error = wing_rdb_writer_finish(w);   // 0, or the first thing that went wrong
 *     wing_rdb_writer_free(w);
 *
 * Errors stick: the writer keeps the first, further calls do nothing, finish returns it; so write_
 * functions return nothing. The order and the counts are the caller's: what was announced must
 * come. Bytes passed in are copied or written before the call returns. A size is in bytes.
 *
 * Functions here, where they say nothing else: Threads: object (the writer). Fork: child (malloc is
 * used for scratch space that grows; a writer made before the fork works in the child, on its
 * copy). Ownership: what is passed in stays the caller's; an open_ function's result is freed with
 * wing_rdb_writer_free, and is NULL when memory is short. options NULL: defaults. Errors of a
 * write_ function, all kept by the writer: WING_E_NOMEM, and on passing bytes on -errno of
 * writev(2) or what the sink returned.
 */
#ifndef WING_RDB_WRITER_H
#define WING_RDB_WRITER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <wing/rdb.h>
#ifdef __cplusplus
extern "C" {
#endif

struct wing_rdb_writer;

/** All zero is a fine set of defaults: 256 KiB buffer, no compression, no checksum. */
struct wing_rdb_writer_options {
    size_t buffer_size; /**< bytes gathered before they go out (memory: the first reservation);
                             0: 256 KiB */
    bool compression;   /**< LZF for strings over 20 bytes where that saves 4 or more, as Redis */
    bool checksum;      /**< CRC64 at the end; 0 is written instead when off */
    /** Descriptor only: each so many bytes start writing them to the disk and wait for those
     * before, so that the fsync at the end finds little to do (Redis: 32 MiB); 0: never. */
    uint64_t sync_bytes;
};

/** Takes all `size` bytes: 0, or a negative code (-errno, WING_E_*), which the writer keeps. */
typedef int (*wing_sink)(void *context, const void *bytes, size_t size);

/** A writer over `fd` (file, pipe, socket in blocking mode), which stays the caller's. */
struct wing_rdb_writer *wing_rdb_writer_open_fd(int fd,
                                                const struct wing_rdb_writer_options *options);
/** A writer into memory of its own; see wing_rdb_writer_memory. */
struct wing_rdb_writer *wing_rdb_writer_open_memory(const struct wing_rdb_writer_options *options);
/** A writer that hands its bytes to `sink`, in order, in pieces of any size. */
struct wing_rdb_writer *wing_rdb_writer_open_sink(wing_sink sink, void *context,
                                                  const struct wing_rdb_writer_options *options);
/** Free the writer, unwritten bytes and all; NULL is fine. */
void wing_rdb_writer_free(struct wing_rdb_writer *w);

/** Pass all gathered bytes on; returns the first error so far, or 0. */
int wing_rdb_writer_flush(struct wing_rdb_writer *w);
/** As flush, the last call before free; does not fsync, does not close. */
int wing_rdb_writer_finish(struct wing_rdb_writer *w);
/** The first error so far, or 0.  Fork: safe. */
int wing_rdb_writer_error(const struct wing_rdb_writer *w);
/** Make `error`, a negative code, the writer's, unless it has one. */
void wing_rdb_writer_fail(struct wing_rdb_writer *w, int error);
/** Bytes written so far, gathered ones included.  Fork: safe. */
uint64_t wing_rdb_writer_bytes(const struct wing_rdb_writer *w);
/** Compress the strings from here on, or not; whatever the options said.  Fork: safe. */
void wing_rdb_writer_compress(struct wing_rdb_writer *w, bool compression);
/** Memory writer: all bytes so far, valid until the next call on `w`. */
const void *wing_rdb_writer_memory(const struct wing_rdb_writer *w, size_t *size);
/** Memory writer: start again, keeping the space and clearing the error. */
void wing_rdb_writer_reset(struct wing_rdb_writer *w);

/* Around the file. */

/** "REDIS0009", the first bytes of a file. */
void wing_rdb_write_header(struct wing_rdb_writer *w);
/** A fact about the file: a name and a value, any bytes, sizes below 4 GiB. */
void wing_rdb_write_aux(struct wing_rdb_writer *w, const void *name, size_t name_size,
                        const void *value, size_t value_size);
/** As write_aux; both NUL-terminated. */
void wing_rdb_write_aux_text(struct wing_rdb_writer *w, const char *name, const char *value);
/** As write_aux; the name NUL-terminated, the value as decimal text. */
void wing_rdb_write_aux_integer(struct wing_rdb_writer *w, const char *name, int64_t value);
/** The keys that follow are those of `database`, 0 and up. */
void wing_rdb_write_select(struct wing_rdb_writer *w, uint64_t database);
/** How many keys, and how many of them with an expiry, are to come: a hint for the reader. */
void wing_rdb_write_resize(struct wing_rdb_writer *w, uint64_t keys, uint64_t expires);
/** The end opcode and the checksum. */
void wing_rdb_write_end(struct wing_rdb_writer *w);

/** "$EOF:<mark>\r\n", before the header: framing, not part of the checksum.  mark: 40 bytes. */
void wing_rdb_write_mark_begin(struct wing_rdb_writer *w, const char *mark);
/** The mark, after wing_rdb_write_end. */
void wing_rdb_write_mark_end(struct wing_rdb_writer *w, const char *mark);

/* Keys and values. A key, then exactly its value. */

/** What another writer without a header and an end has made: whole keys, to stand between ours. */
void wing_rdb_write_made(struct wing_rdb_writer *w, const void *bytes, size_t size);

/**
 * Head of a key: expiry_ms (UNIX time) or -1; idle_s (LRU) or -1; freq (LFU, 0…255) or -1; then the
 * type byte and the key. The value's parts follow:
 *     STRING            write_string or write_integer
 *     LIST_QUICKLIST    write_count(nodes), then write_list_node or write_list_plain for each
 *     SET               write_count(members), then write_string or write_integer for each
 *     SET_INTSET        write_blob
 *     HASH              write_count(fields), then write_string(field), write_string(value) for each
 *     HASH_ZIPLIST      write_listpack
 *     ZSET_2            write_count(members), then write_string(member), write_score for each
 *     ZSET_ZIPLIST      write_listpack
 *     STREAM_LISTPACKS  write_count(nodes), write_stream_node for each; write_stream_meta;
 *                       write_count(groups); for each write_stream_group; write_count(pending),
 *                       write_stream_pending for each; write_count(consumers), for each
 *                       write_stream_consumer, write_count(pending), write_stream_consumer_pending
 */
void wing_rdb_write_key(struct wing_rdb_writer *w, enum wing_rdb_type type, const void *key,
                        size_t size, int64_t expiry_ms, int64_t idle_s, int freq);
/** write_key and write_string in one: the hot path of plain data sets. */
void wing_rdb_write_string_key(struct wing_rdb_writer *w, const void *key, size_t size,
                               int64_t expiry_ms, int64_t idle_s, int freq, const void *value,
                               size_t value_size);

/** How many nodes, members, fields, groups, consumers or pending entries follow: see write_key. */
void wing_rdb_write_count(struct wing_rdb_writer *w, uint64_t count);
/** Short decimal text goes out as an integer, long text compressed if that pays: as Redis does. */
void wing_rdb_write_string(struct wing_rdb_writer *w, const void *bytes, size_t size);
/** A string that spells `value`: int8, int16, int32, or decimal text beyond. */
void wing_rdb_write_integer(struct wing_rdb_writer *w, int64_t value);
/** 8 bytes, little-endian; infinities included. */
void wing_rdb_write_score(struct wing_rdb_writer *w, double score);
/** A packed block as it is (intset, ziplist), compressed if that pays. */
void wing_rdb_write_blob(struct wing_rdb_writer *w, const void *bytes, size_t size);
/** A whole small hash or zset: a valid listpack, written as the ziplist that Redis 6 expects. */
void wing_rdb_write_listpack(struct wing_rdb_writer *w, const void *lp);
/** One node of a list: as write_listpack. */
void wing_rdb_write_list_node(struct wing_rdb_writer *w, const void *lp);
/** One node of a list that is a single element on its own, below 4 GiB - 32. */
void wing_rdb_write_list_plain(struct wing_rdb_writer *w, const void *bytes, size_t size);

/** A stream's node: its first id and its listpack, of `size` bytes. */
void wing_rdb_write_stream_node(struct wing_rdb_writer *w, struct wing_stream_id id, const void *lp,
                                size_t size);
/** Behind the nodes: how many entries the stream has, and its last id, deleted or not. */
void wing_rdb_write_stream_meta(struct wing_rdb_writer *w, uint64_t length,
                                struct wing_stream_id last_id);
/** A group: its name, of `size` bytes, and the id that it delivered last. */
void wing_rdb_write_stream_group(struct wing_rdb_writer *w, const void *name, size_t size,
                                 struct wing_stream_id last_id);
/**
 * An entry that the group has delivered but not seen acknowledged, in the order of ids.
 * delivered_ms   UNIX time of the last delivery.   deliveries: how often, 1 and up.
 */
void wing_rdb_write_stream_pending(struct wing_rdb_writer *w, struct wing_stream_id id,
                                   int64_t delivered_ms, uint64_t deliveries);
/** A consumer: its name, of `size` bytes; seen_ms: UNIX time at which it was heard of last. */
void wing_rdb_write_stream_consumer(struct wing_rdb_writer *w, const void *name, size_t size,
                                    int64_t seen_ms);
/** One of the group's pending entries, which this consumer holds, in the order of ids. */
void wing_rdb_write_stream_consumer_pending(struct wing_rdb_writer *w, struct wing_stream_id id);

/* DUMP payloads: type byte, value, version (2), CRC64 (8). */

/** The type byte; the value follows as after write_key. A memory writer, fresh or reset. */
void wing_rdb_write_dump_begin(struct wing_rdb_writer *w, enum wing_rdb_type type);
/** Version and checksum; memory writer only, its bytes since open or reset are the payload. */
void wing_rdb_write_dump_end(struct wing_rdb_writer *w);
/**
 * Check a payload's version (1…12) and checksum.  Returns the size of type byte and value, or
 * WING_E_END (too short), WING_E_VERSION, WING_E_CHECKSUM.  Threads: any.  Fork: safe.
 */
ssize_t wing_rdb_dump_verify(const void *payload, size_t size);

#ifdef __cplusplus
}
#endif
#endif
