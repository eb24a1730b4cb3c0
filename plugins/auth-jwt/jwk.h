/* JSON Web Keys (RFC 7517, RFC 7518 section 6) into keys. Pure; any thread. */
#ifndef AUTH_JWT_JWK_H
#define AUTH_JWT_JWK_H

#include "keys.h"

struct jwk_report {
    size_t used, skipped;
    char why[160]; /* why the last one was skipped */
};

/*
 * The keys of a JWK Set that can verify signatures; others (for encryption, of other types or
 * algorithms, too weak, malformed) are skipped, as RFC 7517 section 5 has it, and counted.
 * Symmetric keys only with `secrets`: what anyone may fetch is no secret. A lone JWK is a set of
 * one. NULL with a sentence when the text is no JWK Set.
 */
struct keys *jwk_read_set(
    hb_str text, bool secrets, struct jwk_report *report, char *error, size_t error_size);

#endif
