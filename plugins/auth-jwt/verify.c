#include "verify.h"
#include "b64.h"
#include "claims.h"
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 8 }; /* signatures checked for one token that names no key */

struct parts {
    hb_str header, payload, signature; /* as in the token */
    hb_str text;                       /* what is signed */
};

struct header {
    enum alg alg;
    hb_str kid; /* absent: none */
};

const char *verify_reason(enum verify_result r)
{
    static const char *const names[VERIFY_COUNT] = {"ok", "missing", "malformed", "signature",
        "expired", "not_yet_valid", "issuer", "audience", "algorithm", "unknown_key", "claim",
        "unavailable"};
    return names[r];
}

static bool split(hb_str token, struct parts *out)
{
    const char *end = token.p + token.n;
    const char *dot1 =
        token.n && token.n <= VERIFY_TOKEN_MAX ? memchr(token.p, '.', token.n) : NULL;
    const char *dot2 = dot1 ? memchr(dot1 + 1, '.', (size_t)(end - dot1 - 1)) : NULL;
    if (!dot2 || memchr(dot2 + 1, '.', (size_t)(end - dot2 - 1)))
        return false;
    out->header = (hb_str){token.p, (size_t)(dot1 - token.p)};
    out->payload = (hb_str){dot1 + 1, (size_t)(dot2 - dot1 - 1)};
    out->signature = (hb_str){dot2 + 1, (size_t)(end - dot2 - 1)};
    out->text = (hb_str){token.p, (size_t)(dot2 - token.p)};
    return out->header.n && out->payload.n;
}

/* A decoded part that is a JSON object without a key twice; else NULL. */
static json_t *read_object(hb_str part, unsigned char *scratch)
{
    ptrdiff_t n = b64_decode(part, scratch);
    json_t *root =
        n > 0 ? json_loadb((char *)scratch, (size_t)n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (root && !json_is_object(root)) {
        json_decref(root);
        return NULL;
    }
    return root;
}

/* Nothing in a header but alg and kid is looked at: keys that a token brings along (jwk, jku, x5c)
 * prove nothing. `crit` demands what we don't have (RFC 7515, section 4.1.11). */
static enum verify_result read_header(const json_t *root, struct header *out)
{
    const json_t *alg = json_object_get(root, "alg"), *kid = json_object_get(root, "kid");
    if (!json_is_string(alg) || json_object_get(root, "crit"))
        return VERIFY_MALFORMED;
    if (kid && (!json_is_string(kid) || json_string_length(kid) > KEY_KID_MAX))
        return VERIFY_MALFORMED;
    out->alg = alg_parse(claims_text(alg));
    out->kid = claims_text(kid);
    return out->alg == ALG_NONE ? VERIFY_ALGORITHM : VERIFY_OK;
}

static bool same(hb_str a, hb_str b)
{
    return a.p && b.p && a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* A token's kid names its keys. One that names none, or brought none, may be of a key without a
 * name; without a kid, named keys are tried as well. */
static bool is_candidate(const struct key *k, const struct header *h, bool named)
{
    if (!(key_algorithms(k) & ALG_BIT(h->alg)))
        return false;
    if (named)
        return same(key_kid(k), h->kid);
    return !h->kid.p || !key_kid(k).p;
}

static enum verify_result check_signature(const struct header *h, const struct keys *keys,
    const struct verify_policy *policy, hb_str text, hb_str signature)
{
    bool named = h->kid.p && keys_has_kid(keys, h->kid);
    unsigned tries = 0;
    if (policy->algorithms && !(policy->algorithms & ALG_BIT(h->alg)))
        return VERIFY_ALGORITHM;
    for (size_t i = 0; i < keys_count(keys) && tries < TRIES_MAX; i++) {
        const struct key *k = keys_at(keys, i);
        if (!is_candidate(k, h, named))
            continue;
        if (key_verify(k, h->alg, text, signature))
            return VERIFY_OK;
        tries++;
    }
    if (h->kid.p && !named)
        return VERIFY_UNKNOWN_KEY;
    return tries ? VERIFY_SIGNATURE : VERIFY_ALGORITHM;
}

static enum verify_result check_head(const struct parts *parts, const struct keys *keys,
    const struct verify_policy *policy, unsigned char *scratch)
{
    struct header h;
    json_t *root = read_object(parts->header, scratch);
    enum verify_result r = root ? read_header(root, &h) : VERIFY_MALFORMED;
    ptrdiff_t n = b64_decode(parts->signature, scratch);
    if (r == VERIFY_OK && n < 0)
        r = VERIFY_MALFORMED;
    if (r == VERIFY_OK) {
        hb_str signature = {(char *)scratch, (size_t)n};
        r = check_signature(&h, keys, policy, parts->text, signature);
    }
    json_decref(root);
    return r;
}

enum verify_result verify_token(hb_str token, const struct keys *keys,
    const struct verify_policy *policy, int64_t now_ms, struct claims **out)
{
    struct parts parts;
    if (!split(token, &parts))
        return VERIFY_MALFORMED;
    unsigned char *scratch = malloc(B64_DECODED_MAX(token.n));
    if (!scratch)
        return VERIFY_MALFORMED;
    enum verify_result r = check_head(&parts, keys, policy, scratch);
    if (r == VERIFY_OK) {
        json_t *payload = read_object(parts.payload, scratch);
        r = payload ? claims_read(payload, policy, now_ms, out) : VERIFY_MALFORMED;
        json_decref(payload);
    }
    free(scratch);
    return r;
}
