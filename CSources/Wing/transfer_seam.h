/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a test puts EINTR, EAGAIN, ENOSPC and short counts. Not part of the library. */
#ifndef WING_TRANSFER_SEAM_H
#define WING_TRANSFER_SEAM_H

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/types.h>

#ifdef WING_TESTING
/* Defined by the test. */
ssize_t wing_seam_sendfile(int out, int in, off_t *offset, size_t count);
ssize_t wing_seam_splice(int in, off_t *in_at, int out, off_t *out_at, size_t n, unsigned flags);
ssize_t wing_seam_tee(int in, int out, size_t count, unsigned flags);
#define SEAM(call) wing_seam_##call
#else
#define SEAM(call) call
#endif

#endif
