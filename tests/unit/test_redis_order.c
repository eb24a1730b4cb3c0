/*
 * Anchored delivery of the redis plugin, without a Redis: commands wait in the pipe, and each test
 * answers them as Redis would, or would not.
 */
#include "unit.h"
#include "../../plugins/redis/room.h"
#include "../../plugins/redis/script.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- a host ----------------------------------------------------------------------------------- */

static uint64_t now = 1000000;
static char told[4096];   /* what members saw, in order: "a b LOST c" */
static char answers[1024];
static hb_pos told_at;    /* where the last of them stands */

struct fake_message {
    hb_message m;
    int refs;
    char bytes[64];
};

static uint64_t now_ms(void)
{
    return now;
}

static int64_t wall_ms(void)
{
    return 42;
}

static void write_log(const hb_ctx *ctx, hb_log_level level, const char *cause, const char *sentence)
{
}

static void timer_nop(const hb_ctx *ctx, hb_timer *t)
{
}

static void timer_set_nop(const hb_ctx *ctx, hb_timer *t, uint64_t ms)
{
}

static void ref(hb_message *m)
{
    ((struct fake_message *)m)->refs++;
}

static void unref(hb_message *m)
{
    if (--((struct fake_message *)m)->refs == 0)
        free(m);
}

static hb_message *make(hb_str room, hb_str event, hb_str data, hb_str user)
{
    struct fake_message *f = calloc(1, sizeof(*f));
    f->refs = 1;
    memcpy(f->bytes, data.p, data.n);
    f->m.data = (hb_str){f->bytes, data.n};
    f->m.event = HB_STR("message");
    return &f->m;
}

static void place(hb_message *m, hb_pos pos, int64_t ts, bool with_cursor)
{
    m->pos = pos;
    m->ts = ts;
}

static void deliver(hb_room *room, hb_message *m)
{
    told_at = m->pos;
    snprintf(told + strlen(told), sizeof(told) - strlen(told), "%.*s ", (int)m->data.n, m->data.p);
}

static void lost(hb_room *room)
{
    strcat(told, "LOST ");
}

static void took(const hb_ctx *ctx, uint64_t ns)
{
}

static const hb_store store = {.size = sizeof(store), .ref = ref, .unref = unref, .message = make, .place = place,
    .deliver = deliver, .lost = lost, .took = took};
static const hb_host host = {.size = sizeof(host), .store = &store, .log = write_log, .now_ms = now_ms, .wall_ms = wall_ms,
    .timer_set = timer_set_nop, .timer_cancel = timer_nop};
static const struct options options = {.prefix = "p", .timeout_ms = 1000, .journal_ms = 60000, .journal_bytes = 1000000,
    .positions_ms = 86400000, .check_ms = 1000, .lease_ms = 15000, .reply_bytes = 1000000};
static struct shared shared = {.first = &options, .n_prefix = 1};
static struct worker w;
static hb_ctx ctx;

static void changed(struct pipe *p, bool up)
{
}

static struct room *begin(void)
{
    static const hb_keep keep = {100, 0, 3600000};
    told[0] = answers[0] = '\0';
    memset(&w, 0, sizeof(w));
    ctx = (hb_ctx){.host = &host, .self = &shared, .local = &w, .options = &options};
    w.ctx = &ctx;
    w.store = &store;
    w.nonce = 77;
    table_init(&w.rooms);
    script_init();
    pipe_init(&w.pipe, &ctx, changed, &w);
    sub_init(&w.sub, &w);
    struct room *r = room_open(&w, NULL, HB_STR("r"), &keep);
    room_interest(r, true);
    return r;
}

static void end(struct room *r)
{
    room_close(r);
    pipe_finish(&w.pipe);
    table_finish(&w.rooms);
}

/* --- a Redis ---------------------------------------------------------------------------------- */

static size_t waiting(void)
{
    size_t n = 0;
    for (struct list *at = w.pipe.waiting.next; at != &w.pipe.waiting; at = at->next)
        n++;
    return n;
}

/* Answer the first command; its text is looked at with `expect` (may be NULL). */
static void answer(const char *expect, const char *bytes, size_t n)
{
    const redisReply *reply = NULL;
    struct replies *replies = replies_create();
    CHECK(!list_empty(&w.pipe.waiting));
    struct command *c = list_entry(w.pipe.waiting.next, struct command, link);
    CHECK(!expect || memmem(c->bytes, c->n, expect, strlen(expect)));
    list_remove(&c->link);
    w.pipe.bytes -= c->n + c->beside;
    free(c->bytes);
    if (bytes) {
        CHECK(replies_feed(replies, bytes, n, 100000));
        if (!replies_next(replies, &reply) || !reply)
            unit_fail(__FILE__, __LINE__, "no whole answer");
    }
    c->done(c, reply);
    replies_destroy(replies);
}

static size_t put_string(char *out, const char *bytes, size_t n)
{
    char *end = mempcpy(out + sprintf(out, "$%zu\r\n", n), bytes, n);
    memcpy(end, "\r\n", 2);
    return (size_t)(end + 2 - out);
}

static size_t entry_bytes(char *out, const char *data, uint64_t worker, uint64_t count)
{
    hb_message m = {.event = HB_STR("message"), .data = {data, strlen(data)}};
    entry_write(&m, (struct token){worker, count}, out);
    return entry_size(&m);
}

/* A page: head, then (id, prev, data) for each, of one worker. Ended. */
static void answer_page_of(uint64_t worker, const char *head, int n, const char *const (*entries)[3])
{
    char out[4096], entry[128];
    size_t at = (size_t)sprintf(out, "*%d\r\n", 2 + 3 * n);
    at += put_string(out + at, head, strlen(head));
    at += (size_t)sprintf(out + at, ":1\r\n");
    for (int i = 0; i < n; i++) {
        at += put_string(out + at, entries[i][0], strlen(entries[i][0]));
        at += put_string(out + at, entries[i][1], strlen(entries[i][1]));
        size_t size = entry_bytes(entry, entries[i][2], worker, 1);
        at += put_string(out + at, entry, size);
    }
    answer("EVALSHA", out, at);
}

static void answer_page(const char *head, int n, const char *const (*entries)[3])
{
    answer_page_of(5, head, n, entries);
}

static void push(struct room *r, const char *id, const char *prev, const char *data)
{
    char payload[256];
    size_t at = (size_t)sprintf(payload, "%s %s ", id, prev);
    at += entry_bytes(payload + at, data, 5, 1);
    room_push(r, (hb_str){payload, at});
}

static struct room *live(const char *head)
{
    struct room *r = begin();
    room_confirmed(r);
    answer_page(head, 0, NULL);
    return r;
}

/* --- the rule --------------------------------------------------------------------------------- */

TEST(what_continues_is_delivered_at_once)
{
    struct room *r = live("1-0");
    push(r, "2-0", "1-0", "a");
    push(r, "3-0", "2-0", "b");
    CHECK_STR(((hb_str){told, strlen(told)}), "a b ");
    push(r, "3-0", "2-0", "b");
    push(r, "2-0", "1-0", "a");
    CHECK_STR(((hb_str){told, strlen(told)}), "a b ");
    CHECK_INT(waiting(), 0);
    end(r);
}

TEST(what_is_missing_is_read_first)
{
    struct room *r = live("1-0");
    push(r, "4-0", "3-0", "c");
    CHECK_STR(((hb_str){told, strlen(told)}), "");
    push(r, "5-0", "4-0", "d");
    CHECK_INT(waiting(), 1);
    static const char *const page[][3] = {{"2-0", "1-0", "a"}, {"3-0", "2-0", "b"}, {"4-0", "3-0", "c"}};
    answer_page("4-0", 3, page);
    CHECK_STR(((hb_str){told, strlen(told)}), "a b c d ");
    end(r);
}

TEST(what_came_while_the_first_position_was_asked_for_is_not_lost)
{
    struct room *r = begin();
    room_confirmed(r);
    push(r, "2-0", "1-0", "old");
    push(r, "3-0", "2-0", "new");
    answer_page("2-0", 0, NULL);
    CHECK_STR(((hb_str){told, strlen(told)}), "new ");
    end(r);
}

TEST(a_trimmed_stream_is_told_and_goes_on)
{
    struct room *r = live("1-0");
    push(r, "9-0", "8-0", "z");
    static const char *const page[][3] = {{"8-0", "7-0", "y"}, {"9-0", "8-0", "z"}};
    answer_page("9-0", 2, page);
    CHECK_STR(((hb_str){told, strlen(told)}), "LOST y z ");
    CHECK_INT(waiting(), 0); /* nothing to tell the other nodes */
    end(r);
}

TEST(a_stream_that_has_lost_what_we_had_is_broken_off_for_all)
{
    struct room *r = live("5-0");
    push(r, "7-0", "3-0", "after");
    static const char *const page[][3] = {{"7-0", "3-0", "after"}};
    answer_page("7-0", 1, page);
    CHECK_STR(((hb_str){told, strlen(told)}), "LOST after ");
    answer("3-0", "$3\r\n8-0\r\n", 9);
    answer_page("8-0", 0, NULL); /* who came back before it was broken off is told too */
    push(r, "9-0", "8-0", "next");
    CHECK_STR(((hb_str){told, strlen(told)}), "LOST after LOST next ");
    end(r);
}

TEST(a_break_that_was_not_confirmed_is_asked_for_again)
{
    struct room *r = live("5-0");
    push(r, "7-0", "3-0", "after");
    static const char *const page[][3] = {{"7-0", "3-0", "after"}};
    answer_page("7-0", 1, page);
    answer("3-0", NULL, 0);
    CHECK_INT(waiting(), 0);
    lost_check(r);
    lost_check(r);
    CHECK_INT(waiting(), 1);
    answer("3-0", "$3\r\n8-0\r\n", 9);
    answer_page("8-0", 0, NULL);
    lost_check(r);
    CHECK_INT(waiting(), 0);
    end(r);
}

TEST(what_the_stream_went_past_without_having_it_is_told_as_lost)
{
    struct room *r = live("1-0");
    push(r, "4-0", "3-0", "ghost");
    static const char *const page[][3] = {{"5-0", "1-0", "z"}};
    answer_page("5-0", 1, page);
    CHECK_STR(((hb_str){told, strlen(told)}), "z LOST ");
    answer("5-0", "$3\r\n8-0\r\n", 9);
    answer_page("8-0", 0, NULL);
    end(r);
}

TEST(what_came_twice_is_not_lost)
{
    struct room *r = live("1-0");
    push(r, "3-0", "2-0", "b");
    push(r, "2-0", "1-0", "a");
    static const char *const page[][3] = {{"2-0", "1-0", "a"}, {"3-0", "2-0", "b"}};
    answer_page("3-0", 2, page);
    CHECK_STR(((hb_str){told, strlen(told)}), "a b ");
    CHECK_INT(waiting(), 0);
    end(r);
}

TEST(members_of_a_new_life_start_where_they_join)
{
    struct room *r = live("1-0");
    room_interest(r, false);
    room_interest(r, true);
    push(r, "2-0", "1-0", "before they joined");
    CHECK_STR(((hb_str){told, strlen(told)}), "");
    room_confirmed(r);
    answer_page("2-0", 0, NULL);
    push(r, "3-0", "2-0", "theirs");
    CHECK_STR(((hb_str){told, strlen(told)}), "theirs ");
    end(r);
}

TEST(a_push_that_stands_nowhere_is_told_as_lost)
{
    struct room *r = live("5-0");
    push(r, "7-0", "6-0", "ghost");
    answer_page("5-0", 0, NULL);
    CHECK_STR(((hb_str){told, strlen(told)}), "LOST ");
    answer("5-0", "$3\r\n8-0\r\n", 9);
    answer_page("8-0", 0, NULL);
    end(r);
}

TEST(an_unsubscribed_room_catches_up_before_it_goes_live)
{
    struct room *r = live("1-0");
    room_silent(r);
    room_confirmed(r);
    push(r, "3-0", "2-0", "b");
    CHECK_STR(((hb_str){told, strlen(told)}), "");
    static const char *const page[][3] = {{"2-0", "1-0", "a"}};
    answer_page("2-0", 1, page);
    CHECK_STR(((hb_str){told, strlen(told)}), "a b ");
    end(r);
}

TEST(junk_changes_nothing)
{
    struct room *r = live("1-0");
    room_push(r, HB_STR("2-0 1-0 junk"));
    room_push(r, HB_STR(""));
    room_push(r, HB_STR("p 1 1 j 999 999 x"));
    CHECK_STR(((hb_str){told, strlen(told)}), "");
    CHECK_INT(waiting(), 0);
    end(r);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void on_read(hb_done *done, const hb_result *r)
{
    size_t at = strlen(answers);
    at += (size_t)snprintf(answers + at, sizeof(answers) - at, "%s", r->code != HB_OK ? "failed " : r->recovered ? "" : "gap ");
    for (size_t i = 0; i < r->n; i++)
        at += (size_t)snprintf(answers + at, sizeof(answers) - at, "%.*s ", (int)r->messages[i]->data.n, r->messages[i]->data.p);
    snprintf(answers + at, sizeof(answers) - at, "%s%d; ", r->more ? "more " : "", (int)r->pos.hi);
}

static hb_done read_done = {on_read};

TEST(who_reads_up_to_where_the_stream_was_broken_off_is_told_there)
{
    struct room *r = live("9-0");
    static const char *const page[][3] = {{"2-0", "1-0", "a"}, {"9-0", "8-0", "behind it"}};
    ask_read(r, &(hb_pos){1, 0}, 64, 1000, &read_done);
    answer_page("9-0", 2, page);
    CHECK_STR(((hb_str){answers, strlen(answers)}), "a more 2; ");
    ask_read(r, &(hb_pos){2, 0}, 64, 1000, &read_done);
    answer_page("9-0", 1, page + 1);
    CHECK_STR(((hb_str){answers, strlen(answers)}), "a more 2; gap 9; ");
    end(r);
}

TEST(who_reads_up_to_the_end_where_it_was_broken_off_is_told_there)
{
    struct room *r = live("8-0");
    static const char *const page[][3] = {{"2-0", "1-0", "a"}};
    ask_read(r, &(hb_pos){1, 0}, 64, 1000, &read_done);
    answer_page("8-0", 1, page);
    ask_read(r, &(hb_pos){2, 0}, 64, 1000, &read_done);
    answer_page("8-0", 0, NULL);
    CHECK_STR(((hb_str){answers, strlen(answers)}), "a more 2; gap 8; ");
    end(r);
}

/* --- publishing ------------------------------------------------------------------------------- */

static void on_done(hb_done *done, const hb_result *r)
{
    snprintf(answers + strlen(answers), sizeof(answers) - strlen(answers), "%d%s%s ", (int)r->code, r->duplicate ? "d" : "",
        r->unknown ? "u" : "");
}

static hb_done done = {on_done};

TEST(ones_own_message_is_delivered_once_whichever_comes_first)
{
    struct room *r = live("1-0");
    hb_message *m = make(HB_STR("r"), HB_STR("message"), HB_STR("mine"), (hb_str){NULL, 0});
    publish_send(r, m, NULL, &done);
    char payload[256];
    size_t at = (size_t)sprintf(payload, "2-0 1-0 ");
    at += entry_bytes(payload + at, "mine", 77, 1);
    room_push(r, (hb_str){payload, at});
    CHECK_STR(((hb_str){told, strlen(told)}), "mine ");
    answer("EVALSHA", "$9\r\n0 2-0 1-0\r\n", 15);
    CHECK_STR(((hb_str){told, strlen(told)}), "mine ");
    CHECK_STR(((hb_str){answers, strlen(answers)}), "0 ");
    unref(m);
    end(r);
}

/* A publish of a room where nobody is, confirmed at 5-0. */
static struct room *confirmed(void)
{
    struct room *r = begin();
    room_interest(r, false);
    hb_message *m = make(HB_STR("r"), HB_STR("message"), HB_STR("mine"), (hb_str){NULL, 0});
    publish_send(r, m, NULL, &done);
    answer("EVALSHA", "$9\r\n0 5-0 1-0\r\n", 15);
    unref(m);
    return r;
}

TEST(what_was_confirmed_is_looked_for_over_the_next_connection)
{
    struct room *r = confirmed();
    lost_check(r);
    CHECK_INT(waiting(), 0);
    lost_reconnected(&w);
    lost_check(r);
    answer_page("5-0", 0, NULL);
    lost_check(r);
    CHECK_INT(waiting(), 0);
    end(r);
}

TEST(what_was_confirmed_and_is_gone_is_told_though_the_stream_went_on)
{
    struct room *r = confirmed();
    static const char *const page[][3] = {{"9-0", "1-0", "after"}};
    lost_reconnected(&w);
    lost_check(r);
    answer("EVALSHA", NULL, 0); /* away again: asked anew */
    lost_check(r);
    answer_page("9-0", 1, page);
    answer("1-0", "$4\r\n10-0\r\n", 10);
    lost_check(r);
    CHECK_INT(waiting(), 0);
    end(r);
}

TEST(what_was_confirmed_is_looked_for_before_anything_newer_is)
{
    struct room *r = confirmed();
    static const char *const page[][3] = {{"9-0", "1-0", "after"}};
    hb_message *m = make(HB_STR("r"), HB_STR("message"), HB_STR("newer"), (hb_str){NULL, 0});
    publish_send(r, m, NULL, &done);
    lost_reconnected(&w);
    lost_reconnected(&w);
    CHECK_INT(waiting(), 2);
    answer(script_sha(SCRIPT_READ), NULL, 0);
    lost_reconnected(&w);
    answer_page("9-0", 1, page);
    answer(script_sha(SCRIPT_PUBLISH), "$10\r\n0 10-0 9-0\r\n", 17);
    answer("1-0", "$4\r\n11-0\r\n", 10);
    unref(m);
    end(r);
}

TEST(what_may_have_been_stored_is_not_repeated_before_its_room_is_settled)
{
    struct room *r = begin();
    hb_message *m = make(HB_STR("r"), HB_STR("message"), HB_STR("mine"), (hb_str){NULL, 0});
    publish_send(r, m, NULL, &done);
    lost_reconnected(&w);
    CHECK_INT(waiting(), 1); /* it was never sent */
    list_entry(w.pipe.waiting.next, struct command, link)->sent_us = 1;
    lost_reconnected(&w);
    CHECK_INT(waiting(), 2);
    answer(script_sha(SCRIPT_BREAK), "$3\r\n8-0\r\n", 9);
    answer(script_sha(SCRIPT_PUBLISH), "$9\r\n0 9-0 8-0\r\n", 15);
    unref(m);
    end(r);
}

TEST(ones_own_message_that_was_read_back_is_still_ones_own)
{
    struct room *r = live("1-0");
    hb_message *m = make(HB_STR("r"), HB_STR("message"), HB_STR("as it was sent"), (hb_str){NULL, 0});
    publish_send(r, m, NULL, &done);
    push(r, "3-0", "2-0", "b");
    struct list *publish = w.pipe.waiting.next;
    list_remove(publish); /* its answer comes last */
    static const char *const page[][3] = {{"2-0", "1-0", "mine"}, {"3-0", "2-0", "b"}};
    answer_page_of(77, "3-0", 2, page);
    CHECK_STR(((hb_str){told, strlen(told)}), "as it was sent b ");
    list_insert(&w.pipe.waiting, publish);
    answer("EVALSHA", "$9\r\n0 2-0 1-0\r\n", 15);
    CHECK_STR(((hb_str){told, strlen(told)}), "as it was sent b ");
    unref(m);
    end(r);
}

TEST(ones_own_message_that_redis_forgot_and_stored_again_stands_where_it_was_stored_last)
{
    struct room *r = begin();
    room_confirmed(r);
    hb_message *m = make(HB_STR("r"), HB_STR("message"), HB_STR("mine"), (hb_str){NULL, 0});
    publish_send(r, m, NULL, &done);
    char payload[256];
    size_t at = (size_t)sprintf(payload, "2-0 1-0 ");
    at += entry_bytes(payload + at, "mine", 77, 1);
    room_push(r, (hb_str){payload, at}); /* before a failover to a replica that has not got it */
    struct list *publish = w.pipe.waiting.next->next;
    list_remove(publish);
    answer_page("4-0", 0, NULL);
    list_insert(&w.pipe.waiting, publish);
    answer("EVALSHA", "$9\r\n0 5-0 4-0\r\n", 15);
    CHECK_STR(((hb_str){told, strlen(told)}), "mine ");
    CHECK_INT(told_at.hi, 5);
    CHECK_INT(m->pos.hi, 2);
    unref(m);
    end(r);
}

TEST(an_answer_that_overtakes_a_push_waits_for_it)
{
    struct room *r = live("1-0");
    hb_message *m = make(HB_STR("r"), HB_STR("message"), HB_STR("mine"), (hb_str){NULL, 0});
    publish_send(r, m, NULL, &done);
    answer("EVALSHA", "$9\r\n0 3-0 2-0\r\n", 15);
    CHECK_STR(((hb_str){answers, strlen(answers)}), "0 ");
    CHECK_STR(((hb_str){told, strlen(told)}), "");
    push(r, "2-0", "1-0", "theirs");
    CHECK_STR(((hb_str){told, strlen(told)}), "theirs mine ");
    unref(m);
    end(r);
}

static void publish_text(struct room *r, const char *data, const hb_key *key)
{
    hb_message *m = make(HB_STR("r"), HB_STR("message"), (hb_str){data, strlen(data)}, (hb_str){NULL, 0});
    publish_send(r, m, key, &done);
    unref(m);
}

TEST(publishes_of_one_turn_are_one_step_and_each_has_its_place)
{
    struct room *r = live("1-0");
    publish_text(r, "first", NULL);
    publish_text(r, "second", NULL);
    publish_text(r, "third", NULL);
    CHECK_INT(waiting(), 1);
    answer("second", "$29\r\n0 5-7 1-0 0 5-8 5-7 0 5-9 5-8\r\n", 36);
    CHECK_STR(((hb_str){told, strlen(told)}), "first second third ");
    CHECK_STR(((hb_str){answers, strlen(answers)}), "0 0 0 ");
    CHECK(r->last.hi == 5 && r->last.lo == 9);
    CHECK_INT(w.pipe.bytes, 0);
    end(r);
}

TEST(a_publish_whose_answer_was_lost_is_known_when_it_is_repeated)
{
    struct room *r = live("1-0");
    static const char *const page[][3] = {{"2-0", "1-0", "a"}, {"5-0", "2-0", "first"}};
    publish_text(r, "first", NULL);
    answer("EVALSHA", "$7\r\n1 5-0 -\r\n", 13);
    CHECK_STR(((hb_str){answers, strlen(answers)}), "0 ");
    CHECK_STR(((hb_str){told, strlen(told)}), "");
    now += 200;
    room_tick(r, now);
    answer_page("5-0", 2, page);
    CHECK_STR(((hb_str){told, strlen(told)}), "a first ");
    end(r);
}

TEST(of_a_step_each_publish_has_its_own_outcome)
{
    struct room *r = live("1-0");
    hb_key key = {.room = HB_STR("r"), .scope = HB_STR("alice"), .key = HB_STR("k"), .window_ms = 1000};
    publish_text(r, "known", &key);
    publish_text(r, "new", &key);
    publish_text(r, "other", &key);
    publish_text(r, "cut short", &key);
    CHECK_INT(waiting(), 1);
    answer("EVALSHA", "$29\r\n1 1-0 77 0 5-0 1-0 2 1-0 77 0\r\n", 36);
    CHECK_STR(((hb_str){told, strlen(told)}), "new ");
    CHECK(strncmp(answers, "0d 0 ", 5) == 0);
    CHECK(strstr(answers, "d 14 "));
    end(r);
}

TEST(a_step_that_failed_fails_each_of_its_publishes)
{
    struct room *r = live("1-0");
    publish_text(r, "first", NULL);
    publish_text(r, "second", NULL);
    answer("EVALSHA", "-WRONGTYPE x\r\n", 14);
    CHECK(strncmp(answers, "14 14", 5) == 0);
    CHECK_INT(waiting(), 0);
    end(r);
}

TEST(a_push_of_several_is_taken_one_by_one)
{
    struct room *r = live("1-0");
    char payload[512] = "2-5 1-0 ";
    size_t at = strlen(payload);
    at += entry_bytes(payload + at, "a", 5, 1);
    size_t one = at;
    at += entry_bytes(payload + at, "b", 5, 2);
    room_push(r, (hb_str){payload, one});
    CHECK_STR(((hb_str){told, strlen(told)}), "a ");
    room_push(r, (hb_str){payload, at}); /* what is known is passed over */
    CHECK_STR(((hb_str){told, strlen(told)}), "a b ");
    CHECK(r->last.hi == 2 && r->last.lo == 6);
    end(r);
}

TEST(a_publish_goes_with_others_only_if_nothing_came_between)
{
    struct room *r = live("1-0");
    hb_key key = {.room = HB_STR("r"), .scope = HB_STR("alice"), .key = HB_STR("k"), .window_ms = 1000};
    hb_done lookup = {.fn = done.fn};
    publish_text(r, "a", NULL);
    publish_text(r, "keyed", &key);
    CHECK_INT(waiting(), 1);
    publish_lookup(r, &key, &lookup);
    publish_text(r, "b", NULL);
    CHECK_INT(waiting(), 3);
    pipe_tick(&w.pipe); /* the turn ends */
    publish_text(r, "c", NULL);
    CHECK_INT(waiting(), 4);
    for (int i = 0; i < 50; i++)
        publish_text(r, "d", NULL);
    CHECK_INT(waiting(), 5);
    end(r);
}

TEST(a_publish_past_its_time_is_unavailable)
{
    struct room *r = live("1-0");
    hb_message *m = make(HB_STR("r"), HB_STR("message"), HB_STR("late"), (hb_str){NULL, 0});
    publish_send(r, m, NULL, &done);
    now += 59000;
    pipe_tick(&w.pipe);
    CHECK_STR(((hb_str){answers, strlen(answers)}), "");
    now += 2000;
    pipe_tick(&w.pipe);
    CHECK(strncmp(answers, "14", 2) == 0);
    CHECK_INT(waiting(), 0);
    unref(m);
    end(r);
}

TEST(a_full_journal_refuses)
{
    struct room *r = live("1-0");
    int n = 0;
    while (!answers[0] && n++ < 10000) {
        hb_message *m = make(HB_STR("r"), HB_STR("message"), HB_STR("full"), (hb_str){NULL, 0});
        publish_send(r, m, NULL, &done);
        unref(m);
    }
    CHECK(n > 100 && n < 10000);
    CHECK(w.pipe.bytes <= 1000000);
    end(r);
}
