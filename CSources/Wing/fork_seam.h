/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a test makes fork(2) fail, which for root no limit does. Not part of the library. */
#ifndef WING_FORK_SEAM_H
#define WING_FORK_SEAM_H

#include <unistd.h>

#ifdef WING_TESTING
extern pid_t (*wing_fork_seam)(void); /* defined by the test */
#define WING_FORK_CALL() wing_fork_seam()
#else
#define WING_FORK_CALL() fork()
#endif

#endif
