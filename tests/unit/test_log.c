#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "unit.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define S(literal) HB_STR(literal)

static void on_line(const char *line, size_t n, void *arg)
{
    buf_append(arg, line, n);
}

/* What the lines were, since the start of the test. */
static struct buf *start(enum log_level level, bool json)
{
    static struct buf lines = BUF_INIT;
    static uint64_t mono_ms;
    buf_clear(&lines);
    mono_ms += 100000; /* no test inherits what another one used up */
    clock_fake(mono_ms, 1795456472123);
    log_configure(level, json);
    log_capture(on_line, &lines);
    return &lines;
}

static size_t count(hb_str s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == c;
    return n;
}

static bool holds(const struct buf *b, const char *text)
{
    return memmem(b->p, b->n, text, strlen(text)) != NULL;
}

TEST(a_text_line_has_time_level_cause_and_message)
{
    struct buf *lines = start(LOG_INFO, false);
    log_write(LOG_INFO, "listening", "address=%s port=%u", "0.0.0.0", 3000u);
    CHECK_STR(buf_view(lines), "2026-11-23T17:54:32.123Z info listening address=0.0.0.0 port=3000\n");
}

TEST(a_json_line_is_one_json_object)
{
    struct buf *lines = start(LOG_INFO, true);
    log_write(LOG_ERROR, "listening", "a \"b\" %s", "\n\x01\xff");
    CHECK_STR(buf_view(lines), "{\"ts\":\"2026-11-23T17:54:32.123Z\",\"level\":\"error\",\"event\":\"listening\","
        "\"message\":\"a \\\"b\\\" \\n\\u0001\xef\xbf\xbd\"}\n");
    CHECK_INT(json_check(buf_view(lines), 1, NULL), JSON_OK);
}

TEST(levels_below_the_configured_one_are_silent)
{
    struct buf *lines = start(LOG_WARN, false);
    log_write(LOG_INFO, "quiet", "no");
    log_write(LOG_DEBUG, "quiet", "no");
    CHECK_INT(lines->n, 0);
    log_write(LOG_WARN, "loud", "yes");
    CHECK_INT(count(buf_view(lines), '\n'), 1);
    CHECK_INT(log_current_level(), LOG_WARN);
}

TEST(no_value_can_forge_a_line_or_reach_the_terminal)
{
    struct buf *lines = start(LOG_INFO, false);
    log_write(LOG_INFO, "forged", "%s", "a\r\nb\t\x1b[2J\x7f\xc2\x9b\xff\xc3\xa9");
    CHECK(holds(lines, "a\\r\\nb\\t\\x1b[2J\\x7f\\xc2\\x9b\\xff\xc3\xa9\n"));
    CHECK_INT(count(buf_view(lines), '\n'), 1);
}

TEST(a_long_message_is_cut_between_characters)
{
    struct buf *lines = start(LOG_INFO, true);
    char text[2001];
    for (int i = 0; i < 1000; i++)
        memcpy(text + 2 * i, "\xc3\xa9", 2);
    text[2000] = '\0';
    log_write(LOG_INFO, "long", "%s", text);
    hb_str message = json_string_plain(json_get(buf_view(lines), S("message")));
    CHECK_INT(message.n, 999);
    CHECK(!memcmp(message.p + 996, "\xe2\x80\xa6", 3));
    buf_clear(lines);
    text[1000] = '\0';
    log_write(LOG_INFO, "long", "%s", text);
    CHECK_INT(json_string_plain(json_get(buf_view(lines), S("message"))).n, 1000);
}

TEST(a_cause_is_held_back_after_its_burst_and_the_next_line_tells_how_often)
{
    struct buf *lines = start(LOG_INFO, false);
    for (int i = 0; i < LOG_BURST + 5; i++)
        log_write(LOG_INFO, "noisy", "%d", i);
    CHECK_INT(count(buf_view(lines), '\n'), LOG_BURST);
    log_write(LOG_INFO, "other", "still heard");
    CHECK_INT(count(buf_view(lines), '\n'), LOG_BURST + 1);
    clock_fake_advance(1000);
    buf_clear(lines);
    log_write(LOG_INFO, "noisy", "again");
    CHECK(holds(lines, "noisy again suppressed=5\n"));
    buf_clear(lines);
    log_write(LOG_INFO, "noisy", "and again");
    CHECK(!holds(lines, "suppressed"));
}

TEST(json_lines_tell_what_was_held_back_as_a_number)
{
    struct buf *lines = start(LOG_INFO, true);
    for (int i = 0; i < LOG_BURST + 3; i++)
        log_write(LOG_INFO, "noisy_json", "x");
    clock_fake_advance(1000);
    buf_clear(lines);
    log_write(LOG_INFO, "noisy_json", "x");
    CHECK_STR(json_get(buf_view(lines), S("suppressed")), "3");
}

TEST(more_causes_than_are_remembered_share_a_record)
{
    struct buf *lines = start(LOG_INFO, false);
    for (int i = 0; i < 1000; i++) {
        char cause[24];
        snprintf(cause, sizeof cause, "cause%d", i);
        log_write(LOG_INFO, cause, "x");
    }
    CHECK(count(buf_view(lines), '\n') >= LOG_BURST);
    CHECK(count(buf_view(lines), '\n') < 1000);
}

static void check_value(hb_str value, const char *want)
{
    struct buf b = BUF_INIT;
    log_value(&b, value);
    CHECK_STR(buf_view(&b), want);
    buf_finish(&b);
}

TEST(no_value_looks_like_another_field)
{
    check_value(S("alice@example.com"), "alice@example.com");
    check_value(S("\xc3\xa9t\xc3\xa9:1"), "\xc3\xa9t\xc3\xa9:1");
    check_value(S("a room=b"), "\"a room=b\"");
    check_value(S("a=b"), "\"a=b\"");
    check_value(S("say \"hi\""), "\"say \\\"hi\\\"\"");
    check_value(S("a\\"), "\"a\\\\\"");
    check_value(S("a\nb"), "\"a\\nb\"");
    check_value(S(""), "\"\"");
    check_value((hb_str){NULL, 0}, "");
}

static void check_redacted(hb_str target, const char *want)
{
    struct buf b = BUF_INIT;
    log_redact_query(target, &b);
    CHECK_STR(buf_view(&b), want);
    buf_finish(&b);
}

TEST(secrets_of_a_query_are_replaced)
{
    check_redacted(S("/hub?access_token=abc.def&room=a"), "/hub?access_token=\xe2\x80\xa6&room=a");
    check_redacted(S("/hub?room=a&ticket=1&token=2&sid=3&cursor=4"),
        "/hub?room=a&ticket=\xe2\x80\xa6&token=\xe2\x80\xa6&sid=\xe2\x80\xa6&cursor=\xe2\x80\xa6");
    check_redacted(S("/hub?Access%5fToken=abc=d?e"), "/hub?Access%5fToken=\xe2\x80\xa6");
    check_redacted(S("/hub?sid"), "/hub?sid");
    check_redacted(S("/hub?inside=sid&=x&"), "/hub?inside=sid&=x&");
    check_redacted(S("/plain"), "/plain");
    check_redacted(S("/a\r\nb?c=\x1b"), "/a\\r\\nb?c=\\x1b");
    check_redacted((hb_str){NULL, 0}, "");
}

static void *write_some(void *arg)
{
    for (int i = 0; i < 200; i++)
        log_write(LOG_INFO, arg, "line %d", i);
    return NULL;
}

TEST(lines_of_several_threads_do_not_mix)
{
    static char names[4][8] = {"one", "two", "three", "four"};
    struct buf *lines = start(LOG_INFO, true);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, write_some, names[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    hb_str rest = buf_view(lines);
    while (rest.n > 0) {
        size_t n = (size_t)((const char *)memchr(rest.p, '\n', rest.n) - rest.p) + 1;
        CHECK_INT(json_check((hb_str){rest.p, n}, 1, NULL), JSON_OK);
        rest = (hb_str){rest.p + n, rest.n - n};
    }
}
