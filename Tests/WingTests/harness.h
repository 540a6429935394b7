/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The C core's test harness: a test is a function that any file of this folder declares with
 * TEST(name); the runner finds it by itself and counts it as passed when none of its CHECKs failed.
 *
 *     TEST(crc64_of_nothing_is_the_start_value) { CHECK_EQUAL(wing_crc64(7, "", 0), 7); }
 *
 * A failed CHECK prints where and what, and the test goes on; REQUIRE leaves the test.
 */
#ifndef WING_TESTS_HARNESS_H
#define WING_TESTS_HARNESS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};

void harness_register(struct test *test);
void harness_fail(const char *file, int line, const char *what);
void harness_fail_equal(const char *file, int line, const char *a, const char *b, long long va,
                        long long vb);

#define TEST(test_name)                                                                            \
    static void test_name(void);                                                                   \
    __attribute__((constructor)) static void register_##test_name(void) {                          \
        static struct test entry = {#test_name, test_name, NULL};                                  \
        harness_register(&entry);                                                                  \
    }                                                                                              \
    static void test_name(void)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) harness_fail(__FILE__, __LINE__, #condition);                            \
    } while (0)

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            harness_fail(__FILE__, __LINE__, #condition);                                          \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* For integers of any kind; both values are shown. */
#define CHECK_EQUAL(a, b)                                                                          \
    do {                                                                                           \
        long long value_a = (long long)(a), value_b = (long long)(b);                              \
        if (value_a != value_b) harness_fail_equal(__FILE__, __LINE__, #a, #b, value_a, value_b);  \
    } while (0)

/** The next pseudo-random number (splitmix64) of `*state`; the same on every machine. */
static inline uint64_t random_next(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline void random_fill(uint64_t *state, void *out, size_t length) {
    unsigned char *p = out;
    for (size_t i = 0; i < length; i++)
        p[i] = (unsigned char)random_next(state);
}

#endif
