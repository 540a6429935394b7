/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A file that replaces another only when it is whole: written beside the target under a temporary
 * name, synced, put in its place, the folder synced. A failed save never harms the old file.
 *
 *     int fd, error;
 *     struct wing_rdb_file *file = wing_rdb_file_create(path, &fd, &error);
 *     struct wing_rdb_writer *w = wing_rdb_writer_open_fd(fd, &options);
 *     write_all(w);
 *     error = wing_rdb_writer_finish(w);
 *     wing_rdb_writer_free(w);
 *     if (error < 0)
 *         wing_rdb_file_abort(file);
 *     else
 *         error = wing_rdb_file_commit(file);
 *
 * Threads: object. Fork: child (create it in the child: the temporary name holds the process id).
 */
#ifndef WING_RDB_FILE_H
#define WING_RDB_FILE_H
#ifdef __cplusplus
extern "C" {
#endif

struct wing_rdb_file;

/**
 * Create `temp-<pid>.rdb` in the folder of `path` (or take over a left one), for writing.
 * *fd       in the end the file's descriptor, owned by the wing_rdb_file.
 * Returns   NULL with *error -errno or WING_E_NOMEM.
 */
struct wing_rdb_file *wing_rdb_file_create(const char *path, int *fd, int *error);
/**
 * fsync, rename to `path`, fsync the folder; frees `file`.  Finish the writer first.
 * Returns   0, or -errno: the old file is as it was and the temporary one is gone (after an error
 *           of the last step, the folder's fsync, the new file is in place but might not survive
 *           a power cut).
 */
int wing_rdb_file_commit(struct wing_rdb_file *file);
/** Remove the temporary file; frees `file`; NULL is fine. */
void wing_rdb_file_abort(struct wing_rdb_file *file);

#ifdef __cplusplus
}
#endif
#endif
