/* The long poll transport against a fake host: answers, what is kept, who waits, when it ends. */
#include "base/str.h"
#include "fake_host.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

extern const hb_module hubbub_module;

/* As the module has it; the tests fill it in like the host would. */
static struct {
    hb_strings paths;
    int64_t wait_ms, linger_ms;
} options;
static const hb_str paths[] = {{"/hub/poll", 9}};

static void start(void)
{
    CHECK_INT(sizeof(options), hubbub_module.options_size);
    options.paths = (hb_strings){paths, 1};
    options.wait_ms = 25000;
    options.linger_ms = 30000;
    fake_start(&hubbub_module, &options);
    fake.cursor = "C";
}

static void tell(hb_session *s, hb_event_kind kind, const char *data)
{
    hb_event ev = fake_event(kind);
    ev.data = str_of(data);
    fake_session_tell(s, &ev);
}

static struct fake_request *send(const char *method, const char *target, const char *body, void *conn)
{
    struct fake_request *r = fake_request(method, target);
    if (body) {
        fake_request_header(r, "content-type", "application/json; charset=utf-8");
        r->req.body = str_of(body);
    }
    CHECK(fake_request_send_for(r, conn));
    return r;
}

/* A session whose first answer was given: its cursor was C-1. */
static hb_session *open_session(const char *target)
{
    fake.start_later = true;
    struct fake_request *r = send("GET", target, NULL, NULL);
    tell(r->session, HB_EV_WELCOME, NULL);
    fake_session_started(r->session);
    CHECK_INT(r->status, 200);
    return r->session;
}

static struct fake_request *poll(hb_session *s, const char *cursor)
{
    static char targets[8][128]; /* a request keeps its own */
    static unsigned n;
    char *target = targets[n++ % 8];
    snprintf(target, sizeof(targets[0]), "/hub/poll?ticket=a-ticket&cursor=%s", cursor);
    struct fake_request *r = fake_request("GET", target);
    CHECK(fake_request_send_for(r, s->conn));
    return r;
}

static const char *body(const struct fake_request *r)
{
    static char text[1024];
    snprintf(text, sizeof(text), "%.*s", (int)r->body.n, r->body.p ? r->body.p : "");
    return text;
}

#define CHECK_BODY(r, want) CHECK_STR(buf_view(&(r)->body), (want))

TEST(a_get_opens_a_session_and_is_answered_at_once)
{
    start();
    fake.start_later = true;
    struct fake_request *r = send("GET", "/hub/poll?room=a&room=b%20c&cursor=x&cursor=y", NULL, NULL);
    CHECK(!fake.opening.auth_later);
    CHECK_STR(buf_view(&r->session->rooms), "a\nb c\n");
    CHECK_STR(buf_view(&r->session->since), "x+y");
    tell(r->session, HB_EV_WELCOME, NULL);
    tell(r->session, HB_EV_JOINED, NULL);
    CHECK_INT(r->status, 0);
    fake_session_started(r->session);
    CHECK_INT(r->status, 200);
    CHECK_STR(buf_view(&r->head), "content-type: application/json\ncache-control: no-store\n");
    CHECK_BODY(r, "{\"session\":\"an-id\",\"ticket\":\"a-ticket\",\"cursor\":\"C-1\","
                  "\"messages\":[{\"type\":\"welcome\"},{\"type\":\"joined\"}]}");
    fake_stop();
}

TEST(a_post_opens_one_for_lists_that_are_long)
{
    start();
    struct fake_request *r = send("POST", "/hub/poll",
        "{\"rooms\":[\"a\",\"\\u00fc\"],\"cursor\":\"old\",\"other\":1}", NULL);
    CHECK_STR(buf_view(&r->session->rooms), "a\n\xc3\xbc\n");
    CHECK_STR(buf_view(&r->session->since), "old");
    fake_stop();
}

TEST(a_body_that_is_something_else_opens_nothing)
{
    static const char *const bodies[] = {"[]", "{", "{\"rooms\":1}", "{\"rooms\":[1]}", "{\"cursor\":{}}",
        "{\"rooms\":[\"a\"],\"rooms\":[\"b\"]}", "\"a\"", "{\"rooms\":[\"\\ud800\"]}"};
    start();
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        CHECK_INT(send("POST", "/hub/poll", bodies[i], NULL)->code, HB_BAD_REQUEST);
    struct fake_request *form = fake_request("POST", "/hub/poll");
    form->req.body = HB_STR("{\"rooms\":[\"a\"]}");
    fake_request_header(form, "content-type", "text/plain");
    CHECK(fake_request_send(form));
    CHECK_INT(form->code, HB_UNSUPPORTED_MEDIA_TYPE);
    CHECK(!fake.sessions);
    fake_stop();
}

TEST(a_poll_waits_for_something_and_is_answered_when_it_comes)
{
    start();
    hb_session *s = open_session("/hub/poll");
    struct fake_request *r = poll(s, "C-1");
    CHECK(r->parked);
    CHECK_STR(buf_view(&r->head), "content-type: application/json\ncache-control: no-store\n");
    tell(s, HB_EV_MESSAGE, "1");
    CHECK_BODY(r, "{\"session\":\"an-id\",\"cursor\":\"C-2\","
                  "\"messages\":[{\"type\":\"message\",\"data\":1}]}");
    fake_stop();
}

TEST(what_came_between_two_polls_is_answered_at_once)
{
    start();
    hb_session *s = open_session("/hub/poll");
    tell(s, HB_EV_MESSAGE, "1");
    tell(s, HB_EV_MESSAGE, "2");
    struct fake_request *r = poll(s, "C-1");
    CHECK(!r->parked);
    CHECK(strstr(body(r), "\"data\":1}") && strstr(body(r), "\"data\":2}"));
    fake_stop();
}

TEST(an_answer_that_got_lost_comes_again_until_its_cursor_does)
{
    start();
    hb_session *s = open_session("/hub/poll");
    tell(s, HB_EV_PRESENCE, "1");
    struct fake_request *lost = poll(s, "C-1");
    tell(s, HB_EV_MESSAGE, "2");
    struct fake_request *again = poll(s, "C-1");
    CHECK_STR(buf_view(&again->body), body(lost));
    CHECK_STR(buf_view(&poll(s, "")->body), body(lost));
    CHECK_STR(buf_view(&poll(s, "C-22")->body), body(lost));
    struct fake_request *next = poll(s, "C-2");
    CHECK(strstr(body(next), "\"cursor\":\"C-3\",\"messages\":[{\"type\":\"message\",\"data\":2}]"));
    fake_stop();
}

TEST(the_first_answer_is_no_exception)
{
    start();
    hb_session *s = open_session("/hub/poll");
    CHECK(strstr(body(poll(s, "")), "\"ticket\":\"a-ticket\",\"cursor\":\"C-1\""));
    CHECK(poll(s, "C-1")->parked);
    fake_stop();
}

TEST(nothing_for_the_wait_time_is_answered_with_an_empty_list)
{
    start();
    hb_session *s = open_session("/hub/poll");
    struct fake_request *r = poll(s, "C-1");
    fake_advance(24999);
    CHECK_INT(r->body.n, 0);
    fake_advance(1);
    CHECK_BODY(r, "{\"session\":\"an-id\",\"cursor\":\"C-2\",\"messages\":[]}");
    CHECK(poll(s, "C-2")->parked);
    CHECK(!s->ended);
    fake_stop();
}

TEST(an_empty_answer_that_got_lost_is_not_missed)
{
    start();
    hb_session *s = open_session("/hub/poll");
    poll(s, "C-1");
    fake_advance(25000);
    struct fake_request *r = poll(s, "C-1");
    CHECK(r->parked);
    tell(s, HB_EV_MESSAGE, "1");
    CHECK(strstr(body(r), "\"data\":1}"));
    fake_stop();
}

TEST(a_second_poll_ends_the_first_with_an_empty_list)
{
    start();
    hb_session *s = open_session("/hub/poll");
    struct fake_request *first = poll(s, "C-1"), *second = poll(s, "C-1");
    CHECK(strstr(body(first), "\"messages\":[]}"));
    tell(s, HB_EV_MESSAGE, "1");
    CHECK(strstr(body(second), "\"data\":1}"));
    fake_stop();
}

TEST(a_session_without_a_poll_for_the_linger_time_ends)
{
    start();
    hb_session *s = open_session("/hub/poll");
    fake_advance(29999);
    CHECK(!s->ended);
    struct fake_request *r = poll(s, "C-1");
    fake_advance(20000);
    fake_request_leave(r);
    fake_advance(29999);
    CHECK(!s->ended);
    fake_advance(1);
    CHECK(s->ended);
    CHECK_INT(s->why, HB_END_CLIENT);
    fake_stop();
}

TEST(a_poll_whose_client_left_is_not_answered_and_loses_nothing)
{
    start();
    hb_session *s = open_session("/hub/poll");
    fake_request_leave(poll(s, "C-1"));
    tell(s, HB_EV_MESSAGE, "1");
    CHECK(strstr(body(poll(s, "C-1")), "\"data\":1}"));
    fake_stop();
}

TEST(an_unknown_ticket_is_404_unless_rooms_are_named)
{
    start();
    CHECK_INT(send("GET", "/hub/poll?ticket=none&cursor=x", NULL, NULL)->code, HB_NOT_FOUND);
    CHECK_INT(send("GET", "/hub/poll?ticket=", NULL, NULL)->code, HB_NOT_FOUND);
    struct fake_request *r = fake_request("GET", "/hub/poll");
    fake_request_header(r, "hub-ticket", "none");
    CHECK(fake_request_send(r));
    CHECK_INT(r->code, HB_NOT_FOUND);
    CHECK_STR(r->claim.ticket, "none");
    CHECK(!fake.sessions);
    r = send("GET", "/hub/poll?ticket=none&room=a&cursor=x", NULL, NULL);
    CHECK_STR(buf_view(&r->session->since), "x");
    fake_stop();
}

TEST(what_a_closed_session_still_had_to_say_is_kept_for_the_next_poll)
{
    start();
    hb_session *s = open_session("/hub/poll");
    tell(s, HB_EV_MESSAGE, "1");
    tell(s, HB_EV_BYE, NULL);
    fake_session_close(s, 4003, "out");
    CHECK(!s->ended);
    struct fake_request *lost = poll(s, "C-1");
    CHECK(strstr(body(lost), "\"data\":1},{\"type\":\"bye\"}]"));
    CHECK_STR(buf_view(&poll(s, "C-1")->body), body(lost));
    CHECK_INT(poll(s, "C-2")->code, HB_NOT_FOUND);
    CHECK_INT(poll(s, "C-2")->code, HB_NOT_FOUND);
    fake_advance(30000);
    CHECK(s->ended);
    fake_stop();
}

TEST(who_names_rooms_goes_on_in_a_new_session_once_the_closed_one_has_said_all)
{
    start();
    hb_session *s = open_session("/hub/poll?room=a");
    tell(s, HB_EV_BYE, NULL);
    fake_session_close(s, 4003, "out");
    struct fake_request *r = send("GET", "/hub/poll?ticket=a-ticket&cursor=C-1&room=a", NULL, s->conn);
    CHECK(strstr(body(r), "\"bye\""));
    r = send("GET", "/hub/poll?ticket=a-ticket&cursor=C-2&room=a", NULL, s->conn);
    CHECK(r->session && r->session != s);
    CHECK_STR(buf_view(&r->session->since), "C-2");
    fake_stop();
}

TEST(a_waiting_poll_is_told_of_the_close_at_once)
{
    start();
    hb_session *s = open_session("/hub/poll");
    struct fake_request *r = poll(s, "C-1");
    hb_event bye = fake_event(HB_EV_BYE);
    struct buf *frame = &s->frames[s->n_frames++].bytes;
    buf_init(frame);
    fake_encode(0, &bye, frame);
    fake_session_close(s, 4001, "token expired");
    CHECK(strstr(body(r), "[{\"type\":\"bye\"}]"));
    CHECK_INT(poll(s, "C-2")->code, HB_UNAUTHORIZED);
    fake_stop();
}

TEST(a_slow_consumer_has_nothing_left_to_be_told)
{
    start();
    hb_session *s = open_session("/hub/poll"), *t = open_session("/hub/poll");
    struct fake_request *r = poll(s, "C-1");
    fake_session_close(s, 4008, "slow consumer");
    CHECK(strstr(body(r), "\"messages\":[]}"));
    CHECK(s->ended);
    struct fake_request *lost = poll(t, "C-1");
    tell(t, HB_EV_MESSAGE, "1");
    fake_session_close(t, 4008, "slow consumer");
    CHECK(!t->ended);
    CHECK_STR(buf_view(&poll(t, "C-1")->body), body(lost));
    CHECK_INT(poll(t, "C-2")->code, HB_NOT_FOUND);
    hb_session *u = open_session("/hub/poll");
    poll(u, "C-1");
    fake_advance(25000);
    fake_session_close(u, 4008, "slow consumer");
    CHECK(u->ended);
    fake_stop();
}

TEST(a_server_that_goes_does_not_stay_for_answers_that_get_lost)
{
    start();
    hb_session *waiting = open_session("/hub/poll"), *away = open_session("/hub/poll");
    poll(waiting, "C-1");
    buf_lit(&waiting->frames[waiting->n_frames++].bytes, "{}");
    fake_session_close(waiting, 1001, "draining");
    CHECK(waiting->ended);
    tell(away, HB_EV_BYE, NULL);
    fake_session_close(away, 1001, "draining");
    fake_advance(999);
    CHECK(!away->ended);
    fake_advance(1);
    CHECK(away->ended);
    fake_stop();
}

TEST(a_session_that_is_ended_answers_the_poll_that_waits)
{
    start();
    hb_session *s = open_session("/hub/poll");
    struct fake_request *r = poll(s, "C-1");
    fake_session_end(s);
    CHECK(strstr(body(r), "\"messages\":[]}"));
    fake_stop();
}

TEST(a_session_that_is_closed_while_its_rooms_answer_says_so)
{
    start();
    fake.start_later = true;
    struct fake_request *r = send("GET", "/hub/poll?room=a", NULL, NULL);
    tell(r->session, HB_EV_WELCOME, NULL);
    tell(r->session, HB_EV_BYE, NULL);
    fake_session_close(r->session, 4003, "out");
    CHECK(strstr(body(r), "{\"type\":\"welcome\"},{\"type\":\"bye\"}]"));
    r = send("GET", "/hub/poll?room=a", NULL, NULL);
    fake_session_end(r->session);
    CHECK_INT(r->code, HB_UNAVAILABLE);
    fake_stop();
}

TEST(refused_credentials_and_refused_rooms_refuse_the_request)
{
    start();
    fake.open_code = HB_UNAUTHORIZED;
    CHECK_INT(send("GET", "/hub/poll", NULL, NULL)->code, HB_UNAUTHORIZED);
    fake.open_code = HB_OK;
    fake.start_code = HB_FORBIDDEN;
    struct fake_request *r = send("GET", "/hub/poll?room=secret", NULL, NULL);
    CHECK_INT(r->code, HB_FORBIDDEN);
    CHECK(r->session->ended);
    fake_stop();
}

TEST(a_client_that_leaves_before_its_first_answer_leaves_no_session)
{
    start();
    fake.open_later = true;
    fake_request_leave(send("GET", "/hub/poll", NULL, NULL));
    fake.open_later = false;
    fake.start_later = true;
    struct fake_request *r = send("GET", "/hub/poll?room=a", NULL, NULL);
    fake_request_leave(r);
    CHECK(r->session->ended);
    fake_stop();
}

TEST(other_methods_get_405_with_those_allowed)
{
    start();
    struct fake_request *r = send("DELETE", "/hub/poll", NULL, NULL);
    CHECK_INT(r->status, 405);
    CHECK(str_find(buf_view(&r->head), HB_STR("allow: GET, POST\n")) != SIZE_MAX);
    CHECK(!fake_request_send(fake_request("GET", "/hub/polls")));
    fake_stop();
}
