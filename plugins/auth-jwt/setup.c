#include "setup.h"
#include "fetch.h"
#include "file.h"
#include "jwk.h"
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_FIELD(field) offsetof(struct setup_key, field)
#define FIELD(field) offsetof(struct setup, field)

static const hb_option key_options[] = {
    {"kid", HB_OPT_STRING, KEY_FIELD(kid), .doc = "the name that tokens call this key by"},
    {"algorithm", HB_OPT_STRING, KEY_FIELD(algorithm), .doc = "the one algorithm that it is for"},
    {"secret", HB_OPT_STRING, KEY_FIELD(secret), .doc = "a secret for HS algorithms"},
    {"file", HB_OPT_PATH, KEY_FIELD(file), .doc = "a PEM file: a public key or certificate"},
    {NULL},
};

const hb_option setup_options[] = {
    {"secret", HB_OPT_STRING, FIELD(secret), .doc = "a secret for HS algorithms, 32 bytes or more"},
    {"public_key", HB_OPT_PATHS, FIELD(public_key),
        .doc = "PEM files: public keys or certificates"},
    {"keys", HB_OPT_LIST, FIELD(keys), .sub = key_options, .sub_size = sizeof(struct setup_key),
        .doc = "keys with names, each pinned to its algorithm"},
    {"algorithms", HB_OPT_STRINGS, FIELD(algorithms),
        .doc = "the algorithms allowed; empty: those that the keys are pinned to"},
    {"jwks.file", HB_OPT_PATH, FIELD(jwks.file),
        .doc = "a JWK Set, read again when the file changes"},
    {"jwks.url", HB_OPT_STRING, FIELD(jwks.url),
        .doc = "a JWK Set to fetch; https, or http on loopback"},
    {"jwks.ca_file", HB_OPT_PATH, FIELD(jwks.ca_file),
        .doc = "authorities for the URL's certificate"},
    {"jwks.check", HB_OPT_DURATION, FIELD(jwks.check_ms), "1s", 100, 3600e3,
        .doc = "how often the file is looked at"},
    {"jwks.refresh", HB_OPT_DURATION, FIELD(jwks.refresh_ms), "15m", 1000, 86400e3,
        .doc = "how often the URL is fetched"},
    {"jwks.refetch", HB_OPT_DURATION, FIELD(jwks.refetch_ms), "10s", 100, 3600e3,
        .doc = "a token of an unknown key may fetch this often, 5 times at once"},
    {"jwks.timeout", HB_OPT_DURATION, FIELD(jwks.timeout_ms), "3s", 100, 60e3,
        .doc = "for one fetch"},
    {"jwks.size", HB_OPT_SIZE, FIELD(jwks.size_bytes), "256KiB", 256, 16e6,
        .doc = "bound of an answer"},
    {"issuer", HB_OPT_STRINGS, FIELD(issuer), .doc = "`iss` must be one of these; empty: any"},
    {"audience", HB_OPT_STRINGS, FIELD(audience),
        .doc = "`aud` must name one of these; empty: any"},
    {"leeway", HB_OPT_DURATION, FIELD(leeway_ms), "0", 0, 3600e3,
        .doc = "how far other clocks may be off, for `exp` and `nbf`"},
    {"require_exp", HB_OPT_BOOL, FIELD(require_exp), .doc = "refuse tokens that never expire"},
    {"user_claim", HB_OPT_STRING, FIELD(user_claim), "sub", .doc = "the claim that names the user"},
    {"anonymous", HB_OPT_BOOL, FIELD(anonymous), .doc = "let those in who bring no token"},
    {"expiry_warning", HB_OPT_DURATION, FIELD(expiry_warning_ms), "60s", 0, 86400e3,
        .doc = "tell a session this long before its token expires; 0: never"},
    {"cache.entries", HB_OPT_INT, FIELD(cache.entries), "1024", 0, 65536,
        .doc = "verified tokens that each worker remembers"},
    {"cache.ttl", HB_OPT_DURATION, FIELD(cache.ttl_ms), "30s", 0, 600e3, .doc = "for how long"},
    {"signing_key", HB_OPT_PATH, FIELD(signing_key),
        .doc = "a private key, for `hubbub token` only"},
    {"signing_kid", HB_OPT_STRING, FIELD(signing_kid), .doc = "its name, put into those tokens"},
    {"signing_algorithm", HB_OPT_STRING, FIELD(signing_algorithm),
        .doc = "for `hubbub token`; empty: the first that fits the key"},
    {NULL},
};

bool setup_is_lenient(const hb_host *host)
{
    return host->size >= offsetof(hb_host, lenient) + sizeof(host->lenient) && host->lenient();
}

static hb_str str(const char *s)
{
    return (hb_str){*s ? s : NULL, strlen(s)};
}

bool setup_algorithm(const char *name, unsigned *set, char *error, size_t error_size)
{
    enum alg alg = alg_parse(str(name));
    if (*name && alg == ALG_NONE) {
        snprintf(error, error_size,
            "%.40s is none of HS256, HS384, HS512, RS256, RS384, RS512, ES256, "
            "ES384 and ES512",
            name);
        return false;
    }
    *set = *name ? ALG_BIT(alg) : 0;
    return true;
}

static bool read_algorithms(const struct setup *s, unsigned *out, char *error, size_t error_size)
{
    *out = 0;
    for (size_t i = 0; i < s->algorithms.n; i++) {
        unsigned one;
        if (!setup_algorithm(s->algorithms.items[i].p, &one, error, error_size))
            return false;
        *out |= one;
    }
    return true;
}

/* Put "what: " in front of the sentence. */
static void blame(const char *what, char *error, size_t error_size)
{
    size_t n = strlen(what) + 2;
    if (n >= error_size)
        return;
    memmove(error + n, error, error_size - n);
    memcpy(error, what, n - 2);
    memcpy(error + n - 2, ": ", 2);
    error[error_size - 1] = 0;
}

static struct key *key_of_file(
    hb_str kid, unsigned pinned, const char *path, char *error, size_t error_size)
{
    size_t n = 0;
    char *text = file_read(path, &n, NULL, error, error_size);
    if (!text)
        return NULL;
    struct key *k = key_from_pem(kid, pinned, (hb_str){text, n}, error, error_size);
    if (!k)
        blame(path, error, error_size);
    free(text);
    return k;
}

static struct key *key_of_entry(
    const struct setup_key *e, bool lenient, char *error, size_t error_size)
{
    unsigned pinned;
    if (!setup_algorithm(e->algorithm, &pinned, error, error_size))
        return NULL;
    if (!*e->secret == !*e->file) {
        snprintf(error, error_size, "give either `secret` or `file`");
        return NULL;
    }
    if (strlen(e->kid) > KEY_KID_MAX) {
        snprintf(error, error_size, "the kid is longer than %d bytes", KEY_KID_MAX);
        return NULL;
    }
    if (*e->secret)
        return key_from_secret(str(e->kid), pinned, str(e->secret), lenient, error, error_size);
    return key_of_file(str(e->kid), pinned, e->file, error, error_size);
}

/* Adopts `k`, which is NULL when it could not be made; then `what` gets the blame. */
static bool put(struct keys *set, struct key *k, const char *what, char *error, size_t error_size)
{
    if (k && keys_add(set, k))
        return true;
    if (k)
        snprintf(error, error_size, "there are more than %d keys", KEYS_MAX);
    blame(what, error, error_size);
    return false;
}

static bool read_fixed(
    const struct setup *s, bool lenient, struct keys *set, char *error, size_t error_size)
{
    const hb_str no_kid = {NULL, 0};
    const struct setup_key *entries = s->keys.items;
    if (*s->secret &&
        !put(set, key_from_secret(no_kid, 0, str(s->secret), lenient, error, error_size), "secret",
            error, error_size))
        return false;
    for (size_t i = 0; i < s->public_key.n; i++)
        if (!put(set, key_of_file(no_kid, 0, s->public_key.items[i].p, error, error_size),
                "public_key", error, error_size))
            return false;
    for (size_t i = 0; i < s->keys.n; i++) {
        char what[40];
        snprintf(what, sizeof(what), "keys, entry %zu", i + 1);
        if (!put(set, key_of_entry(&entries[i], lenient, error, error_size), what, error,
                error_size))
            return false;
    }
    return true;
}

static struct keys *read_jwks_file(const char *path, char *error, size_t error_size)
{
    struct jwk_report report;
    size_t n = 0;
    struct keys *set = NULL;
    char *text = file_read(path, &n, NULL, error, error_size);
    if (text) {
        set = jwk_read_set((hb_str){text, n}, true, &report, error, error_size);
        if (!set)
            blame(path, error, error_size);
        else if (!report.used)
            snprintf(error, error_size, "%s: no key there can be used%s%s", path,
                report.skipped ? "; the last one: " : "", report.why);
    }
    free(text);
    if (set && !report.used) {
        keys_unref(set);
        set = NULL;
    }
    if (!set)
        blame("jwks.file", error, error_size);
    return set;
}

bool setup_keys(const struct setup *s, bool lenient, struct keys **fixed, struct keys **file,
    char *error, size_t error_size)
{
    struct keys *set = keys_create(), *from_file = NULL;
    if (!read_fixed(s, lenient, set, error, error_size))
        goto fail;
    if (*s->jwks.file && !(from_file = read_jwks_file(s->jwks.file, error, error_size)))
        goto fail;
    *fixed = set;
    *file = from_file;
    return true;
fail:
    keys_unref(set);
    return false;
}

/* Is there a key, and an algorithm for it? */
static bool check_together(const struct setup *s, const struct keys *fixed, const struct keys *file,
    char *error, size_t error_size)
{
    unsigned allowed = 0, there = keys_algorithms(fixed) | (file ? keys_algorithms(file) : 0);
    if (!read_algorithms(s, &allowed, error, error_size)) {
        blame("algorithms", error, error_size);
        return false;
    }
    if (*s->jwks.url)
        return true;
    if (!there && s->anonymous) /* guests only: no token is good */
        return true;
    if (!there)
        snprintf(error, error_size,
            "no key: set one of secret, public_key, keys, jwks.file and jwks.url");
    else if (allowed && !(allowed & there))
        snprintf(error, error_size, "algorithms: none of them fits the keys that are configured");
    else
        return true;
    return false;
}

static bool check_signing(const struct setup *s, char *error, size_t error_size)
{
    unsigned set;
    bool ok = setup_algorithm(s->signing_algorithm, &set, error, error_size);
    if (!ok)
        blame("signing_algorithm", error, error_size);
    return ok;
}

bool setup_check(const struct setup *s, bool lenient, char *error, size_t error_size)
{
    struct keys *fixed, *file;
    if (!*s->user_claim) {
        snprintf(error, error_size, "user_claim: may not be empty");
        return false;
    }
    if (*s->jwks.url && !fetch_allows(s->jwks.url, error, error_size)) {
        blame("jwks.url", error, error_size);
        return false;
    }
    if (!check_signing(s, error, error_size) ||
        !setup_keys(s, lenient, &fixed, &file, error, error_size))
        return false;
    bool ok = check_together(s, fixed, file, error, error_size);
    keys_unref(fixed);
    keys_unref(file);
    return ok;
}

struct verify_policy setup_policy(const struct setup *s)
{
    struct verify_policy p = {.issuers = s->issuer,
        .audiences = s->audience,
        .leeway_ms = s->leeway_ms,
        .require_exp = s->require_exp,
        .user_claim = s->user_claim};
    char ignored[128];
    read_algorithms(s, &p.algorithms, ignored, sizeof(ignored));
    return p;
}

struct jwks_settings setup_jwks(const struct setup *s)
{
    return (struct jwks_settings){s->jwks.file, s->jwks.url, s->jwks.ca_file, s->jwks.check_ms,
        s->jwks.refresh_ms, s->jwks.refetch_ms, s->jwks.timeout_ms, s->jwks.size_bytes};
}
