#include "base/json.h"
#include "base/rand.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

#define S(literal) HB_STR(literal)

/* Check text of exactly its size, so that a sanitizer sees any read past the end. */
static enum json_status check_exact(hb_str s, unsigned depth, size_t *at)
{
    char *copy = malloc(s.n ? s.n : 1);
    memcpy(copy, s.p, s.n);
    enum json_status status = json_check((hb_str){copy, s.n}, depth, at);
    free(copy);
    return status;
}

static void check_each(const char *const *texts, size_t n, enum json_status want)
{
    for (size_t i = 0; i < n; i++) {
        enum json_status got = check_exact((hb_str){texts[i], strlen(texts[i])}, 64, NULL);
        if (got != want)
            unit_fail(__FILE__, __LINE__, "%s gives %d, expected %d", texts[i], got, want);
    }
}
#define CHECK_EACH(want, ...)                                                        \
    do {                                                                             \
        static const char *const TEXTS[] = {__VA_ARGS__};                            \
        check_each(TEXTS, sizeof TEXTS / sizeof *TEXTS, want);                       \
    } while (0)

TEST(every_kind_of_value_is_json_with_white_space_around_it)
{
    CHECK_EACH(JSON_OK, "null", "true", "false", "0", "-0", "12", "-1.5e+10", "1E5", "0.0e-0", "\"\"",
        "\"a b\"", "[]", "{}", " \t\r\n[ ] ", "[1,[2,{}],{\"a\":{\"b\":[null]}}]", "{\"a\":1,\"a\":2}",
        "{ \"a\" : 1 , \"b\" : [ 1 , 2 ] }", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", "\"\x7f\"");
}

TEST(what_rfc_8259_does_not_allow_is_refused)
{
    CHECK_EACH(JSON_SYNTAX, "", " ", "nul", "nulll", "True", "+1", "01", "-", "1.", ".5", "1e", "1e+",
        "0x1", "NaN", "Infinity", "-a", "'a'", "\"", "\"a", "\"\n\"", "\"\t\"", "\"\\\"", "\"\\", "\"\\x\"",
        "\"\\u12\"", "\"\\u12g4\"", "\"\\U0041\"", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}",
        "[1,,2]", "{", "}", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{\"a\" 1}", "{\"a\":}",
        "{a:1}", "{1:2}", "{,}", "{\"a\":1]", "{\"a\",\"b\"}", "[\"a\":1]", "1 2", "{}{}", "[]]", "null,",
        "/**/1", "\xef\xbb\xbf" "1", "\xc2\xa0" "1", "tru\xff");
}

TEST(a_nul_byte_is_refused_everywhere)
{
    CHECK_INT(check_exact((hb_str){"1\0", 2}, 1, NULL), JSON_SYNTAX);
    CHECK_INT(check_exact((hb_str){"\"\0\"", 3}, 1, NULL), JSON_SYNTAX);
    CHECK_INT(check_exact((hb_str){"\0", 1}, 1, NULL), JSON_SYNTAX);
}

TEST(absent_text_is_no_json)
{
    size_t at = 9;
    CHECK_INT(json_check((hb_str){NULL, 0}, 64, &at), JSON_SYNTAX);
    CHECK_INT(at, 0);
}

TEST(strings_must_be_utf8)
{
    CHECK_EACH(JSON_OK, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "{\"\xc3\xa9\":1}");
    CHECK_EACH(JSON_UTF8, "\"\xff\"", "\"abcdefghijk\x80\"", "\"\xc3\"", "\"\xed\xa0\x80\"", "\"\xe2\x82",
        "[\"\xc0\x80\"]", "{\"\xf5\":1}");
}

TEST(escaped_surrogates_must_come_in_pairs)
{
    CHECK_EACH(JSON_OK, "\"\\ud83d\\ude00\"", "\"\\uD83D\\uDE00\"", "\"\\ud7ff\\ue000\"");
    CHECK_EACH(JSON_SURROGATE, "\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83dx\"", "\"\\ud83d\\u0041\"",
        "\"\\ud83d\\ud83d\"", "\"\\ud83d\\n\"", "{\"\\udfff\":1}", "\"\\ud83d\\ude0\"");
}

TEST(depth_is_bounded_for_arrays_and_objects)
{
    CHECK_INT(check_exact(S("1"), 0, NULL), JSON_OK);
    CHECK_INT(check_exact(S("[]"), 0, NULL), JSON_TOO_DEEP);
    CHECK_INT(check_exact(S("[[]]"), 2, NULL), JSON_OK);
    CHECK_INT(check_exact(S("[[[]]]"), 2, NULL), JSON_TOO_DEEP);
    CHECK_INT(check_exact(S("{\"a\":{\"a\":[]}}"), 2, NULL), JSON_TOO_DEEP);
    CHECK_INT(check_exact(S("[[],[],[[]],[]]"), 3, NULL), JSON_OK);
}

TEST(nesting_is_checked_to_the_deepest_level_allowed)
{
    enum { DEEP = JSON_DEPTH_MAX };
    char text[2 * DEEP + 2];
    memset(text, '[', DEEP + 1);
    memset(text + DEEP + 1, ']', DEEP + 1);
    CHECK_INT(json_check((hb_str){text + 1, 2 * DEEP}, DEEP, NULL), JSON_OK);
    CHECK_INT(json_check((hb_str){text, 2 * DEEP + 2}, 1000000, NULL), JSON_TOO_DEEP);
    text[DEEP + 1 + DEEP / 2] = '}';
    CHECK_INT(json_check((hb_str){text + 1, 2 * DEEP}, DEEP, NULL), JSON_SYNTAX);
}

static size_t fault_at(hb_str s)
{
    size_t at = SIZE_MAX;
    CHECK(check_exact(s, 2, &at) != JSON_OK);
    return at;
}

TEST(the_fault_is_told_by_its_offset)
{
    CHECK_INT(fault_at(S("")), 0);
    CHECK_INT(fault_at(S("[1,x]")), 3);
    CHECK_INT(fault_at(S("[1")), 2);
    CHECK_INT(fault_at(S("[[[")), 2);
    CHECK_INT(fault_at(S("1 1")), 2);
    CHECK_INT(fault_at(S("\"abc\xff\"")), 4);
    CHECK_INT(fault_at(S("\"ab\\ud800\"")), 3);
    CHECK_INT(fault_at(S("\"ab\\q\"")), 3);
}

TEST(plain_runs_of_every_length_end_where_they_should)
{
    static const char STOPS[] = {'"', '\\', 0x1f, 0, (char)0xff, (char)0x80, '\n'};
    char text[80];
    for (size_t n = 0; n < 40; n++) {
        for (size_t i = 0; i < sizeof STOPS; i++) {
            memset(text, i % 2 ? 'a' : 0x7f, sizeof text);
            text[0] = '"';
            text[n + 1] = STOPS[i];
            size_t at = SIZE_MAX;
            enum json_status status = check_exact((hb_str){text, 60}, 1, &at);
            CHECK(status != JSON_OK);
            CHECK_INT(at, STOPS[i] == '"' ? n + 2 : n + 1);
        }
    }
}

TEST(types_are_told_by_the_first_byte)
{
    CHECK_INT(json_type(S("null")), JSON_NULL);
    CHECK_INT(json_type(S(" true")), JSON_BOOL);
    CHECK_INT(json_type(S("false")), JSON_BOOL);
    CHECK_INT(json_type(S("-1")), JSON_NUMBER);
    CHECK_INT(json_type(S("\"\"")), JSON_STRING);
    CHECK_INT(json_type(S("\n[]")), JSON_ARRAY);
    CHECK_INT(json_type(S("{}")), JSON_OBJECT);
}

TEST(walking_an_object_hands_out_raw_keys_and_values_in_order)
{
    struct json_iter it = json_iter(S(" { \"a\" : 1.10 ,\"b\\\"]\":[1,\"]}\",{}], \"\":\"x\\\\\"} "));
    hb_str key, value;
    CHECK(json_next_field(&it, &key, &value));
    CHECK_STR(key, "a");
    CHECK_STR(value, "1.10");
    CHECK(json_next_field(&it, &key, &value));
    CHECK_STR(key, "b\\\"]");
    CHECK_STR(value, "[1,\"]}\",{}]");
    CHECK(json_next_field(&it, &key, &value));
    CHECK_STR(key, "");
    CHECK_STR(value, "\"x\\\\\"");
    CHECK(!json_next_field(&it, &key, &value));
    CHECK(!json_next_field(&it, &key, &value));
}

TEST(walking_an_array_hands_out_each_item)
{
    struct json_iter it = json_iter(S("[[1],{\"a\":2} , \"\\\"\",null]"));
    hb_str value;
    static const char *const WANT[] = {"[1]", "{\"a\":2}", "\"\\\"\"", "null"};
    for (size_t i = 0; i < 4; i++) {
        CHECK(json_next_item(&it, &value));
        CHECK_STR(value, WANT[i]);
    }
    CHECK(!json_next_item(&it, &value));
}

TEST(walking_what_is_empty_or_of_another_type_ends_at_once)
{
    hb_str key, value;
    static const char *const OTHERS[] = {"{}", "[]", "[ ]", "1", "\",\"", "null"};
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        hb_str text = {OTHERS[i], strlen(OTHERS[i])};
        struct json_iter it = json_iter(text);
        CHECK(!json_next_field(&it, &key, &value));
        it = json_iter(text);
        CHECK(!json_next_item(&it, &value));
    }
    struct json_iter it = json_iter(S("[\"a\"]"));
    CHECK(!json_next_field(&it, &key, &value));
    it = json_iter(S("{\"a\":1}"));
    CHECK(!json_next_item(&it, &value));
    it = json_iter((hb_str){NULL, 0});
    CHECK(!json_next_item(&it, &value));
}

TEST(keys_compare_by_what_they_mean_not_how_they_are_written)
{
    CHECK(json_key_eq(S("room"), S("room")));
    CHECK(json_key_eq(S("r\\u006fom"), S("room")));
    CHECK(json_key_eq(S("\\ud83d\\ude00"), S("\xf0\x9f\x98\x80")));
    CHECK(json_key_eq(S("a\\\\b"), S("a\\b")));
    CHECK(json_key_eq(S(""), S("")));
    CHECK(!json_key_eq(S("room"), S("rooms")));
    CHECK(!json_key_eq(S("rooms"), S("room")));
    CHECK(!json_key_eq(S("a\\\\b"), S("a\\\\b")));
    CHECK(json_key_eq(S("a\\u0000"), (hb_str){"a\0", 2}));
}

TEST(a_field_is_found_by_name_and_the_first_of_equals_counts)
{
    hb_str object = S("{\"b\":{\"a\":0},\"\\u0061\":1,\"a\":2}");
    CHECK_STR(json_get(object, S("a")), "1");
    CHECK(json_get(object, S("c")).p == NULL);
    CHECK(json_get(S("[1]"), S("a")).p == NULL);
}

TEST(strings_decode_to_utf8)
{
    struct buf b = BUF_INIT;
    CHECK(json_string(S(" \"a\\n\\u00e9\\u20ac\\ud83d\\ude00\\/\\\"\xc3\xa9z\" "), &b));
    CHECK_STR(buf_view(&b), "a\n\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/\"\xc3\xa9z");
    buf_clear(&b);
    CHECK(json_string(S("\"\\u0000\""), &b));
    CHECK_INT(b.n, 1);
    CHECK_INT(b.p[0], 0);
    buf_clear(&b);
    CHECK(json_string(S("\"\""), &b));
    CHECK_INT(b.n, 0);
    CHECK(!json_string(S("12"), &b));
    CHECK(!json_string(S("null"), &b));
    buf_finish(&b);
}

TEST(a_string_without_escapes_is_lent_as_a_slice)
{
    CHECK_STR(json_string_plain(S("\"abc\"")), "abc");
    CHECK(json_string_plain(S("\"\"")).p != NULL);
    CHECK(json_string_plain(S("\"a\\n\"")).p == NULL);
    CHECK(json_string_plain(S("1")).p == NULL);
    CHECK(json_string_plain((hb_str){NULL, 0}).p == NULL);
}

TEST(integers_stay_within_64_bits_and_have_no_fraction_or_exponent)
{
    int64_t v = 7;
    CHECK(json_int(S("9223372036854775807"), &v) && v == INT64_MAX);
    CHECK(json_int(S("-9223372036854775808"), &v) && v == INT64_MIN);
    CHECK(json_int(S("-0"), &v) && v == 0);
    v = 7;
    CHECK(!json_int(S("9223372036854775808"), &v));
    CHECK(!json_int(S("-9223372036854775809"), &v));
    CHECK(!json_int(S("1.0"), &v));
    CHECK(!json_int(S("1e2"), &v));
    CHECK(!json_int(S("\"1\""), &v));
    CHECK(!json_int((hb_str){NULL, 0}, &v));
    CHECK(!json_int(S("-"), &v));
    CHECK_INT(v, 7);
}

TEST(booleans_are_the_two_words)
{
    bool v = false;
    CHECK(json_bool(S("true"), &v) && v);
    CHECK(json_bool(S("false"), &v) && !v);
    CHECK(!json_bool(S("null"), &v));
    CHECK(!json_bool(S("1"), &v));
}

/* A random value; what it holds is counted so that a walk can be compared. */
static void generate(struct buf *b, unsigned depth, size_t *scalars)
{
    static const char *const SCALARS[] = {"null", "true", "-1.5e3", "\"\"", "\"a\\\"[{,\"",
        "\"\xf0\x9f\x98\x80 long enough for words\"", "0", "\"\\\\\""};
    uint64_t kind = rand_below(depth ? 4 : 2);
    if (kind < 2) {
        buf_lit(b, SCALARS[rand_below(8)]);
        ++*scalars;
        return;
    }
    buf_char(b, kind == 2 ? '[' : '{');
    for (uint64_t i = 0, n = rand_below(4); i < n; i++) {
        buf_lit(b, i ? " , " : "");
        buf_lit(b, kind == 3 ? "\"k\\\\\" : " : "");
        generate(b, depth - 1, scalars);
    }
    buf_char(b, kind == 2 ? ']' : '}');
}

static size_t count_scalars(hb_str value)
{
    struct json_iter it = json_iter(value);
    enum json_type type = json_type(value);
    size_t n = 0;
    hb_str key, item;
    if (type != JSON_ARRAY && type != JSON_OBJECT)
        return 1;
    while (type == JSON_ARRAY ? json_next_item(&it, &item) : json_next_field(&it, &key, &item)) {
        CHECK_INT(json_check(item, 64, NULL), JSON_OK);
        n += count_scalars(item);
    }
    return n;
}

TEST(random_documents_are_accepted_and_walked_whole)
{
    struct buf b = BUF_INIT;
    for (int round = 0; round < 3000; round++) {
        size_t scalars = 0;
        buf_clear(&b);
        generate(&b, 6, &scalars);
        CHECK_INT(json_check(buf_view(&b), 6, NULL), JSON_OK);
        CHECK_INT(count_scalars(buf_view(&b)), scalars);
    }
    buf_finish(&b);
}

TEST(a_container_or_string_cut_anywhere_is_refused)
{
    hb_str whole = S("{\"k\\u00e9y\":[1,-2.5e3,\"\\ud83d\\ude00 \xe2\x82\xac\",{\"a\":[true,null]}]}");
    CHECK_INT(check_exact(whole, 64, NULL), JSON_OK);
    for (size_t n = 0; n < whole.n; n++)
        CHECK(check_exact((hb_str){whole.p, n}, 64, NULL) != JSON_OK);
}
