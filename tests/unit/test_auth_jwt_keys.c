/* Keys from secrets, PEM files and JWK Sets, and which are refused. */
#include "../../plugins/auth-jwt/b64.h"
#include "../../plugins/auth-jwt/jwk.h"
#include "jwt_forge.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

static const hb_str no_kid = {NULL, 0};
static char error[256];

static bool says(const char *word)
{
    return strstr(error, word);
}

static unsigned algorithms_of(struct key *k)
{
    unsigned set = k ? key_algorithms(k) : 0;
    key_unref(k);
    return set;
}

static unsigned of_secret(hb_str secret, unsigned pinned, bool lenient)
{
    return algorithms_of(key_from_secret(no_kid, pinned, secret, lenient, error, sizeof(error)));
}

static unsigned of_pem(const char *pem, unsigned pinned)
{
    return algorithms_of(key_from_pem(no_kid, pinned, forge_str(pem), error, sizeof(error)));
}

TEST(base64url_is_strict)
{
    unsigned char out[64];
    CHECK_INT(b64_decode(HB_STR("AQID"), out), 3);
    CHECK_INT(memcmp(out, "\1\2\3", 3), 0);
    CHECK_INT(b64_decode(HB_STR("-_8"), out), 2);
    CHECK_INT(b64_decode(HB_STR(""), out), 0);
    CHECK_INT(b64_decode(HB_STR("A"), out), -1);
    CHECK_INT(b64_decode(HB_STR("AQ=="), out), -1);
    CHECK_INT(b64_decode(HB_STR("A+/A"), out), -1);
    CHECK_INT(b64_decode(HB_STR("AQ ID"), out), -1);
    CHECK_INT(b64_decode(HB_STR("AR"), out), -1); /* AQ is the spelling of that byte */
}

TEST(a_short_secret_is_refused_unless_leniency_was_asked_for)
{
    CHECK_INT(of_secret(HB_STR("0123456789abcdef0123456789abcdef"), 0, false), ALG_HS);
    CHECK_INT(of_secret(HB_STR("0123456789abcdef0123456789abcde"), 0, false), 0);
    CHECK(says("31 bytes"));
    CHECK_INT(of_secret(HB_STR("short"), 0, true), ALG_HS);
    CHECK_INT(of_secret(HB_STR(""), 0, true), 0);
}

TEST(the_text_of_a_public_key_is_refused_as_a_secret)
{
    CHECK_INT(of_secret(forge_str(forge_public_pem(forge_rsa(2048))), 0, false), 0);
    CHECK(says("public_key"));
}

TEST(a_key_fits_the_algorithms_of_its_type)
{
    CHECK_INT(of_pem(forge_public_pem(forge_rsa(2048)), 0), ALG_RS);
    CHECK_INT(of_pem(forge_public_pem(forge_ec("P-256")), 0), ALG_BIT(ALG_ES256));
    CHECK_INT(of_pem(forge_public_pem(forge_ec("P-384")), 0), ALG_BIT(ALG_ES384));
    CHECK_INT(of_pem(forge_public_pem(forge_ec("P-521")), 0), ALG_BIT(ALG_ES512));
}

TEST(a_key_that_does_not_fit_its_pinned_algorithm_is_refused)
{
    CHECK_INT(of_pem(forge_public_pem(forge_rsa(2048)), ALG_BIT(ALG_HS256)), 0);
    CHECK(says("HS256"));
    CHECK_INT(of_pem(forge_public_pem(forge_ec("P-256")), ALG_BIT(ALG_ES384)), 0);
    CHECK_INT(of_secret(HB_STR(FORGE_SECRET), ALG_BIT(ALG_RS256), false), 0);
}

TEST(weak_and_foreign_keys_are_refused)
{
    CHECK_INT(of_pem(forge_public_pem(forge_rsa(1024)), 0), 0);
    CHECK(says("1024"));
    CHECK_INT(of_pem(forge_public_pem(forge_ec("secp256k1")), 0), 0);
    CHECK(says("secp256k1"));
    CHECK_INT(of_pem(forge_private_pem(forge_rsa(2048)), 0), 0);
    CHECK(says("private"));
    CHECK_INT(of_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", 0), 0);
    CHECK_INT(of_pem("", 0), 0);
}

/* ---- JWK Sets. */

static struct jwk_report report;

static size_t used(const char *text, bool secrets)
{
    struct keys *set = jwk_read_set(forge_str(text), secrets, &report, error, sizeof(error));
    size_t n = set ? keys_count(set) : 999;
    keys_unref(set);
    return n;
}

static size_t used_alone(const char *jwk)
{
    return used(forge_text("{\"keys\":[%s]}", jwk), false);
}

TEST(a_jwk_set_gives_its_signature_keys_and_skips_the_rest)
{
    const char *text =
        forge_text("{\"keys\":[%s,%s,%s,%s,{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"},7]}",
            forge_jwk(forge_rsa(2048), "\"kid\":\"r\",\"use\":\"sig\",\"alg\":\"RS256\","),
            forge_jwk(forge_ec("P-384"), "\"kid\":\"e\",\"key_ops\":[\"verify\"],"),
            forge_jwk(forge_rsa(2048), "\"kid\":\"x\",\"use\":\"enc\","),
            forge_jwk(forge_rsa(2048), "\"kid\":\"y\",\"alg\":\"RSA-OAEP\","));
    struct keys *set = jwk_read_set(forge_str(text), false, &report, error, sizeof(error));
    CHECK(set);
    CHECK_INT(report.used, 2);
    CHECK_INT(report.skipped, 4);
    CHECK(keys_has_kid(set, HB_STR("r")) && keys_has_kid(set, HB_STR("e")) &&
          !keys_has_kid(set, HB_STR("x")));
    CHECK_INT(key_algorithms(keys_at(set, 0)), ALG_BIT(ALG_RS256));
    CHECK_INT(key_algorithms(keys_at(set, 1)), ALG_BIT(ALG_ES384));
    keys_unref(set);
}

TEST(a_jwk_for_another_type_of_algorithm_is_skipped)
{
    CHECK_INT(used_alone(forge_jwk(forge_rsa(2048), "\"alg\":\"HS256\",")), 0);
    CHECK_INT(used_alone(forge_jwk(forge_rsa(2048), "\"alg\":\"ES256\",")), 0);
    CHECK_INT(used_alone(forge_jwk(forge_rsa(2048), "\"alg\":\"none\",")), 0);
    CHECK_INT(used_alone(forge_jwk(forge_ec("P-256"), "\"alg\":\"ES512\",")), 0);
    CHECK_INT(used_alone(forge_jwk(forge_rsa(2048), "\"key_ops\":[\"sign\"],")), 0);
    CHECK_INT(used_alone(forge_jwk(forge_rsa(2048), "\"kid\":7,")), 0);
    CHECK_INT(used_alone(forge_jwk(forge_rsa(1024), "")), 0);
}

TEST(a_symmetric_jwk_is_used_from_a_file_only)
{
    const char *text = "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"s\",\"alg\":\"HS256\",\"k\":"
                       "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}]}";
    CHECK_INT(used(text, true), 1);
    CHECK_INT(used(text, false), 0);
    CHECK_INT(used("{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}]}", true), 0);
}

TEST(a_point_off_its_curve_is_skipped)
{
    const char *good = forge_jwk(forge_ec("P-256"), "");
    char *bad = strdup(good);
    char *x = strstr(bad, "\"x\":\"") + 10;
    *x = *x == 'A' ? 'B' : 'A';
    const char *text = forge_text("%s", bad);
    free(bad);
    CHECK_INT(used_alone(good), 1);
    CHECK_INT(used_alone(text), 0);
}

TEST(malformed_jwks_are_skipped)
{
    static const char *const bad[] = {"{}", "[]", "null", "{\"kty\":\"RSA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\"}", "{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-999\",\"x\":\"AA\",\"y\":\"AA\"}", "{\"kty\":7}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CHECK_INT(used_alone(bad[i]), 0);
}

TEST(an_even_or_endless_exponent_is_skipped)
{
    const char *good = forge_jwk(forge_rsa(2048), "");
    const char *head = forge_text("%.*s", (int)(strstr(good, "\"e\":") - good), good);
    CHECK_INT(used_alone(forge_text("%s\"e\":\"AQAB\"}", head)), 1);
    CHECK_INT(used_alone(forge_text("%s\"e\":\"AQAA\"}", head)), 0);
    CHECK_INT(used_alone(forge_text("%s\"e\":\"AQ\"}", head)), 0);
    CHECK_INT(used_alone(forge_text("%s\"e\":\"%.40s\"}", head, strstr(good, "\"n\":\"") + 5)), 0);
}

TEST(what_is_no_jwk_set_is_an_error)
{
    CHECK_INT(used("", false), 999);
    CHECK_INT(used("<html>", false), 999);
    CHECK_INT(used("[]", false), 999);
    CHECK_INT(used("{\"keys\":{}}", false), 999);
    CHECK_INT(used("{\"keys\":[],\"keys\":[]}", false), 999);
    CHECK_INT(used("{\"keys\":[]}", false), 0); /* every key withdrawn */
}

TEST(a_lone_jwk_is_a_set_of_one)
{
    CHECK_INT(used(forge_jwk(forge_ec("P-256"), ""), false), 1);
}

TEST(a_set_is_bounded)
{
    struct keys *set = keys_create();
    bool fits = true;
    for (int i = 0; i < KEYS_MAX; i++)
        fits = fits && keys_add(set, key_from_secret(no_kid, 0, HB_STR(FORGE_SECRET), false, error,
                                         sizeof(error)));
    CHECK(fits);
    CHECK(!keys_add(
        set, key_from_secret(no_kid, 0, HB_STR(FORGE_SECRET), false, error, sizeof(error))));
    CHECK_INT(keys_count(set), KEYS_MAX);
    keys_unref(set);
}
