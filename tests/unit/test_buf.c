#include "base/buf.h"
#include "base/json.h"
#include "base/rand.h"
#include "unit.h"
#include <string.h>

#define S(literal) HB_STR(literal)

/* Asked by the sanitizers at start: running out of memory is part of these tests. */
#define EXPORTED __attribute__((visibility("default")))
EXPORTED const char *__asan_default_options(void);
EXPORTED const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

TEST(appended_pieces_follow_each_other)
{
    struct buf b = BUF_INIT;
    buf_lit(&b, "a");
    buf_str(&b, S("bc"));
    buf_char(&b, 'd');
    buf_append(&b, NULL, 0);
    CHECK_STR(buf_view(&b), "abcd");
    buf_finish(&b);
}

TEST(an_empty_buffer_views_as_an_empty_string)
{
    struct buf b = BUF_INIT;
    CHECK(buf_view(&b).p != NULL);
    CHECK_INT(buf_view(&b).n, 0);
}

TEST(integers_are_written_in_decimal_to_their_limits)
{
    struct buf b = BUF_INIT;
    buf_u64(&b, 0);
    buf_char(&b, ' ');
    buf_u64(&b, UINT64_MAX);
    buf_char(&b, ' ');
    buf_i64(&b, INT64_MIN);
    buf_char(&b, ' ');
    buf_i64(&b, INT64_MAX);
    CHECK_STR(buf_view(&b), "0 18446744073709551615 -9223372036854775808 9223372036854775807");
    buf_finish(&b);
}

TEST(printf_appends_texts_of_any_length)
{
    struct buf b = BUF_INIT;
    buf_printf(&b, "%s=%d;", "x", 5);
    buf_printf(&b, "%300d", 7);
    CHECK_INT(b.n, 304);
    CHECK_INT(b.p[303], '7');
    buf_finish(&b);
}

TEST(passing_the_limit_fails_and_keeps_what_was_there)
{
    struct buf b = BUF_INIT;
    b.limit = 5;
    buf_lit(&b, "abc");
    buf_lit(&b, "def");
    CHECK(b.failed);
    buf_lit(&b, "g");
    CHECK_STR(buf_view(&b), "abc");
    buf_clear(&b);
    buf_lit(&b, "12345");
    CHECK(!b.failed);
    CHECK_STR(buf_view(&b), "12345");
    buf_finish(&b);
}

TEST(a_size_that_overflows_fails)
{
    struct buf b = BUF_INIT;
    buf_lit(&b, "abc");
    CHECK(buf_reserve(&b, SIZE_MAX) == NULL);
    CHECK(b.failed);
    CHECK_STR(buf_view(&b), "abc");
    buf_finish(&b);
}

TEST(running_out_of_memory_fails_and_keeps_what_was_there)
{
    struct buf b = BUF_INIT;
    buf_lit(&b, "abc");
    CHECK(buf_reserve(&b, (size_t)1 << 62) == NULL);
    CHECK(b.failed);
    buf_lit(&b, "d");
    CHECK_STR(buf_view(&b), "abc");
    buf_finish(&b);
}

TEST(reserved_room_is_written_in_place)
{
    struct buf b = BUF_INIT;
    memcpy(buf_reserve(&b, 1000), "xy", 2);
    b.n += 2;
    CHECK(b.cap >= 1000);
    CHECK_STR(buf_view(&b), "xy");
    buf_finish(&b);
}

TEST(consuming_drops_from_the_front)
{
    struct buf b = BUF_INIT;
    buf_lit(&b, "abcdef");
    buf_consume(&b, 2);
    CHECK_STR(buf_view(&b), "cdef");
    buf_consume(&b, 9);
    CHECK_INT(b.n, 0);
    buf_finish(&b);
}

static void check_quoted(hb_str in, const char *want)
{
    struct buf b = BUF_INIT;
    buf_json_str(&b, in);
    CHECK_STR(buf_view(&b), want);
    CHECK_INT(json_check(buf_view(&b), 0, NULL), JSON_OK);
    buf_finish(&b);
}

TEST(json_strings_escape_what_json_and_javascript_need)
{
    check_quoted(S(""), "\"\"");
    check_quoted(S("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
    check_quoted(S("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    check_quoted((hb_str){"\0\x1f\x7f", 3}, "\"\\u0000\\u001f\\u007f\"");
    check_quoted(S("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"),
        "\"\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa\"");
    check_quoted(S("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\"");
}

TEST(json_strings_replace_each_part_that_is_not_utf8)
{
    check_quoted(S("a\xff" "b"), "\"a\xef\xbf\xbd" "b\"");
    check_quoted(S("\xf0\x9f\x98"), "\"\xef\xbf\xbd\"");
    check_quoted(S("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    check_quoted(S("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    check_quoted(S("\xe2\x82" "a"), "\"\xef\xbf\xbd" "a\"");
}

TEST(any_bytes_become_a_valid_json_string)
{
    struct buf b = BUF_INIT;
    for (int round = 0; round < 2000; round++) {
        char bytes[40];
        rand_bytes(bytes, sizeof bytes);
        buf_clear(&b);
        buf_json_str(&b, (hb_str){bytes, rand_below(sizeof bytes + 1)});
        CHECK_INT(json_check(buf_view(&b), 0, NULL), JSON_OK);
    }
    buf_finish(&b);
}

static void check_base64(hb_str bytes, const char *standard, const char *url)
{
    struct buf b = BUF_INIT, back = BUF_INIT;
    buf_base64(&b, bytes);
    CHECK_STR(buf_view(&b), standard);
    CHECK(base64_decode(buf_view(&b), &back));
    buf_clear(&b);
    buf_base64url(&b, bytes);
    CHECK_STR(buf_view(&b), url);
    CHECK(base64url_decode(buf_view(&b), &back));
    CHECK_INT(back.n, 2 * bytes.n);
    CHECK(!memcmp(buf_view(&back).p, bytes.p, bytes.n));
    CHECK(!memcmp(buf_view(&back).p + bytes.n, bytes.p, bytes.n));
    buf_finish(&b);
    buf_finish(&back);
}

TEST(base64_gives_the_examples_of_rfc_4648)
{
    check_base64(S(""), "", "");
    check_base64(S("f"), "Zg==", "Zg");
    check_base64(S("fo"), "Zm8=", "Zm8");
    check_base64(S("foo"), "Zm9v", "Zm9v");
    check_base64(S("foob"), "Zm9vYg==", "Zm9vYg");
    check_base64(S("fooba"), "Zm9vYmE=", "Zm9vYmE");
    check_base64(S("foobar"), "Zm9vYmFy", "Zm9vYmFy");
    check_base64(S("\xfb\xff\xfe"), "+//+", "-__-");
}

TEST(base64_refuses_what_is_not_its_text_and_appends_nothing)
{
    static const char *const BAD[] = {"Zg", "Zg=", "Zg===", "Z===", "====", "Zm9v=", "Zg==Zg==", "Zm-v",
        "Zm9v\n", " Zm9", "Zh==", "Zm9=", "=Zm9", "Zm=9"};
    struct buf b = BUF_INIT;
    buf_lit(&b, "kept");
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        CHECK(!base64_decode((hb_str){BAD[i], strlen(BAD[i])}, &b));
    CHECK(!base64url_decode(S("Zg=="), &b));
    CHECK(!base64url_decode(S("Zm+v"), &b));
    CHECK(!base64url_decode(S("Zm9vY"), &b));
    CHECK(!base64url_decode(S("Zh"), &b));
    CHECK_STR(buf_view(&b), "kept");
    buf_finish(&b);
}

TEST(base64_into_a_full_buffer_fails)
{
    struct buf b = BUF_INIT;
    b.limit = 3;
    buf_base64(&b, S("abc"));
    CHECK(b.failed);
    CHECK(!base64_decode(S("YWJj"), &b));
    CHECK_INT(b.n, 0);
    buf_finish(&b);
}
