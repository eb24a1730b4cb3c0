/*
 * Tokens and keys for the tests of auth-jwt, right ones and every kind of wrong one: header and
 * payload are signed as they are given. Made with OpenSSL alone, apart from the code under test.
 * What is returned lives until the program ends.
 */
#ifndef TESTS_JWT_FORGE_H
#define TESTS_JWT_FORGE_H

#include <hubbub/types.h>
#include <openssl/evp.h>

#define FORGE_SECRET "0123456789abcdef0123456789abcdef-a-secret"

EVP_PKEY *forge_rsa(int bits);         /* the same one for the same bits */
EVP_PKEY *forge_rsa_other(int bits);   /* another one, each time */
EVP_PKEY *forge_ec(const char *curve); /* "P-256"…: the same one for the same curve */
const char *forge_public_pem(EVP_PKEY *pkey);
const char *forge_private_pem(EVP_PKEY *pkey);
/* The public half as a JWK; `extra` is put in front of its members: "\"kid\":\"a\"," */
const char *forge_jwk(EVP_PKEY *pkey, const char *extra);
const char *forge_base64url(const void *bytes, size_t n);
__attribute__((format(printf, 1, 2))) const char *forge_text(const char *fmt, ...);

/* HMAC with a secret, or a signature with a private key, in the form that `alg` has it. */
const char *forge_hs(const char *alg, hb_str secret, const char *header, const char *payload);
const char *forge_signed(const char *alg, EVP_PKEY *pkey, const char *header, const char *payload);
const char *forge_unsigned(const char *header, const char *payload);
/* {"alg":…} and FORGE_SECRET. */
const char *forge_simple(const char *payload);

hb_str forge_str(const char *text);

#endif
