/*
 * Everything auth-jwt reads from outside: the first byte says as what. 't': a token, against fixed
 * keys; nothing that a fuzzer makes up may verify but what is signed with the secret, and what
 * verifies has a user within bounds. 'p': a payload that is signed right, so that claims are
 * reached. 'j': a JWK Set. 'k': a PEM file. 'b': base64url, which has one spelling only.
 */
#include "../../plugins/auth-jwt/b64.h"
#include "../../plugins/auth-jwt/claims.h"
#include "../../plugins/auth-jwt/jwk.h"
#include "fuzz.h"
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS 1700000000000
#define SECRET HB_STR("0123456789abcdef0123456789abcdef")

static const char rsa[] =
    "{\"kty\":\"RSA\",\"kid\":\"r\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
    "wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"
    "YpRPEwOWvG6b32690r2j"
    "Z47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
    "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3"
    "qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
    "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}";
static const char ec[] =
    "{\"kty\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus"
    "9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";

static const hb_str names[] = {{"joe", 3}, {"chat", 4}};
static const struct verify_policy plain = {.user_claim = "sub"};
static const struct verify_policy strict = {.user_claim = "sub",
    .issuers = {names, 2},
    .audiences = {names, 2},
    .leeway_ms = 5000,
    .require_exp = true};

static struct keys *set_of(const char *jwk)
{
    struct jwk_report report;
    char error[160];
    struct keys *set =
        jwk_read_set((hb_str){jwk, strlen(jwk)}, false, &report, error, sizeof(error));
    HOLDS(set && report.used == 1);
    return set;
}

static struct keys *keys(void)
{
    static struct keys *all;
    char error[160];
    if (all)
        return all;
    struct keys *r = set_of(rsa), *e = set_of(ec);
    all = keys_create();
    keys_add(all, key_from_secret(HB_STR("s"), 0, SECRET, false, error, sizeof(error)));
    keys_add_all(all, r);
    keys_add_all(all, e);
    keys_unref(r);
    keys_unref(e);
    return all;
}

static void inspect(enum verify_result r, struct claims *c)
{
    HOLDS((r == VERIFY_OK) == (c != NULL));
    if (c) {
        HOLDS(c->user.n >= 1 && c->user.n <= VERIFY_USER_MAX && c->user.p[0] != '@');
        HOLDS(c->expires_ms > NOW_MS);
        HOLDS(!c->rights.p || c->rights.p[0] == '{');
    }
    claims_free(c);
}

static void try_token(hb_str text)
{
    struct claims *c = NULL;
    enum verify_result r = verify_token(text, keys(), &plain, NOW_MS, &c);
    inspect(r, c);
}

static void try_payload(hb_str text)
{
    json_t *payload = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    const struct verify_policy *policies[] = {&plain, &strict};
    for (size_t i = 0; payload && i < 2; i++) {
        struct claims *c = NULL;
        enum verify_result r = claims_read(payload, policies[i], NOW_MS, &c);
        inspect(r, c);
    }
    json_decref(payload);
}

static void try_set(hb_str text)
{
    struct jwk_report report;
    char error[160];
    for (int secrets = 0; secrets < 2; secrets++)
        keys_unref(jwk_read_set(text, secrets, &report, error, sizeof(error)));
}

static void try_pem(hb_str text)
{
    char error[256];
    key_unref(key_from_pem((hb_str){NULL, 0}, 0, text, error, sizeof(error)));
}

static void try_base64(hb_str text)
{
    unsigned char *bytes = malloc(B64_DECODED_MAX(text.n));
    char *again = malloc(4 * (text.n / 3 + 2));
    ptrdiff_t n = b64_decode(text, bytes);
    if (n > 0) {
        EVP_EncodeBlock((unsigned char *)again, bytes, (int)n);
        for (size_t i = 0; i < text.n; i++) {
            char c = again[i] == '+' ? '-' : again[i] == '/' ? '_' : again[i];
            HOLDS(c == text.p[i]);
        }
    }
    free(again);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    hb_str text = {(const char *)data + 1, size - 1};
    switch (data[0]) {
    case 't':
        try_token(text);
        break;
    case 'p':
        try_payload(text);
        break;
    case 'j':
        try_set(text);
        break;
    case 'k':
        try_pem(text);
        break;
    case 'b':
        try_base64(text);
        break;
    }
    return 0;
}
