/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Moving snapshots between files, pipes and sockets without copying them through user space:
 * non-blocking, resumable at any byte, each call doing what can be done now.
 *
 *     file → socket            wing_transfer_send       one file to many replicas, at their pace
 *     pipe → socket            wing_transfer_splice     a snapshot child's output to one replica
 *     pipe → several sockets   wing_transfer_fan_*      the same to several, in step
 *     socket → file            wing_transfer_receive    a master's snapshot to disk
 *
 * In an epoll loop:
 *
 *     ssize_t sent = wing_transfer_send(socket, rdb, &replica->offset, 1 << 20);
 *     if (sent == 0) wait_for(replica, EPOLLOUT);
 *     if (sent < 0) drop(replica, wing_strerror((int)sent));
 *     // > 0: replica->offset has moved; more may go in the next turn
 *
 * Sockets must be non-blocking, and SIGPIPE ignored: a peer that has gone raises it. TLS sockets
 * cannot be used, the bytes go as they are.
 *
 * Functions here, where they say nothing else: Threads: object (the fan or receiver). Fork: safe.
 */
#ifndef WING_TRANSFER_H
#define WING_TRANSFER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Send up to `limit` bytes of the file `source`, from byte `*offset` on, to `socket`.
 * limit     bytes, 1 … INT32_MAX; fewer may go. *offset: in, first byte to send; out, first not
 *           sent; kept on error.
 * Returns   bytes sent, 0 when the socket is full (wait for EPOLLOUT), or < 0: -EPIPE, -ECONNRESET
 *           the peer is gone; WING_E_END `source` has no byte at `*offset` (a file that still grows
 *           may have one later); other -errno of sendfile(2).
 * Ownership both descriptors stay the caller's.   Threads: object (`socket`).   Fork: safe.
 */
ssize_t wing_transfer_send(int socket, int source, uint64_t *offset, size_t limit);

/**
 * Move up to `limit` bytes from the pipe `source` to `socket`.
 * limit     bytes, 1 … INT32_MAX; fewer may go.
 * Returns   bytes moved; 0 when the socket is full (wait for EPOLLOUT on it); or < 0: -EAGAIN the
 *           pipe is empty (wait for EPOLLIN on it); WING_E_END it is empty and has no writer left;
 *           -EPIPE, -ECONNRESET the peer is gone; other -errno of splice(2). Nothing is lost on
 *           error: what was not sent is still in the pipe.
 * Ownership both descriptors stay the caller's.   Threads: object (both).   Fork: safe.
 */
ssize_t wing_transfer_splice(int socket, int source, size_t limit);

/* MARK: one pipe, several sockets */

/**
 * A fan hands each byte of one pipe to several sockets. Every sink has an inner pipe, which tee(2)
 * fills with references to the source's pages; the next round begins when all have emptied theirs,
 * so the slowest sets the pace (up to one pipe, 1 MiB where the system allows, behind the fastest).
 * Where that must not be, write to a file and use wing_transfer_send.
 */
struct wing_transfer_fan;

/** The state of one sink. */
struct wing_transfer_sink {
    int socket;
    int error;        /**< 0, or the -errno that ended it; it holds up nobody any more */
    uint64_t sent;    /**< bytes that the socket has taken */
    uint64_t pending; /**< bytes in the inner pipe: > 0 means wait for EPOLLOUT */
    uint64_t calls;   /**< splice(2) calls made for it */
    uint64_t stalls;  /**< of these, how many found the socket full */
};

/**
 * A fan that takes its bytes from the pipe `source`.
 * Returns   the fan, or NULL: an allocation failed.
 * Ownership free it with wing_transfer_fan_free; `source` stays the caller's and open till then.
 * Threads   any.   Fork: child.
 */
struct wing_transfer_fan *wing_transfer_fan_create(int source);

/** Closes the inner pipes and frees the fan; no descriptor of the caller's. NULL is fine.
 * Threads: object. Fork: child. */
void wing_transfer_fan_free(struct wing_transfer_fan *fan);

/**
 * Adds a sink; all sinks are added before the first byte moves.
 * Returns   the sink's index (0, 1, …), or < 0: -EBUSY bytes have moved already; WING_E_NOMEM;
 *           -EMFILE, -ENFILE no descriptors for the inner pipe.
 * Ownership `socket` stays the caller's.   Threads: object.   Fork: child.
 */
int wing_transfer_fan_add(struct wing_transfer_fan *fan, int socket);

/** Takes sink `index` out, its `error` set to -ECANCELED; the others go on. Its index stays taken.
 * Returns 0, or -EINVAL: no such sink. Threads: object. Fork: safe. */
int wing_transfer_fan_remove(struct wing_transfer_fan *fan, size_t index);

/**
 * Moves what can be moved now, at most about `limit` bytes a sink (1 … INT32_MAX).
 * Returns   the most bytes that one sink has taken in this call, 0 when nothing could move (wait
 *           for what wing_transfer_fan_sink and wing_transfer_fan_wants_source say), or < 0:
 *           WING_E_END the pipe has ended and every living sink has everything; -EPIPE no sink
 *           lives any more; other -errno of tee(2) or splice(2) on the source.
 *           The error of a sink is no error of the fan: look at each sink's `error`.
 * Threads   object.   Fork: safe.
 */
ssize_t wing_transfer_fan_step(struct wing_transfer_fan *fan, size_t limit);

/** True when the fan's next step needs the source to be readable, false while sinks are behind. */
int wing_transfer_fan_wants_source(const struct wing_transfer_fan *fan);

/** The state of sink `index`, valid until the fan is freed or a sink added; NULL: no such sink. */
const struct wing_transfer_sink *wing_transfer_fan_sink(const struct wing_transfer_fan *fan,
                                                        size_t index);

/* MARK: receiving into a file */

/** The inner pipe that bytes from a socket pass on their way into a file. */
struct wing_transfer_receiver;

/** Returns the receiver, or NULL: no memory or no descriptors. Free it with
 * wing_transfer_receiver_free. Threads: any. Fork: child. */
struct wing_transfer_receiver *wing_transfer_receiver_create(void);

/** Bytes still in the inner pipe are lost with it. Threads: object. Fork: child. */
void wing_transfer_receiver_free(struct wing_transfer_receiver *receiver);

/**
 * Moves up to `limit` bytes from `socket` into `file`, to byte `*offset` on.
 * limit     bytes, 1 … INT32_MAX: exactly what may still be taken from the socket, since bytes
 *           beyond belong to somebody else. *offset: in, where to write; out, behind the last byte
 *           written; kept on error.
 * Returns   bytes written; 0: the socket has none now (wait for EPOLLIN); or < 0: WING_E_END the
 *           peer has closed; -ECONNRESET; -ENOSPC, -EIO, -EDQUOT, other -errno of splice(2).
 *           After an error of the file the bytes taken from the socket are kept: the next call
 *           writes them first, and takes that much less than `limit` from the socket.
 * Ownership both descriptors stay the caller's; `file` is not opened with O_APPEND.
 * Threads   object (receiver).   Fork: safe.
 */
ssize_t wing_transfer_receive(struct wing_transfer_receiver *receiver, int socket, int file,
                              uint64_t *offset, size_t limit);

/** Bytes taken from the socket but not yet in the file; 0 except after an error of the file. */
uint64_t wing_transfer_receiver_pending(const struct wing_transfer_receiver *receiver);

#ifdef __cplusplus
}
#endif
#endif
