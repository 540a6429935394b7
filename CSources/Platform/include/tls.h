/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * TLS by OpenSSL over non-blocking sockets. A context holds certificates and rules; a session is one
 * connection. Both are named by plain numbers, 0 for none. A session's calls may come from two
 * threads (one reads a snapshot while the other says that it lives): each call takes its lock.
 */
#ifndef REDWING_TLS_H
#define REDWING_TLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** The settings of a context; an empty text is one that is not set. */
enum redwing_tls_text {
    REDWING_TLS_CERT_FILE,
    REDWING_TLS_KEY_FILE,
    REDWING_TLS_KEY_PASS,
    REDWING_TLS_CLIENT_CERT_FILE,
    REDWING_TLS_CLIENT_KEY_FILE,
    REDWING_TLS_CLIENT_KEY_PASS,
    REDWING_TLS_CA_FILE,
    REDWING_TLS_CA_DIR,
    REDWING_TLS_DH_FILE,
    REDWING_TLS_CIPHERS,
    REDWING_TLS_CIPHERSUITES,
    REDWING_TLS_TEXTS,
};

/** Protocol versions, a set of bits. */
enum { REDWING_TLS_1_0 = 1, REDWING_TLS_1_1 = 2, REDWING_TLS_1_2 = 4, REDWING_TLS_1_3 = 8 };

/** What a peer that connects to us must show. */
enum { REDWING_TLS_AUTH_NO, REDWING_TLS_AUTH_OPTIONAL, REDWING_TLS_AUTH_YES };

struct redwing_tls_settings;

/** Empty settings; free them with redwing_tls_settings_free. */
uintptr_t redwing_tls_settings_new(void);
void redwing_tls_settings_free(uintptr_t settings);
/** Takes a copy of `value`. */
void redwing_tls_settings_text(uintptr_t settings, int which, const char *value);
/** `session_timeout` in seconds; `session_size` is a number of sessions. */
void redwing_tls_settings_numbers(uintptr_t settings, int protocols, int prefer_server_ciphers,
                                  int session_caching, int64_t session_size, int64_t session_timeout);

/**
 * A context for sessions that others open (`outgoing` 0) or that we open (1; its own certificate,
 * when there is one, else the server's).
 * Returns 0 with the reason in `reason` (at most `room` bytes, ended by 0): what the log shall say.
 */
uintptr_t redwing_tls_context_new(uintptr_t settings, int outgoing, char *reason, size_t room);
void redwing_tls_context_free(uintptr_t context);

/** A session over `fd`, which stays the caller's. 0: no memory. `auth` matters when others open it. */
uintptr_t redwing_tls_open(uintptr_t context, int fd, int outgoing, int auth);
/** Nobody may use the session any more; its descriptor may be closed already. */
void redwing_tls_free(uintptr_t session);

/** What a handshake waits for. */
enum { REDWING_TLS_DONE, REDWING_TLS_WANTS_READ, REDWING_TLS_WANTS_WRITE, REDWING_TLS_FAILED };
/** Goes on with the handshake; REDWING_TLS_FAILED has its reason in `reason`. */
int redwing_tls_handshake(uintptr_t session, char *reason, size_t room);

/** Up to `count` bytes: how many came, 0 at the end, -EAGAIN: none now, else -errno. */
ssize_t redwing_tls_read(uintptr_t session, uintptr_t place, size_t count);
/**
 * How many bytes were taken (0 < n ≤ count), -EAGAIN: none now, else -errno. What is taken may still
 * be held: see redwing_tls_flush.
 */
ssize_t redwing_tls_write(uintptr_t session, uintptr_t bytes, size_t count);
/** Sends what is held: 0 when nothing is any more, -EAGAIN: the socket is full, else -errno. */
int redwing_tls_flush(uintptr_t session);

/** True when a read has something to give that no event of the socket will announce. */
int redwing_tls_has_pending(uintptr_t session);
/** True when the session waits for room in the socket, whatever its user has to say. */
int redwing_tls_wants_room(uintptr_t session);
/** Says the end to the peer and ends all use of the descriptor, also by another thread. */
void redwing_tls_close(uintptr_t session);

#endif
