#include "server/query.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

#define S(literal) HB_STR(literal)

TEST(values_are_found_by_key_and_number)
{
    struct query *q = query_parse(S("room=a&x=1&room=b&room="));
    CHECK_STR(query_get(q, S("room"), 0), "a");
    CHECK_STR(query_get(q, S("room"), 1), "b");
    CHECK_STR(query_get(q, S("room"), 2), "");
    CHECK(query_get(q, S("room"), 2).p != NULL);
    CHECK(query_get(q, S("room"), 3).p == NULL);
    CHECK(query_get(q, S("roo"), 0).p == NULL);
    free(q);
}

TEST(keys_and_values_are_decoded_once)
{
    struct query *q = query_parse(S("a%20b=c%2Bd+e%2525&k%3d=%26"));
    CHECK_STR(query_get(q, S("a b"), 0), "c+d e%25");
    CHECK_STR(query_get(q, S("k="), 0), "&");
    free(q);
}

TEST(a_percent_sign_without_hex_digits_stands_for_itself)
{
    struct query *q = query_parse(S("a=%zz%4&b=100%"));
    CHECK_STR(query_get(q, S("a"), 0), "%zz%4");
    CHECK_STR(query_get(q, S("b"), 0), "100%");
    free(q);
}

TEST(a_value_may_hold_equals_signs_and_a_key_may_stand_alone)
{
    struct query *q = query_parse(S("&&a=b=c&flag&"));
    CHECK_STR(query_get(q, S("a"), 0), "b=c");
    CHECK(query_get(q, S("flag"), 0).p != NULL);
    CHECK_INT(query_get(q, S("flag"), 0).n, 0);
    free(q);
}

TEST(nothing_gives_nothing)
{
    struct query *q = query_parse((hb_str){0});
    CHECK_INT(q->n, 0);
    CHECK(query_get(q, S(""), 0).p == NULL);
    CHECK(query_get(NULL, S("a"), 0).p == NULL);
    free(q);
}

TEST(parameters_past_the_bound_are_not_seen)
{
    enum { MORE = QUERY_PARAMS_MAX + 500 };
    static char text[MORE * 2];
    for (size_t i = 0; i < MORE; i++)
        memcpy(text + 2 * i, "a&", 2);
    struct query *q = query_parse((hb_str){text, sizeof text});
    CHECK_INT(q->n, QUERY_PARAMS_MAX);
    CHECK(query_get(q, S("a"), QUERY_PARAMS_MAX - 1).p != NULL);
    CHECK(query_get(q, S("a"), QUERY_PARAMS_MAX).p == NULL);
    free(q);
}
