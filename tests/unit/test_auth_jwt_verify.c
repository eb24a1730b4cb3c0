/* Tokens, good and bad, against fixed keys and a fixed clock. */
#include "../../plugins/auth-jwt/jwk.h"
#include "../../plugins/auth-jwt/verify.h"
#include "jwt_forge.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

enum { NOW = 1700000000 }; /* seconds */
#define NOW_MS ((int64_t)NOW * 1000)

static struct claims *found;
static char error[256];

static enum verify_result verify_with(
    const char *token, const struct keys *keys, const struct verify_policy *policy, int64_t now_ms)
{
    claims_free(found);
    found = NULL;
    return verify_token(forge_str(token), keys, policy, now_ms, &found);
}

__attribute__((destructor)) static void forget(void)
{
    claims_free(found);
}

static const struct verify_policy plain = {.user_claim = "sub"};

static struct keys *of_secret(void)
{
    struct keys *set = keys_create();
    keys_add(set,
        key_from_secret((hb_str){NULL, 0}, 0, HB_STR(FORGE_SECRET), false, error, sizeof(error)));
    return set;
}

static struct keys *of_pkey(EVP_PKEY *pkey, const char *kid, unsigned pinned)
{
    struct keys *set = keys_create();
    hb_str name = {kid, kid ? strlen(kid) : 0};
    keys_add(
        set, key_from_pem(name, pinned, forge_str(forge_public_pem(pkey)), error, sizeof(error)));
    return set;
}

/* A token with that payload and the shared secret. */
static enum verify_result judge_with(const char *payload, const struct verify_policy *policy)
{
    struct keys *keys = of_secret();
    enum verify_result r = verify_with(forge_simple(payload), keys, policy, NOW_MS);
    keys_unref(keys);
    return r;
}

static enum verify_result judge(const char *payload)
{
    return judge_with(payload, &plain);
}

static enum verify_result judge_token(const char *token)
{
    struct keys *keys = of_secret();
    enum verify_result r = verify_with(token, keys, &plain, NOW_MS);
    keys_unref(keys);
    return r;
}

static enum verify_result judge_by_pkey(const char *token, EVP_PKEY *pkey)
{
    struct keys *keys = of_pkey(pkey, NULL, 0);
    enum verify_result r = verify_with(token, keys, &plain, NOW_MS);
    keys_unref(keys);
    return r;
}

/* ---- Known answers: RFC 7515, appendix A. */

#define RFC_PAYLOAD                                                                                \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"

static enum verify_result judge_rfc(const char *jwk, const char *token)
{
    const struct verify_policy policy = {.user_claim = "iss"};
    struct jwk_report report;
    struct keys *keys = jwk_read_set(forge_str(jwk), true, &report, error, sizeof(error));
    CHECK(keys && report.used == 1);
    enum verify_result r = verify_with(token, keys, &policy, 1300819379000);
    keys_unref(keys);
    return r;
}

TEST(the_hs256_example_of_rfc_7515_is_good)
{
    CHECK_INT(
        judge_rfc("{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
                  "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC_PAYLOAD
            ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        VERIFY_OK);
    CHECK_STR(found->user, "joe");
    CHECK_INT(found->expires_ms, 1300819380000);
}

TEST(the_rs256_example_of_rfc_7515_is_good)
{
    CHECK_INT(
        judge_rfc(
            "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26m"
            "PddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r"
            "2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapH"
            "g665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2"
            "ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}",
            "eyJhbGciOiJSUzI1NiJ9." RFC_PAYLOAD
            ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YK"
            "t_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBAr"
            "LIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7n"
            "oOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUP"
            "QGe77Rw"),
        VERIFY_OK);
}

TEST(the_es256_example_of_rfc_7515_is_good)
{
    CHECK_INT(
        judge_rfc("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uP"
                  "HvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
            "eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD
            ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6N"
            "U1Q"),
        VERIFY_OK);
}

/* ---- Algorithms. */

TEST(every_hs_algorithm_verifies)
{
    static const char *const algs[] = {"HS256", "HS384", "HS512"};
    for (size_t i = 0; i < 3; i++) {
        const char *header = forge_text("{\"alg\":\"%s\"}", algs[i]);
        CHECK_INT(judge_token(forge_hs(algs[i], HB_STR(FORGE_SECRET), header, "{\"sub\":\"a\"}")),
            VERIFY_OK);
    }
}

TEST(every_rs_algorithm_verifies)
{
    static const char *const algs[] = {"RS256", "RS384", "RS512"};
    for (size_t i = 0; i < 3; i++) {
        const char *header = forge_text("{\"alg\":\"%s\"}", algs[i]);
        const char *token = forge_signed(algs[i], forge_rsa(2048), header, "{\"sub\":\"a\"}");
        CHECK_INT(judge_by_pkey(token, forge_rsa(2048)), VERIFY_OK);
    }
}

TEST(every_es_algorithm_verifies_with_its_own_curve_only)
{
    static const char *const algs[] = {"ES256", "ES384", "ES512"};
    static const char *const curves[] = {"P-256", "P-384", "P-521"};
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++) {
            const char *header = forge_text("{\"alg\":\"%s\"}", algs[i]);
            const char *token =
                forge_signed(algs[i], forge_ec(curves[j]), header, "{\"sub\":\"a\"}");
            CHECK_INT(
                judge_by_pkey(token, forge_ec(curves[j])), i == j ? VERIFY_OK : VERIFY_ALGORITHM);
        }
}

TEST(none_is_refused_in_every_spelling)
{
    static const char *const names[] = {"none", "None", "NONE", "nOnE", "", "hs256", "HS256 "};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *header = forge_text("{\"alg\":\"%s\"}", names[i]);
        CHECK_INT(judge_token(forge_unsigned(header, "{\"sub\":\"a\"}")), VERIFY_ALGORITHM);
    }
    CHECK_INT(
        judge_token(forge_unsigned("{\"alg\":\"HS256\"}", "{\"sub\":\"a\"}")), VERIFY_SIGNATURE);
    CHECK_INT(judge_token(forge_unsigned("{}", "{\"sub\":\"a\"}")), VERIFY_MALFORMED);
    CHECK_INT(judge_token(forge_unsigned("{\"alg\":null}", "{\"sub\":\"a\"}")), VERIFY_MALFORMED);
}

TEST(an_hmac_made_with_the_text_of_a_public_key_is_refused)
{
    EVP_PKEY *all[] = {forge_rsa(2048), forge_ec("P-256")};
    for (size_t i = 0; i < 2; i++) {
        hb_str pem = forge_str(forge_public_pem(all[i])), trimmed = {pem.p, pem.n - 1};
        CHECK_INT(
            judge_by_pkey(forge_hs("HS256", pem, "{\"alg\":\"HS256\"}", "{\"sub\":\"a\"}"), all[i]),
            VERIFY_ALGORITHM);
        CHECK_INT(judge_by_pkey(
                      forge_hs("HS256", trimmed, "{\"alg\":\"HS256\"}", "{\"sub\":\"a\"}"), all[i]),
            VERIFY_ALGORITHM);
        /* under the name of the key as well */
        struct keys *keys = of_pkey(all[i], "k1", 0);
        CHECK_INT(verify_with(forge_hs("HS256", pem, "{\"alg\":\"HS256\",\"kid\":\"k1\"}",
                                  "{\"sub\":\"a\"}"),
                      keys, &plain, NOW_MS),
            VERIFY_ALGORITHM);
        keys_unref(keys);
    }
}

TEST(an_hmac_under_the_name_of_a_public_key_is_refused_though_there_is_a_secret)
{
    struct keys *keys = of_pkey(forge_rsa(2048), "k1", 0), *secret = of_secret();
    keys_add_all(keys, secret);
    const char *token = forge_hs(
        "HS256", HB_STR(FORGE_SECRET), "{\"alg\":\"HS256\",\"kid\":\"k1\"}", "{\"sub\":\"a\"}");
    CHECK_INT(verify_with(token, keys, &plain, NOW_MS), VERIFY_ALGORITHM);
    keys_unref(keys);
    keys_unref(secret);
}

TEST(an_rsa_signature_under_an_ec_name_is_refused)
{
    const char *token =
        forge_signed("RS256", forge_rsa(2048), "{\"alg\":\"ES256\"}", "{\"sub\":\"a\"}");
    CHECK_INT(judge_by_pkey(token, forge_rsa(2048)), VERIFY_ALGORITHM);
    CHECK_INT(judge_by_pkey(token, forge_ec("P-256")), VERIFY_SIGNATURE);
}

TEST(a_key_is_pinned_to_its_algorithm)
{
    struct keys *keys = of_pkey(forge_rsa(2048), "k1", ALG_BIT(ALG_RS512));
    const char *payload = "{\"sub\":\"a\"}";
    CHECK_INT(verify_with(forge_signed("RS256", forge_rsa(2048),
                              "{\"alg\":\"RS256\",\"kid\":\"k1\"}", payload),
                  keys, &plain, NOW_MS),
        VERIFY_ALGORITHM);
    CHECK_INT(verify_with(forge_signed("RS512", forge_rsa(2048),
                              "{\"alg\":\"RS512\",\"kid\":\"k1\"}", payload),
                  keys, &plain, NOW_MS),
        VERIFY_OK);
    keys_unref(keys);
}

TEST(an_algorithm_that_the_policy_does_not_name_is_refused)
{
    const struct verify_policy policy = {.user_claim = "sub", .algorithms = ALG_BIT(ALG_HS512)};
    CHECK_INT(judge_with("{\"sub\":\"a\"}", &policy), VERIFY_ALGORITHM);
}

TEST(keys_that_a_token_brings_along_prove_nothing)
{
    EVP_PKEY *mine = forge_rsa_other(2048);
    const char *header =
        forge_text("{\"alg\":\"RS256\",\"jwk\":%s,\"jku\":\"http://127.0.0.1/\",\"x5u\":"
                   "\"http://127.0.0.1/\"}",
            forge_jwk(mine, ""));
    CHECK_INT(
        judge_by_pkey(forge_signed("RS256", mine, header, "{\"sub\":\"a\"}"), forge_rsa(2048)),
        VERIFY_SIGNATURE);
}

TEST(critical_headers_are_refused)
{
    CHECK_INT(judge_token(forge_hs("HS256", HB_STR(FORGE_SECRET),
                  "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", "{\"sub\":\"a\"}")),
        VERIFY_MALFORMED);
}

/* ---- Choosing the key. */

TEST(the_key_is_chosen_by_kid)
{
    struct keys *keys = of_pkey(forge_rsa(2048), "k1", 0);
    struct keys *other = of_pkey(forge_ec("P-256"), "k2", 0);
    keys_add_all(keys, other);
    CHECK_INT(verify_with(forge_signed("ES256", forge_ec("P-256"),
                              "{\"alg\":\"ES256\",\"kid\":\"k2\"}", "{\"sub\":\"a\"}"),
                  keys, &plain, NOW_MS),
        VERIFY_OK);
    CHECK_INT(verify_with(forge_signed("ES256", forge_ec("P-256"),
                              "{\"alg\":\"ES256\",\"kid\":\"k1\"}", "{\"sub\":\"a\"}"),
                  keys, &plain, NOW_MS),
        VERIFY_ALGORITHM);
    CHECK_INT(verify_with(forge_signed("ES256", forge_ec("P-256"),
                              "{\"alg\":\"ES256\",\"kid\":\"k3\"}", "{\"sub\":\"a\"}"),
                  keys, &plain, NOW_MS),
        VERIFY_UNKNOWN_KEY);
    CHECK_INT(verify_with(forge_signed(
                              "ES256", forge_ec("P-256"), "{\"alg\":\"ES256\"}", "{\"sub\":\"a\"}"),
                  keys, &plain, NOW_MS),
        VERIFY_OK);
    CHECK_INT(verify_with(forge_signed("ES256", forge_ec("P-256"), "{\"alg\":\"ES256\",\"kid\":2}",
                              "{\"sub\":\"a\"}"),
                  keys, &plain, NOW_MS),
        VERIFY_MALFORMED);
    keys_unref(keys);
    keys_unref(other);
}

TEST(a_key_without_a_name_serves_tokens_that_name_one)
{
    CHECK_INT(judge_token(forge_hs("HS256", HB_STR(FORGE_SECRET),
                  "{\"alg\":\"HS256\",\"kid\":\"whatever\"}", "{\"sub\":\"a\"}")),
        VERIFY_OK);
}

TEST(two_keys_of_one_name_are_both_tried)
{
    struct keys *keys = of_pkey(forge_rsa_other(2048), "k1", 0);
    struct keys *other = of_pkey(forge_rsa(2048), "k1", 0);
    keys_add_all(keys, other);
    CHECK_INT(verify_with(forge_signed("RS256", forge_rsa(2048),
                              "{\"alg\":\"RS256\",\"kid\":\"k1\"}", "{\"sub\":\"a\"}"),
                  keys, &plain, NOW_MS),
        VERIFY_OK);
    keys_unref(keys);
    keys_unref(other);
}

/* ---- Signatures and form. */

TEST(another_secret_does_not_verify)
{
    CHECK_INT(judge_token(forge_hs("HS256", HB_STR("another secret of thirty-two byte"),
                  "{\"alg\":\"HS256\"}", "{\"sub\":\"a\"}")),
        VERIFY_SIGNATURE);
}

TEST(a_token_with_any_one_character_changed_is_refused)
{
    const char *good = forge_simple("{\"sub\":\"alice\",\"exp\":1800000000}");
    for (size_t i = 0; good[i]; i++) {
        char *bad = strdup(good);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        enum verify_result r = judge_token(bad);
        free(bad);
        CHECK(r != VERIFY_OK);
    }
}

TEST(every_beginning_of_a_token_is_refused)
{
    const char *good = forge_simple("{\"sub\":\"alice\"}");
    for (size_t n = 0; good[n]; n++)
        CHECK(judge_token(forge_text("%.*s", (int)n, good)) != VERIFY_OK);
}

TEST(what_is_no_token_is_malformed)
{
    const char *good = forge_simple("{\"sub\":\"a\"}");
    const char *bad[] = {"", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", forge_text("%s.", good),
        forge_text("%s=", good), forge_text(" %s", good), forge_text("%s ", good),
        forge_text(".%s", good), "\xff\xff.\xff.\xff",
        forge_hs("HS256", HB_STR(FORGE_SECRET), "[]", "{}"),
        forge_hs("HS256", HB_STR(FORGE_SECRET), "{\"alg\":\"HS256\"}", "[\"sub\"]"),
        forge_hs("HS256", HB_STR(FORGE_SECRET), "{\"alg\":\"HS256\"}", "{\"sub\":\"a\"} x"),
        forge_hs("HS256", HB_STR(FORGE_SECRET), "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
            "{\"sub\":\"a\"}"),
        forge_hs(
            "HS256", HB_STR(FORGE_SECRET), "{\"alg\":\"HS256\"}", "{\"sub\":\"a\",\"sub\":\"b\"}"),
        forge_hs("HS256", HB_STR(FORGE_SECRET), "{\"alg\":\"HS256\"}", "{\"sub\":\"\xff\"}")};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CHECK_INT(judge_token(bad[i]), VERIFY_MALFORMED);
}

TEST(a_token_over_the_bound_is_malformed)
{
    char *filler = malloc(VERIFY_TOKEN_MAX + 1);
    memset(filler, 'x', VERIFY_TOKEN_MAX);
    filler[VERIFY_TOKEN_MAX] = 0;
    const char *token = forge_simple(forge_text("{\"sub\":\"a\",\"x\":\"%s\"}", filler));
    free(filler);
    CHECK_INT(judge_token(token), VERIFY_MALFORMED);
}

TEST(an_ec_signature_in_der_or_of_zeroes_is_refused)
{
    unsigned char zeroes[64] = {0};
    const char *good =
        forge_signed("ES256", forge_ec("P-256"), "{\"alg\":\"ES256\"}", "{\"sub\":\"a\"}");
    const char *text = forge_text("%.*s", (int)(strrchr(good, '.') - good), good);
    CHECK_INT(
        judge_by_pkey(forge_text("%s.%s", text, forge_base64url(zeroes, 64)), forge_ec("P-256")),
        VERIFY_SIGNATURE);
    CHECK_INT(
        judge_by_pkey(forge_text("%s.%s", text, forge_base64url("0E\2 !", 5)), forge_ec("P-256")),
        VERIFY_SIGNATURE);
    CHECK_INT(judge_by_pkey(forge_text("%s.", text), forge_ec("P-256")), VERIFY_SIGNATURE);
}

/* ---- Time. */

TEST(a_token_is_good_until_the_second_of_its_exp)
{
    CHECK_INT(judge("{\"sub\":\"a\",\"exp\":1700000001}"), VERIFY_OK);
    CHECK_INT(found->expires_ms, 1700000001000);
    CHECK_INT(judge("{\"sub\":\"a\",\"exp\":1700000000}"), VERIFY_EXPIRED);
    CHECK_INT(judge("{\"sub\":\"a\",\"exp\":1700000000.5}"), VERIFY_OK);
    CHECK_INT(judge("{\"sub\":\"a\",\"exp\":0}"), VERIFY_EXPIRED);
}

TEST(a_token_is_no_good_before_its_nbf)
{
    CHECK_INT(judge("{\"sub\":\"a\",\"nbf\":1700000000}"), VERIFY_OK);
    CHECK_INT(judge("{\"sub\":\"a\",\"nbf\":1700000001}"), VERIFY_NOT_YET_VALID);
}

TEST(leeway_widens_exp_and_nbf)
{
    const struct verify_policy policy = {.user_claim = "sub", .leeway_ms = 10000};
    CHECK_INT(judge_with("{\"sub\":\"a\",\"exp\":1699999991}", &policy), VERIFY_OK);
    CHECK_INT(found->expires_ms, 1700000001000);
    CHECK_INT(judge_with("{\"sub\":\"a\",\"exp\":1699999990}", &policy), VERIFY_EXPIRED);
    CHECK_INT(judge_with("{\"sub\":\"a\",\"nbf\":1700000010}", &policy), VERIFY_OK);
    CHECK_INT(judge_with("{\"sub\":\"a\",\"nbf\":1700000011}", &policy), VERIFY_NOT_YET_VALID);
}

TEST(exp_is_needed_only_when_it_is_required)
{
    const struct verify_policy policy = {.user_claim = "sub", .require_exp = true};
    CHECK_INT(judge("{\"sub\":\"a\"}"), VERIFY_OK);
    CHECK(found->expires_ms == INT64_MAX);
    CHECK_INT(judge_with("{\"sub\":\"a\"}", &policy), VERIFY_CLAIM);
    CHECK_INT(judge_with("{\"sub\":\"a\",\"exp\":1700000001}", &policy), VERIFY_OK);
}

TEST(times_that_are_no_times_are_refused)
{
    static const char *const values[] = {
        "\"1800000000\"", "null", "-1", "1e300", "1800000000000", "true", "{}"};
    static const char *const names[] = {"exp", "nbf", "iat"};
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        for (size_t j = 0; j < 3; j++)
            CHECK_INT(
                judge(forge_text("{\"sub\":\"a\",\"%s\":%s}", names[j], values[i])), VERIFY_CLAIM);
}

TEST(remembered_claims_are_asked_for_the_time_again)
{
    CHECK_INT(judge("{\"sub\":\"a\",\"exp\":1700000001,\"nbf\":1699999999}"), VERIFY_OK);
    CHECK_INT(verify_times(found, NOW_MS), VERIFY_OK);
    CHECK_INT(verify_times(found, NOW_MS + 1000), VERIFY_EXPIRED);
    CHECK_INT(verify_times(found, NOW_MS - 1001), VERIFY_NOT_YET_VALID);
}

/* ---- Other claims. */

TEST(a_signature_counts_before_the_claims)
{
    CHECK_INT(judge_token(forge_hs("HS256", HB_STR("another secret of thirty-two byte"),
                  "{\"alg\":\"HS256\"}", "{\"exp\":1}")),
        VERIFY_SIGNATURE);
}

TEST(the_issuer_must_be_one_of_those_configured)
{
    const hb_str names[] = {HB_STR("https://a"), HB_STR("https://b")};
    const struct verify_policy policy = {.user_claim = "sub", .issuers = {names, 2}};
    CHECK_INT(judge_with("{\"sub\":\"a\",\"iss\":\"https://b\"}", &policy), VERIFY_OK);
    CHECK_INT(judge_with("{\"sub\":\"a\",\"iss\":\"https://b/\"}", &policy), VERIFY_ISSUER);
    CHECK_INT(judge_with("{\"sub\":\"a\",\"iss\":[\"https://b\"]}", &policy), VERIFY_ISSUER);
    CHECK_INT(judge_with("{\"sub\":\"a\"}", &policy), VERIFY_ISSUER);
}

TEST(the_audience_may_be_one_or_a_list)
{
    const hb_str names[] = {HB_STR("chat")};
    const struct verify_policy policy = {.user_claim = "sub", .audiences = {names, 1}};
    CHECK_INT(judge_with("{\"sub\":\"a\",\"aud\":\"chat\"}", &policy), VERIFY_OK);
    CHECK_INT(judge_with("{\"sub\":\"a\",\"aud\":[\"mail\",\"chat\"]}", &policy), VERIFY_OK);
    CHECK_INT(judge_with("{\"sub\":\"a\",\"aud\":[\"mail\"]}", &policy), VERIFY_AUDIENCE);
    CHECK_INT(judge_with("{\"sub\":\"a\",\"aud\":{\"chat\":1}}", &policy), VERIFY_AUDIENCE);
    CHECK_INT(judge_with("{\"sub\":\"a\"}", &policy), VERIFY_AUDIENCE);
}

TEST(the_user_is_required_and_bounded)
{
    char longest[130];
    memset(longest, 'u', sizeof(longest));
    CHECK_INT(judge("{}"), VERIFY_CLAIM);
    CHECK_INT(judge("{\"sub\":\"\"}"), VERIFY_CLAIM);
    CHECK_INT(judge("{\"sub\":7}"), VERIFY_CLAIM);
    CHECK_INT(judge("{\"sub\":null}"), VERIFY_CLAIM);
    CHECK_INT(judge("{\"sub\":\"@alice\"}"), VERIFY_CLAIM);
    CHECK_INT(judge("{\"sub\":\"a\\nb\"}"), VERIFY_CLAIM);
    CHECK_INT(judge("{\"sub\":\"a\\u007fb\"}"), VERIFY_CLAIM);
    CHECK_INT(judge("{\"sub\":\"a\\u0085b\"}"), VERIFY_CLAIM);
    CHECK_INT(judge("{\"sub\":\"\\u0000\"}"), VERIFY_MALFORMED);
    CHECK_INT(judge(forge_text("{\"sub\":\"%.129s\"}", longest)), VERIFY_CLAIM);
    CHECK_INT(judge(forge_text("{\"sub\":\"%.128s\"}", longest)), VERIFY_OK);
    CHECK_INT(judge("{\"sub\":\"Zo\xc3\xab \xf0\x9f\x8e\x89\"}"), VERIFY_OK);
    CHECK_STR(found->user, "Zo\xc3\xab \xf0\x9f\x8e\x89");
    CHECK_INT(judge("{\"sub\":\"a\\u00a0b\"}"), VERIFY_OK);
}

TEST(another_claim_may_name_the_user)
{
    const struct verify_policy policy = {.user_claim = "email"};
    CHECK_INT(judge_with("{\"sub\":\"7\",\"email\":\"a@example.com\"}", &policy), VERIFY_OK);
    CHECK_STR(found->user, "a@example.com");
    CHECK_INT(judge_with("{\"sub\":\"7\"}", &policy), VERIFY_CLAIM);
}

TEST(rights_are_handed_on_as_json)
{
    CHECK_INT(
        judge("{\"sub\":\"a\",\"hubbub\":{\"join\": [\"news:*\"], \"publish\":[]}}"), VERIFY_OK);
    CHECK_STR(found->rights, "{\"join\":[\"news:*\"],\"publish\":[]}");
    CHECK_INT(judge("{\"sub\":\"a\"}"), VERIFY_OK);
    CHECK(!found->rights.p);
}

TEST(rights_of_another_shape_refuse_the_token)
{
    static const char *const shapes[] = {"null", "[]", "\"*\"", "{\"join\":\"*\"}",
        "{\"join\":[1]}", "{\"join\":null}", "{\"join\":[[\"*\"]]}", "true"};
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
        CHECK_INT(judge(forge_text("{\"sub\":\"a\",\"hubbub\":%s}", shapes[i])), VERIFY_CLAIM);
}

TEST(jti_and_iat_are_handed_on)
{
    CHECK_INT(judge("{\"sub\":\"a\",\"jti\":\"t-1\",\"iat\":1699999999.9}"), VERIFY_OK);
    CHECK_STR(found->token_id, "t-1");
    CHECK_INT(found->issued_at, 1699999999);
    CHECK_INT(judge("{\"sub\":\"a\",\"jti\":1}"), VERIFY_CLAIM);
}
