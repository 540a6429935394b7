/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * libwing: read and write RDB files and move them over sockets. See each header.
 *
 * No global state but what is computed once and the same for all, no threads but wing_rdb_ahead's,
 * no exit, no output. Functions are named for their header, those of rdb_writer.h that put
 * something wing_rdb_write_…, and conversions (ziplist.h) for what they make. The words that every
 * function's contract uses:
 *
 * Result    >= 0 is a length, a count or 0; < 0 is -errno or one of WING_E_* below; `errno` itself
 *           is no part of any contract. wing_strerror knows both.
 * Threads   "any": callable from any thread at any time. "object": one caller at a time for the
 *           object (or descriptor) named, other objects are independent.
 * Fork      "safe": takes no lock and allocates nothing, so it may run in any forked child before
 *           its _exit. "child": fine in a child if no second thread ran at the fork. "no": not in
 *           a child.
 * Ownership who frees, and until when a pointer is valid; every ..._free(NULL) does nothing.
 */
#ifndef WING_WING_H
#define WING_WING_H

#include <stdint.h>
#include <wing/codec.h>
#include <wing/crc64.h>
#include <wing/fork.h>
#include <wing/fault.h>
#include <wing/intset.h>
#include <wing/listpack.h>
#include <wing/lzf.h>
#include <wing/rdb.h>
#include <wing/rdb_ahead.h>
#include <wing/rdb_file.h>
#include <wing/rdb_reader.h>
#include <wing/rdb_writer.h>
#include <wing/transfer.h>
#include <wing/turn.h>
#include <wing/ziplist.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WING_VERSION "0.1.0"

/* Errors of our own start below every -errno, so one negative int carries either. */
enum {
    WING_E_END = -10001,     /**< the input ends where more was due */
    WING_E_FORMAT = -10002,  /**< bytes that no valid input holds */
    WING_E_CHECKSUM = -10003, /**< the checksum does not match */
    WING_E_VERSION = -10004, /**< a format version we do not read */
    WING_E_UNSUPPORTED = -10005, /**< valid, but the data model cannot hold it */
    WING_E_LIMIT = -10006,   /**< a size beyond the bound given by the caller */
    WING_E_NOMEM = -10007,   /**< an allocation failed */
    WING_E_CALLBACK = -10008, /**< for a sink or source that asks to stop: passed through */
};

/**
 * The English text of a negative code, -errno or WING_E_*; "no error" for others; never NULL.
 * Ownership static storage, valid for ever.   Threads: any.   Fork: safe.
 */
const char *wing_strerror(int code);

#ifdef __cplusplus
}
#endif
#endif
