/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the tests whose names contain one of the arguments, or all; the last line has the counts. */
#include "harness.h"

static struct test *first;
static struct test **last = &first;
static int failures_of_this_test;

void harness_register(struct test *test) {
    if (last == NULL) last = &first;
    *last = test;
    last = &test->next;
}

void harness_fail(const char *file, int line, const char *what) {
    failures_of_this_test++;
    printf("%s:%d: failed: %s\n", file, line, what);
}

void harness_fail_equal(const char *file, int line, const char *a, const char *b, long long va,
                        long long vb) {
    failures_of_this_test++;
    printf("%s:%d: %s is %lld, but %s is %lld\n", file, line, a, va, b, vb);
}

static int is_wanted(const char *name, int argc, char **argv) {
    if (argc < 2) return 1;
    for (int i = 1; i < argc; i++) {
        if (strstr(name, argv[i]) != NULL) return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    int passed = 0, failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct test *test = first; test != NULL; test = test->next) {
        if (!is_wanted(test->name, argc, argv)) continue;
        failures_of_this_test = 0;
        test->run();
        if (failures_of_this_test == 0) {
            passed++;
        } else {
            failed++;
            printf("FAILED %s\n", test->name);
        }
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
