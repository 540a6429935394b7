/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * LZ4 frames by liblz4, gzip by zlib, behind one face. Input is cut into pieces of one size, so an
 * encoder's output buffer, allocated once, is sure to take what a piece can become.
 */
#include "wing/codec.h"

#include <errno.h>
#include <lz4frame.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "wing/wing.h"

enum {
    PIECE_SIZE = 256 << 10,
    READER_BUFFER_SIZE = 64 << 10,
    GZIP_WINDOW = 15 + 16, /* the largest window; + 16 asks zlib for gzip's header and trailer */
    GZIP_MEMORY = 8,       /* zlib's default */
};

enum wing_codec wing_codec_detect(const void *head, size_t length) {
    static const unsigned char lz4[] = {0x04, 0x22, 0x4d, 0x18}, gzip[] = {0x1f, 0x8b, 0x08};
    if (length >= sizeof lz4 && memcmp(head, lz4, sizeof lz4) == 0) return WING_CODEC_LZ4;
    if (length >= sizeof gzip && memcmp(head, gzip, sizeof gzip) == 0) return WING_CODEC_GZIP;
    return WING_CODEC_NONE;
}

/* MARK: encoding */

struct wing_codec_encoder {
    enum wing_codec codec;
    int (*emit)(void *context, const void *bytes, size_t size);
    void *context;
    int error;
    bool begun, finished;
    LZ4F_preferences_t preferences;
    LZ4F_cctx *lz4;
    z_stream gzip;
    size_t capacity;
    unsigned char *out;
};

static int clamp(int value, int low, int high) {
    return value < low ? low : value > high ? high : value;
}

static bool start_encoder(struct wing_codec_encoder *e, int level) {
    switch (e->codec) {
    case WING_CODEC_NONE:
        return true;
    case WING_CODEC_LZ4:
        e->preferences.frameInfo.blockSizeID = LZ4F_max256KB;
        e->preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
        e->preferences.compressionLevel = clamp(level, -10, 12);
        e->capacity = LZ4F_compressBound(PIECE_SIZE, &e->preferences) + LZ4F_HEADER_SIZE_MAX;
        if (LZ4F_isError(LZ4F_createCompressionContext(&e->lz4, LZ4F_VERSION))) return false;
        break;
    case WING_CODEC_GZIP:
        if (deflateInit2(&e->gzip, level == 0 ? Z_DEFAULT_COMPRESSION : clamp(level, 1, 9),
                         Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
            return false;
        }
        e->capacity = PIECE_SIZE;
        break;
    case WING_CODEC_AUTO:
        return false;
    }
    e->out = malloc(e->capacity);
    return e->out != NULL;
}

struct wing_codec_encoder *wing_codec_encoder_create(enum wing_codec codec, int level,
                                                     int (*emit)(void *context, const void *bytes,
                                                                 size_t size),
                                                     void *context) {
    struct wing_codec_encoder *e = calloc(1, sizeof *e);
    if (e == NULL) return NULL;
    e->codec = codec;
    e->emit = emit;
    e->context = context;
    if (start_encoder(e, level)) return e;
    wing_codec_encoder_free(e);
    return NULL;
}

void wing_codec_encoder_free(struct wing_codec_encoder *e) {
    if (e == NULL) return;
    LZ4F_freeCompressionContext(e->lz4);
    if (e->codec == WING_CODEC_GZIP) deflateEnd(&e->gzip); /* refuses what was never begun */
    free(e->out);
    free(e);
}

static int emit(struct wing_codec_encoder *e, const void *bytes, size_t size) {
    if (size == 0) return 0;
    int result = e->emit(e->context, bytes, size);
    return result < 0 ? result : 0;
}

/* Emits what liblz4 has put into `out`; the only error it can meet here is want of memory. */
static int emit_lz4(struct wing_codec_encoder *e, size_t size) {
    return LZ4F_isError(size) ? WING_E_NOMEM : emit(e, e->out, size);
}

static int begin_lz4(struct wing_codec_encoder *e) {
    if (e->begun) return 0;
    e->begun = true;
    return emit_lz4(e, LZ4F_compressBegin(e->lz4, e->out, e->capacity, &e->preferences));
}

static int write_lz4(struct wing_codec_encoder *e, const unsigned char *bytes, size_t size) {
    int error = begin_lz4(e);
    while (error == 0 && size > 0) {
        size_t piece = size < PIECE_SIZE ? size : PIECE_SIZE;
        error = emit_lz4(e, LZ4F_compressUpdate(e->lz4, e->out, e->capacity, bytes, piece, NULL));
        bytes += piece, size -= piece;
    }
    return error;
}

/* Runs deflate until it has taken all of its input and, for the modes that flush, given all. */
static int run_deflate(struct wing_codec_encoder *e, int mode) {
    do {
        e->gzip.next_out = e->out;
        e->gzip.avail_out = (uInt)e->capacity;
        if (deflate(&e->gzip, mode) == Z_STREAM_ERROR) return WING_E_NOMEM;
        int error = emit(e, e->out, e->capacity - e->gzip.avail_out);
        if (error != 0) return error;
    } while (e->gzip.avail_out == 0);
    return 0;
}

static int write_gzip(struct wing_codec_encoder *e, const unsigned char *bytes, size_t size) {
    while (size > 0) {
        size_t piece = size < PIECE_SIZE ? size : PIECE_SIZE;
        e->gzip.next_in = (z_const Bytef *)(uintptr_t)bytes;
        e->gzip.avail_in = (uInt)piece;
        int error = run_deflate(e, Z_NO_FLUSH);
        if (error != 0) return error;
        bytes += piece, size -= piece;
    }
    return 0;
}

int wing_codec_encoder_write(void *encoder, const void *bytes, size_t size) {
    struct wing_codec_encoder *e = encoder;
    if (e->error == 0 && e->finished) e->error = -EINVAL;
    if (e->error != 0) return e->error;
    switch (e->codec) {
    case WING_CODEC_LZ4:
        return e->error = write_lz4(e, bytes, size);
    case WING_CODEC_GZIP:
        return e->error = write_gzip(e, bytes, size);
    case WING_CODEC_NONE:
    case WING_CODEC_AUTO:
        break;
    }
    return e->error = emit(e, bytes, size);
}

int wing_codec_encoder_flush(struct wing_codec_encoder *e) {
    if (e->error != 0 || e->finished) return e->error;
    if (e->codec == WING_CODEC_LZ4) {
        e->error = begin_lz4(e);
        if (e->error == 0) e->error = emit_lz4(e, LZ4F_flush(e->lz4, e->out, e->capacity, NULL));
    } else if (e->codec == WING_CODEC_GZIP) {
        e->error = run_deflate(e, Z_SYNC_FLUSH);
    }
    return e->error;
}

int wing_codec_encoder_finish(struct wing_codec_encoder *e) {
    if (e->error != 0 || e->finished) return e->error;
    e->finished = true;
    if (e->codec == WING_CODEC_LZ4) {
        e->error = begin_lz4(e);
        if (e->error == 0) {
            e->error = emit_lz4(e, LZ4F_compressEnd(e->lz4, e->out, e->capacity, NULL));
        }
    } else if (e->codec == WING_CODEC_GZIP) {
        e->error = run_deflate(e, Z_FINISH);
    }
    return e->error;
}

/* MARK: decoding, pushed */

struct wing_codec_decoder {
    enum wing_codec codec;
    int error;
    bool inside; /* of a container: begun, and its end not yet reached */
    bool any;    /* a whole container has been seen */
    LZ4F_dctx *lz4;
    z_stream gzip;
};

struct wing_codec_decoder *wing_codec_decoder_create(enum wing_codec codec) {
    struct wing_codec_decoder *d = calloc(1, sizeof *d);
    if (d == NULL) return NULL;
    d->codec = codec;
    bool good = codec == WING_CODEC_NONE;
    if (codec == WING_CODEC_LZ4) {
        good = !LZ4F_isError(LZ4F_createDecompressionContext(&d->lz4, LZ4F_VERSION));
    } else if (codec == WING_CODEC_GZIP) {
        good = inflateInit2(&d->gzip, GZIP_WINDOW) == Z_OK;
    }
    if (good) return d;
    wing_codec_decoder_free(d);
    return NULL;
}

void wing_codec_decoder_free(struct wing_codec_decoder *d) {
    if (d == NULL) return;
    LZ4F_freeDecompressionContext(d->lz4);
    if (d->codec == WING_CODEC_GZIP) inflateEnd(&d->gzip);
    free(d);
}

/* liblz4 names its errors by text only. */
static int lz4_error(size_t code) {
    const char *name = LZ4F_getErrorName(code);
    if (strstr(name, "hecksum") != NULL) return WING_E_CHECKSUM;
    if (strstr(name, "allocation") != NULL) return WING_E_NOMEM;
    return WING_E_FORMAT;
}

static int gzip_error(const z_stream *stream, int code) {
    if (code == Z_MEM_ERROR) return WING_E_NOMEM;
    const char *text = stream->msg != NULL ? stream->msg : "";
    bool is_trailer =
        strcmp(text, "incorrect data check") == 0 || strcmp(text, "incorrect length check") == 0;
    return is_trailer ? WING_E_CHECKSUM : WING_E_FORMAT;
}

/* One call of the library: *used and *made bytes; 0 or an error. */
static int step_lz4(struct wing_codec_decoder *d, const unsigned char *in, size_t length,
                    unsigned char *out, size_t capacity, size_t *used, size_t *made) {
    *used = length, *made = capacity;
    size_t hint = LZ4F_decompress(d->lz4, out, made, in, used, NULL);
    if (LZ4F_isError(hint)) return lz4_error(hint);
    if (hint == 0 && d->inside) { /* the frame is complete; the context is ready for another */
        d->inside = false;
        d->any = true;
    }
    return 0;
}

static int step_gzip(struct wing_codec_decoder *d, const unsigned char *in, size_t length,
                     unsigned char *out, size_t capacity, size_t *used, size_t *made) {
    d->gzip.next_in = (z_const Bytef *)(uintptr_t)in;
    d->gzip.avail_in = (uInt)(length < UINT32_MAX ? length : UINT32_MAX);
    d->gzip.next_out = out;
    d->gzip.avail_out = (uInt)(capacity < UINT32_MAX ? capacity : UINT32_MAX);
    int code = inflate(&d->gzip, Z_NO_FLUSH);
    *used = (size_t)(d->gzip.next_in - in);
    *made = (size_t)(d->gzip.next_out - out);
    if (code == Z_STREAM_END) {
        d->inside = false;
        d->any = true;
        return inflateReset(&d->gzip) == Z_OK ? 0 : WING_E_FORMAT;
    }
    /* Z_BUF_ERROR: nothing could move, for want of input or of room; no error. */
    return code == Z_OK || code == Z_BUF_ERROR ? 0 : gzip_error(&d->gzip, code);
}

ssize_t wing_codec_decode(struct wing_codec_decoder *d, const void *in, size_t *length, void *out,
                          size_t capacity) {
    const unsigned char *from = in;
    unsigned char *to = out;
    size_t left = *length, produced = 0;
    if (d->error == 0 && d->codec == WING_CODEC_NONE) {
        produced = left < capacity ? left : capacity;
        if (produced > 0) memcpy(to, from, produced);
        *length = produced;
        return (ssize_t)produced;
    }
    while (d->error == 0 && produced < capacity) {
        size_t used, made;
        if (left == 0 && !d->inside) break;
        d->inside = true; /* before the call: a container of few bytes may end in it */
        d->error = d->codec == WING_CODEC_LZ4
                       ? step_lz4(d, from, left, to + produced, capacity - produced, &used, &made)
                       : step_gzip(d, from, left, to + produced, capacity - produced, &used, &made);
        if (d->error != 0) break;
        from += used, left -= used, produced += made;
        if (used == 0 && made == 0) break;
    }
    *length -= left;
    /* What was decoded before an error is told first. */
    return produced > 0 ? (ssize_t)produced : d->error;
}

int wing_codec_decoder_may_end(const struct wing_codec_decoder *d) {
    return d->codec == WING_CODEC_NONE || (d->any && !d->inside);
}

/* MARK: decoding, pulled */

struct wing_codec_reader {
    enum wing_codec codec;
    struct wing_codec_decoder *decoder; /* NULL until the codec is known */
    ssize_t (*pull)(void *context, void *out, size_t capacity);
    void *context;
    uint64_t pulled;
    bool at_end;
    size_t start, end; /* of the bytes in `buffer` not yet decoded */
    unsigned char buffer[READER_BUFFER_SIZE];
};

struct wing_codec_reader *wing_codec_reader_create(enum wing_codec codec,
                                                   ssize_t (*pull)(void *context, void *out,
                                                                   size_t capacity),
                                                   void *context) {
    struct wing_codec_reader *r = calloc(1, sizeof *r);
    if (r == NULL) return NULL;
    r->codec = codec;
    r->pull = pull;
    r->context = context;
    if (codec != WING_CODEC_AUTO && (r->decoder = wing_codec_decoder_create(codec)) == NULL) {
        free(r);
        return NULL;
    }
    return r;
}

void wing_codec_reader_free(struct wing_codec_reader *r) {
    if (r == NULL) return;
    wing_codec_decoder_free(r->decoder);
    free(r);
}

/* Pulls up to `capacity` bytes into `out`: how many, 0 at the end, or an error of `pull`. */
static ssize_t take(struct wing_codec_reader *r, void *out, size_t capacity) {
    ssize_t got = r->pull(r->context, out, capacity);
    if (got < 0) return got;
    if ((size_t)got > capacity) return -EINVAL;
    r->at_end = got == 0;
    r->pulled += (uint64_t)got;
    return got;
}

/* Pulls behind what the buffer holds, which must not reach its end; 0 or an error. */
static int refill(struct wing_codec_reader *r) {
    ssize_t got = take(r, r->buffer + r->end, sizeof r->buffer - r->end);
    if (got < 0) return (int)got;
    r->end += (size_t)got;
    return 0;
}

static int find_codec(struct wing_codec_reader *r) {
    while (r->end < WING_CODEC_DETECT_SIZE && !r->at_end) {
        int error = refill(r);
        if (error != 0) return error;
    }
    r->codec = wing_codec_detect(r->buffer, r->end);
    r->decoder = wing_codec_decoder_create(r->codec);
    return r->decoder != NULL ? 0 : WING_E_NOMEM;
}

ssize_t wing_codec_reader_read(void *reader, void *out, size_t capacity) {
    struct wing_codec_reader *r = reader;
    if (r->decoder == NULL) {
        int error = find_codec(r);
        if (error != 0) return error;
    }
    if (capacity == 0) return 0;
    /* Without a container nothing need pass through the buffer. */
    if (r->codec == WING_CODEC_NONE && r->start == r->end) return take(r, out, capacity);
    for (;;) {
        size_t length = r->end - r->start;
        ssize_t made = wing_codec_decode(r->decoder, r->buffer + r->start, &length, out, capacity);
        r->start += length;
        if (made != 0) return made;
        if (r->at_end) return wing_codec_decoder_may_end(r->decoder) ? 0 : WING_E_END;
        r->start = r->end = 0; /* nothing was made into a buffer with room: all input was used */
        int error = refill(r);
        if (error != 0) return error;
    }
}

enum wing_codec wing_codec_reader_codec(const struct wing_codec_reader *r) {
    return r->codec;
}

uint64_t wing_codec_reader_pulled(const struct wing_codec_reader *r) {
    return r->pulled;
}
