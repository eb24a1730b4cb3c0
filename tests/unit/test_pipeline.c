/* The core from op to frame, without sockets: order, recovery, bounds. */
#include "pipeline.h"
#include "unit.h"
#include "out/cursor.h"
#include "out/encode.h"
#include "session/net.h"
#include <stdio.h>
#include <string.h>

static const char *const one = "workers: 1\n";
static const char *const four = "workers: 4\n";
static char line[1024];

/* An op with one or two `%s` in it. */
#define say(fmt, a, b) (snprintf(line, sizeof(line), fmt, a, b), line)

static void join(struct client *c, const char *room)
{
    client_send(c, say("{\"type\":\"join\",\"id\":1,\"room\":\"%s\"}%s", room, ""));
}

static void publish(struct client *c, const char *room, const char *data)
{
    client_send(c, say("{\"type\":\"publish\",\"id\":2,\"room\":\"%s\",\"data\":%s}", room, data));
}

TEST(a_session_is_welcomed_first)
{
    struct pipeline *p = pipeline_start(one, NULL);
    struct client *c = client_open(p, 0, NULL, false);
    const char *welcome = client_next(c);
    CHECK(strstr(welcome, "{\"type\":\"welcome\",\"session\":\"") == welcome);
    CHECK(strstr(welcome, "\"user\":null"));
    CHECK_INT(strlen(client_field(welcome, "session")), 12);
    CHECK_INT(strlen(client_field(welcome, "ticket")), 39);
    pipeline_stop(p);
}

static void members_get_it(const char *yaml, int sender_at, int member_at, int home)
{
    struct pipeline *p = pipeline_start(yaml, NULL);
    struct client *a = client_open(p, sender_at, NULL, false), *b = client_open(p, member_at, NULL, false);
    const char *room = pipeline_room(p, "lobby", home);
    join(a, room);
    join(b, room);
    publish(a, room, "{\"n\":1.10}");
    CHECK(*client_find(a, "\"ok\":true,\"cursor\""));
    const char *m = client_find(b, "\"type\":\"message\"");
    CHECK(strstr(m, "\"event\":\"message\",\"data\":{\"n\":1.10},\"user\":null,\"ts\":1700000000000"));
    CHECK(!*client_find(b, "\"type\":\"message\""));
    pipeline_stop(p);
}

TEST(a_message_reaches_members_byte_for_byte)
{
    members_get_it(one, 0, 0, 0);
}

TEST(a_message_crosses_workers_wherever_the_home_is)
{
    members_get_it(four, 0, 1, 0);
    members_get_it(four, 0, 1, 1);
    members_get_it(four, 0, 1, 2);
    members_get_it(four, 0, 0, 3);
}

TEST(echo_false_spares_the_sender_and_nobody_else)
{
    struct pipeline *p = pipeline_start(four, NULL);
    struct client *a = client_open(p, 0, NULL, false), *b = client_open(p, 0, NULL, false);
    const char *room = pipeline_room(p, "r", 2);
    join(a, room);
    join(b, room);
    client_send_quietly(a, say("{\"type\":\"publish\",\"room\":\"%s\",\"data\":1,\"echo\":false}%s", room, ""));
    client_send_quietly(a, say("{\"type\":\"publish\",\"room\":\"%s\",\"data\":2}%s", room, ""));
    pipeline_settle(p);
    CHECK(*client_find(b, "\"data\":1"));
    CHECK(*client_find(b, "\"data\":2"));
    CHECK(strstr(client_find(a, "\"type\":\"message\""), "\"data\":2"));
    pipeline_stop(p);
}

TEST(who_joins_in_mid_turn_gets_only_what_comes_after)
{
    struct pipeline *p = pipeline_start(one, NULL);
    struct client *a = client_open(p, 0, NULL, false), *b = client_open(p, 0, NULL, false);
    join(a, "r");
    client_send_quietly(a, "{\"type\":\"publish\",\"room\":\"r\",\"data\":1}");
    client_send_quietly(b, "{\"type\":\"join\",\"id\":1,\"room\":\"r\"}");
    client_send_quietly(a, "{\"type\":\"publish\",\"room\":\"r\",\"data\":2}");
    pipeline_settle(p);
    CHECK(strstr(client_find(b, "\"type\":\"message\""), "\"data\":2"));
    CHECK(*client_find(a, "\"data\":1"));
    CHECK(*client_find(a, "\"data\":2"));
    pipeline_stop(p);
}

/* Leave with a cursor, miss some, come back: everything once, in order. */
static void recovers(const char *yaml, int home, int missed)
{
    struct pipeline *p = pipeline_start(yaml, NULL);
    struct client *a = client_open(p, 0, NULL, false), *b = client_open(p, 0, NULL, false);
    const char *room = pipeline_room(p, "r", home);
    join(a, room);
    join(b, room);
    const char *cursor = client_field(client_find(b, "\"type\":\"reply\""), "cursor");
    CHECK(*cursor);
    client_gone(b);
    char data[16], part[32];
    for (int i = 0; i < missed; i++) {
        snprintf(data, sizeof(data), "%d", i);
        publish(a, room, data);
    }
    b = client_open(p, 1 % pipeline_workers(p), NULL, false);
    char op[512];
    snprintf(op, sizeof(op), "{\"type\":\"join\",\"id\":9,\"room\":\"%s\",\"since\":\"%s\"}", room, cursor);
    client_send(b, op);
    publish(a, room, "\"last\"");
    CHECK(strstr(client_find(b, "\"id\":9"), "\"recovered\":true"));
    for (int i = 0; i < missed; i++) {
        snprintf(part, sizeof(part), "\"data\":%d,", i);
        CHECK(strstr(client_find(b, "\"type\":\"message\""), part));
    }
    CHECK(strstr(client_find(b, "\"type\":\"message\""), "\"last\""));
    CHECK(!*client_next(b));
    pipeline_stop(p);
}

TEST(a_cursor_from_before_the_first_message_recovers_everything)
{
    recovers(one, 0, 5);
    recovers(four, 3, 5);
    recovers(four, 1, 0);
}

static const char *const long_history =
    "workers: 4\nrooms: [{match: '*', join: anyone, publish: members, history: {messages: 1000, age: 5m}}]\n";

TEST(a_long_replay_comes_in_pages_and_loses_nothing)
{
    recovers(long_history, 2, 500);
}

static void past_the_edge(int published, const char *expected)
{
    struct pipeline *p = pipeline_start(
        "workers: 1\nrooms: [{match: '*', join: anyone, publish: members, history: {messages: 3, age: 5m}}]\n", NULL);
    struct client *a = client_open(p, 0, NULL, false);
    join(a, "r");
    char cursor[64];
    snprintf(cursor, sizeof(cursor), "%s", client_field(client_find(a, "\"type\":\"reply\""), "cursor"));
    for (int i = 0; i < published; i++)
        publish(a, "r", "0");
    struct client *b = client_open(p, 0, NULL, false);
    client_send(b, say("{\"type\":\"join\",\"id\":9,\"room\":\"r\",\"since\":\"%s\"}%s", cursor, ""));
    CHECK(strstr(client_find(b, "\"id\":9"), expected));
    pipeline_stop(p);
}

TEST(a_cursor_at_the_trimmed_edge_recovers)
{
    past_the_edge(3, "\"recovered\":true");
}

TEST(a_cursor_past_the_trimmed_edge_is_told)
{
    past_the_edge(4, "\"recovered\":false");
}

TEST(a_cursor_of_another_room_is_told)
{
    struct pipeline *p = pipeline_start(one, NULL);
    struct client *a = client_open(p, 0, NULL, false);
    join(a, "r");
    char cursor[64];
    snprintf(cursor, sizeof(cursor), "%s", client_field(client_find(a, "\"type\":\"reply\""), "cursor"));
    client_send(a, say("{\"type\":\"join\",\"id\":9,\"room\":\"other\",\"since\":\"%s\"}%s", cursor, ""));
    CHECK(strstr(client_find(a, "\"id\":9"), "\"recovered\":false"));
    client_send(a, "{\"type\":\"join\",\"id\":10,\"room\":\"third\",\"since\":\"no cursor\"}");
    CHECK(strstr(client_find(a, "\"id\":10"), "\"recovered\":false"));
    pipeline_stop(p);
}

TEST(history_by_age_is_gone_in_time_and_told)
{
    struct pipeline *p = pipeline_start(one, NULL);
    struct client *a = client_open(p, 0, NULL, false);
    join(a, "r");
    char cursor[64];
    snprintf(cursor, sizeof(cursor), "%s", client_field(client_find(a, "\"type\":\"reply\""), "cursor"));
    publish(a, "r", "1");
    pipeline_advance(p, 20000);
    client_send(a, "{\"type\":\"ping\",\"id\":5}");
    for (int i = 0; i < 15; i++) {
        pipeline_advance(p, 20000);
        client_send(a, "{\"type\":\"ping\",\"id\":5}");
    }
    client_send(a, say("{\"type\":\"history\",\"id\":9,\"room\":\"r\",\"since\":\"%s\"}%s", cursor, ""));
    CHECK(strstr(client_find(a, "\"id\":9"), "\"recovered\":false"));
    pipeline_stop(p);
}

TEST(a_key_delivers_once_and_gives_the_first_reply)
{
    struct pipeline *p = pipeline_start(four, NULL);
    struct client *a = client_open(p, 0, NULL, false);
    const char *room = pipeline_room(p, "r", 2);
    char op[256], first[64];
    join(a, room);
    snprintf(op, sizeof(op), "{\"type\":\"publish\",\"id\":3,\"room\":\"%s\",\"data\":1,\"key\":\"k\"}", room);
    client_send(a, op);
    snprintf(first, sizeof(first), "%s", client_field(client_find(a, "\"id\":3"), "cursor"));
    client_send(a, op);
    CHECK(*first && strcmp(client_field(client_find(a, "\"id\":3"), "cursor"), first) == 0);
    snprintf(op, sizeof(op), "{\"type\":\"publish\",\"id\":4,\"room\":\"%s\",\"data\":2,\"key\":\"k\"}", room);
    client_send(a, op);
    CHECK(strstr(client_find(a, "\"id\":4"), "\"conflict\""));
    CHECK(!*client_find(a, "\"type\":\"message\""));
    pipeline_stop(p);
}

TEST(a_slow_consumer_is_closed_and_the_others_are_not)
{
    struct pipeline *p = pipeline_start("workers: 1\nlimits: {outbox: 4KiB, message_size: 2KiB}\n", NULL);
    struct client *a = client_open(p, 0, NULL, false), *b = client_open(p, 0, NULL, false);
    join(a, "r");
    join(b, "r");
    client_block(b, 10);
    for (int i = 0; i < 100; i++)
        publish(a, "r", "\"some text that fills an outbox of four kilobytes before long\"");
    CHECK_INT(b->close_code, 4008);
    CHECK(!a->closed && a->close_code == 0);
    int got = 0;
    while (*client_find(a, "\"type\":\"message\""))
        got++;
    CHECK_INT(got, 100);
    pipeline_advance(p, 6000);
    CHECK(b->closed);
    pipeline_stop(p);
}

TEST(a_short_write_goes_on_where_it_stopped)
{
    struct pipeline *p = pipeline_start(one, NULL);
    struct client *a = client_open(p, 0, NULL, false), *b = client_open(p, 0, NULL, false);
    join(a, "r");
    join(b, "r");
    client_block(b, 7);
    publish(a, "r", "1");
    publish(a, "r", "2");
    client_unblock(b);
    publish(a, "r", "3");
    for (int i = 1; i <= 3; i++) {
        char part[16];
        snprintf(part, sizeof(part), "\"data\":%d", i);
        CHECK(strstr(client_find(b, "{\"type\":\"message\""), part));
    }
    pipeline_stop(p);
}

TEST(silence_past_the_timeout_closes_4009)
{
    struct pipeline *p = pipeline_start(one, NULL);
    struct client *a = client_open(p, 0, NULL, false);
    for (int i = 0; i < 8; i++)
        pipeline_advance(p, 10000);
    CHECK_INT(a->close_code, 4009);
    CHECK(*client_find(a, "\"type\":\"bye\",\"code\":4009"));
    pipeline_stop(p);
}

TEST(silence_is_measured_from_the_last_sign_of_life_not_from_a_ping)
{
    struct pipeline *p = pipeline_start("workers: 1\nheartbeat: {interval: 10s, timeout: 15s}\n", NULL);
    for (int quiet_ms = 1000; quiet_ms < 10000; quiet_ms += 1000) {
        struct client *a = client_open(p, 0, NULL, false);
        pipeline_advance(p, (uint64_t)quiet_ms);
        client_send(a, "{\"type\":\"ping\",\"id\":1}");
        for (int ms = 0; ms < 24900; ms += 100)
            pipeline_advance(p, 100);
        CHECK_INT(a->close_code, 0);
        pipeline_advance(p, 300);
        CHECK_INT(a->close_code, 4009);
    }
    pipeline_stop(p);
}

TEST(the_limit_of_rooms_is_exact_whatever_workers_they_are_at_home_on)
{
    struct pipeline *p = pipeline_start("workers: 4\nlimits: {rooms: 2}\n"
        "rooms: [{match: '*', join: anyone, publish: members}]\n", NULL);
    struct client *a = client_open(p, 0, NULL, false);
    char first[64], second[64];
    snprintf(first, sizeof(first), "%s", pipeline_room(p, "a", 2));
    snprintf(second, sizeof(second), "%s", pipeline_room(p, "b", 2));
    join(a, first);
    join(a, second);
    client_send(a, "{\"type\":\"join\",\"id\":8,\"room\":\"c\"}");
    CHECK(strstr(client_find(a, "\"id\":8"), "\"unavailable\""));
    char leave[128];
    snprintf(leave, sizeof(leave), "{\"type\":\"leave\",\"id\":9,\"room\":\"%s\"}", first);
    client_send(a, leave);
    pipeline_advance(p, 1000);
    client_send(a, "{\"type\":\"join\",\"id\":10,\"room\":\"c\"}");
    CHECK(strstr(client_find(a, "\"id\":10"), "\"ok\":true"));
    pipeline_stop(p);
}

static hb_outcome said; /* by the hook below */

static hb_verdict say_who(const hb_ctx *ctx, hb_connect *ev)
{
    uint32_t size = ev->out.size;
    ev->out = said;
    ev->out.size = size;
    return HB_ALLOW;
}

TEST(a_module_that_names_a_user_that_can_not_be_one_lets_nobody_in)
{
    char longer[130] = "";
    memset(longer, 'x', 129);
    const char *const bad[] = {"", "@alice", "a\nb", "a\xc2\x85" "b", "\xff", longer};
    hb_hooks hooks = {.size = sizeof(hb_hooks), .connect = say_who};
    struct pipeline *p = pipeline_start(one, &hooks);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        said.user = (hb_str){bad[i], strlen(bad[i])};
        CHECK_INT(client_open(p, 0, NULL, false)->refused, HB_INTERNAL);
    }
    said.user = HB_STR("al\xc3\xbc");
    CHECK(client_open(p, 0, NULL, false)->opened);
    said.user = (hb_str){NULL, 0};
    pipeline_stop(p);
}

TEST(an_end_that_is_no_time_of_ours_is_never_or_now)
{
    hb_hooks hooks = {.size = sizeof(hb_hooks), .connect = say_who};
    struct pipeline *p = pipeline_start(one, &hooks);
    static const int64_t ends[][2] = {{0, 0}, {INT64_MAX, 0}, {INT64_MAX / 1000, 0}, {INT64_MIN, 4001}, {-1, 4001}, {1, 4001}};
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        said.expires_at = ends[i][0];
        struct client *a = client_open(p, 0, NULL, false);
        pipeline_advance(p, 10);
        CHECK_INT(a->close_code, ends[i][1]);
    }
    said.expires_at = 0;
    pipeline_stop(p);
}

TEST(fifty_faulty_ops_in_a_row_close_1008)
{
    struct pipeline *p = pipeline_start(one, NULL);
    struct client *a = client_open(p, 0, NULL, false);
    for (int i = 0; i < 49; i++)
        client_send(a, "no op");
    CHECK_INT(a->close_code, 0);
    client_send(a, "{\"type\":\"ping\"}");
    for (int i = 0; i < 50; i++)
        client_send(a, "{\"type\":\"what\"}");
    CHECK_INT(a->close_code, 1008);
    CHECK(*client_find(a, "\"type\":\"bye\",\"code\":1008"));
    pipeline_stop(p);
}

TEST(rooms_named_at_the_start_answer_before_anything_is_replayed)
{
    struct pipeline *p = pipeline_start(four, NULL);
    struct client *a = client_open(p, 0, NULL, false);
    hb_str rooms[] = {HB_STR("one"), HB_STR("two"), HB_STR("one")};
    join(a, "one");
    join(a, "two");
    struct client *b = client_open_rooms(p, 1, rooms, 3, (hb_str){NULL, 0});
    CHECK(b->start_answered && b->started == HB_OK);
    client_take(b);
    CHECK(strstr(client_next(b), "\"type\":\"welcome\""));
    CHECK(strstr(client_next(b), "\"type\":\"joined\",\"room\":\"one\",\"cursor\""));
    CHECK(strstr(client_next(b), "\"type\":\"joined\",\"room\":\"two\",\"cursor\""));
    CHECK(!*client_next(b));
    publish(a, "two", "5");
    CHECK(b->ready);
    client_take(b);
    CHECK(strstr(client_next(b), "\"data\":5"));
    pipeline_stop(p);
}

static hb_verdict be_alice(const hb_ctx *ctx, hb_connect *ev)
{
    ev->out.user = HB_STR("alice");
    return HB_ALLOW;
}

TEST(the_start_waits_for_the_own_room_of_its_user_too)
{
    static const hb_hooks welcome_alice = {.size = sizeof(hb_hooks), .connect = be_alice};
    struct pipeline *p = pipeline_start(four, &welcome_alice);
    struct client *a = client_open_rooms(p, 1, NULL, 0, (hb_str){NULL, 0});
    CHECK(a->start_answered && a->started == HB_OK);
    client_take(a);
    CHECK(*client_find(a, "\"type\":\"joined\",\"room\":\"@alice\""));
    pipeline_stop(p);
}

TEST(a_closed_session_still_knows_where_it_was)
{
    struct pipeline *p = pipeline_start(one, NULL);
    struct client *a = client_open(p, 0, NULL, false);
    hb_str rooms[] = {HB_STR("r")};
    struct client *b = client_open_rooms(p, 0, rooms, 1, (hb_str){NULL, 0});
    struct hb_out before = {.bytes = BUF_INIT}, after = {.bytes = BUF_INIT};
    hb_pos then, now;
    join(a, "r");
    client_take(b);
    net_cursor((hb_session *)b->session, &before);
    publish(a, "r", "1");
    net_close((hb_session *)b->session, 4003, HB_STR("out"), HB_END_KICKED);
    client_take(b);
    CHECK(*client_find(b, "\"data\":1"));
    CHECK(*client_find(b, "\"type\":\"bye\""));
    net_cursor((hb_session *)b->session, &after);
    CHECK_INT(cursor_find(buf_view(&before.bytes), rooms[0], &then), 1);
    CHECK_INT(cursor_find(buf_view(&after.bytes), rooms[0], &now), 1);
    CHECK(now.lo > then.lo);
    buf_finish(&before.bytes);
    buf_finish(&after.bytes);
    pipeline_stop(p);
}

TEST(messages_of_one_turn_are_fetched_one_by_one)
{
    struct pipeline *p = pipeline_start(one, NULL);
    hb_str rooms[] = {HB_STR("r")};
    struct client *a = client_open(p, 0, NULL, false), *b = client_open_rooms(p, 0, rooms, 1, (hb_str){NULL, 0});
    struct hb_out out = {.bytes = BUF_INIT};
    join(a, "r");
    client_take(b);
    client_send_quietly(a, "{\"type\":\"publish\",\"room\":\"r\",\"data\":1}");
    client_send_quietly(a, "{\"type\":\"publish\",\"room\":\"r\",\"data\":2}");
    pipeline_settle(p);
    CHECK_INT(net_take((hb_session *)b->session, 1 << 20, HB_STR(","), &out), 2);
    buf_finish(&out.bytes);
    pipeline_stop(p);
}

TEST(an_opening_that_names_a_room_twice_is_read_no_further_than_its_answers)
{
    struct pipeline *p = pipeline_start(one, NULL);
    hb_str rooms[] = {HB_STR("r"), HB_STR("r")};
    struct client *a = client_open_rooms(p, 0, rooms, 2, (hb_str){NULL, 0});
    CHECK(a->start_answered);
    pipeline_stop(p);
}

TEST(a_session_that_ends_while_it_joins_leaves_no_member_behind)
{
    struct pipeline *p = pipeline_start(four, NULL);
    struct client *a = client_open(p, 0, NULL, false), *b = client_open(p, 1, NULL, false);
    const char *room = pipeline_room(p, "r", 2);
    client_send_quietly(a, say("{\"type\":\"join\",\"id\":1,\"room\":\"%s\"}%s", room, ""));
    client_gone(a);
    join(b, room);
    CHECK(strstr(client_find(b, "\"type\":\"reply\""), "\"members\":1"));
    pipeline_stop(p);
}

/* --- hooks ---------------------------------------------------------------------------------------- */

static hb_ticket *ticket;
static int asked;

static hb_verdict later(const hb_ctx *ctx, hb_publish *ev)
{
    asked++;
    ticket = pipeline_later(ev);
    return HB_LATER;
}

static const hb_hooks slow = {.size = sizeof(hb_hooks), .publish = later};

TEST(a_late_answer_holds_later_ops_back_in_order)
{
    struct pipeline *p = pipeline_start(one, &slow);
    struct client *a = client_open(p, 0, NULL, false);
    asked = 0;
    join(a, "r");
    client_send(a, "{\"type\":\"publish\",\"id\":2,\"room\":\"r\",\"data\":1}");
    client_send(a, "{\"type\":\"ping\",\"id\":3}");
    CHECK(!*client_find(a, "\"id\":3"));
    pipeline_complete(ticket, HB_ALLOW);
    pipeline_settle(p);
    CHECK(*client_find(a, "\"id\":2,\"ok\":true"));
    CHECK(*client_find(a, "\"id\":3,\"ok\":true"));
    pipeline_stop(p);
}

TEST(a_ticket_completed_twice_or_after_its_session_is_harmless)
{
    struct pipeline *p = pipeline_start(one, &slow);
    struct client *a = client_open(p, 0, NULL, false);
    join(a, "r");
    client_send(a, "{\"type\":\"publish\",\"id\":2,\"room\":\"r\",\"data\":1}");
    pipeline_complete(ticket, HB_ALLOW);
    pipeline_complete(ticket, HB_DENY);
    pipeline_settle(p);
    CHECK(*client_find(a, "\"id\":2,\"ok\":true"));
    client_send(a, "{\"type\":\"publish\",\"id\":4,\"room\":\"r\",\"data\":1}");
    client_gone(a);
    pipeline_complete(ticket, HB_ALLOW);
    pipeline_settle(p);
    pipeline_stop(p);
}

TEST(a_hook_that_never_answers_is_denied_at_its_deadline)
{
    struct pipeline *p = pipeline_start(one, &slow);
    struct client *a = client_open(p, 0, NULL, false);
    join(a, "r");
    client_send(a, "{\"type\":\"publish\",\"id\":2,\"room\":\"r\",\"data\":1}");
    pipeline_advance(p, 60000);
    CHECK(strstr(client_find(a, "\"id\":2"), "\"unavailable\""));
    pipeline_stop(p);
}

/* --- modules that were built when structs were shorter ---------------------------------------------- */

TEST(of_a_shorter_outcome_no_more_is_read_than_there_is)
{
    struct pipeline *p = pipeline_start(one, &slow);
    struct client *a = client_open(p, 0, NULL, false);
    hb_outcome o = {.size = offsetof(hb_outcome, data), .data = HB_STR("\"not part of it\"")};
    join(a, "r");
    client_send(a, "{\"type\":\"publish\",\"id\":2,\"room\":\"r\",\"data\":1}");
    pipeline_answer(ticket, HB_ALLOW, &o);
    pipeline_settle(p);
    CHECK(strstr(client_find(a, "\"type\":\"message\""), "\"data\":1,"));
    pipeline_stop(p);
}

TEST(of_a_shorter_session_info_no_more_is_written_than_there_is)
{
    struct pipeline *p = pipeline_start(one, NULL);
    struct client *a = client_open(p, 0, NULL, false);
    hb_session_info info = {.size = offsetof(hb_session_info, issued_at), .issued_at = 7, .expires_at = 8};
    pipeline_session_info((const hb_session *)a->session, &info);
    CHECK(info.id.n == 12 && info.opened_ts > 0);
    CHECK(info.issued_at == 7 && info.expires_at == 8);
    CHECK_INT(info.size, offsetof(hb_session_info, issued_at));
    pipeline_stop(p);
}
