/* SPDX-License-Identifier: BSD-3-Clause */
/* Files replaced whole: whatever step fails, the old file or the new one is there, never neither. */
#include "harness.h"
#include "rdb_file_seam.h"
#include "wing/wing.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* The steps of a commit in their order, a letter each, and the one that fails. */
static char steps[8];
static char failing;
static int failure;

static int step(char letter) {
    size_t count = strlen(steps);
    if (count + 1 < sizeof steps) steps[count] = letter, steps[count + 1] = 0;
    errno = failure;
    return failing == letter ? -1 : 0;
}

int wing_seam_fsync(int fd) {
    struct stat about;
    bool is_folder = fstat(fd, &about) == 0 && S_ISDIR(about.st_mode);
    return step(is_folder ? 'F' : 'f') == 0 ? fsync(fd) : -1;
}

int wing_seam_close(int fd) {
    int result = close(fd); /* as close(2): after an error the descriptor is gone too */
    return step('c') == 0 ? result : -1;
}

int wing_seam_renameat(int from_folder, const char *from, int to_folder, const char *to) {
    return step('r') == 0 ? renameat(from_folder, from, to_folder, to) : -1;
}

static char folder[64], path[96];

static void make_folder(void) {
    strcpy(folder, "/tmp/wing-file-XXXXXX");
    if (!mkdtemp(folder)) abort();
    snprintf(path, sizeof path, "%s/dump.rdb", folder);
    FILE *old = fopen(path, "w");
    if (!old || fputs("old", old) < 0 || fclose(old) != 0) abort();
}

static void check_holds(const char *expected) {
    char found[16] = "";
    FILE *file = fopen(path, "r");
    REQUIRE(file != NULL);
    found[fread(found, 1, sizeof found - 1, file)] = 0;
    fclose(file);
    CHECK(strcmp(found, expected) == 0);
    unlink(path);
    CHECK_EQUAL(rmdir(folder), 0); /* else the temporary file is left */
}

TEST(rdb_file_commit_fails_at_each_step) {
    static const struct {
        const char *what;
        char failing;
        int failure, result;
        const char *steps, *holds;
    } rows[] = {
        {"nothing fails", 0, 0, 0, "fcrF", "new"},
        {"the disk is broken", 'f', EIO, -EIO, "f", "old"},
        {"the disk turns out to be full", 'f', ENOSPC, -ENOSPC, "f", "old"},
        {"the last write turns out to have failed", 'c', EDQUOT, -EDQUOT, "fc", "old"},
        {"the name can't be taken", 'r', EACCES, -EACCES, "fcr", "old"},
        {"the folder can't be synced", 'F', EIO, -EIO, "fcrF", "new"},
        {"the file system doesn't sync folders", 'F', EINVAL, 0, "fcrF", "new"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_folder();
        int fd, error;
        struct wing_rdb_file *file = wing_rdb_file_create(path, &fd, &error);
        REQUIRE(file != NULL);
        CHECK_EQUAL(write(fd, "new", 3), 3);
        steps[0] = 0, failing = rows[i].failing, failure = rows[i].failure;
        int result = wing_rdb_file_commit(file);
        if (result != rows[i].result) printf("%s: %d\n", rows[i].what, result);
        CHECK_EQUAL(result, rows[i].result);
        CHECK(strcmp(steps, rows[i].steps) == 0);
        check_holds(rows[i].holds);
    }
    failing = 0;
}

/* No room for the file, which shows while it is written: by a limit, as no disk is full for root. */
TEST(rdb_file_without_room_leaves_the_old_one) {
    make_folder();
    struct rlimit before, few = {.rlim_cur = 100000};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    few.rlim_max = before.rlim_max;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    int fd, error;
    struct wing_rdb_file *file = wing_rdb_file_create(path, &fd, &error);
    struct wing_rdb_writer *w = wing_rdb_writer_open_fd(fd, NULL);
    static char value[300000];
    wing_rdb_write_header(w);
    CHECK_EQUAL(setrlimit(RLIMIT_FSIZE, &few), 0);
    wing_rdb_write_string_key(w, "k", 1, -1, -1, -1, value, sizeof value);
    CHECK_EQUAL(wing_rdb_writer_finish(w), -EFBIG);
    CHECK_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    wing_rdb_writer_free(w);
    wing_rdb_file_abort(file);
    check_holds("old");
}
