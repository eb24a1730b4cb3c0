/* The plugin's options: their table, what they mean together, the keys that they fix. */
#ifndef AUTH_JWT_SETUP_H
#define AUTH_JWT_SETUP_H

#include "jwks.h"
#include "verify.h"
#include <hubbub/plugin.h>

struct setup_key {
    const char *kid, *algorithm, *secret, *file;
};

/* Filled by the host; immutable. README.md says what each is for. */
struct setup {
    const char *secret;
    hb_strings public_key;
    hb_list keys; /* of struct setup_key */
    hb_strings algorithms;
    struct {
        const char *file, *url, *ca_file;
        int64_t check_ms, refresh_ms, refetch_ms, timeout_ms, size_bytes;
    } jwks;
    hb_strings issuer, audience;
    int64_t leeway_ms;
    bool require_exp;
    const char *user_claim;
    bool anonymous;
    int64_t expiry_warning_ms;
    struct {
        int64_t entries, ttl_ms;
    } cache;
    const char *signing_key, *signing_kid, *signing_algorithm;
};

extern const hb_option setup_options[];

/* Did somebody ask to let a short secret pass? */
bool setup_is_lenient(const hb_host *host);

/* Would these do? Reads the files that they name. False with a sentence. */
bool setup_check(const struct setup *s, bool lenient, char *error, size_t error_size);

/* What they fix, and what the JWKS file holds now: owned by the caller; *file is NULL without such
 * a file. May block: reads files. False with a sentence, and nothing given. */
bool setup_keys(const struct setup *s, bool lenient, struct keys **fixed, struct keys **file,
    char *error, size_t error_size);

/* Both borrow from `s`, which passed setup_check. */
struct verify_policy setup_policy(const struct setup *s);
struct jwks_settings setup_jwks(const struct setup *s);

/* "HS256" → a set of one; "" → 0. False for another text, with a sentence that names it. */
bool setup_algorithm(const char *name, unsigned *set, char *error, size_t error_size);

#endif
