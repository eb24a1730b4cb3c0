#include "jwt_forge.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_MAX = 8192, PKEYS_MAX = 64 };

static char *kept[KEPT_MAX];
static size_t n_kept;
static EVP_PKEY *pkeys[PKEYS_MAX];
static const char *pkey_names[PKEYS_MAX];
static size_t n_pkeys;

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static char *keep(char *text)
{
    if (n_kept == KEPT_MAX)
        abort();
    return kept[n_kept++] = must(text);
}

__attribute__((destructor)) static void free_all(void)
{
    for (size_t i = 0; i < n_kept; i++)
        free(kept[i]);
    for (size_t i = 0; i < n_pkeys; i++)
        EVP_PKEY_free(pkeys[i]);
}

const char *forge_text(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    return keep(text);
}

hb_str forge_str(const char *text)
{
    return (hb_str){text, strlen(text)};
}

static EVP_PKEY *remember(const char *name, EVP_PKEY *pkey)
{
    if (n_pkeys == PKEYS_MAX)
        abort();
    pkey_names[n_pkeys] = name;
    return pkeys[n_pkeys++] = must(pkey);
}

static EVP_PKEY *find(const char *name)
{
    for (size_t i = 0; i < n_pkeys; i++)
        if (strcmp(pkey_names[i], name) == 0)
            return pkeys[i];
    return NULL;
}

EVP_PKEY *forge_rsa_other(int bits)
{
    return remember("another", EVP_RSA_gen((unsigned)bits));
}

EVP_PKEY *forge_rsa(int bits)
{
    const char *name = forge_text("RSA %d", bits);
    EVP_PKEY *pkey = find(name);
    return pkey ? pkey : remember(name, EVP_RSA_gen((unsigned)bits));
}

EVP_PKEY *forge_ec(const char *curve)
{
    EVP_PKEY *pkey = find(curve);
    return pkey ? pkey : remember(curve, EVP_EC_gen(curve));
}

static const char *text_of(BIO *bio)
{
    char *bytes;
    long n = BIO_get_mem_data(bio, &bytes);
    const char *text = forge_text("%.*s", (int)n, bytes);
    BIO_free(bio);
    return text;
}

const char *forge_public_pem(EVP_PKEY *pkey)
{
    BIO *bio = must(BIO_new(BIO_s_mem()));
    PEM_write_bio_PUBKEY(bio, pkey);
    return text_of(bio);
}

const char *forge_private_pem(EVP_PKEY *pkey)
{
    BIO *bio = must(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    return text_of(bio);
}

const char *forge_base64url(const void *bytes, size_t n)
{
    char *text = keep(malloc(4 * (n / 3 + 1) + 1));
    EVP_EncodeBlock((unsigned char *)text, bytes, (int)n);
    for (char *c = text; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? 0 : *c;
    return text;
}

static const char *number(EVP_PKEY *pkey, const char *name, size_t size)
{
    BIGNUM *bn = NULL;
    unsigned char bytes[1024];
    if (!EVP_PKEY_get_bn_param(pkey, name, &bn))
        abort();
    if (!size)
        size = (size_t)BN_num_bytes(bn);
    BN_bn2binpad(bn, bytes, (int)size);
    BN_free(bn);
    return forge_base64url(bytes, size);
}

const char *forge_jwk(EVP_PKEY *pkey, const char *extra)
{
    if (EVP_PKEY_is_a(pkey, "RSA"))
        return forge_text("{%s\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", extra,
            number(pkey, OSSL_PKEY_PARAM_RSA_N, 0), number(pkey, OSSL_PKEY_PARAM_RSA_E, 0));
    int bits = EVP_PKEY_get_bits(pkey);
    size_t size = (size_t)(bits + 7) / 8;
    return forge_text("{%s\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\",\"y\":\"%s\"}", extra, bits,
        number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, size), number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, size));
}

static const EVP_MD *digest_of(const char *alg)
{
    return strstr(alg, "256") ? EVP_sha256() : strstr(alg, "384") ? EVP_sha384() : EVP_sha512();
}

static const char *join(const char *header, const char *payload)
{
    return forge_text("%s.%s", forge_base64url(header, strlen(header)),
        forge_base64url(payload, strlen(payload)));
}

const char *forge_unsigned(const char *header, const char *payload)
{
    return forge_text("%s.", join(header, payload));
}

const char *forge_hs(const char *alg, hb_str secret, const char *header, const char *payload)
{
    const char *text = join(header, payload);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    must(HMAC(digest_of(alg), secret.p, (int)secret.n, (const unsigned char *)text, strlen(text),
        mac, &n));
    return forge_text("%s.%s", text, forge_base64url(mac, n));
}

/* DER to r||s. */
static size_t flatten(unsigned char *signature, size_t n, size_t half)
{
    const unsigned char *at = signature;
    ECDSA_SIG *parts = must(d2i_ECDSA_SIG(NULL, &at, (long)n));
    unsigned char flat[132];
    BN_bn2binpad(ECDSA_SIG_get0_r(parts), flat, (int)half);
    BN_bn2binpad(ECDSA_SIG_get0_s(parts), flat + half, (int)half);
    memcpy(signature, flat, 2 * half);
    ECDSA_SIG_free(parts);
    return 2 * half;
}

const char *forge_signed(const char *alg, EVP_PKEY *pkey, const char *header, const char *payload)
{
    const char *text = join(header, payload);
    unsigned char signature[2048];
    size_t n = sizeof(signature);
    EVP_MD_CTX *ctx = must(EVP_MD_CTX_new());
    if (EVP_DigestSignInit(ctx, NULL, digest_of(alg), NULL, pkey) != 1 ||
        EVP_DigestSign(ctx, signature, &n, (const unsigned char *)text, strlen(text)) != 1)
        abort();
    EVP_MD_CTX_free(ctx);
    if (EVP_PKEY_is_a(pkey, "EC"))
        n = flatten(signature, n, (size_t)(EVP_PKEY_get_bits(pkey) + 7) / 8);
    return forge_text("%s.%s", text, forge_base64url(signature, n));
}

const char *forge_simple(const char *payload)
{
    return forge_hs("HS256", HB_STR(FORGE_SECRET), "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", payload);
}
