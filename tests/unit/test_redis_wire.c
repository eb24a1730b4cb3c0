/* What stands in Redis, and where Redis is: parsers of the redis plugin. */
#include "unit.h"
#include "../../plugins/redis/reply.h"
#include "../../plugins/redis/settings.h"
#include "../../plugins/redis/table.h"
#include "../../plugins/redis/wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hb_str str(const char *s)
{
    return (hb_str){s, strlen(s)};
}

TEST(a_position_is_two_numbers_and_nothing_else)
{
    static const char *const bad[] = {"", "-", "1", "1-", "-1", "1-2-3", "1-x", " 1-2", "1-2 ", "+1-2",
        "18446744073709551616-0", "1-18446744073709551616"};
    hb_pos pos = {7, 7};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(!pos_parse(str(bad[i]), &pos));
    CHECK(!pos_parse((hb_str){NULL, 0}, &pos));
    CHECK_INT(pos.hi, 7);
    CHECK(pos_parse(str("1700000000000-18446744073709551615"), &pos));
    CHECK(pos.hi == 1700000000000 && pos.lo == UINT64_MAX);
    char text[POS_TEXT_MAX];
    CHECK_STR(((hb_str){text, pos_text(pos, text)}), "1700000000000-18446744073709551615");
}

static hb_message message(void)
{
    return (hb_message){.event = HB_STR("greet"), .user = HB_STR("alice"), .data = HB_STR("{\"n\":1.10}"), .server = true};
}

TEST(an_entry_comes_back_as_it_was_written)
{
    char bytes[256];
    hb_message m = message();
    struct entry e;
    entry_write(&m, (struct token){1, 2}, bytes);
    CHECK(entry_parse((hb_str){bytes, entry_size(&m)}, &e));
    CHECK_STR(e.event, "greet");
    CHECK_STR(e.user, "alice");
    CHECK_STR(e.data, "{\"n\":1.10}");
    CHECK(e.server && e.token.worker == 1 && e.token.count == 2);
    m.user = (hb_str){NULL, 0};
    entry_write(&m, (struct token){1, 2}, bytes);
    CHECK(entry_parse((hb_str){bytes, entry_size(&m)}, &e));
    CHECK(!e.user.p);
}

TEST(an_entry_with_any_bit_changed_or_cut_short_is_none)
{
    char bytes[256], changed[256];
    hb_message m = message();
    struct entry e;
    size_t n = entry_size(&m);
    entry_write(&m, (struct token){3, 4}, bytes);
    for (size_t bit = 0; bit < n * 8; bit++) {
        memcpy(changed, bytes, n);
        changed[bit / 8] ^= (char)(1 << bit % 8);
        CHECK(!entry_parse((hb_str){changed, n}, &e));
    }
    for (size_t cut = 0; cut < n; cut++) {
        char *exact = malloc(cut + 1); /* so that a read past it is seen */
        memcpy(exact, bytes, cut);
        CHECK(!entry_parse((hb_str){exact, cut}, &e));
        free(exact);
    }
}

TEST(a_push_is_two_positions_and_its_entries)
{
    char push[256] = "12-1 11-5 ";
    hb_message m = message();
    struct entry e;
    hb_str rest = {push, 10 + 2 * entry_size(&m)};
    entry_write(&m, (struct token){3, 4}, push + 10);
    entry_write(&m, (struct token){3, 5}, push + 10 + entry_size(&m));
    CHECK(push_cut(&rest, &e));
    CHECK(e.id.hi == 12 && e.id.lo == 1 && e.prev.hi == 11 && e.prev.lo == 5);
    CHECK(entry_cut(&rest, &e) && e.token.count == 4);
    CHECK(entry_cut(&rest, &e) && e.token.count == 5);
    CHECK_STR(e.data, "{\"n\":1.10}");
    CHECK(!entry_cut(&rest, &e));
    static const char *const bad[] = {"12-1 ", "12-1", "", "x 11-5 ", "12-1  ",
        "1111111111111111111111111111111111111111111111-1 1-1 "};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(!push_cut(&(hb_str){bad[i], strlen(bad[i])}, &e));
}

TEST(a_url_says_where_and_who)
{
    struct place p;
    struct login l;
    CHECK(!url_parse("redis://al%40ice:s%3Acret@[::1]:7000/3", &p, &l));
    CHECK_STR(str(p.host), "::1");
    CHECK_INT(p.port, 7000);
    CHECK_STR(str(l.user), "al@ice");
    CHECK_STR(str(l.password), "s:cret");
    CHECK_INT(l.db, 3);
    CHECK(!url_parse("redis://localhost", &p, &l));
    CHECK_INT(p.port, 6379);
    CHECK(!url_parse("redis://:pw@h", &p, &l));
    CHECK_STR(str(l.user), "");
    CHECK_STR(str(l.password), "pw");
    CHECK(!url_parse("unix:///run/redis.sock?db=2", &p, &l));
    CHECK_STR(str(p.path), "/run/redis.sock");
    CHECK_INT(l.db, 2);
}

TEST(a_url_that_is_wrong_is_refused_without_being_repeated)
{
    static const char *const bad[] = {"", "http://x", "rediss://x", "redis://", "redis://x:0", "redis://x:99999",
        "redis://x:y", "redis://x/y", "redis://%zz@x", "unix://relative", "unix:///s?x=1", "redis://[::1"};
    struct place p;
    struct login l;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(url_parse(bad[i], &p, &l) != NULL);
    CHECK(!strstr(url_parse("redis://u:secret@x:y", &p, &l), "secret"));
}

static struct replies *replies;

/* The first answer in these bytes, valid until the next call. */
static const redisReply *read_reply(const char *bytes, size_t n, bool *error)
{
    const redisReply *reply = NULL;
    replies_destroy(replies);
    replies = replies_create();
    *error = !replies_feed(replies, bytes, n, 1000) || !replies_next(replies, &reply);
    return reply;
}

TEST(an_answer_that_claims_too_much_is_an_error)
{
    bool error;
    read_reply("*2147483647\r\n", 13, &error);
    CHECK(error);
    char nested[100] = "";
    for (int i = 0; i < 5; i++)
        strcat(nested, "*1000000\r\n");
    read_reply(nested, strlen(nested), &error);
    CHECK(error);
    char *large = calloc(1, 2000);
    read_reply(large, 2000, &error);
    CHECK(error);
    free(large);
    const redisReply *r = read_reply("-LOADING wait\r\n", 15, &error);
    CHECK(!error && reply_is_away(r));
    r = read_reply("-WRONGTYPE x\r\n", 14, &error);
    CHECK(!error && !reply_is_away(r));
    replies_destroy(replies);
    replies = NULL;
}

TEST(answers_come_out_whole_wherever_they_were_cut)
{
    static const char bytes[] = "*3\r\n$7\r\nmessage\r\n*2\r\n:7\r\n$-1\r\n$3\r\na\0b\r\n+OK\r\n";
    for (size_t cut = 1; cut < sizeof(bytes) - 1; cut++) {
        const redisReply *reply = NULL;
        struct replies *r = replies_create();
        CHECK(replies_feed(r, bytes, cut, 1000) && replies_next(r, &reply));
        CHECK(replies_feed(r, bytes + cut, sizeof(bytes) - 1 - cut, 1000));
        if (!reply)
            CHECK(replies_next(r, &reply));
        CHECK_STR(reply_str(reply_at(reply, 0)), "message");
        CHECK_INT(reply_at(reply_at(reply, 1), 0)->integer, 7);
        CHECK_INT(reply_at(reply_at(reply, 1), 1)->type, REDIS_REPLY_NIL);
        CHECK_INT(reply_str(reply_at(reply, 2)).n, 3);
        CHECK(replies_next(r, &reply) && reply && reply->type == REDIS_REPLY_STATUS);
        CHECK(replies_next(r, &reply) && !reply);
        replies_destroy(r);
    }
}

TEST(a_command_is_written_as_redis_reads_it)
{
    char bytes[64];
    hb_str words[] = {HB_STR("PUBLISH"), {NULL, 0}, {"a\0\r\nbcdefghi", 12}};
    size_t n = command_size(3, words);
    command_write(3, words, bytes);
    CHECK_INT(n, 42);
    CHECK(memcmp(bytes, "*3\r\n$7\r\nPUBLISH\r\n$0\r\n\r\n$12\r\na\0\r\nbcdefghi\r\n", n) == 0);
}

TEST(a_command_takes_more_words)
{
    char bytes[2048];
    hb_str word = HB_STR("word"), words[] = {word, word, word, word, word, word, word, word, word, word};
    size_t n = command_size(10, words);
    command_write(10, words, bytes);
    while (n < 10 * 10 + 5 + 89 * word_size(4)) {
        memcpy(command_add(bytes, n, 4), "more", 4);
        n += word_size(4);
    }
    CHECK(memcmp(bytes, "*99\r\n$4\r\nword\r\n", 15) == 0);
    CHECK(memcmp(bytes + n - 10, "$4\r\nmore\r\n", 10) == 0);
}

TEST(a_table_finds_what_was_put_and_not_what_was_removed)
{
    enum { N = 5000 };
    static char names[N][16];
    struct table t;
    table_init(&t);
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "room-%d", i);
        table_put(&t, str(names[i]), names[i]);
    }
    for (int i = 0; i < N; i += 2)
        table_remove(&t, str(names[i]));
    table_remove(&t, str("nobody"));
    for (int i = 0; i < N; i++)
        CHECK(table_get(&t, str(names[i])) == (i % 2 ? names[i] : NULL));
    size_t at = 0, n = 0;
    while (table_next(&t, &at))
        n++;
    CHECK_INT(n, N / 2);
    table_finish(&t);
}
