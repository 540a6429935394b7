/* SPDX-License-Identifier: BSD-3-Clause */
/* Files replaced whole: see rdb_file.h. */
#include "wing/rdb_file.h"
#include "bytes.h"
#include "rdb_file_seam.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct wing_rdb_file {
    int folder; /* all is named relative to it: a change of directory in between does no harm */
    int fd;
    char temporary[40];
    char name[]; /* of the target, within the folder */
};

static int open_folder(const char *path, const char *slash) {
    if (!slash) return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char *folder = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!folder) return -1;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = errno;
    free(folder);
    errno = error;
    return fd;
}

struct wing_rdb_file *wing_rdb_file_create(const char *path, int *fd, int *error) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct wing_rdb_file *file = malloc(sizeof *file + strlen(name) + 1);
    if (!file) {
        *error = WING_E_NOMEM;
        return NULL;
    }
    memcpy(file->name, name, strlen(name) + 1);
    snprintf(file->temporary, sizeof file->temporary, "temp-%ld.rdb", (long)getpid());
    file->folder = open_folder(path, slash);
    if (file->folder < 0) goto no_folder;
    file->fd =
        openat(file->folder, file->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file->fd < 0) goto no_file;
    *fd = file->fd;
    *error = 0;
    return file;
no_file:
    *error = -errno;
    close(file->folder);
    free(file);
    return NULL;
no_folder:
    *error = -errno;
    free(file);
    return NULL;
}

int wing_rdb_file_commit(struct wing_rdb_file *file) {
    int error = 0;
    if (SEAM(fsync)(file->fd) != 0) goto failed;
    if (SEAM(close)(file->fd) != 0) {
        file->fd = -1;
        goto failed;
    }
    file->fd = -1;
    if (SEAM(renameat)(file->folder, file->temporary, file->folder, file->name) != 0) goto failed;
    /* EINVAL: a file system that can't sync folders, where there is nothing to be done. */
    if (SEAM(fsync)(file->folder) != 0 && errno != EINVAL) error = -errno;
    close(file->folder);
    free(file);
    return error;
failed:
    error = -errno;
    wing_rdb_file_abort(file);
    return error;
}

void wing_rdb_file_abort(struct wing_rdb_file *file) {
    if (!file) return;
    if (file->fd >= 0) close(file->fd);
    unlinkat(file->folder, file->temporary, 0);
    close(file->folder);
    free(file);
}
