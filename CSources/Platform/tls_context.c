/* SPDX-License-Identifier: BSD-3-Clause */
/* Certificates, keys and rules: what is configured becomes an SSL_CTX, or a reason why it can't. */
#include "tls.h"

#include <errno.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct redwing_tls_settings {
    char *text[REDWING_TLS_TEXTS];
    int protocols, prefer_server_ciphers, session_caching;
    int64_t session_size, session_timeout;
};

uintptr_t redwing_tls_settings_new(void) {
    return (uintptr_t)calloc(1, sizeof(struct redwing_tls_settings));
}

void redwing_tls_settings_free(uintptr_t settings) {
    struct redwing_tls_settings *s = (struct redwing_tls_settings *)settings;
    if (!s) return;
    for (int i = 0; i < REDWING_TLS_TEXTS; i++) {
        /* Passwords are among them. */
        if (s->text[i]) OPENSSL_cleanse(s->text[i], strlen(s->text[i]));
        free(s->text[i]);
    }
    free(s);
}

void redwing_tls_settings_text(uintptr_t settings, int which, const char *value) {
    struct redwing_tls_settings *s = (struct redwing_tls_settings *)settings;
    if (!s || which < 0 || which >= REDWING_TLS_TEXTS) return;
    free(s->text[which]);
    s->text[which] = value[0] ? strdup(value) : NULL;
}

void redwing_tls_settings_numbers(uintptr_t settings, int protocols, int prefer_server_ciphers,
                                  int session_caching, int64_t session_size, int64_t session_timeout) {
    struct redwing_tls_settings *s = (struct redwing_tls_settings *)settings;
    if (!s) return;
    s->protocols = protocols;
    s->prefer_server_ciphers = prefer_server_ciphers;
    s->session_caching = session_caching;
    s->session_size = session_size;
    s->session_timeout = session_timeout;
}

/** The pass phrase of the key; without one nobody is asked at a terminal. */
static int give_password(char *place, int room, int writing, void *password) {
    (void)writing;
    size_t size = password ? strlen(password) : 0;
    if (size == 0 || room < 0 || size > (size_t)room) return -1;
    memcpy(place, password, size);
    return (int)size;
}

static const char *last_error(char *place, size_t room) {
    ERR_error_string_n(ERR_get_error(), place, room);
    ERR_clear_error();
    return place;
}

static int load_dh(SSL_CTX *context, const char *path, char *reason, size_t room) {
    FILE *file = fopen(path, "r");
    if (!file) {
        snprintf(reason, room, "Failed to load %s: %s", path, strerror(errno));
        return 0;
    }
    EVP_PKEY *parameters = NULL;
    OSSL_DECODER_CTX *decoder =
        OSSL_DECODER_CTX_new_for_pkey(&parameters, "PEM", NULL, "DH", 0, NULL, NULL);
    int read = decoder && OSSL_DECODER_from_fp(decoder, file) && parameters;
    OSSL_DECODER_CTX_free(decoder);
    fclose(file);
    if (!read) {
        snprintf(reason, room, "%s: failed to read DH params.", path);
        ERR_clear_error();
        return 0;
    }
    char text[256];
    if (SSL_CTX_set0_tmp_dh_pkey(context, parameters) <= 0) {
        EVP_PKEY_free(parameters);
        snprintf(reason, room, "Failed to load DH params file: %s: %s", path,
                 last_error(text, sizeof text));
        return 0;
    }
    return 1;
}

static void set_rules(SSL_CTX *context, const struct redwing_tls_settings *s) {
    uint64_t options = SSL_OP_NO_SSLv3 | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION;
    if (!(s->protocols & REDWING_TLS_1_0)) options |= SSL_OP_NO_TLSv1;
    if (!(s->protocols & REDWING_TLS_1_1)) options |= SSL_OP_NO_TLSv1_1;
    if (!(s->protocols & REDWING_TLS_1_2)) options |= SSL_OP_NO_TLSv1_2;
    if (!(s->protocols & REDWING_TLS_1_3)) options |= SSL_OP_NO_TLSv1_3;
    if (s->prefer_server_ciphers) options |= SSL_OP_CIPHER_SERVER_PREFERENCE;
    SSL_CTX_set_options(context, options);
    /* A write that was refused for now is repeated from another place of memory. */
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    if (s->session_caching) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
        SSL_CTX_sess_set_cache_size(context, (long)s->session_size);
        SSL_CTX_set_timeout(context, (long)s->session_timeout);
        SSL_CTX_set_session_id_context(context, (const unsigned char *)"redis", 5);
    } else {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    }
}

static int load(SSL_CTX *context, const struct redwing_tls_settings *s, int outgoing, char *reason,
                size_t room) {
    char *const *text = s->text;
    char fault[256];
    int own = outgoing && text[REDWING_TLS_CLIENT_CERT_FILE];
    const char *cert = text[own ? REDWING_TLS_CLIENT_CERT_FILE : REDWING_TLS_CERT_FILE];
    const char *key = text[own ? REDWING_TLS_CLIENT_KEY_FILE : REDWING_TLS_KEY_FILE];
    char *password = text[own ? REDWING_TLS_CLIENT_KEY_PASS : REDWING_TLS_KEY_PASS];
    if (!cert || !key) {
        snprintf(reason, room, "No tls-%s%s-file configured!", own ? "client-" : "",
                 cert ? "key" : "cert");
        return 0;
    }
    set_rules(context, s);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_default_passwd_cb(context, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(context, password);
    if (SSL_CTX_use_certificate_chain_file(context, cert) <= 0) {
        snprintf(reason, room, "Failed to load certificate: %s: %s", cert,
                 last_error(fault, sizeof fault));
        return 0;
    }
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) <= 0) {
        snprintf(reason, room, "Failed to load private key: %s: %s", key,
                 last_error(fault, sizeof fault));
        return 0;
    }
    /* The settings, and the password in them, go when this is done. */
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    const char *ca_file = text[REDWING_TLS_CA_FILE], *ca_dir = text[REDWING_TLS_CA_DIR];
    if ((ca_file || ca_dir) && SSL_CTX_load_verify_locations(context, ca_file, ca_dir) <= 0) {
        snprintf(reason, room, "Failed to configure CA certificate(s) file/directory: %s",
                 last_error(fault, sizeof fault));
        return 0;
    }
    if (text[REDWING_TLS_DH_FILE]) {
        if (!load_dh(context, text[REDWING_TLS_DH_FILE], reason, room)) return 0;
    } else {
        SSL_CTX_set_dh_auto(context, 1);
    }
    if (text[REDWING_TLS_CIPHERS] && !SSL_CTX_set_cipher_list(context, text[REDWING_TLS_CIPHERS])) {
        ERR_clear_error();
        snprintf(reason, room, "Failed to configure ciphers: %s", text[REDWING_TLS_CIPHERS]);
        return 0;
    }
    if (text[REDWING_TLS_CIPHERSUITES] &&
        !SSL_CTX_set_ciphersuites(context, text[REDWING_TLS_CIPHERSUITES])) {
        ERR_clear_error();
        snprintf(reason, room, "Failed to configure ciphersuites: %s", text[REDWING_TLS_CIPHERSUITES]);
        return 0;
    }
    return 1;
}

uintptr_t redwing_tls_context_new(uintptr_t settings, int outgoing, char *reason, size_t room) {
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (!context || !settings) {
        snprintf(reason, room, "Failed to create a TLS context");
        SSL_CTX_free(context);
        return 0;
    }
    if (!load(context, (const struct redwing_tls_settings *)settings, outgoing, reason, room)) {
        SSL_CTX_free(context);
        return 0;
    }
    return (uintptr_t)context;
}

void redwing_tls_context_free(uintptr_t context) { SSL_CTX_free((SSL_CTX *)context); }
