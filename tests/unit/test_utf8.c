#include "base/utf8.h"
#include "unit.h"
#include <string.h>

#define S(literal) HB_STR(literal)

static size_t encode(uint32_t c, char *out)
{
    if (c < 0x80)
        return (size_t)(out[0] = (char)c, 1);
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 63));
    out[0] = (char)((0xf00 >> n & 0xff) | c);
    return n;
}

TEST(every_scalar_value_is_valid_and_no_surrogate_is)
{
    for (uint32_t c = 0; c < 0x110000; c++) {
        char text[4];
        hb_str s = {text, encode(c, text)};
        bool surrogate = c >= 0xd800 && c < 0xe000;
        CHECK(utf8_valid(s) == !surrogate);
        CHECK_INT(utf8_next(s), surrogate ? -1 : (int)s.n);
    }
}

TEST(exactly_the_well_formed_sequences_of_up_to_three_bytes_are_valid)
{
    /* A count over all byte strings: 1-byte 128, 2-byte 1920, 3-byte 63488 − 2048 surrogates… */
    long one = 0, two = 0, three = 0;
    for (unsigned v = 0; v < 1 << 24; v++) {
        char bytes[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
        if ((unsigned char)bytes[0] < 0x80)
            continue; /* shorter ones, counted below */
        three += utf8_next((hb_str){bytes, 3}) == 3;
        if (bytes[2] == 0)
            two += utf8_next((hb_str){bytes, 2}) == 2;
    }
    for (unsigned v = 0; v < 256; v++) {
        char byte = (char)v;
        one += utf8_next((hb_str){&byte, 1}) == 1;
    }
    CHECK_INT(one, 0x80);
    CHECK_INT(two, 0x800 - 0x80);
    CHECK_INT(three, 0x10000 - 0x800 - 0x800);
}

TEST(overlong_forms_and_what_lies_past_the_last_scalar_are_refused)
{
    CHECK(!utf8_valid(S("\xc0\x80")));
    CHECK(!utf8_valid(S("\xc1\xbf")));
    CHECK(!utf8_valid(S("\xe0\x9f\xbf")));
    CHECK(!utf8_valid(S("\xf0\x8f\xbf\xbf")));
    CHECK(!utf8_valid(S("\xf4\x90\x80\x80")));
    CHECK(!utf8_valid(S("\xf5\x80\x80\x80")));
    CHECK(!utf8_valid(S("\x80")));
    CHECK(!utf8_valid(S("12345678\xff" "12345678")));
    CHECK(!utf8_valid(S("\xe2\x82")));
    CHECK(utf8_valid((hb_str){NULL, 0}));
}

TEST(feeding_in_pieces_gives_the_same_answer_wherever_the_cuts_are)
{
    hb_str s = S("plain ascii text \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 and more of it \xef\xbf\xbd");
    for (size_t i = 0; i <= s.n; i++) {
        for (size_t j = i; j <= s.n; j++) {
            uint32_t state = utf8_feed(UTF8_ACCEPT, (hb_str){s.p, i});
            state = utf8_feed(state, (hb_str){s.p + i, j - i});
            state = utf8_feed(state, (hb_str){s.p + j, s.n - j});
            CHECK_INT(state, UTF8_ACCEPT);
        }
    }
}

TEST(a_rejection_comes_at_the_first_byte_that_cannot_continue_and_is_final)
{
    uint32_t state = utf8_feed(UTF8_ACCEPT, S("\xe0"));
    CHECK(state != UTF8_ACCEPT && state != UTF8_REJECT);
    state = utf8_feed(state, S("\x80"));
    CHECK_INT(state, UTF8_REJECT);
    CHECK_INT(utf8_feed(state, S("ok")), UTF8_REJECT);
}

TEST(an_ill_formed_head_is_measured_by_its_maximal_subpart)
{
    CHECK_INT(utf8_next(S("\xff")), -1);
    CHECK_INT(utf8_next(S("\xf0\x9f\x98")), -3);
    CHECK_INT(utf8_next(S("\xf0\x9f" "aa")), -2);
    CHECK_INT(utf8_next(S("\xe0\x80\x80")), -1);
    CHECK_INT(utf8_next(S("a\xff")), 1);
}

TEST(names_are_bounded_in_bytes)
{
    CHECK(utf8_name(S("a"), 1, 2));
    CHECK(!utf8_name(S(""), 1, 2));
    CHECK(!utf8_name(S("\xe2\x82\xac"), 1, 2));
    CHECK(utf8_name(S("\xe2\x82\xac"), 1, 3));
}

TEST(names_hold_no_control_characters)
{
    CHECK(utf8_name(S("caf\xc3\xa9 \xf0\x9f\x98\x80"), 1, 99));
    CHECK(!utf8_name(S("a\nb"), 1, 99));
    CHECK(!utf8_name((hb_str){"a\0b", 3}, 1, 99));
    CHECK(!utf8_name(S("a\x7f"), 1, 99));
    CHECK(!utf8_name(S("a\xc2\x85"), 1, 99));
    CHECK(!utf8_name(S("a\xc2\x9f"), 1, 99));
    CHECK(utf8_name(S("a\xc2\xa0"), 1, 99));
    CHECK(utf8_name(S("\xc3\x80"), 1, 99));
    CHECK(!utf8_name(S("a\xff"), 1, 99));
}
