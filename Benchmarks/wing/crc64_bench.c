/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CRC64 speed, each variant in one run: GB/s (10^9 bytes) over 64 MiB, the best of several rounds,
 * and the ratio to slicing-by-8. The bars: the chosen one >= 8 GB/s and >= 5 times the table.
 *
 *     cc -O2 -ICSources/Wing/include Benchmarks/wing/crc64_bench.c CSources/Wing/crc64.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "wing/crc64.h"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double best_rate(wing_crc64_function function, const unsigned char *data, size_t size,
                        uint64_t *sum) {
    double best = 0;
    double end = now() + 0.7;
    for (int round = 0; round < 3 || now() < end; round++) {
        double start = now();
        *sum = function(0, data, size);
        double rate = (double)size / (now() - start) / 1e9;
        if (rate > best) best = rate;
    }
    return best;
}

int main(void) {
    const size_t size = (size_t)64 << 20;
    unsigned char *data = malloc(size);
    if (data == NULL) return 2;
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < size; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        data[i] = (unsigned char)x;
    }
    uint64_t expected, sum;
    double table = best_rate(wing_crc64_table, data, size, &expected);
    double chosen = best_rate(wing_crc64, data, size, &sum);
    int equal = sum == expected;
    const char *name;
    wing_crc64_function function;
    for (size_t i = 0; (name = wing_crc64_variant(i, &function)) != NULL; i++) {
        if (function == NULL) {
            printf("%-16s not on this CPU\n", name);
            continue;
        }
        double rate = best_rate(function, data, size, &sum);
        equal &= sum == expected;
        printf("%-16s %7.2f GB/s  %5.1f x table%s\n", name, rate, rate / table,
               sum == expected ? "" : "  WRONG");
    }
    printf("wing_crc64       %7.2f GB/s  %5.1f x table  (%s)\n", chosen, chosen / table,
           wing_crc64_chosen());
    free(data);
    return equal ? 0 : 1;
}
