#include "sign.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_LEAST = 24, PREFIX = 6 };

/* False when it is no base64 or too long. */
static bool decode(const char *text, size_t n, unsigned char *out, size_t *out_n)
{
    size_t padding = n && text[n - 1] == '=' ? 1 + (n > 1 && text[n - 2] == '=') : 0;
    if (n == 0 || n % 4 || n / 4 * 3 > SIGN_SECRET_MAX)
        return false;
    int got = EVP_DecodeBlock(out, (const unsigned char *)text, (int)n);
    if (got < 0)
        return false;
    *out_n = (size_t)got - padding;
    return true;
}

static const char *read_one(hb_str secret, bool lenient, unsigned char *out, size_t *n)
{
    if (secret.n > PREFIX && memcmp(secret.p, "whsec_", PREFIX) == 0) {
        if (!decode(secret.p + PREFIX, secret.n - PREFIX, out, n))
            return "is no base64 behind whsec_, or longer than 256 bytes";
    } else if (secret.n > SIGN_SECRET_MAX) {
        return "is longer than 256 bytes";
    } else {
        memcpy(out, secret.p, secret.n);
        *n = secret.n;
    }
    if (*n < SECRET_LEAST && !(lenient && *n))
        return "is shorter than 24 bytes";
    return NULL;
}

bool sign_read(
    const hb_strings *secrets, bool lenient, struct sign_keys *out, char *error, size_t error_size)
{
    out->n = 0;
    if (secrets->n == 0 || secrets->n > SIGN_SECRETS_MAX) {
        snprintf(error, error_size, "secret: there have to be one to %d", SIGN_SECRETS_MAX);
        return false;
    }
    for (size_t i = 0; i < secrets->n; i++) {
        const char *fault =
            read_one(secrets->items[i], lenient, out->items[i].bytes, &out->items[i].n);
        if (fault) {
            snprintf(error, error_size, "secret: number %zu %s", i + 1, fault);
            return false;
        }
        out->n++;
    }
    return true;
}

void sign_id(char out[static SIGN_ID_MAX])
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        abort();
    strcpy(out, "msg_");
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(out + 4 + 2 * i, 3, "%02x", bytes[i]);
}

static void sign_one(const void *key, size_t key_n, hb_str head, hb_str body, unsigned char out[32])
{
    OSSL_PARAM digest[] = {OSSL_PARAM_utf8_string("digest", (char[]){"SHA256"}, 0), OSSL_PARAM_END};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *c = mac ? EVP_MAC_CTX_new(mac) : NULL;
    size_t n;
    if (!c || !EVP_MAC_init(c, key, key_n, digest) ||
        !EVP_MAC_update(c, (const unsigned char *)head.p, head.n) ||
        !EVP_MAC_update(c, (const unsigned char *)body.p, body.n) || !EVP_MAC_final(c, out, &n, 32))
        abort(); /* can't fail but for want of a few bytes */
    EVP_MAC_CTX_free(c);
    EVP_MAC_free(mac);
}

void sign_body(const struct sign_keys *keys, const char *id, int64_t timestamp_s, hb_str body,
    char out[static SIGN_MAX])
{
    char head[SIGN_ID_MAX + 32];
    unsigned char mac[32], text[48];
    int n = snprintf(head, sizeof(head), "%s.%" PRId64 ".", id, timestamp_s);
    size_t at = 0;
    for (size_t i = 0; i < keys->n; i++) {
        sign_one(keys->items[i].bytes, keys->items[i].n, (hb_str){head, (size_t)n}, body, mac);
        EVP_EncodeBlock(text, mac, sizeof(mac));
        at += (size_t)snprintf(out + at, SIGN_MAX - at, "%sv1,%s", i ? " " : "", text);
    }
}
