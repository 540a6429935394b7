/* SPDX-License-Identifier: BSD-3-Clause */
/* LZF: round trips, exact buffers (the sanitizer watches their ends), damaged and random input. */
#include "harness.h"
#include "wing/lzf.h"
#include "wing/wing.h"

/* The format as the header's table has it, byte by byte: what liblzf's decompressor accepts. */
static long model_decompress(const unsigned char *in, size_t length, unsigned char *out,
                             size_t capacity) {
    size_t i = 0, o = 0;
    while (i < length) {
        unsigned control = in[i++];
        if (control < 32) {
            if (i + control + 1 > length) return WING_E_FORMAT;
            if (o + control + 1 > capacity) return WING_E_LIMIT;
            for (unsigned k = 0; k <= control; k++)
                out[o++] = in[i++];
        } else {
            size_t count = control >> 5;
            if (i + (count == 7 ? 2 : 1) > length) return WING_E_FORMAT;
            if (count == 7) count += in[i++];
            size_t distance = (control % 32) * 256u + in[i++] + 1u;
            count += 2;
            if (distance > o) return WING_E_FORMAT;
            if (o + count > capacity) return WING_E_LIMIT;
            for (size_t k = 0; k < count; k++, o++)
                out[o] = out[o - distance];
        }
    }
    return (long)o;
}

/* Data of a kind that `kind` picks: random, runs, words, short periods, few symbols. */
static void make_data(uint64_t *seed, int kind, unsigned char *out, size_t length) {
    static const char *words[] = {"user:", "{\"id\":", "true", "redis", "0000", "aaaaaaaaaaa", "x"};
    size_t period = 1 + random_next(seed) % 40;
    for (size_t i = 0; i < length;) {
        switch (kind) {
        case 0:
            out[i++] = (unsigned char)random_next(seed);
            break;
        case 1: {
            unsigned char byte = (unsigned char)random_next(seed);
            for (size_t run = random_next(seed) % 700 + 1; run > 0 && i < length; run--)
                out[i++] = byte;
            break;
        }
        case 2: {
            const char *word = words[random_next(seed) % 7];
            for (; *word != 0 && i < length; word++)
                out[i++] = (unsigned char)*word;
            break;
        }
        case 3:
            out[i] = i < period ? (unsigned char)random_next(seed) : out[i - period];
            i++;
            break;
        default:
            out[i++] = (unsigned char)(random_next(seed) % 4);
            break;
        }
    }
}

/* Every buffer is of the exact size and on the heap. */
static void round_trip(const unsigned char *data, size_t length) {
    unsigned char *in = malloc(length), *back = malloc(length), *wide = malloc(length);
    size_t bound = length + length / 32 + 1;
    unsigned char *out = malloc(bound);
    memcpy(in, data, length);
    size_t size = wing_lzf_compress(in, length, out, bound);
    CHECK(size > 0 && size <= bound);
    CHECK_EQUAL(model_decompress(out, size, back, length), length);
    CHECK(memcmp(back, data, length) == 0);

    unsigned char *tight = malloc(size);
    size_t again = wing_lzf_compress(in, length, tight, size);
    /* In a buffer of the very size, the last matches may be given up, and then it does not fit. */
    CHECK(again == size || again == 0);
    if (again == size) CHECK(memcmp(tight, out, size) == 0);
    memcpy(tight, out, size);
    CHECK_EQUAL(wing_lzf_decompress(tight, size, wide, length), length);
    CHECK(memcmp(wide, data, length) == 0);
    if (length > 1) CHECK_EQUAL(wing_lzf_decompress(tight, size, wide, length - 1), WING_E_LIMIT);
    if (size > 1) CHECK(wing_lzf_decompress(tight, size - 1, wide, length) != (ssize_t)length);
    CHECK_EQUAL(wing_lzf_compress(in, length, out, bound), size);
    size_t coarse = wing_lzf_compress_coarse(in, length, out, bound);
    CHECK(coarse > 0 && coarse <= bound);
    CHECK_EQUAL(model_decompress(out, coarse, back, length), length);
    CHECK(memcmp(back, data, length) == 0);
    free(in), free(back), free(wide), free(out), free(tight);
}

TEST(lzf_round_trips) {
    static unsigned char data[100000];
    uint64_t seed = 3;
    for (int kind = 0; kind < 5; kind++) {
        for (size_t length = 1; length < 300; length++) {
            make_data(&seed, kind, data, length);
            round_trip(data, length);
        }
        for (int round = 0; round < 60; round++) {
            size_t length = 1 + random_next(&seed) % sizeof data;
            make_data(&seed, kind, data, length);
            round_trip(data, length);
        }
    }
}

TEST(lzf_reads_what_liblzf_wrote) {
    /* 40 times 'a' and "abcabcabcabcabcabcabcabcabc", as Debian's liblzf 3.6 packs them. */
    static const unsigned char run[] = {0x01, 'a', 'a', 0xe0, 0x1b, 0x00, 0x01, 'a', 'a'};
    char out[64];
    CHECK_EQUAL(wing_lzf_decompress(run, sizeof run, out, sizeof out), 40);
    for (int i = 0; i < 40; i++)
        CHECK(out[i] == 'a');
    static const unsigned char period[] = {0x03, 'a',  'b',  'c', 'a', 0xe0,
                                           0x0c, 0x02, 0x01, 'b', 'c'};
    CHECK_EQUAL(wing_lzf_decompress(period, sizeof period, out, sizeof out), 27);
    CHECK(memcmp(out, "abcabcabcabcabcabcabcabcabc", 27) == 0);
}

/* What a plain search makes of it: at each place the last place of the same three bytes, as liblzf
 * does it. Only the size is wanted. */
static size_t model_size(const unsigned char *in, size_t length) {
    static size_t last[1 << 16];
    memset(last, 0, sizeof last); /* place + 1 */
    size_t size = 0, run = 0, i = 0;
    while (i < length) {
        size_t count = 0, distance = 0;
        if (i + 3 <= length) {
            uint32_t three = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
            size_t *slot = &last[three * UINT32_C(2654435761) >> 16];
            distance = i + 1 - *slot;
            if (*slot > 0 && distance <= 8192)
                while (count < 264 && i + count < length &&
                       in[i + count] == in[i + count - distance])
                    count++;
            *slot = i + 1;
        }
        if (count < 3) {
            size += run % 32 == 0 ? 2 : 1;
            run++, i++;
            continue;
        }
        size += count < 9 ? 2 : 3;
        run = 0;
        for (i += count, count = 2; count > 0 && i + 3 <= length; count--) {
            const unsigned char *p = in + i - count;
            uint32_t three = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
            last[three * UINT32_C(2654435761) >> 16] = i - count + 1;
        }
    }
    return size;
}

/* Prose, code, and data with numbers, in values as people store them; each is also what
 * wing_lzf_promises takes for text. */
TEST(lzf_finds_what_a_plain_search_finds) {
    static const char *files[] = {"../Fixtures/text/prose.txt", "../Fixtures/text/code.txt",
                                  "../Fixtures/redis-6.0.7.json",
                                  "../Fixtures/text/numbers.json"};
    static const size_t sizes[] = {100, 200, 300, 1000, 4000};
    static unsigned char bytes[1 << 16], out[1 << 16];
    for (size_t file = 0; file < sizeof files / sizeof *files; file++) {
        FILE *stream = fopen(files[file], "rb");
        REQUIRE(stream != NULL);
        size_t all = fread(bytes, 1, sizeof bytes, stream);
        fclose(stream);
        for (size_t row = 0; row < sizeof sizes / sizeof *sizes; row++) {
            size_t size = sizes[row], ours = 0, model = 0, values = 0, promising = 0;
            for (size_t at = 0; at + size <= all; at += size, values++) {
                size_t packed = wing_lzf_compress(bytes + at, size, out, size - 4);
                size_t plain = model_size(bytes + at, size);
                ours += packed > 0 ? packed : size;
                model += plain <= size - 4 ? plain : size;
                promising += wing_lzf_promises(bytes + at, size) != 0;
            }
            CHECK(ours * 100 <= model * 102);
            CHECK(promising * 100 >= values * 95);
        }
    }
}

TEST(lzf_promises_nothing_of_noise) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789+/";
    uint64_t seed = 12;
    int promising[2] = {0, 0};
    for (int round = 0; round < 4000; round++) {
        size_t size = 32 + random_next(&seed) % 300;
        unsigned char *noise = malloc(size); /* of the exact size */
        REQUIRE(noise != NULL);
        for (size_t i = 0; i < size; i++) {
            uint8_t byte = (uint8_t)(random_next(&seed) >> 33);
            noise[i] = round % 2 == 0 ? byte : (uint8_t)letters[byte % 64];
        }
        promising[round % 2] += wing_lzf_promises(noise, size) != 0;
        free(noise);
    }
    CHECK(promising[0] == 0);
    CHECK(promising[1] < 2000 / 20);
    for (size_t size = 0; size < 64; size++) {
        unsigned char *run = calloc(size + 1, 1), *exact = realloc(run, size > 0 ? size : 1);
        REQUIRE(exact != NULL);
        CHECK_EQUAL(wing_lzf_promises(exact, size), size > 16);
        free(exact);
    }
}

TEST(lzf_does_not_fit) {
    unsigned char data[4096], out[4200];
    uint64_t seed = 4;
    random_fill(&seed, data, sizeof data);
    CHECK_EQUAL(wing_lzf_compress(data, sizeof data, out, sizeof data - 4), 0);
    CHECK_EQUAL(wing_lzf_compress(data, 0, out, sizeof out), 0);
    CHECK_EQUAL(wing_lzf_compress(data, 10, out, 0), 0);
    memset(data, 'x', sizeof data);
    size_t size = wing_lzf_compress(data, sizeof data, out, sizeof data - 4);
    CHECK(size > 0 && size < 64);
    for (size_t capacity = 0; capacity < size; capacity++) {
        unsigned char *tight = malloc(capacity + 1);
        tight[capacity] = 0x5a;
        CHECK_EQUAL(wing_lzf_compress(data, sizeof data, tight, capacity), 0);
        CHECK(tight[capacity] == 0x5a);
        free(tight);
    }
}

TEST(lzf_decompress_survives_any_input) {
    uint64_t seed = 5;
    unsigned char data[2000], packed[2100];
    for (int round = 0; round < 20000; round++) {
        size_t length = 1 + random_next(&seed) % sizeof data;
        size_t size;
        if (round % 2 == 0) { /* damaged */
            make_data(&seed, round % 5, data, length);
            size = wing_lzf_compress(data, length, packed, sizeof packed);
            for (int hits = 0; hits < 3; hits++) {
                packed[random_next(&seed) % size] = (unsigned char)random_next(&seed);
            }
            if (round % 4 == 0) size -= random_next(&seed) % size;
        } else { /* random */
            size = length % 300 + 1;
            random_fill(&seed, packed, size);
        }
        size_t capacity = random_next(&seed) % 2500;
        unsigned char *in = malloc(size), *out = malloc(capacity + 1),
                      *model = malloc(capacity + 1);
        memcpy(in, packed, size);
        unsigned char *exact_out = realloc(out, capacity > 0 ? capacity : 1);
        long expected = model_decompress(in, size, model, capacity);
        long got = wing_lzf_decompress(in, size, exact_out, capacity);
        CHECK_EQUAL(got, expected);
        if (got > 0) CHECK(memcmp(exact_out, model, (size_t)got) == 0);
        free(in), free(exact_out), free(model);
    }
}

/* Places are kept as 16 bits from an origin that follows. */
TEST(lzf_finds_repetitions_far_into_a_value) {
    enum { BLOCK = 8000, TIMES = 60 };
    static unsigned char data[BLOCK * TIMES], out[BLOCK * TIMES];
    uint64_t seed = 6;
    for (size_t i = 0; i < BLOCK; i++)
        data[i] = (unsigned char)random_next(&seed);
    for (size_t i = BLOCK; i < sizeof data; i++)
        data[i] = data[i - BLOCK];
    /* One run as far as the end, of 264 bytes an item. */
    size_t size = wing_lzf_compress(data, sizeof data, out, sizeof out);
    CHECK(size > BLOCK && size < BLOCK + BLOCK / 32 + 400 + sizeof data / 264 * 3);
    round_trip(data, sizeof data);
    /* A change in each block: so many runs, each begun where another has ended. */
    for (size_t i = 0; i < sizeof data; i += BLOCK - 1)
        data[i] ^= 0x55;
    size = wing_lzf_compress(data, sizeof data, out, sizeof out);
    CHECK(size > BLOCK && size < 2 * BLOCK + sizeof data / 264 * 3);
    round_trip(data, sizeof data);
    /* Nothing at all comes again within 8192 bytes. */
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)random_next(&seed);
    CHECK_EQUAL(wing_lzf_compress(data, sizeof data, out, sizeof data - 4), 0);
    round_trip(data, sizeof data);
}
