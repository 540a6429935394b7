/* SPDX-License-Identifier: BSD-3-Clause */
/* CRC64: the published check value, and every variant against a bit-by-bit model. */
#include "harness.h"
#include "wing/crc64.h"

static uint64_t model(uint64_t crc, const unsigned char *p, size_t length) {
    for (size_t i = 0; i < length; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (crc & 1 ? UINT64_C(0x95ac9329ac4bc9b5) : 0);
        }
    }
    return crc;
}

TEST(crc64_check_value) {
    CHECK(wing_crc64(0, "123456789", 9) == UINT64_C(0xe9c6d914c4b8d9ca));
    CHECK(wing_crc64_table(0, "123456789", 9) == UINT64_C(0xe9c6d914c4b8d9ca));
    CHECK(wing_crc64(7, NULL, 0) == 7);
}

TEST(crc64_table_equals_model_on_every_byte_and_place) {
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < 8; place++) {
            unsigned char message[8] = {0};
            message[place] = (unsigned char)byte;
            CHECK(wing_crc64_table(0, message, 8) == model(0, message, 8));
        }
    }
}

TEST(crc64_variants_equal_model) {
    static unsigned char data[8192 + 64];
    uint64_t seed = 1;
    random_fill(&seed, data, sizeof data);
    wing_crc64_function function;
    int ran = 0;
    for (size_t i = 0; wing_crc64_variant(i, &function) != NULL; i++) {
        if (function == NULL) continue;
        ran++;
        for (size_t length = 0; length < 1400; length++) {
            size_t shift = length % 64;
            uint64_t start = length % 3 == 0 ? 0 : random_next(&seed);
            CHECK(function(start, data + shift, length) == model(start, data + shift, length));
        }
        for (int round = 0; round < 300; round++) {
            size_t length = random_next(&seed) % 8192, shift = random_next(&seed) % 64;
            uint64_t start = random_next(&seed);
            CHECK(function(start, data + shift, length) == model(start, data + shift, length));
        }
    }
    CHECK(ran >= 1);
    CHECK(wing_crc64_variant(99, &function) == NULL);
    CHECK(wing_crc64_variant(0, NULL) != NULL);
}

TEST(crc64_chosen_runs_here) {
    wing_crc64_function function = NULL;
    for (size_t i = 0; wing_crc64_variant(i, NULL) != NULL; i++) {
        if (strcmp(wing_crc64_variant(i, &function), wing_crc64_chosen()) == 0) break;
    }
    REQUIRE(function != NULL);
    CHECK(function(0, "123456789", 9) == wing_crc64(0, "123456789", 9));
}

TEST(crc64_of_pieces_is_that_of_the_whole) {
    unsigned char data[3000];
    uint64_t seed = 2;
    random_fill(&seed, data, sizeof data);
    uint64_t whole = wing_crc64(0, data, sizeof data);
    for (size_t cut = 0; cut <= sizeof data; cut += 7) {
        uint64_t a = wing_crc64(0, data, cut);
        CHECK(wing_crc64(a, data + cut, sizeof data - cut) == whole);
        uint64_t b = wing_crc64(0, data + cut, sizeof data - cut);
        CHECK(wing_crc64_combine(a, b, sizeof data - cut) == whole);
    }
}
