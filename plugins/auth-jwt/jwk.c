#include "jwk.h"
#include "b64.h"
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBER_MAX = KEY_RSA_BITS_MAX / 8 + 1 }; /* bytes of one decoded member */

struct member {
    unsigned char bytes[MEMBER_MAX + 4];
    size_t n;
};

static hb_str text_of(const json_t *value)
{
    if (!json_is_string(value))
        return (hb_str){NULL, 0};
    return (hb_str){json_string_value(value), json_string_length(value)};
}

static bool read_member(const json_t *jwk, const char *name, struct member *out)
{
    hb_str text = text_of(json_object_get(jwk, name));
    if (!text.n || B64_DECODED_MAX(text.n) > sizeof(out->bytes))
        return false;
    ptrdiff_t n = b64_decode(text, out->bytes);
    out->n = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static EVP_PKEY *build(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (ctx && params && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    ERR_clear_error();
    return pkey;
}

static EVP_PKEY *read_rsa(const json_t *jwk)
{
    struct member n, e;
    /* A public exponent is small: a long one would make each token expensive. */
    if (!read_member(jwk, "n", &n) || !read_member(jwk, "e", &e) || e.n > 8 ||
        !(e.bytes[e.n - 1] & 1))
        return NULL;
    BIGNUM *modulus = BN_bin2bn(n.bytes, (int)n.n, NULL),
           *exponent = BN_bin2bn(e.bytes, (int)e.n, NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    if (bld && modulus && exponent && !BN_is_one(exponent) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, exponent))
        pkey = build("RSA", OSSL_PARAM_BLD_to_param(bld));
    OSSL_PARAM_BLD_free(bld);
    BN_free(modulus);
    BN_free(exponent);
    return pkey;
}

static EVP_PKEY *build_point(const char *group, const unsigned char *point, size_t n)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    if (bld && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, n))
        pkey = build("EC", OSSL_PARAM_BLD_to_param(bld));
    OSSL_PARAM_BLD_free(bld);
    return pkey;
}

/* Is the point on its curve? */
static bool is_sound(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool ok = ctx && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static EVP_PKEY *read_ec(const json_t *jwk)
{
    static const struct {
        const char *crv, *group;
        size_t size;
    } curves[] = {
        {"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    struct member x, y;
    if (!crv || !read_member(jwk, "x", &x) || !read_member(jwk, "y", &y))
        return NULL;
    for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++) {
        if (strcmp(crv, curves[i].crv) != 0)
            continue;
        size_t size = curves[i].size;
        if (x.n != size || y.n != size)
            return NULL;
        unsigned char point[1 + 2 * 66] = {4}; /* uncompressed */
        memcpy(point + 1, x.bytes, size);
        memcpy(point + 1 + size, y.bytes, size);
        EVP_PKEY *pkey = build_point(curves[i].group, point, 1 + 2 * size);
        if (pkey && !is_sound(pkey)) {
            EVP_PKEY_free(pkey);
            pkey = NULL;
        }
        return pkey;
    }
    return NULL;
}

/* RFC 7517, sections 4.2 and 4.3: what the key may be used for. */
static bool may_verify(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops"), *op;
    size_t i;
    if (use && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return false;
    if (!ops)
        return true;
    json_array_foreach(ops, i, op)
        if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0)
            return true;
    return false;
}

static struct key *read_secret(
    const json_t *jwk, hb_str kid, unsigned pinned, char *why, size_t why_size)
{
    struct member k;
    if (!read_member(jwk, "k", &k)) {
        snprintf(why, why_size, "its member k is missing or malformed");
        return NULL;
    }
    hb_str secret = {(const char *)k.bytes, k.n};
    struct key *key = key_from_secret(kid, pinned, secret, false, why, why_size);
    OPENSSL_cleanse(&k, sizeof(k));
    return key;
}

static struct key *read_public(
    const json_t *jwk, const char *kty, hb_str kid, unsigned pinned, char *why, size_t why_size)
{
    bool rsa = strcmp(kty, "RSA") == 0;
    if (!rsa && strcmp(kty, "EC") != 0) {
        snprintf(why, why_size, "its type is none of RSA and EC");
        return NULL;
    }
    EVP_PKEY *pkey = rsa ? read_rsa(jwk) : read_ec(jwk);
    if (!pkey) {
        snprintf(why, why_size, "its numbers are missing, malformed or do not make a key");
        return NULL;
    }
    struct key *key = key_from_pkey(kid, pinned, pkey, why, why_size);
    EVP_PKEY_free(pkey);
    return key;
}

static struct key *read_jwk(const json_t *jwk, bool secrets, char *why, size_t why_size)
{
    const json_t *kid_value = json_object_get(jwk, "kid"), *alg_value = json_object_get(jwk, "alg");
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    hb_str kid = text_of(kid_value);
    if (!kty || (kid_value && (!kid.p || kid.n > KEY_KID_MAX))) {
        snprintf(why, why_size, "its kty or kid is missing or malformed");
        return NULL;
    }
    if (!may_verify(jwk)) {
        snprintf(why, why_size, "it is not for verifying signatures");
        return NULL;
    }
    enum alg alg = alg_value ? alg_parse(text_of(alg_value)) : ALG_NONE;
    if (alg_value && alg == ALG_NONE) {
        snprintf(why, why_size, "its algorithm is not supported");
        return NULL;
    }
    unsigned pinned = alg == ALG_NONE ? 0 : ALG_BIT(alg);
    if (strcmp(kty, "oct") != 0)
        return read_public(jwk, kty, kid, pinned, why, why_size);
    if (secrets)
        return read_secret(jwk, kid, pinned, why, why_size);
    snprintf(why, why_size, "it is symmetric, and what can be fetched is no secret");
    return NULL;
}

static void add(struct keys *set, const json_t *jwk, bool secrets, struct jwk_report *report)
{
    struct key *key = read_jwk(jwk, secrets, report->why, sizeof(report->why));
    if (key && keys_add(set, key)) {
        report->used++;
        return;
    }
    if (key)
        snprintf(report->why, sizeof(report->why), "there are more than %d keys", KEYS_MAX);
    report->skipped++;
}

struct keys *jwk_read_set(
    hb_str text, bool secrets, struct jwk_report *report, char *error, size_t error_size)
{
    json_error_t fault;
    json_t *root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &fault);
    const json_t *list = json_object_get(root, "keys"), *jwk;
    struct keys *set = NULL;
    size_t i;
    *report = (struct jwk_report){0};
    if (!root)
        snprintf(error, error_size, "not JSON: %.120s", fault.text);
    else if (!json_is_array(list) && !json_object_get(root, "kty"))
        snprintf(error, error_size, "not a JWK Set: it has no array `keys`");
    else
        set = keys_create();
    if (set && !list)
        add(set, root, secrets, report);
    if (set)
        json_array_foreach(list, i, jwk)
            add(set, jwk, secrets, report);
    json_decref(root);
    return set;
}
