#include "base/buf.h"
#include "base/str.h"
#include "unit.h"
#include "websocket/deflate.h"
#include <stdlib.h>
#include <string.h>

static struct deflater *d;

static hb_str inflated;

static enum inflate_result inflate_bytes(hb_str payload, size_t max)
{
    return inflate_message(d, payload, max, &inflated);
}

TEST(a_message_comes_back_as_it_was)
{
    char text[20000];
    hb_str packed;
    d = deflate_create();
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i * i % 13);
    CHECK(deflate_message(d, (hb_str){text, sizeof(text)}, &packed));
    CHECK(packed.n < sizeof(text) / 2);
    CHECK_INT(inflate_bytes(packed, sizeof(text)), INFLATE_OK);
    CHECK_INT(inflated.n, sizeof(text));
    CHECK(memcmp(inflated.p, text, sizeof(text)) == 0);
    deflate_destroy(d);
}

TEST(messages_do_not_depend_on_those_before_them)
{
    hb_str first, second, text = HB_STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    char kept[64];
    d = deflate_create();
    CHECK(deflate_message(d, text, &first));
    size_t n = first.n;
    memcpy(kept, first.p, n);
    CHECK(deflate_message(d, text, &second));
    CHECK(second.n == n && memcmp(second.p, kept, n) == 0);
    CHECK_INT(inflate_bytes(HB_STR("\x07"), 100), INFLATE_BAD);
    CHECK_INT(inflate_bytes((hb_str){kept, n}, 100), INFLATE_OK);
    CHECK_STR(inflated, text.p);
    deflate_destroy(d);
}

TEST(what_would_not_shrink_is_left_alone)
{
    char noise[1000];
    hb_str packed;
    uint32_t x = 1;
    d = deflate_create();
    for (size_t i = 0; i < sizeof(noise); i++) {
        x = x * 1664525 + 1013904223;
        noise[i] = (char)(x >> 24);
    }
    CHECK(!deflate_message(d, (hb_str){noise, sizeof(noise)}, &packed));
    CHECK(!deflate_message(d, HB_STR("ab"), &packed));
    CHECK(!deflate_message(d, HB_STR(""), &packed));
    CHECK(!deflate_message(d, (hb_str){noise, DEFLATE_INPUT_MAX + 1}, &packed));
    deflate_destroy(d);
}

TEST(the_examples_of_rfc_7692_are_understood)
{
    d = deflate_create();
    /* 7.2.3.1: one block; 7.2.3.3: not compressed; 7.2.3.4: a final block; 7.2.3.5: two blocks */
    static const hb_str examples[] = {
        {"\xf2\x48\xcd\xc9\xc9\x07\x00", 7},
        {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11},
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8},
        {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13},
    };
    for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
        CHECK_INT(inflate_bytes(examples[i], 5), INFLATE_OK);
        CHECK_STR(inflated, "Hello");
    }
    CHECK_INT(inflate_bytes(HB_STR("\x00"), 5), INFLATE_OK);
    CHECK_STR(inflated, "");
    deflate_destroy(d);
}

TEST(rubbish_and_cut_messages_are_found)
{
    d = deflate_create();
    CHECK_INT(inflate_bytes(HB_STR("\xff\xff\xff"), 100), INFLATE_BAD);
    CHECK_INT(inflate_bytes(HB_STR("\x00\x05\x00\xfa\xff" "abc"), 100), INFLATE_BAD);
    CHECK_INT(inflate_bytes(HB_STR("\xf2\x48\xcd"), 100), INFLATE_BAD);
    deflate_destroy(d);
}

TEST(a_bomb_is_found_at_the_limit)
{
    size_t n = 1 << 20;
    char *zeros = calloc(1, n), bomb[8192];
    hb_str packed;
    d = deflate_create();
    CHECK(deflate_message(d, (hb_str){zeros, n}, &packed));
    CHECK(packed.n < sizeof(bomb));
    memcpy(bomb, packed.p, packed.n);
    CHECK_INT(inflate_bytes((hb_str){bomb, packed.n}, 10000), INFLATE_TOO_BIG);
    CHECK_INT(inflate_bytes((hb_str){bomb, packed.n}, n - 1), INFLATE_TOO_BIG);
    CHECK_INT(inflate_bytes((hb_str){bomb, packed.n}, n), INFLATE_OK);
    CHECK_INT(inflated.n, n);
    inflate_rest(d);
    deflate_rest(d);
    deflate_destroy(d);
    free(zeros);
}
