#include "mint.h"
#include "file.h"
#include <errno.h>
#include <jansson.h>
#include <jwt.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TTL_DEFAULT_MS = 3600000 };

/* What to sign with: bytes for libjwt, which takes a secret or the text of a PEM file. */
struct signer {
    enum alg alg;
    const char *kid; /* "": none */
    const char *bytes;
    size_t n;
    char *owned; /* the file's text, or NULL */
};

static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    return 0; /* without it OpenSSL would ask on the terminal */
}

/* The algorithm wanted, or the first that fits; ALG_NONE with a sentence. */
static enum alg choose(
    unsigned fitting, unsigned wanted, const char *what, char *error, size_t error_size)
{
    enum alg alg = alg_first(wanted ? fitting & wanted : fitting);
    if (alg == ALG_NONE)
        snprintf(error, error_size, "%s: %s does not fit this key, it is one for %s", what,
            alg_name(alg_first(wanted)), alg_name(alg_first(fitting)));
    return alg;
}

static unsigned allowed(const struct setup *s)
{
    unsigned set = setup_policy(s).algorithms;
    return set ? set : ALG_ALL;
}

static bool sign_with_file(
    const struct setup *s, struct signer *out, char *error, size_t error_size)
{
    unsigned wanted = 0, fitting = 0;
    out->owned = file_read(s->signing_key, &out->n, NULL, error, error_size);
    if (!out->owned || !setup_algorithm(s->signing_algorithm, &wanted, error, error_size))
        return false;
    BIO *bio = BIO_new_mem_buf(out->owned, (int)out->n);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    if (!pkey)
        snprintf(error, error_size,
            "signing_key: %s: not a private key in PEM form without passphrase", s->signing_key);
    else
        fitting = key_fitting(pkey, error, error_size);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    ERR_clear_error();
    if (!fitting)
        return false;
    if (!wanted && (fitting & allowed(s)))
        fitting &= allowed(s);
    out->alg = choose(fitting, wanted, "signing_key", error, error_size);
    out->kid = s->signing_kid;
    out->bytes = out->owned;
    return out->alg != ALG_NONE;
}

static bool sign_with_secret(const char *secret, const char *kid, unsigned pinned,
    const struct setup *s, struct signer *out, char *error, size_t error_size)
{
    out->alg = choose(ALG_HS & allowed(s), pinned, "secret", error, error_size);
    out->kid = kid;
    out->bytes = secret;
    out->n = strlen(secret);
    return out->alg != ALG_NONE;
}

/* signing_key, else secret, else the first secret among keys. */
static bool find_signer(const struct setup *s, struct signer *out, char *error, size_t error_size)
{
    const struct setup_key *entries = s->keys.items;
    if (*s->signing_key)
        return sign_with_file(s, out, error, error_size);
    if (*s->secret && (ALG_HS & allowed(s)))
        return sign_with_secret(s->secret, "", 0, s, out, error, error_size);
    for (size_t i = 0; i < s->keys.n; i++) {
        unsigned pinned = 0;
        if (*entries[i].secret && setup_algorithm(entries[i].algorithm, &pinned, error, error_size))
            return sign_with_secret(
                entries[i].secret, entries[i].kid, pinned, s, out, error, error_size);
    }
    bool verifies = s->public_key.n || s->keys.n || *s->jwks.file || *s->jwks.url;
    snprintf(error, error_size, "%s", verifies
        ? "auth-jwt has no key to sign with: public keys only verify; name a private key's file as its "
          "option signing_key"
        : "auth-jwt has no secret to sign with: give it one in the configuration (plugins.load, auth-jwt: "
          "{secret: ...}), and if that says ${JWT_SECRET} set JWT_SECRET, for the server too");
    return false;
}

static bool add_claim(json_t *claims, const char *text, char *error, size_t error_size)
{
    const char *eq = strchr(text, '=');
    if (!eq || eq == text) {
        snprintf(error, error_size, "--claim %.80s: not of the form key=value", text);
        return false;
    }
    char *key = strndup(text, (size_t)(eq - text));
    json_t *value = json_loads(eq + 1, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (!value)
        value = json_string(eq + 1);
    bool ok = key && value && json_object_set(claims, key, value) == 0;
    if (!ok)
        snprintf(error, error_size, "--claim %.80s: not UTF-8", text);
    json_decref(value);
    free(key);
    return ok;
}

/* What this server wants to see, then what was asked for. */
static json_t *make_claims(
    const struct setup *s, const struct mint_request *r, char *error, size_t error_size)
{
    json_t *claims = json_object(), *user = json_string(r->user);
    if (!user)
        snprintf(error, error_size, "--user: not UTF-8");
    bool ok = claims && user && json_object_set(claims, "sub", user) == 0 &&
              json_object_set(claims, s->user_claim, user) == 0;
    json_decref(user);
    json_object_set_new(claims, "iat", json_integer(r->now_ms / 1000));
    if (r->ttl_ms)
        json_object_set_new(
            claims, "exp", json_integer(r->now_ms / 1000 + (r->ttl_ms + 999) / 1000));
    if (s->issuer.n)
        json_object_set_new(claims, "iss", json_string(s->issuer.items[0].p));
    if (s->audience.n)
        json_object_set_new(claims, "aud", json_string(s->audience.items[0].p));
    for (size_t i = 0; ok && i < r->n_claims; i++)
        ok = add_claim(claims, r->claims[i], error, error_size);
    if (ok)
        return claims;
    json_decref(claims);
    return NULL;
}

static char *sign(const struct signer *signer, json_t *claims, char *error, size_t error_size)
{
    jwt_t *jwt = NULL;
    char *text = json_dumps(claims, JSON_COMPACT), *token = NULL;
    bool ok = text && jwt_new(&jwt) == 0 && jwt_add_grants_json(jwt, text) == 0 &&
              (!*signer->kid || jwt_add_header(jwt, "kid", signer->kid) == 0) &&
              jwt_set_alg(jwt, jwt_str_alg(alg_name(signer->alg)),
                  (const unsigned char *)signer->bytes, (int)signer->n) == 0;
    if (ok)
        token = jwt_encode_str(jwt);
    if (!token)
        snprintf(error, error_size, "the token can't be signed: %s", strerror(errno));
    jwt_free(jwt);
    free(text);
    return token;
}

char *mint_token(
    const struct setup *s, const struct mint_request *request, char *error, size_t error_size)
{
    struct signer signer = {.alg = ALG_NONE, .kid = ""};
    char *token = NULL;
    json_t *claims = NULL;
    if (find_signer(s, &signer, error, error_size))
        claims = make_claims(s, request, error, error_size);
    if (claims)
        token = sign(&signer, claims, error, error_size);
    json_decref(claims);
    free(signer.owned);
    return token;
}

bool mint_duration(const char *text, int64_t *out_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"", 1e3}, {"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
    char *end;
    double n = strtod(text, &end);
    if (end == text || text[strspn(text, "0123456789.")] != *end || !(n >= 0 && n <= 1e9))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (strcmp(end, units[i].unit) == 0) {
            *out_ms = (int64_t)(n * units[i].ms);
            return true;
        }
    return false;
}

/* ---- The command line. */

/* The value of `--name VALUE` or `--name=VALUE` at argv[*i]; NULL when it is another word. */
static const char *value_of(const char *name, int argc, char **argv, int *i)
{
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n) != 0)
        return NULL;
    if (argv[*i][n] == '=')
        return argv[*i] + n + 1;
    return !argv[*i][n] && *i + 1 < argc ? argv[++*i] : NULL;
}

static bool read_word(int argc, char **argv, int *i, struct mint_request *r, const char **claims,
    char *error, size_t error_size)
{
    const char *value, *word = argv[*i];
    if ((value = value_of("--user", argc, argv, i))) {
        r->user = value;
    } else if ((value = value_of("--ttl", argc, argv, i))) {
        if (!mint_duration(value, &r->ttl_ms)) {
            snprintf(
                error, error_size, "--ttl %.40s: not a duration like 90s, 15m, 1h or 2d", value);
            return false;
        }
    } else if ((value = value_of("--claim", argc, argv, i))) {
        claims[r->n_claims++] = value;
    } else if (!value_of("-c", argc, argv, i) && !value_of("--config", argc, argv, i)) {
        snprintf(error, error_size, "%.80s: not understood, or its value is missing", word);
        return false;
    }
    return true;
}

static bool read_words(int argc, char **argv, struct mint_request *r, const char **claims,
    char *error, size_t error_size)
{
    for (int i = 1; i < argc; i++)
        if (!read_word(argc, argv, &i, r, claims, error, error_size))
            return false;
    if (!r->user || !*r->user) {
        snprintf(error, error_size, "--user is missing");
        return false;
    }
    return true;
}

/* Claims may be wrong on purpose: a token that this server would refuse is printed all the same. */
static void warn_if_refused(const struct setup *s, bool lenient, const char *token, int64_t now_ms)
{
    char ignored[512];
    struct keys *fixed, *file;
    struct claims *claims = NULL;
    struct verify_policy policy = setup_policy(s);
    if (*s->jwks.url || !setup_keys(s, lenient, &fixed, &file, ignored, sizeof(ignored)))
        return;
    keys_add_all(fixed, file);
    enum verify_result r =
        verify_token((hb_str){token, strlen(token)}, fixed, &policy, now_ms, &claims);
    if (r != VERIFY_OK)
        fprintf(stderr, "hubbub token: note: this configuration refuses that token: %s\n",
            verify_reason(r));
    claims_free(claims);
    keys_unref(fixed);
    keys_unref(file);
}

int mint_run(const hb_ctx *ctx, int argc, char **argv)
{
    const struct setup *s = ctx->options;
    bool lenient = setup_is_lenient(ctx->host);
    char error[512] = "";
    const char **claims = calloc((size_t)argc + 1, sizeof(*claims));
    struct mint_request r = {
        .ttl_ms = TTL_DEFAULT_MS, .claims = claims, .now_ms = ctx->host->wall_ms()};
    char *token = NULL;
    if (claims && read_words(argc, argv, &r, claims, error, sizeof(error)) &&
        setup_check(s, lenient, error, sizeof(error)))
        token = mint_token(s, &r, error, sizeof(error));
    free(claims);
    if (!token) {
        fprintf(stderr, "hubbub token: %s\n", error);
        return 1;
    }
    warn_if_refused(s, lenient, token, r.now_ms);
    puts(token);
    free(token);
    return 0;
}
