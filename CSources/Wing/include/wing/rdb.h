/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The RDB format: the numbers that writer and reader share, and the format as a table.
 *
 *     file      "REDIS" 4 digits (version) · items · 255 · checksum (8 bytes, from version 5 on)
 *     item      250 aux            string name, string value                        (7)
 *               254 select         length database
 *               251 resize         length keys, length keys with expiry             (7)
 *               253 expiry         4 bytes, seconds, little-endian; for the next key
 *               252 expiry in ms   8 bytes, little-endian; for the next key         (3)
 *               248 idle           length seconds (LRU); for the next key           (9)
 *               249 frequency      1 byte (LFU); for the next key                   (9)
 *               247 module aux     length module id, module values                  (9)
 *               246 function       release-candidate form: 3 or 4 strings           (10)
 *               245 function       string: the library's source                     (10)
 *               244 slot info      3 lengths                                        (12)
 *               0…25               value type, string key, value
 *     length    00xxxxxx · 01xxxxxx + 1 byte (14 bits, big-endian) · 0x80 + 4 bytes big-endian
 *               · 0x81 + 8 bytes big-endian · 11xxxxxx: no length, a string's special form
 *     string    length, bytes · 0xC0 + int8 · 0xC1 + int16 · 0xC2 + int32 (little-endian)
 *               · 0xC3 + length of the LZF data, length of the plain data, LZF data
 *     checksum  CRC64 (Jones) of every byte before it, little-endian; 0: not computed
 *
 *     value      0 string · 1 list: count, strings · 2 set: count, strings
 *                3 zset: count, (string, decimal double)* · 4 hash: count, (string, string)*
 *                5 zset: count, (string, 8-byte double)* · 6, 7 module values
 *                9 hash: zipmap · 10 list: ziplist · 11 set: intset · 12 zset: ziplist
 *                13 hash: ziplist · 14 list: count, ziplists · 15 stream
 *                16 hash: listpack · 17 zset: listpack · 18 list: count, (container, node)*
 *                19 stream with entries-read · 20 set: listpack · 21 stream with active times
 *                22…25 hash whose fields may expire
 *
 * Numbers in brackets: the version that introduced it. Source: Redis's rdb.h and rdb.c, 2.4 to 7.4;
 * what holds us to it are files that real servers wrote (Tests/Fixtures).
 */
#ifndef WING_RDB_H
#define WING_RDB_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define WING_RDB_VERSION 9       /**< the version written: loads in Redis 5.0 and later */
#define WING_RDB_VERSION_READ 12 /**< the newest version read */
#define WING_RDB_MARK_SIZE 40    /**< bytes of the mark of a "$EOF:" stream */

/** How a value lies in the file. */
enum wing_rdb_type {
    WING_RDB_TYPE_STRING = 0,
    WING_RDB_TYPE_LIST = 1,
    WING_RDB_TYPE_SET = 2,
    WING_RDB_TYPE_ZSET = 3,
    WING_RDB_TYPE_HASH = 4,
    WING_RDB_TYPE_ZSET_2 = 5,
    WING_RDB_TYPE_MODULE = 6,
    WING_RDB_TYPE_MODULE_2 = 7,
    WING_RDB_TYPE_HASH_ZIPMAP = 9,
    WING_RDB_TYPE_LIST_ZIPLIST = 10,
    WING_RDB_TYPE_SET_INTSET = 11,
    WING_RDB_TYPE_ZSET_ZIPLIST = 12,
    WING_RDB_TYPE_HASH_ZIPLIST = 13,
    WING_RDB_TYPE_LIST_QUICKLIST = 14,
    WING_RDB_TYPE_STREAM_LISTPACKS = 15,
    WING_RDB_TYPE_HASH_LISTPACK = 16,
    WING_RDB_TYPE_ZSET_LISTPACK = 17,
    WING_RDB_TYPE_LIST_QUICKLIST_2 = 18,
    WING_RDB_TYPE_STREAM_LISTPACKS_2 = 19,
    WING_RDB_TYPE_SET_LISTPACK = 20,
    WING_RDB_TYPE_STREAM_LISTPACKS_3 = 21,
    WING_RDB_TYPE_HASH_METADATA_PRE_GA = 22,
    WING_RDB_TYPE_HASH_LISTPACK_EX_PRE_GA = 23,
    WING_RDB_TYPE_HASH_METADATA = 24,
    WING_RDB_TYPE_HASH_LISTPACK_EX = 25,
};

/** What else starts an item. */
enum wing_rdb_opcode {
    WING_RDB_OPCODE_SLOT_INFO = 244,
    WING_RDB_OPCODE_FUNCTION2 = 245,
    WING_RDB_OPCODE_FUNCTION_PRE_GA = 246,
    WING_RDB_OPCODE_MODULE_AUX = 247,
    WING_RDB_OPCODE_IDLE = 248,
    WING_RDB_OPCODE_FREQ = 249,
    WING_RDB_OPCODE_AUX = 250,
    WING_RDB_OPCODE_RESIZEDB = 251,
    WING_RDB_OPCODE_EXPIRETIME_MS = 252,
    WING_RDB_OPCODE_EXPIRETIME = 253,
    WING_RDB_OPCODE_SELECTDB = 254,
    WING_RDB_OPCODE_EOF = 255,
};

/** What a value is, however it lies in the file. */
enum wing_rdb_value {
    WING_RDB_VALUE_STRING,
    WING_RDB_VALUE_LIST,
    WING_RDB_VALUE_SET,
    WING_RDB_VALUE_HASH,
    WING_RDB_VALUE_ZSET,
    WING_RDB_VALUE_STREAM,
};

/** A stream entry's id. In files: 16 bytes, both halves big-endian. */
struct wing_stream_id {
    uint64_t ms;
    uint64_t seq;
};

#ifdef __cplusplus
}
#endif
#endif
