/*
 * A token, keys, a policy and the time of day → claims, or why not (RFC 7519, RFC 7515, RFC 8725).
 * Pure; any thread.
 *
 * The order is what makes it safe: the header is read first, the key is chosen by kid and must be
 * pinned to the header's algorithm, then the signature is checked, and only then are claims read.
 */
#ifndef AUTH_JWT_VERIFY_H
#define AUTH_JWT_VERIFY_H

#include "keys.h"
#include <hubbub/options.h>

enum {
    VERIFY_TOKEN_MAX = 16 * 1024, /* bytes */
    VERIFY_USER_MAX = 128,        /* bytes: protocol.md, "Bounds" */
    VERIFY_JTI_MAX = 256
};

/* The names of all but VERIFY_OK are values of the metric's label `reason`. */
enum verify_result {
    VERIFY_OK,
    VERIFY_MISSING, /* not from verify_token: nobody brought a token */
    VERIFY_MALFORMED,
    VERIFY_SIGNATURE,
    VERIFY_EXPIRED,
    VERIFY_NOT_YET_VALID,
    VERIFY_ISSUER,
    VERIFY_AUDIENCE,
    VERIFY_ALGORITHM,   /* none, not allowed here, or not the key's */
    VERIFY_UNKNOWN_KEY, /* its kid is nobody's here: another set of keys may know it */
    VERIFY_CLAIM,       /* one is missing or malformed */
    VERIFY_UNAVAILABLE, /* not from verify_token: the keys could not be fetched */
    VERIFY_COUNT
};
const char *verify_reason(enum verify_result r);

struct verify_policy {
    unsigned algorithms;           /* a set; 0: whatever the keys are pinned to */
    hb_strings issuers, audiences; /* one of them must match; empty: not looked at */
    int64_t leeway_ms;
    bool require_exp;
    const char *user_claim; /* the claim that names the user */
};

/* What a good token says. One block: free it with claims_free. */
struct claims {
    int64_t expires_ms;    /* since 1970, leeway included; INT64_MAX: never */
    int64_t not_before_ms; /* likewise; INT64_MIN: no such claim */
    int64_t issued_at;     /* seconds since 1970; 0: unknown */
    hb_str user;
    hb_str rights;   /* the claim `hubbub` as JSON text; absent: none */
    hb_str token_id; /* jti; absent: none */
    size_t size;     /* of this block, in bytes */
    char text[];
};
void claims_free(struct claims *c); /* NULL is fine */

/* VERIFY_OK and *out, owned by the caller; else *out is untouched. */
enum verify_result verify_token(hb_str token, const struct keys *keys,
    const struct verify_policy *policy, int64_t now_ms, struct claims **out);

/* What the clock says about claims that were good once: OK, EXPIRED or NOT_YET_VALID. */
enum verify_result verify_times(const struct claims *c, int64_t now_ms);

#endif
