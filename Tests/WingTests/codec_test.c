/* SPDX-License-Identifier: BSD-3-Clause */
/* LZ4 frames and gzip: our own round trips, both ways with the `lz4` and `gzip` commands, damage.
 */
#include <errno.h>
#include <malloc.h>
#include <unistd.h>

#include "harness.h"
#include "wing/codec.h"
#include "wing/wing.h"

static const enum wing_codec codecs[] = {WING_CODEC_NONE, WING_CODEC_LZ4, WING_CODEC_GZIP};

struct bytes {
    unsigned char *at;
    size_t count, capacity, taken;
    size_t fail_after; /* 0: never; emit refuses once it holds so many */
    size_t most;       /* pull gives at most so many at a time; 0: as many as asked */
    int again;         /* pull says -EAGAIN every other time */
};

static int emit(void *context, const void *bytes, size_t size) {
    struct bytes *b = context;
    if (b->fail_after != 0 && b->count + size > b->fail_after) return -ENOSPC;
    if (b->count + size > b->capacity) {
        b->capacity = 2 * (b->count + size);
        b->at = realloc(b->at, b->capacity);
    }
    memcpy(b->at + b->count, bytes, size);
    b->count += size;
    return 0;
}

static ssize_t pull(void *context, void *out, size_t capacity) {
    struct bytes *b = context;
    if (b->again != 0 && b->again++ % 2 == 1) return -EAGAIN;
    size_t left = b->count - b->taken, n = left < capacity ? left : capacity;
    if (b->most != 0 && n > b->most) n = b->most;
    if (n > 0) memcpy(out, b->at + b->taken, n);
    b->taken += n;
    return (ssize_t)n;
}

/* Half text, half noise, so that both kinds of blocks occur. */
static struct bytes make_input(size_t size, uint64_t seed) {
    struct bytes b = {.at = malloc(size + 1), .count = size, .capacity = size + 1};
    for (size_t i = 0; i < size; i++) {
        uint64_t r = random_next(&seed);
        b.at[i] = (unsigned char)(i / 100000 % 2 == 0 ? "key:0123"[r % 8] : (int)(r & 255));
    }
    return b;
}

static struct bytes encode(enum wing_codec codec, int level, struct bytes input, size_t chunk) {
    struct bytes out = {0};
    struct wing_codec_encoder *e = wing_codec_encoder_create(codec, level, emit, &out);
    CHECK(e != NULL);
    for (size_t i = 0; e != NULL && i < input.count; i += chunk) {
        size_t n = input.count - i < chunk ? input.count - i : chunk;
        CHECK_EQUAL(wing_codec_encoder_write(e, input.at + i, n), 0);
        if (i == 3 * chunk) CHECK_EQUAL(wing_codec_encoder_flush(e), 0);
    }
    if (e != NULL) {
        CHECK_EQUAL(wing_codec_encoder_finish(e), 0);
        CHECK_EQUAL(wing_codec_encoder_finish(e), 0);
        CHECK_EQUAL(wing_codec_encoder_write(e, "x", 1), -EINVAL);
    }
    wing_codec_encoder_free(e);
    return out;
}

/* Reads all through a reader, `capacity` bytes at a time; the last result. */
static ssize_t read_all(enum wing_codec codec, struct bytes *input, size_t capacity,
                        struct bytes *out) {
    unsigned char *buffer = malloc(capacity);
    struct wing_codec_reader *r = wing_codec_reader_create(codec, pull, input);
    ssize_t got;
    do {
        got = wing_codec_reader_read(r, buffer, capacity);
        if (got > 0) emit(out, buffer, (size_t)got);
    } while (got > 0 || got == -EAGAIN);
    if (got == 0) CHECK_EQUAL(wing_codec_reader_pulled(r), input->count);
    CHECK(wing_codec_reader_codec(r) != WING_CODEC_AUTO || got < 0);
    wing_codec_reader_free(r);
    free(buffer);
    return got;
}

static int is_equal(struct bytes a, struct bytes b) {
    return a.count == b.count && (a.count == 0 || memcmp(a.at, b.at, a.count) == 0);
}

TEST(codec_round_trips) {
    static const size_t sizes[] = {0, 1, 5, 1000, 262143, 262144, 262145, 1000000};
    static const size_t chunks[] = {1 << 20, 70001, 333};
    for (size_t c = 0; c < 3; c++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct bytes input = make_input(sizes[i], i);
            struct bytes packed =
                encode(codecs[c], c == 1 && i % 3 == 0 ? 4 : 0, input, chunks[i % 3]);
            if (codecs[c] != WING_CODEC_NONE) {
                CHECK_EQUAL(wing_codec_detect(packed.at, packed.count), codecs[c]);
            }
            struct bytes back = {0};
            packed.most = i % 2 == 0 ? 0 : 777;
            packed.again = i % 4 == 3;
            CHECK_EQUAL(read_all(WING_CODEC_AUTO, &packed, i % 2 == 0 ? 65536 : 1001, &back), 0);
            CHECK(is_equal(back, input));
            free(input.at), free(packed.at), free(back.at);
        }
    }
}

TEST(codec_containers_in_a_row_are_one_stream) {
    struct bytes input = make_input(3000, 9);
    for (size_t c = 1; c < 3; c++) {
        struct bytes packed = encode(codecs[c], 0, input, 3000);
        struct bytes twice = {0}, back = {0};
        emit(&twice, packed.at, packed.count);
        emit(&twice, packed.at, packed.count);
        CHECK_EQUAL(read_all(WING_CODEC_AUTO, &twice, 512, &back), 0);
        CHECK_EQUAL(back.count, 6000);
        CHECK(memcmp(back.at + 3000, input.at, 3000) == 0);
        free(packed.at), free(twice.at), free(back.at);
    }
    free(input.at);
}

TEST(codec_reader_loses_nothing_by_an_empty_buffer) {
    struct bytes input = make_input(3000, 14);
    for (size_t c = 0; c < 3; c++) {
        struct bytes packed = encode(codecs[c], 0, input, 3000);
        unsigned char back[3001];
        struct wing_codec_reader *r = wing_codec_reader_create(WING_CODEC_AUTO, pull, &packed);
        REQUIRE(r != NULL);
        CHECK_EQUAL(wing_codec_reader_read(r, back, 0), 0);
        CHECK_EQUAL(wing_codec_reader_read(r, back, 5), 5);
        CHECK_EQUAL(wing_codec_reader_read(r, back, 0), 0);
        size_t count = 5;
        ssize_t got;
        while ((got = wing_codec_reader_read(r, back + count, sizeof back - count)) > 0)
            count += (size_t)got;
        CHECK_EQUAL(got, 0);
        CHECK_EQUAL(count, input.count);
        CHECK(memcmp(back, input.at, input.count) == 0);
        wing_codec_reader_free(r);
        free(packed.at);
    }
    free(input.at);
}

TEST(codec_cut_input_is_an_end_and_damage_an_error) {
    struct bytes input = make_input(5000, 10);
    for (size_t c = 1; c < 3; c++) {
        struct bytes packed = encode(codecs[c], 0, input, 5000);
        for (size_t cut = 0; cut < packed.count; cut += cut < 50 ? 1 : 37) {
            struct bytes part = packed, back = {0};
            part.count = cut;
            CHECK_EQUAL(read_all(codecs[c], &part, 4096, &back), WING_E_END);
            free(back.at);
        }
        for (size_t at = 0; at < packed.count; at += at < 40 || at + 20 > packed.count ? 1 : 29) {
            struct bytes back = {0};
            packed.taken = 0;
            packed.at[at] ^= 0x41;
            ssize_t result = read_all(codecs[c], &packed, 4096, &back);
            packed.at[at] ^= 0x41;
            /* gzip does not protect its header's time, flags and system. */
            if (codecs[c] == WING_CODEC_LZ4 || at >= 10) {
                CHECK(result == WING_E_FORMAT || result == WING_E_CHECKSUM || result == WING_E_END);
            }
            free(back.at);
        }
        packed.taken = 0;
        packed.at[packed.count - (c == 1 ? 1 : 5)] ^= 1; /* in the checksum itself */
        struct bytes back = {0};
        CHECK_EQUAL(read_all(codecs[c], &packed, 4096, &back), WING_E_CHECKSUM);
        CHECK(back.count <= 5000);
        free(back.at), free(packed.at);
    }
    free(input.at);
}

TEST(codec_decoders_survive_noise) {
    uint64_t seed = 11;
    unsigned char noise[600], out[300];
    for (int round = 0; round < 4000; round++) {
        enum wing_codec codec = codecs[1 + round % 2];
        random_fill(&seed, noise, sizeof noise);
        memcpy(noise, codec == WING_CODEC_LZ4 ? "\x04\x22\x4d\x18" : "\x1f\x8b\x08\0", 4);
        struct wing_codec_decoder *d = wing_codec_decoder_create(codec);
        size_t at = 0;
        for (int step = 0; step < 1000; step++) {
            size_t length = sizeof noise - at;
            ssize_t got = wing_codec_decode(d, noise + at, &length, out, sizeof out);
            CHECK(got <= (ssize_t)sizeof out && length <= sizeof noise - at);
            at += length;
            if (got <= 0) break;
        }
        wing_codec_decoder_free(d);
    }
}

TEST(codec_bomb_fills_the_buffer_and_waits) {
    struct bytes packed = {0};
    unsigned char *zeros = calloc(1, 1 << 20), out[4096];
    for (size_t c = 1; c < 3; c++) {
        struct wing_codec_encoder *e = wing_codec_encoder_create(codecs[c], 0, emit, &packed);
        packed.count = 0;
        for (int i = 0; i < 64; i++)
            wing_codec_encoder_write(e, zeros, 1 << 20);
        CHECK_EQUAL(wing_codec_encoder_finish(e), 0);
        wing_codec_encoder_free(e);
        CHECK(packed.count < (1 << 20));
        struct wing_codec_decoder *d = wing_codec_decoder_create(codecs[c]);
        size_t at = 0, total = 0;
        for (;;) {
            size_t length = packed.count - at;
            ssize_t got = wing_codec_decode(d, packed.at + at, &length, out, sizeof out);
            at += length;
            CHECK(got >= 0);
            if (got <= 0) break;
            total += (size_t)got;
        }
        CHECK_EQUAL(total, 64 << 20);
        CHECK(wing_codec_decoder_may_end(d));
        wing_codec_decoder_free(d);
    }
    free(zeros), free(packed.at);
}

#if !defined(__SANITIZE_ADDRESS__)
static int swallow(void *context, const void *bytes, size_t size) {
    (void)context, (void)bytes, (void)size;
    return 0;
}

static size_t allocated(void) {
    struct mallinfo2 now = mallinfo2();
    return now.uordblks + now.hblkhd;
}

TEST(codec_memory_is_bounded) {
    struct bytes input = make_input(3000000, 15);
    for (size_t c = 1; c < 3; c++) {
        for (int level = 0; level <= 12; level += 3) {
            size_t before = allocated();
            struct wing_codec_encoder *e =
                wing_codec_encoder_create(codecs[c], level, swallow, NULL);
            REQUIRE(e != NULL);
            CHECK_EQUAL(wing_codec_encoder_write(e, input.at, input.count), 0);
            CHECK(allocated() - before < 1 << 20);
            wing_codec_encoder_free(e);
        }
        struct bytes packed = encode(codecs[c], 0, input, 100000);
        size_t before = allocated();
        struct wing_codec_reader *r = wing_codec_reader_create(WING_CODEC_AUTO, pull, &packed);
        unsigned char out[4096];
        ssize_t got = 0;
        for (int i = 0; i < 300 && (got = wing_codec_reader_read(r, out, sizeof out)) > 0;)
            i++;
        CHECK(got > 0);
        CHECK(allocated() - before < 1 << 20);
        wing_codec_reader_free(r);
        free(packed.at);
    }
    free(input.at);
}
#endif

TEST(codec_emit_error_sticks) {
    struct bytes input = make_input(900000, 12);
    for (size_t c = 0; c < 3; c++) {
        struct bytes out = {.fail_after = 300000};
        struct wing_codec_encoder *e = wing_codec_encoder_create(codecs[c], 0, emit, &out);
        int error = wing_codec_encoder_write(e, input.at, input.count);
        if (error == 0) error = wing_codec_encoder_finish(e);
        CHECK_EQUAL(error, -ENOSPC);
        CHECK_EQUAL(wing_codec_encoder_finish(e), -ENOSPC);
        CHECK_EQUAL(wing_codec_encoder_write(e, "x", 1), -ENOSPC);
        wing_codec_encoder_free(e);
        free(out.at);
    }
    CHECK(wing_codec_encoder_create(WING_CODEC_AUTO, 0, emit, NULL) == NULL);
    CHECK(wing_codec_decoder_create(WING_CODEC_AUTO) == NULL);
    wing_codec_encoder_free(NULL), wing_codec_decoder_free(NULL), wing_codec_reader_free(NULL);
    CHECK_EQUAL(wing_codec_detect("REDIS0009", 9), WING_CODEC_NONE);
    CHECK_EQUAL(wing_codec_detect("\x1f", 1), WING_CODEC_NONE);
    free(input.at);
}

/* MARK: with the commands */

static int save(const char *path, struct bytes b) {
    FILE *file = fopen(path, "wb");
    int good = file != NULL && fwrite(b.at, 1, b.count, file) == b.count;
    return file != NULL && fclose(file) == 0 && good;
}

static struct bytes load(const char *path) {
    struct bytes b = {0};
    char buffer[4096];
    FILE *file = fopen(path, "rb");
    for (size_t n; file != NULL && (n = fread(buffer, 1, sizeof buffer, file)) > 0;)
        emit(&b, buffer, n);
    if (file != NULL) fclose(file);
    return b;
}

TEST(codec_speaks_with_lz4_and_gzip) {
    static const struct {
        enum wing_codec codec;
        const char *unpack, *pack;
    } rows[] = {
        {WING_CODEC_LZ4, "lz4 -dcq <p >b", "lz4 -cq <a >p"},
        {WING_CODEC_LZ4, "lz4 -dcq <p >b", "lz4 -9 -B7 -BD -cqq <a >p 2>e"},
        {WING_CODEC_GZIP, "gunzip -c <p >b", "gzip -c <a >p"},
        {WING_CODEC_GZIP, "gunzip -c <p >b", "gzip -1 -c <a >p"},
    };
    char folder[] = "/tmp/wing-codec-XXXXXX", back[4096];
    REQUIRE(getcwd(back, sizeof back) != NULL && mkdtemp(folder) != NULL && chdir(folder) == 0);
    struct bytes input = make_input(2500000, 13);
    CHECK(save("a", input));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes packed = encode(rows[i].codec, 0, input, 100000);
        CHECK(save("p", packed));
        CHECK_EQUAL(system(rows[i].unpack), 0);
        struct bytes theirs = load("b"), ours = {0};
        CHECK(is_equal(theirs, input));
        CHECK_EQUAL(system(rows[i].pack), 0);
        struct bytes foreign = load("p");
        CHECK_EQUAL(read_all(WING_CODEC_AUTO, &foreign, 50000, &ours), 0);
        CHECK(is_equal(ours, input));
        free(packed.at), free(theirs.at), free(foreign.at), free(ours.at);
    }
    free(input.at);
    unlink("a"), unlink("b"), unlink("p"), unlink("e");
    CHECK_EQUAL(chdir(back), 0);
    rmdir(folder);
}
