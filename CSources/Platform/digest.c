/* SPDX-License-Identifier: BSD-3-Clause */
/* The plain SHA functions: OpenSSL 3's EVP looks an algorithm up for each text, which for the short
 * texts of a digest costs several times the hash itself. */
#define OPENSSL_API_COMPAT 0x10100000L
#define OPENSSL_SUPPRESS_DEPRECATED
#include "digest.h"

#include <openssl/sha.h>
#include <stdio.h>

void redwing_sha1(uintptr_t data, size_t size, uintptr_t out) {
    SHA_CTX context;
    SHA1_Init(&context);
    if (size > 0) SHA1_Update(&context, (const void *)data, size);
    SHA1_Final((unsigned char *)out, &context);
}

void redwing_sha256(uintptr_t data, size_t size, uintptr_t out) {
    SHA256_CTX context;
    SHA256_Init(&context);
    if (size > 0) SHA256_Update(&context, (const void *)data, size);
    SHA256_Final((unsigned char *)out, &context);
}

void redwing_digest_xor(uintptr_t digest, uintptr_t data, size_t size) {
    unsigned char hash[20], *bytes = (unsigned char *)digest;
    redwing_sha1(data, size, (uintptr_t)hash);
    for (int i = 0; i < 20; i++) bytes[i] ^= hash[i];
}

void redwing_digest_mix(uintptr_t digest, uintptr_t data, size_t size) {
    redwing_digest_xor(digest, data, size);
    redwing_sha1(digest, 20, digest);
}

void redwing_digest_mix_double(uintptr_t digest, double value) {
    char text[64];
    int size = snprintf(text, sizeof text, "%.17g", value);
    redwing_digest_mix(digest, (uintptr_t)text, (size_t)size);
}
