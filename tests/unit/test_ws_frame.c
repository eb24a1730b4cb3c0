#include "base/str.h"
#include "unit.h"
#include "common/frame.h"
#include "common/utf8.h"
#include "ws_client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT (FRAME_FIN | FRAME_OP_TEXT)
#define BINARY (FRAME_FIN | FRAME_OP_BINARY)
#define PING (FRAME_FIN | FRAME_OP_PING)
#define CLOSE (FRAME_FIN | FRAME_OP_CLOSE)
#define LAST (FRAME_FIN | FRAME_OP_CONTINUATION)

static char scratch[4096];
static const struct frame_rules rules = {
    .max_bytes = 100000, .scratch = scratch, .scratch_size = sizeof(scratch)};

/* What a client sends; begins empty in each test. */
static struct buf sent;

static void begin(void)
{
    buf_finish(&sent);
}

static void note(struct buf *log, const struct frame_item *item)
{
    static const char *const names[] = {[FRAME_TEXT] = "text", [FRAME_BINARY] = "binary",
        [FRAME_PING] = "ping", [FRAME_PONG] = "pong", [FRAME_CLOSE] = "close",
        [FRAME_FAULT] = "fault"};
    buf_printf(log, "%s%s", names[item->kind], item->compressed ? "+" : "");
    if (item->code)
        buf_printf(log, " %u", item->code);
    if (item->payload.n > 40)
        buf_printf(log, " (%zu)", item->payload.n);
    else if (item->payload.n > 0)
        buf_printf(log, " %.*s", (int)item->payload.n, item->payload.p);
    buf_lit(log, "; ");
}

/* Reads all that was sent, `chop` bytes at a time, each piece in memory of its own size; the items
 * in words. */
static struct buf read_chopped(const struct frame_rules *r, size_t chop)
{
    struct frame_parser p = {0};
    struct frame_item item = {.kind = FRAME_MORE};
    struct buf log = BUF_INIT, waiting = BUF_INIT;
    for (size_t at = 0; at < sent.n && item.kind != FRAME_FAULT; at += chop) {
        buf_append(&waiting, sent.p + at, chop < sent.n - at ? chop : sent.n - at);
        do {
            char *piece = malloc(waiting.n ? waiting.n : 1);
            memcpy(piece, waiting.p, waiting.n);
            size_t used = frame_next(&p, r, piece, waiting.n, &item);
            if (item.kind != FRAME_MORE)
                note(&log, &item);
            buf_consume(&waiting, used);
            free(piece);
        } while (item.kind != FRAME_MORE && item.kind != FRAME_FAULT);
    }
    frame_finish(&p);
    buf_finish(&waiting);
    return log;
}

static void expect_by(const struct frame_rules *r, const char *want)
{
    static const size_t chops[] = {1, 2, 3, 7, 64, 1000, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof(chops) / sizeof(*chops); i++) {
        struct buf log = read_chopped(r, chops[i]);
        CHECK_STR(buf_view(&log), want);
        buf_finish(&log);
    }
}

static void expect(const char *want)
{
    expect_by(&rules, want);
}

static void frame(unsigned first, const char *payload)
{
    ws_frame(&sent, first, str_of(payload));
}

TEST(messages_of_every_length_encoding_arrive)
{
    static const size_t sizes[] = {41, 125, 126, 127, 4096, 4097, 65535, 65536};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        begin();
        char *payload = malloc(sizes[i]), want[64];
        memset(payload, 'x', sizes[i]);
        ws_frame(&sent, TEXT, (hb_str){payload, sizes[i]});
        snprintf(want, sizeof(want), "text (%zu); ", sizes[i]);
        expect(want);
        free(payload);
    }
}

TEST(the_payload_is_unmasked_whatever_its_alignment)
{
    const char *text = "The quick brown fox jumps over it";
    for (size_t n = 1; n <= strlen(text); n++) {
        char want[64];
        begin();
        ws_frame(&sent, TEXT, (hb_str){text, n});
        snprintf(want, sizeof(want), "text %.*s; ", (int)n, text);
        expect(want);
    }
}

TEST(a_message_in_fragments_is_put_together_around_control_frames)
{
    begin();
    frame(FRAME_OP_TEXT, "one ");
    frame(PING, "are you there");
    frame(FRAME_OP_CONTINUATION, "");
    frame(FRAME_OP_CONTINUATION, "two ");
    frame(FRAME_FIN | FRAME_OP_PONG, "");
    frame(LAST, "three");
    frame(BINARY, "next");
    expect("ping are you there; pong; text one two three; binary next; ");
}

TEST(empty_fragments_make_an_empty_message)
{
    begin();
    frame(FRAME_OP_BINARY, "");
    frame(FRAME_OP_CONTINUATION, "");
    frame(LAST, "");
    expect("binary; ");
}

TEST(characters_may_be_cut_by_frames)
{
    begin();
    frame(FRAME_OP_TEXT, "gr\xc3");
    frame(FRAME_OP_CONTINUATION, "\xbc\xf0\x9f");
    frame(LAST, "\x98\x80");
    expect("text gr\xc3\xbc\xf0\x9f\x98\x80; ");
}

TEST(text_that_is_not_utf8_is_refused_with_1007)
{
    static const char *const bad[] = {"\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xc3",
        "\xf4\x90\x80\x80", "\xf0\x80\x80\xaf", "\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        begin();
        frame(TEXT, bad[i]);
        expect("fault 1007; ");
        begin();
        frame(FRAME_OP_TEXT, "fine");
        frame(LAST, bad[i]);
        expect("fault 1007; ");
        begin();
        frame(BINARY, bad[i]);
        frame(TEXT, "");
        char want[32];
        snprintf(want, sizeof(want), "binary %s; text; ", bad[i]);
        expect(want);
    }
}

TEST(broken_text_is_found_before_its_frame_is_complete)
{
    char payload[1000];
    memset(payload, 'x', sizeof(payload));
    payload[10] = '\xed';
    payload[11] = '\xa0';
    begin();
    ws_frame(&sent, TEXT, (hb_str){payload, sizeof(payload)});
    sent.n = 2 + 2 + 4 + 12; /* the head, and up to the byte that cannot be */
    expect("fault 1007; ");
    sent.n--;
    expect("");
}

TEST(all_characters_of_unicode_are_utf8_and_nothing_else_near_them)
{
    for (uint32_t c = 0; c < 0x110800; c++) {
        char s[4];
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
        for (size_t i = n; i-- > 1;)
            s[i] = (char)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));
        s[0] = (char)(lead[n] | c >> (6 * (n - 1)));
        bool good = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        CHECK((utf8_check(UTF8_START, s, n) == UTF8_START) == good);
        CHECK(utf8_check(UTF8_START, s, n - 1) != UTF8_START || n == 1);
    }
}

TEST(reserved_bits_and_opcodes_are_refused)
{
    static const unsigned first[] = {0x91, 0xa1, 0xc1, 0x83, 0x87, 0x8b, 0x8f, 0xc9, 0xc0};
    for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++) {
        begin();
        frame(TEXT, "before");
        frame(first[i], "x");
        frame(TEXT, "after");
        expect("text before; fault 1002; ");
    }
}

TEST(the_first_byte_alone_is_enough_for_a_fault)
{
    begin();
    buf_char(&sent, '\x83');
    expect("fault 1002; ");
}

TEST(frames_without_a_mask_are_refused)
{
    begin();
    buf_append(&sent, "\x81\x02", 2);
    expect("fault 1002; ");
}

TEST(a_message_within_another_is_refused)
{
    begin();
    frame(FRAME_OP_TEXT, "one");
    frame(TEXT, "two");
    expect("fault 1002; ");
    begin();
    frame(LAST, "of nothing");
    expect("fault 1002; ");
    begin();
    frame(FRAME_OP_TEXT, "a");
    frame(LAST, "b");
    frame(LAST, "c");
    expect("text ab; fault 1002; ");
}

TEST(control_frames_are_short_and_whole)
{
    begin();
    ws_head(&sent, PING, 126, 2);
    expect("fault 1002; ");
    begin();
    frame(FRAME_OP_PING, "in pieces");
    expect("fault 1002; ");
    begin();
    ws_head(&sent, PING, 125, 0);
    for (int i = 0; i < 125; i++)
        buf_char(&sent, 'p');
    expect("ping (125); ");
}

TEST(lengths_must_be_written_in_the_shortest_form)
{
    begin();
    ws_head(&sent, TEXT, 125, 2);
    expect("fault 1002; ");
    begin();
    ws_head(&sent, TEXT, 65535, 8);
    expect("fault 1002; ");
    begin();
    ws_head(&sent, TEXT, UINT64_C(1) << 63, 8);
    expect("fault 1002; ");
}

TEST(a_message_over_the_limit_is_refused_as_soon_as_its_head_says_so)
{
    begin();
    ws_head(&sent, TEXT, rules.max_bytes + 1, 8);
    sent.n -= 4; /* without its mask */
    expect("fault 1009; ");
    begin();
    ws_head(&sent, TEXT, UINT64_MAX >> 1, 8);
    expect("fault 1009; ");
    begin();
    frame(FRAME_OP_TEXT, "four");
    ws_head(&sent, LAST, rules.max_bytes - 3, 8);
    expect("fault 1009; ");
}

TEST(a_message_of_exactly_the_limit_is_fine_in_one_frame_or_several)
{
    char payload[5000] = {0};
    const struct frame_rules tight = {
        .max_bytes = sizeof(payload), .scratch = scratch, .scratch_size = sizeof(scratch)};
    begin();
    ws_frame(&sent, BINARY, (hb_str){payload, sizeof(payload)});
    ws_frame(&sent, FRAME_OP_BINARY, (hb_str){payload, 4999});
    ws_frame(&sent, LAST, (hb_str){payload, 1});
    expect_by(&tight, "binary (5000); binary (5000); ");
}

TEST(a_limit_lowered_within_a_message_ends_it)
{
    struct frame_parser p = {0};
    struct frame_rules r = rules;
    struct frame_item item;
    char payload[3000] = {0};
    begin();
    ws_frame(&sent, BINARY, (hb_str){payload, sizeof(payload)});
    size_t used = frame_next(&p, &r, sent.p, 1000, &item);
    r.max_bytes = 100;
    used += frame_next(&p, &r, sent.p + used, sent.n - used, &item);
    CHECK_INT(item.kind, FRAME_BINARY); /* its head was judged by the limit then */
    CHECK_INT(used, sent.n);
    frame_finish(&p);
}

TEST(where_only_text_is_spoken_a_binary_message_is_refused_with_1003)
{
    struct frame_rules texts = rules;
    texts.text_only = true;
    begin();
    frame(TEXT, "fine");
    frame(BINARY, "not fine");
    expect_by(&texts, "text fine; fault 1003; ");
}

TEST(compressed_messages_are_marked_and_their_bytes_not_taken_for_text)
{
    struct frame_rules compressing = rules;
    compressing.compression = true;
    begin();
    frame(FRAME_RSV1 | TEXT, "\xff\xfe");
    frame(FRAME_RSV1 | FRAME_OP_BINARY, "a");
    frame(LAST, "b");
    frame(TEXT, "plain");
    expect_by(&compressing, "text+ \xff\xfe; binary+ ab; text plain; ");
    begin();
    frame(FRAME_RSV1 | FRAME_OP_TEXT, "a");
    frame(FRAME_RSV1 | LAST, "b");
    expect_by(&compressing, "fault 1002; ");
}

TEST(close_codes_are_checked)
{
    static const unsigned good[] = {1000, 1003, 1007, 1014, 3000, 4999};
    static const unsigned bad[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535};
    for (unsigned i = 0; i < 6; i++)
        CHECK(frame_close_code_valid(good[i]));
    for (unsigned i = 0; i < 10; i++)
        CHECK(!frame_close_code_valid(bad[i]));
}

TEST(a_close_frame_says_its_code_and_reason)
{
    begin();
    ws_frame(&sent, CLOSE, HB_STR("\x03\xe8" "gone"));
    expect("close 1000 gone; ");
    begin();
    frame(CLOSE, "");
    expect("close 1005; ");
    begin();
    frame(CLOSE, "\x03");
    expect("fault 1002; ");
    begin();
    ws_frame(&sent, CLOSE, HB_STR("\x03\xed"));
    expect("fault 1002; ");
    begin();
    ws_frame(&sent, CLOSE, HB_STR("\x03\xe8\xff"));
    expect("fault 1007; ");
}

TEST(a_parser_at_rest_holds_no_memory)
{
    struct frame_parser p = {0};
    struct frame_item item;
    char payload[10000] = {0};
    begin();
    ws_frame(&sent, BINARY, (hb_str){payload, sizeof(payload)});
    size_t used = frame_next(&p, &rules, sent.p, 20, &item);
    CHECK_INT(item.kind, FRAME_MORE);
    CHECK(p.partial && p.partial_cap < 1000); /* by what has come, not by what was announced */
    used += frame_next(&p, &rules, sent.p + used, sent.n - used, &item);
    CHECK_INT(item.kind, FRAME_BINARY);
    CHECK_INT(used, sent.n);
    CHECK_INT(frame_next(&p, &rules, sent.p + used, 0, &item), 0);
    CHECK_INT(item.kind, FRAME_MORE);
    CHECK(!p.partial);
}

TEST(heads_are_written_in_the_shortest_form)
{
    char head[FRAME_HEAD_MAX];
    CHECK_INT(frame_head(head, TEXT, 125), 2);
    CHECK(memcmp(head, "\x81\x7d", 2) == 0);
    CHECK_INT(frame_head(head, TEXT, 126), 4);
    CHECK(memcmp(head, "\x81\x7e\x00\x7e", 4) == 0);
    CHECK_INT(frame_head(head, TEXT, 65536), 10);
    CHECK(memcmp(head, "\x81\x7f\0\0\0\0\0\x01\0\0", 10) == 0);
}

TEST(a_long_reason_is_cut_between_characters)
{
    char out[FRAME_CLOSE_MAX], reason[200];
    for (size_t i = 0; i < sizeof(reason); i += 2)
        memcpy(reason + i, "\xc3\xbc", 2);
    CHECK_INT(frame_close(out, 1001, (hb_str){reason, sizeof(reason)}), 2 + 2 + 122);
    CHECK(memcmp(out, "\x88\x7c\x03\xe9", 4) == 0);
    CHECK_INT(frame_close(out, CLOSE_NONE, HB_STR("")), 2);
}
