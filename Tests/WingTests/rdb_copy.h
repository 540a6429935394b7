/* SPDX-License-Identifier: BSD-3-Clause */
/** For the RDB tests: everything a reader gives goes into a writer, and files into memory. */
#ifndef WING_TESTS_RDB_COPY_H
#define WING_TESTS_RDB_COPY_H

#include "harness.h"
#include "wing/wing.h"

struct copy_counts {
    uint64_t keys, parts, notes, bytes;
    uint64_t hash; /* over kinds, names, texts and numbers: equal for equal contents */
};

/** Copies all of `r` to `w` (NULL: reads only); 0 or the reader's code. Counts may be NULL. */
int rdb_copy(struct wing_rdb_reader *r, struct wing_rdb_writer *w, struct copy_counts *counts);

/** A file of Tests/Fixtures, or NULL; free it. */
unsigned char *rdb_fixture(const char *name, size_t *size);

#endif
