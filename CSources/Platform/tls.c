/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One TLS session over a non-blocking socket. What differs from SSL_read and SSL_write:
 *
 * - A write that the socket refuses has been encrypted already and must be repeated with the same
 *   bytes. The server has several sources of output for one client, so the session takes a copy of
 *   that one record, says that it was taken, and repeats it itself.
 * - A read goes on while OpenSSL holds bytes, so that "nothing pending" means that the next bytes
 *   will be announced by the socket.
 */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD = 16384 };

struct session {
    SSL *ssl;
    int fd;
    pthread_mutex_t lock;
    unsigned char *copy; /* the record that the socket refused, `held` bytes of it */
    size_t held;
    int end;        /* what every read will say from now on: 1 for the end, or -errno */
    int is_pending; /* the last read stopped for want of room */
    int read_wants_room;
    int is_closed;
};

uintptr_t redwing_tls_open(uintptr_t context, int fd, int outgoing, int auth) {
    struct session *s = calloc(1, sizeof *s);
    if (!s) return 0;
    ERR_clear_error();
    s->ssl = SSL_new((SSL_CTX *)context);
    if (!s->ssl || !SSL_set_fd(s->ssl, fd)) {
        SSL_free(s->ssl);
        free(s);
        ERR_clear_error();
        return 0;
    }
    s->fd = fd;
    pthread_mutex_init(&s->lock, NULL);
    if (outgoing) {
        SSL_set_connect_state(s->ssl);
    } else {
        if (auth == REDWING_TLS_AUTH_NO) SSL_set_verify(s->ssl, SSL_VERIFY_NONE, NULL);
        if (auth == REDWING_TLS_AUTH_OPTIONAL) SSL_set_verify(s->ssl, SSL_VERIFY_PEER, NULL);
        SSL_set_accept_state(s->ssl);
    }
    return (uintptr_t)s;
}

void redwing_tls_free(uintptr_t session) {
    struct session *s = (struct session *)session;
    if (!s) return;
    SSL_free(s->ssl);
    free(s->copy);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/** 0 for "not now", 1 for the end, else -errno; `code` is SSL_get_error's. */
static int judge(int code) {
    /* errno of the call that failed, before anything else can change it. */
    int reason = errno;
    switch (code) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return 0;
        case SSL_ERROR_ZERO_RETURN:
            return 1;
        case SSL_ERROR_SYSCALL:
            return reason ? -reason : 1;
        default: {
            /* A peer that closed its socket without a word has closed it. */
            unsigned long fault = ERR_peek_error();
            if (ERR_GET_REASON(fault) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return 1;
            return -EPROTO;
        }
    }
}

int redwing_tls_handshake(uintptr_t session, char *reason, size_t room) {
    struct session *s = (struct session *)session;
    pthread_mutex_lock(&s->lock);
    ERR_clear_error();
    errno = 0;
    int answer = REDWING_TLS_DONE;
    int n = SSL_do_handshake(s->ssl);
    if (n != 1) {
        int code = SSL_get_error(s->ssl, n);
        int fault = judge(code);
        if (code == SSL_ERROR_WANT_READ) {
            answer = REDWING_TLS_WANTS_READ;
        } else if (code == SSL_ERROR_WANT_WRITE) {
            answer = REDWING_TLS_WANTS_WRITE;
        } else {
            answer = REDWING_TLS_FAILED;
            s->end = fault ? fault : 1;
            if (ERR_peek_error()) {
                ERR_error_string_n(ERR_get_error(), reason, room);
            } else {
                snprintf(reason, room, "%s", strerror(fault < 0 ? -fault : ECONNRESET));
            }
        }
    }
    pthread_mutex_unlock(&s->lock);
    return answer;
}

static ssize_t read_some(struct session *s, unsigned char *place, size_t count) {
    if (s->is_closed) return -ECONNRESET;
    size_t total = 0;
    s->is_pending = 0;
    s->read_wants_room = 0;
    while (!s->end && total < count) {
        size_t n = 0;
        ERR_clear_error();
        errno = 0;
        int done = SSL_read_ex(s->ssl, place + total, count - total, &n);
        if (done) {
            total += n;
            if (!SSL_has_pending(s->ssl)) break;
            continue;
        }
        int code = SSL_get_error(s->ssl, done);
        int fault = judge(code);
        if (!fault) {
            s->read_wants_room = code == SSL_ERROR_WANT_WRITE;
            break;
        }
        s->end = fault;
    }
    if (total > 0) {
        s->is_pending = s->end || (total == count && SSL_has_pending(s->ssl));
        return (ssize_t)total;
    }
    if (s->end == 1) return 0;
    return s->end ? s->end : -EAGAIN;
}

ssize_t redwing_tls_read(uintptr_t session, uintptr_t place, size_t count) {
    struct session *s = (struct session *)session;
    pthread_mutex_lock(&s->lock);
    ssize_t n = read_some(s, (unsigned char *)place, count);
    pthread_mutex_unlock(&s->lock);
    return n;
}

/** What became of one record: its size, -EAGAIN or another -errno. */
static ssize_t write_record(struct session *s, const unsigned char *bytes, size_t count) {
    size_t n = 0;
    ERR_clear_error();
    errno = 0;
    int done = SSL_write_ex(s->ssl, bytes, count, &n);
    if (done) return (ssize_t)n;
    int fault = judge(SSL_get_error(s->ssl, done));
    if (!fault) return -EAGAIN;
    if (!s->end) s->end = fault;
    return fault == 1 ? -EPIPE : fault;
}

static int flush_held(struct session *s) {
    if (s->is_closed) return -ECONNRESET;
    while (s->held > 0) {
        ssize_t n = write_record(s, s->copy, s->held);
        if (n < 0) return (int)n;
        s->held -= (size_t)n;
        memmove(s->copy, s->copy + n, s->held);
    }
    return 0;
}

int redwing_tls_flush(uintptr_t session) {
    struct session *s = (struct session *)session;
    pthread_mutex_lock(&s->lock);
    int code = flush_held(s);
    pthread_mutex_unlock(&s->lock);
    return code;
}

static ssize_t write_some(struct session *s, const unsigned char *bytes, size_t count) {
    int code = flush_held(s);
    if (code < 0) return code;
    if (!SSL_is_init_finished(s->ssl)) return -EAGAIN;
    if (count > RECORD) count = RECORD;
    ssize_t n = write_record(s, bytes, count);
    if (n != -EAGAIN) return n;
    if (!s->copy) s->copy = malloc(RECORD);
    if (!s->copy) {
        s->end = -ENOMEM;
        return -ENOMEM;
    }
    memcpy(s->copy, bytes, count);
    s->held = count;
    return (ssize_t)count;
}

ssize_t redwing_tls_write(uintptr_t session, uintptr_t bytes, size_t count) {
    struct session *s = (struct session *)session;
    pthread_mutex_lock(&s->lock);
    ssize_t n = count > 0 ? write_some(s, (const unsigned char *)bytes, count) : 0;
    pthread_mutex_unlock(&s->lock);
    return n;
}

int redwing_tls_has_pending(uintptr_t session) {
    struct session *s = (struct session *)session;
    pthread_mutex_lock(&s->lock);
    int answer = !s->is_closed && s->is_pending;
    pthread_mutex_unlock(&s->lock);
    return answer;
}

int redwing_tls_wants_room(uintptr_t session) {
    struct session *s = (struct session *)session;
    pthread_mutex_lock(&s->lock);
    int answer = !s->is_closed && (s->held > 0 || s->read_wants_room);
    pthread_mutex_unlock(&s->lock);
    return answer;
}

void redwing_tls_close(uintptr_t session) {
    struct session *s = (struct session *)session;
    pthread_mutex_lock(&s->lock);
    /* Behind a record that was cut short there is no saying anything. */
    if (!s->is_closed && s->held == 0 && s->end >= 0 && SSL_is_init_finished(s->ssl)) {
        ERR_clear_error();
        SSL_shutdown(s->ssl);
    }
    s->is_closed = 1;
    pthread_mutex_unlock(&s->lock);
}
