/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libFuzzer's entry to the RDB reader (`make fuzz-rdb`, the fixtures as corpus); the runner doesn't
 * call it. The first byte picks the way in; what can be read is written and must be readable again.
 */
#include "rdb_copy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void write_and_read(struct wing_rdb_reader *r, bool compression) {
    struct wing_rdb_writer_options options = {.compression = compression, .checksum = true};
    struct wing_rdb_writer *w = wing_rdb_writer_open_memory(&options);
    if (w && rdb_copy(r, w, NULL) == 0 && wing_rdb_writer_error(w) == 0) {
        size_t size;
        const void *copied = wing_rdb_writer_memory(w, &size);
        struct wing_rdb_reader *again = wing_rdb_reader_open_memory(copied, size, NULL);
        if (again && rdb_copy(again, NULL, NULL) < 0) abort();
        wing_rdb_reader_free(again);
    }
    wing_rdb_writer_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct wing_rdb_reader_options options = {.ignore_checksum = true};
    if (size == 0) return 0;
    bool is_dump = bytes[0] & 1;
    struct wing_rdb_reader *r =
        is_dump ? wing_rdb_reader_open_dump(bytes + 1, size - 1, &options)
                : wing_rdb_reader_open_memory(bytes[0] == 'R' ? bytes : bytes + 1,
                                              bytes[0] == 'R' ? size : size - 1, &options);
    if (!r) return 0;
    if (is_dump)
        rdb_copy(r, NULL, NULL);
    else
        write_and_read(r, bytes[0] & 2);
    wing_rdb_reader_free(r);
    return 0;
}
