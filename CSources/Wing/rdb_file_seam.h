/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a test makes the steps of a commit fail. Not part of the library. */
#ifndef WING_RDB_FILE_SEAM_H
#define WING_RDB_FILE_SEAM_H

#include <stdio.h>
#include <unistd.h>

#ifdef WING_TESTING
/* Defined by the test. */
int wing_seam_fsync(int fd);
int wing_seam_close(int fd);
int wing_seam_renameat(int from_folder, const char *from, int to_folder, const char *to);
#define SEAM(call) wing_seam_##call
#else
#define SEAM(call) call
#endif

#endif
