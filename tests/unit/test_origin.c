#include "server/origin.h"
#include "unit.h"

#define S(literal) HB_STR(literal)
static const hb_str ABSENT = {NULL, 0};

static const hb_str allowed[] = {{"https://app.example.com", 23}, {"http://localhost:5173", 21}};

static struct config with(bool any)
{
    struct config c = {0};
    c.cors.origins = (hb_strings){allowed, 2};
    c.cors.any = any;
    return c;
}

TEST(a_request_without_origin_is_no_browsers)
{
    struct config c = with(false);
    CHECK_INT(origin_check(&c, ABSENT, S("a")), ORIGIN_NONE);
}

TEST(an_origin_with_the_same_host_and_port_is_our_own)
{
    struct config c = with(false);
    CHECK_INT(origin_check(&c, S("http://h:3000"), S("h:3000")), ORIGIN_OWN);
    CHECK_INT(origin_check(&c, S("http://H:3000"), S("h:3000")), ORIGIN_OWN);
    CHECK_INT(origin_check(&c, S("http://[::1]:3000"), S("[::1]:3000")), ORIGIN_OWN);
    CHECK_INT(origin_check(&c, S("http://h:3001"), S("h:3000")), ORIGIN_REFUSED);
    CHECK_INT(origin_check(&c, S("http://h"), S("h:3000")), ORIGIN_REFUSED);
    CHECK_INT(origin_check(&c, S("http://x.h:3000"), S("h:3000")), ORIGIN_REFUSED);
}

TEST(a_port_that_is_not_named_is_the_schemes)
{
    struct config c = with(false);
    CHECK_INT(origin_check(&c, S("http://h"), S("h:80")), ORIGIN_OWN);
    CHECK_INT(origin_check(&c, S("https://h"), S("h:443")), ORIGIN_OWN);
    CHECK_INT(origin_check(&c, S("https://h"), S("h")), ORIGIN_OWN);
    CHECK_INT(origin_check(&c, S("https://h:8443"), S("h")), ORIGIN_REFUSED);
    CHECK_INT(origin_check(&c, S("https://[::1]"), S("[::1]")), ORIGIN_OWN);
}

TEST(configured_origins_are_compared_whole)
{
    struct config c = with(false);
    CHECK_INT(origin_check(&c, S("https://app.example.com"), S("h")), ORIGIN_ALLOWED);
    CHECK_INT(origin_check(&c, S("https://APP.example.com"), S("h")), ORIGIN_ALLOWED);
    CHECK_INT(origin_check(&c, S("http://app.example.com"), S("h")), ORIGIN_REFUSED);
    CHECK_INT(origin_check(&c, S("https://app.example.com.evil.com"), S("h")), ORIGIN_REFUSED);
    CHECK_INT(origin_check(&c, S(""), S("h")), ORIGIN_REFUSED);
}

TEST(null_is_refused_even_where_any_origin_is_allowed)
{
    struct config c = with(true);
    CHECK_INT(origin_check(&c, S("https://whoever"), S("h")), ORIGIN_ALLOWED);
    CHECK_INT(origin_check(&c, S("null"), S("h")), ORIGIN_REFUSED);
    CHECK_INT(origin_check(&c, S("null"), S("null")), ORIGIN_REFUSED);
}

TEST(other_schemes_are_never_our_own)
{
    struct config c = with(false);
    CHECK_INT(origin_check(&c, S("file://h:3000"), S("h:3000")), ORIGIN_REFUSED);
    CHECK_INT(origin_check(&c, S("http://"), S("")), ORIGIN_REFUSED);
    CHECK_INT(origin_check(&c, S("http://h"), ABSENT), ORIGIN_REFUSED);
}

TEST(a_bearer_token_is_found_whatever_the_case_of_the_scheme)
{
    CHECK_STR(origin_bearer(S("Bearer abc")), "abc");
    CHECK_STR(origin_bearer(S("bearer  abc ")), "abc");
    CHECK(origin_bearer(S("Basic abc")).p == NULL);
    CHECK(origin_bearer(S("Bearerabc")).p == NULL);
    CHECK(origin_bearer(ABSENT).p == NULL);
}

TEST(an_empty_bearer_is_a_credential_and_a_wrong_one)
{
    CHECK(origin_bearer(S("Bearer")).p != NULL);
    CHECK_INT(origin_bearer(S("Bearer ")).n, 0);
}

TEST(a_cookie_is_found_by_its_whole_name)
{
    CHECK_STR(origin_cookie(S("a=1; tok=xyz; b=2"), S("tok")), "xyz");
    CHECK_STR(origin_cookie(S("xtok=1;tok=\"q\""), S("tok")), "q");
    CHECK_STR(origin_cookie(S("tok=a=b"), S("tok")), "a=b");
    CHECK(origin_cookie(S("tok"), S("tok")).p == NULL);
    CHECK(origin_cookie(S(";;"), S("tok")).p == NULL);
    CHECK(origin_cookie(ABSENT, S("tok")).p == NULL);
    CHECK(origin_cookie(S("tok="), S("tok")).p != NULL);
}
