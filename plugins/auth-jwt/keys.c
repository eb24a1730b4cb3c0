#include "keys.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct key {
    atomic_uint refs;
    unsigned algorithms;
    EVP_PKEY *pkey; /* owned reference; NULL for a secret */
    hb_str secret;  /* owned */
    hb_str kid;     /* owned; absent: none */
};

struct keys {
    atomic_uint refs;
    size_t n;
    struct key *items[KEYS_MAX]; /* owned references */
};

static void *must(void *p)
{
    if (!p)
        abort(); /* a key is small: see architecture.md, "Ownership" */
    return p;
}

static hb_str copy(hb_str s)
{
    char *p = must(malloc(s.n + 1));
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return (hb_str){p, s.n};
}

static void wipe(hb_str s)
{
    if (s.p)
        OPENSSL_clear_free((void *)(uintptr_t)s.p, s.n);
}

static struct key *create(hb_str kid, unsigned algorithms)
{
    struct key *k = must(calloc(1, sizeof(*k)));
    atomic_init(&k->refs, 1);
    k->algorithms = algorithms;
    if (kid.p)
        k->kid = copy(kid);
    return k;
}

/* What remains of `fitting` when the user pinned some; 0 with a sentence when nothing does. */
static unsigned pin(unsigned fitting, unsigned pinned, char *error, size_t error_size)
{
    unsigned both = pinned ? fitting & pinned : fitting;
    if (!both)
        snprintf(error, error_size, "%s does not fit this key: it is one for %s",
            alg_name(alg_first(pinned)), alg_name(alg_first(fitting)));
    return both;
}

static bool looks_like_pem(hb_str s)
{
    return s.n >= 11 && memmem(s.p, s.n, "-----BEGIN ", 11);
}

struct key *key_from_secret(
    hb_str kid, unsigned pinned, hb_str secret, bool lenient, char *error, size_t error_size)
{
    if (looks_like_pem(secret)) {
        snprintf(error, error_size,
            "a secret can't be the text of a PEM file: everybody may know a "
            "public key; give its file as public_key");
        return NULL;
    }
    if (!secret.n || (secret.n < KEY_SECRET_MIN && !lenient)) {
        snprintf(error, error_size,
            "the secret has %zu bytes, and %d is the least that is safe: make "
            "one with `openssl rand -base64 48`",
            secret.n, KEY_SECRET_MIN);
        return NULL;
    }
    unsigned algorithms = pin(ALG_HS, pinned, error, error_size);
    if (!algorithms)
        return NULL;
    struct key *k = create(kid, algorithms);
    k->secret = (hb_str){must(OPENSSL_memdup(secret.p, secret.n)), secret.n};
    return k;
}

static unsigned fitting_rsa(EVP_PKEY *pkey, char *error, size_t error_size)
{
    int bits = EVP_PKEY_get_bits(pkey);
    if (bits >= KEY_RSA_BITS_MIN && bits <= KEY_RSA_BITS_MAX)
        return ALG_RS;
    snprintf(error, error_size, "an RSA key has to have %d to %d bits, this one has %d",
        KEY_RSA_BITS_MIN, KEY_RSA_BITS_MAX, bits);
    return 0;
}

static unsigned fitting_ec(EVP_PKEY *pkey, char *error, size_t error_size)
{
    static const struct {
        const char *group;
        enum alg alg;
    } curves[] = {{"prime256v1", ALG_ES256}, {"secp384r1", ALG_ES384}, {"secp521r1", ALG_ES512}};
    char group[64] = "";
    EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL);
    for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++)
        if (strcmp(group, curves[i].group) == 0)
            return ALG_BIT(curves[i].alg);
    snprintf(error, error_size, "the curve %s is none of P-256, P-384 and P-521", group);
    return 0;
}

unsigned key_fitting(EVP_PKEY *pkey, char *error, size_t error_size)
{
    if (EVP_PKEY_is_a(pkey, "RSA"))
        return fitting_rsa(pkey, error, error_size);
    if (EVP_PKEY_is_a(pkey, "EC"))
        return fitting_ec(pkey, error, error_size);
    snprintf(error, error_size, "a key of this type is not supported: RSA and EC ones are");
    return 0;
}

struct key *key_from_pkey(
    hb_str kid, unsigned pinned, EVP_PKEY *pkey, char *error, size_t error_size)
{
    unsigned fitting = key_fitting(pkey, error, error_size);
    unsigned algorithms = fitting ? pin(fitting, pinned, error, error_size) : 0;
    if (!algorithms)
        return NULL;
    struct key *k = create(kid, algorithms);
    EVP_PKEY_up_ref(pkey);
    k->pkey = pkey;
    return k;
}

/* Without it OpenSSL would ask on the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    return 0;
}

/* A public key, or the one in a certificate. */
static EVP_PKEY *read_pem(hb_str pem)
{
    BIO *bio = must(BIO_new_mem_buf(pem.p, (int)pem.n));
    EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    if (!pkey) {
        BIO_reset(bio);
        X509 *certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        pkey = certificate ? X509_get_pubkey(certificate) : NULL;
        X509_free(certificate);
    }
    BIO_free(bio);
    ERR_clear_error();
    return pkey;
}

struct key *key_from_pem(hb_str kid, unsigned pinned, hb_str pem, char *error, size_t error_size)
{
    if (memmem(pem.p, pem.n, "PRIVATE KEY-----", 16)) {
        snprintf(error, error_size,
            "it holds a private key: give its public half here "
            "(`openssl pkey -pubout`)");
        return NULL;
    }
    EVP_PKEY *pkey = read_pem(pem);
    if (!pkey) {
        snprintf(error, error_size, "it is neither a public key nor a certificate in PEM form");
        return NULL;
    }
    struct key *k = key_from_pkey(kid, pinned, pkey, error, error_size);
    EVP_PKEY_free(pkey);
    return k;
}

struct key *key_ref(struct key *k)
{
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    return k;
}

void key_unref(struct key *k)
{
    if (!k || atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) > 1)
        return;
    EVP_PKEY_free(k->pkey);
    wipe(k->secret);
    free((void *)(uintptr_t)k->kid.p);
    free(k);
}

hb_str key_kid(const struct key *k)
{
    return k->kid;
}

unsigned key_algorithms(const struct key *k)
{
    return k->algorithms;
}

static bool verify_hmac(const struct key *k, enum alg alg, hb_str text, hb_str signature)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!HMAC(alg_digest(alg), k->secret.p, (int)k->secret.n, (const unsigned char *)text.p, text.n,
            mac, &n))
        return false;
    return signature.n == n && CRYPTO_memcmp(mac, signature.p, n) == 0;
}

static bool verify_pkey(
    EVP_PKEY *pkey, enum alg alg, hb_str text, const unsigned char *signature, size_t n)
{
    EVP_MD_CTX *ctx = must(EVP_MD_CTX_new());
    bool ok = EVP_DigestVerifyInit(ctx, NULL, alg_digest(alg), NULL, pkey) == 1 &&
              EVP_DigestVerify(ctx, signature, n, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        ERR_clear_error();
    return ok;
}

/* RFC 7518, section 3.4: r and s side by side, each as long as the curve's order; OpenSSL wants
 * DER. */
static bool verify_ec(EVP_PKEY *pkey, enum alg alg, hb_str text, hb_str signature)
{
    static const size_t half_sizes[] = {32, 48, 66};
    size_t half = half_sizes[alg - ALG_ES256];
    if (signature.n != 2 * half)
        return false;
    const unsigned char *raw = (const unsigned char *)signature.p;
    ECDSA_SIG *parts = must(ECDSA_SIG_new());
    BIGNUM *r = must(BN_bin2bn(raw, (int)half, NULL)),
           *s = must(BN_bin2bn(raw + half, (int)half, NULL));
    ECDSA_SIG_set0(parts, r, s); /* adopts both */
    unsigned char *der = NULL;
    int n = i2d_ECDSA_SIG(parts, &der);
    ECDSA_SIG_free(parts);
    bool ok = n > 0 && verify_pkey(pkey, alg, text, der, (size_t)n);
    OPENSSL_free(der);
    return ok;
}

bool key_verify(const struct key *k, enum alg alg, hb_str text, hb_str signature)
{
    if (alg < 0 || alg >= ALG_COUNT || !(k->algorithms & ALG_BIT(alg)))
        return false;
    if (!k->pkey)
        return verify_hmac(k, alg, text, signature);
    if (ALG_BIT(alg) & ALG_ES)
        return verify_ec(k->pkey, alg, text, signature);
    return verify_pkey(k->pkey, alg, text, (const unsigned char *)signature.p, signature.n);
}

struct keys *keys_create(void)
{
    struct keys *set = must(calloc(1, sizeof(*set)));
    atomic_init(&set->refs, 1);
    return set;
}

struct keys *keys_ref(struct keys *set)
{
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void keys_unref(struct keys *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < set->n; i++)
        key_unref(set->items[i]);
    free(set);
}

bool keys_add(struct keys *set, struct key *adopt)
{
    if (set->n == KEYS_MAX) {
        key_unref(adopt);
        return false;
    }
    set->items[set->n++] = adopt;
    return true;
}

bool keys_add_all(struct keys *set, const struct keys *from)
{
    bool all = true;
    for (size_t i = 0; from && i < from->n; i++)
        all = keys_add(set, key_ref(from->items[i])) && all;
    return all;
}

size_t keys_count(const struct keys *set)
{
    return set->n;
}

struct key *keys_at(const struct keys *set, size_t i)
{
    return i < set->n ? set->items[i] : NULL;
}

bool keys_has_kid(const struct keys *set, hb_str kid)
{
    for (size_t i = 0; i < set->n; i++) {
        hb_str k = set->items[i]->kid;
        if (k.p && k.n == kid.n && memcmp(k.p, kid.p, k.n) == 0)
            return true;
    }
    return false;
}

unsigned keys_algorithms(const struct keys *set)
{
    unsigned all = 0;
    for (size_t i = 0; i < set->n; i++)
        all |= set->items[i]->algorithms;
    return all;
}
