/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Bulk compression of whole files and streams, in the standard containers: the LZ4 frame, which
 * `lz4 -dc` opens, and gzip, which `gunzip` opens.
 *
 * Writing: the encoder is a sink for the RDB writer.
 *
 *     struct wing_codec_encoder *e = wing_codec_encoder_create(WING_CODEC_LZ4, 0, emit, &file);
 *     struct wing_rdb_writer *w = wing_rdb_writer_open_sink(wing_codec_encoder_write, e, &options);
 *     int error = save(w);
 *     if (error == 0) error = wing_rdb_writer_finish(w);
 *     if (error == 0) error = wing_codec_encoder_finish(e);
 *
 * Reading: the reader is a source for the RDB reader, and finds out what it is given.
 *
 *     struct wing_codec_reader *c = wing_codec_reader_create(WING_CODEC_AUTO, pull, &file);
 *     struct wing_rdb_reader *r = wing_rdb_reader_open_source(wing_codec_reader_read, c, NULL);
 *
 * Memory is bounded, whatever the input: an encoder holds under 1 MiB, a decoder as much for what an
 * encoder here made, and under 9 MiB for the largest blocks that LZ4 knows. A bomb is no danger:
 * decoders write into the caller's buffer and stop when it is full.
 *
 * Functions here, where they say nothing else: Threads: object. Fork: child (they may allocate).
 */
#ifndef WING_CODEC_H
#define WING_CODEC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum wing_codec {
    WING_CODEC_AUTO = -1, /**< for a reader only: as wing_codec_detect says */
    WING_CODEC_NONE = 0,  /**< bytes as they are */
    WING_CODEC_LZ4 = 1,   /**< an LZ4 frame: linked blocks of 256 KiB, content checksum */
    WING_CODEC_GZIP = 2,  /**< a gzip member */
};

/** How many first bytes wing_codec_detect needs to be sure. */
enum { WING_CODEC_DETECT_SIZE = 4 };

/**
 * The container that data beginning with `length` bytes at `head` is in: WING_CODEC_LZ4 by
 * 04 22 4d 18, WING_CODEC_GZIP by 1f 8b 08, WING_CODEC_NONE otherwise (also when too few are
 * given). Threads: any. Fork: safe.
 */
enum wing_codec wing_codec_detect(const void *head, size_t length);

/* MARK: encoding */

struct wing_codec_encoder;

/**
 * An encoder that hands its output to `emit` in pieces of up to about 260 KiB.
 * level     0 the codec's default (LZ4: fast; gzip: 6); LZ4 -10 … 12 (< 0 faster, >= 3 slow, "HC");
 *           gzip 1 … 9. Others are taken to the nearest.
 * emit      takes all `size` bytes: 0, or a negative code, which ends the encoder; `bytes` are
 *           valid during its call only.
 * Returns   the encoder, or NULL: an allocation failed, or `codec` cannot encode.
 * Ownership free it with wing_codec_encoder_free; `context` stays the caller's.
 */
struct wing_codec_encoder *wing_codec_encoder_create(enum wing_codec codec, int level,
                                                     int (*emit)(void *context, const void *bytes,
                                                                 size_t size),
                                                     void *context);

/** Frees the encoder; unfinished output is lost. NULL is fine. */
void wing_codec_encoder_free(struct wing_codec_encoder *encoder);

/**
 * Encodes `size` bytes, any number. `encoder` is a struct wing_codec_encoder *: the function has
 * the form of a sink, so that it can be one.
 * Returns   0, or < 0, the first error, which sticks: what `emit` returned; WING_E_NOMEM;
 *           -EINVAL after finish.
 */
int wing_codec_encoder_write(void *encoder, const void *bytes, size_t size);

/** Emits all that was written so far, so that a decoder can read up to here; costs some ratio.
 * Returns as wing_codec_encoder_write. */
int wing_codec_encoder_flush(struct wing_codec_encoder *encoder);

/** Emits the rest and the container's end, once. Returns as wing_codec_encoder_write. */
int wing_codec_encoder_finish(struct wing_codec_encoder *encoder);

/* MARK: decoding, pushed */

struct wing_codec_decoder;

/** Returns the decoder, or NULL: an allocation failed, or `codec` is WING_CODEC_AUTO. Free it with
 * wing_codec_decoder_free. */
struct wing_codec_decoder *wing_codec_decoder_create(enum wing_codec codec);

/** Frees the decoder and what it holds; NULL is fine. */
void wing_codec_decoder_free(struct wing_codec_decoder *decoder);

/**
 * Decodes from `in` into `out`, as far as either goes.
 * *length   in: bytes at `in`; out: how many were used, all of them unless `out` filled up.
 * capacity  bytes at `out`, >= 1. A full `out` may mean that more waits inside: call again, with
 *           *length 0 if need be, until less comes.
 * Returns   bytes decoded, 0 when more input is needed, or < 0, which sticks: WING_E_FORMAT the
 *           bytes are no such container; WING_E_CHECKSUM; WING_E_NOMEM.
 *           Containers that follow each other are decoded as one stream, as gunzip and lz4 do.
 */
ssize_t wing_codec_decode(struct wing_codec_decoder *decoder, const void *in, size_t *length,
                          void *out, size_t capacity);

/** True when the input may end here: behind a whole container, or anywhere for WING_CODEC_NONE.
 * Fork: safe. */
int wing_codec_decoder_may_end(const struct wing_codec_decoder *decoder);

/* MARK: decoding, pulled */

struct wing_codec_reader;

/**
 * A reader that takes its input from `pull`, 64 KiB at a time.
 * codec     what the input is, or WING_CODEC_AUTO: its first bytes say.
 * pull      fills up to `capacity` bytes at `out`: their number, 0 at the end, or a negative code.
 * Returns   the reader, or NULL: an allocation failed.
 * Ownership free it with wing_codec_reader_free; `context` stays the caller's.
 */
struct wing_codec_reader *
wing_codec_reader_create(enum wing_codec codec,
                         ssize_t (*pull)(void *context, void *out, size_t capacity), void *context);

/** Frees the reader, not what `pull` reads from; NULL is fine. */
void wing_codec_reader_free(struct wing_codec_reader *reader);

/**
 * The next decoded bytes. `reader` is a struct wing_codec_reader *: the function has the form of a
 * source, so that it can be one.
 * Returns   1 … capacity bytes; 0: the end, behind a whole container (for capacity 0 it says
 *           nothing, and nothing is lost by it); or < 0: WING_E_END the input
 *           ends inside a container; errors of wing_codec_decode; what `pull` returned, after which
 *           a next call pulls again (so -EAGAIN may be passed through).
 */
ssize_t wing_codec_reader_read(void *reader, void *out, size_t capacity);

/** What the input is: WING_CODEC_AUTO until the first bytes have been read. Fork: safe. */
enum wing_codec wing_codec_reader_codec(const struct wing_codec_reader *reader);

/** Bytes that `pull` has given so far: the place in the file, for progress and messages.
 * Fork: safe. */
uint64_t wing_codec_reader_pulled(const struct wing_codec_reader *reader);

#ifdef __cplusplus
}
#endif
#endif
