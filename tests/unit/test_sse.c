/* The event stream transport against a fake host: what opens, what is written, what ends. */
#include "base/str.h"
#include "fake_host.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

extern const hb_module hubbub_module;

/* As the module has it; the tests fill it in like the host would. */
static struct {
    hb_strings paths;
    int64_t padding;
    int64_t retry_ms;
} options;
static const hb_str paths[] = {{"/hub/sse", 8}};

static void start(void)
{
    CHECK_INT(sizeof(options), hubbub_module.options_size);
    options.paths = (hb_strings){paths, 1};
    options.padding = 0;
    options.retry_ms = 1000;
    fake_start(&hubbub_module, &options);
    fake.cursor = "now";
}

static void tell(hb_session *s, hb_event_kind kind, const char *data)
{
    hb_event ev = fake_event(kind);
    ev.data = str_of(data);
    fake_session_tell(s, &ev);
}

/* What the host does between `start` and `started` for a request with one room. */
static void tell_opening(hb_session *s)
{
    tell(s, HB_EV_WELCOME, NULL);
    tell(s, HB_EV_JOINED, NULL);
}

static struct fake_request *ask(const char *target, const char *last_event_id)
{
    struct fake_request *r = fake_request("GET", target);
    if (last_event_id)
        fake_request_header(r, "last-event-id", last_event_id);
    fake.start_later = true;
    CHECK(fake_request_send(r));
    return r;
}

struct client {
    struct fake_request *request;
    hb_session *session;
    hb_stream *stream;
};

static struct client connect_with(const char *target, const char *last_event_id)
{
    struct client c = {.request = ask(target, last_event_id)};
    c.session = c.request->session;
    tell_opening(c.session);
    fake_session_started(c.session);
    c.stream = fake_stream_open(c.request);
    return c;
}

static struct client connect_to(const char *target)
{
    return connect_with(target, NULL);
}

/* All that was written so far, without the line of the delay, which differs. */
static hb_str written(struct client *c)
{
    hb_str all = buf_view(&c->stream->out);
    size_t retry = str_find(all, HB_STR("retry: ")), end = str_find(all, HB_STR("\n\n"));
    return retry < end ? str_sub(all, end + 2, SIZE_MAX) : all;
}

static bool says(const struct buf *b, const char *text)
{
    return str_find(buf_view(b), str_of(text)) != SIZE_MAX;
}

TEST(a_get_becomes_a_stream_that_no_proxy_keeps)
{
    start();
    struct client c = connect_to("/hub/sse?room=a&room=b%20c&x=1");
    CHECK_INT(c.request->status, 200);
    CHECK_STR(buf_view(&c.request->head), "content-type: text/event-stream\ncache-control: no-store\n"
                                          "x-accel-buffering: no\n");
    CHECK_STR(buf_view(&c.session->rooms), "a\nb c\n");
    CHECK_STR(buf_view(&c.session->since), "");
    CHECK(!fake.opening.auth_later);
    CHECK(c.session->stream == c.stream);
    fake_stop();
}

TEST(each_event_says_its_type_and_its_id)
{
    start();
    struct client c = connect_to("/hub/sse?room=a");
    tell(c.session, HB_EV_MESSAGE, "{\"n\":1.10}");
    CHECK_STR(written(&c), "event: welcome\ndata: {\"type\":\"welcome\"}\nid: now\n\n"
                           "event: joined\ndata: {\"type\":\"joined\"}\nid: now\n\n"
                           "event: message\ndata: {\"type\":\"message\",\"data\":{\"n\":1.10}}\nid: now\n\n");
    fake_stop();
}

TEST(the_id_of_a_lone_rooms_message_is_its_cursor_for_all)
{
    start();
    struct buf got = BUF_INIT;
    hb_event ev = fake_event(HB_EV_MESSAGE);
    ev.cursor = HB_STR("C");
    fake_encode(hubbub_module.transport->lone, &ev, &got);
    CHECK_STR(buf_view(&got), "event: message\ndata: {\"type\":\"message\"}\nid: C\n\n");
    buf_clear(&got);
    fake_encode(0, &ev, &got);
    CHECK_STR(buf_view(&got), "event: message\ndata: {\"type\":\"message\"}\n\n");
    buf_finish(&got);
    fake_stop();
}

TEST(line_breaks_between_tokens_are_dropped_and_nothing_else)
{
    start();
    struct client c = connect_to("/hub/sse?room=a");
    buf_clear(&c.stream->out);
    tell(c.session, HB_EV_MESSAGE, "{\r\n \"a\":\n\n[1,\r2],\"b\":\"\\n\"}\n");
    CHECK_STR(written(&c),
        "event: message\ndata: {\"type\":\"message\",\"data\":{ \"a\":[1,2],\"b\":\"\\n\"}}\nid: now\n\n");
    fake_stop();
}

TEST(until_the_last_joined_the_cursor_that_was_brought_is_the_one_to_come_back_with)
{
    start();
    struct client c = connect_to("/hub/sse?room=a&cursor=old");
    CHECK_STR(buf_view(&c.session->since), "old");
    CHECK_STR(written(&c), "event: welcome\ndata: {\"type\":\"welcome\"}\nid: old\n\n"
                           "event: joined\ndata: {\"type\":\"joined\"}\nid: now+old\n\n");
    fake_stop();
}

TEST(what_is_published_while_the_rooms_answer_comes_behind_them)
{
    start();
    struct fake_request *r = ask("/hub/sse?room=a&room=b", "old");
    struct client c = {r, r->session, NULL};
    tell_opening(c.session);
    tell(c.session, HB_EV_MESSAGE, "1");
    tell(c.session, HB_EV_JOINED, NULL);
    fake_session_started(c.session);
    c.stream = fake_stream_open(r);
    CHECK_STR(written(&c), "event: welcome\ndata: {\"type\":\"welcome\"}\nid: old\n\n"
                           "event: joined\ndata: {\"type\":\"joined\"}\nid: old\n\n"
                           "event: joined\ndata: {\"type\":\"joined\"}\nid: now+old\n\n"
                           "event: message\ndata: {\"type\":\"message\",\"data\":1}\nid: now\n\n");
    fake_stop();
}

TEST(last_event_id_wins_over_the_cursors_of_the_address)
{
    start();
    struct client c = connect_with("/hub/sse?room=a&cursor=one&cursor=two", "seen");
    CHECK_STR(buf_view(&c.session->since), "seen");
    struct client d = connect_with("/hub/sse?room=a&cursor=one&cursor=two", "");
    CHECK_STR(buf_view(&d.session->since), "one+two");
    fake_stop();
}

TEST(a_cursor_that_is_none_is_told_on_but_never_written_back)
{
    start();
    struct client c = connect_to("/hub/sse?room=a&cursor=!%0Aevent:%20evil");
    CHECK_STR(buf_view(&c.session->since), "!\nevent: evil");
    CHECK(!says(&c.stream->out, "evil"));
    CHECK_STR(written(&c), "event: welcome\ndata: {\"type\":\"welcome\"}\n\n"
                           "event: joined\ndata: {\"type\":\"joined\"}\nid: now\n\n");
    fake_stop();
}

TEST(padding_and_a_delay_of_its_own_come_first)
{
    start();
    options.padding = 2048;
    long least = 2000, most = 0;
    for (int i = 0; i < 20; i++) {
        struct client c = connect_to("/hub/sse");
        hb_str all = buf_view(&c.stream->out);
        CHECK_INT(all.p[0], ':');
        CHECK_INT(all.p[2046], ' ');
        CHECK(str_starts(str_sub(all, 2047, SIZE_MAX), HB_STR("\nretry: ")));
        long retry = 0;
        for (size_t at = 2055; at < all.n && all.p[at] != '\n'; at++)
            retry = retry * 10 + all.p[at] - '0';
        least = retry < least ? retry : least;
        most = retry > most ? retry : most;
    }
    CHECK(least >= 500 && most <= 1500 && least < most);
    fake_stop();
}

TEST(a_heartbeat_is_a_comment)
{
    start();
    struct client c = connect_to("/hub/sse");
    buf_clear(&c.stream->out);
    fake_session_heartbeat(c.session);
    CHECK_STR(buf_view(&c.stream->out), ":\n\n");
    fake_stop();
}

TEST(a_heartbeat_before_the_stream_is_there_says_nothing)
{
    start();
    struct fake_request *r = ask("/hub/sse", NULL);
    fake_session_heartbeat(r->session);
    CHECK_INT(r->session->n_frames, 0);
    fake_stop();
}

TEST(a_bye_carries_the_delay_that_the_server_wants)
{
    start();
    struct client c = connect_to("/hub/sse");
    hb_event bye = fake_event(HB_EV_BYE);
    buf_clear(&c.stream->out);
    bye.reconnect = true;
    bye.delay_ms = 1830;
    fake_session_tell(c.session, &bye);
    CHECK_STR(buf_view(&c.stream->out), "event: bye\ndata: {\"type\":\"bye\"}\nretry: 1830\nid: now\n\n");
    fake_session_close(c.session, 1001, "draining");
    CHECK(c.session->ended && c.stream->closed);
    fake_stop();
}

TEST(other_methods_get_405_with_the_one_allowed)
{
    start();
    struct fake_request *r = fake_request("POST", "/hub/sse");
    CHECK(fake_request_send(r));
    CHECK_INT(r->status, 405);
    CHECK(says(&r->head, "allow: GET\n"));
    CHECK(says(&r->body, "\"code\":\"method_not_allowed\""));
    CHECK(!fake_request_send(fake_request("GET", "/hub/sse/")));
    fake_stop();
}

TEST(refused_credentials_and_refused_rooms_refuse_the_request)
{
    start();
    fake.open_code = HB_UNAUTHORIZED;
    struct fake_request *r = fake_request("GET", "/hub/sse");
    CHECK(fake_request_send(r));
    CHECK_INT(r->code, HB_UNAUTHORIZED);
    fake.open_code = HB_OK;
    fake.start_code = HB_FORBIDDEN;
    r = fake_request("GET", "/hub/sse?room=secret");
    CHECK(fake_request_send(r));
    CHECK_INT(r->code, HB_FORBIDDEN);
    CHECK(r->session->ended);
    CHECK(!r->events);
    fake_stop();
}

TEST(a_client_that_leaves_at_any_moment_leaves_no_session)
{
    start();
    fake.open_later = true;
    struct fake_request *asking = ask("/hub/sse", NULL);
    fake_request_leave(asking);
    fake.open_later = false;
    struct fake_request *joining = ask("/hub/sse?room=a", NULL);
    fake_request_leave(joining);
    CHECK(joining->session->ended);
    struct fake_request *taken = ask("/hub/sse", NULL);
    fake_session_started(taken->session);
    fake_stream_vanish(taken);
    CHECK(taken->session->ended);
    struct client open = connect_to("/hub/sse");
    fake_stream_disconnect(open.stream);
    CHECK(open.session->ended);
    CHECK_INT(open.session->why, HB_END_CLIENT);
    fake_stop();
}

TEST(a_session_that_is_closed_while_it_opens_is_refused_or_told)
{
    start();
    struct fake_request *joining = ask("/hub/sse?room=a", NULL);
    fake_session_close(joining->session, 4001, "token expired");
    CHECK_INT(joining->code, HB_UNAUTHORIZED);
    struct fake_request *taken = ask("/hub/sse", NULL);
    fake_session_started(taken->session);
    tell(taken->session, HB_EV_BYE, NULL);
    fake_session_close(taken->session, 4003, "out");
    CHECK(!taken->session->ended);
    hb_stream *s = fake_stream_open(taken);
    CHECK(says(&s->out, "event: bye\n"));
    CHECK(taken->session->ended);
    fake_stop();
}

TEST(a_session_that_ends_before_its_stream_comes_closes_it)
{
    start();
    struct fake_request *r = ask("/hub/sse", NULL);
    fake_session_started(r->session);
    fake_session_end(r->session);
    CHECK(fake_stream_open(r)->closed);
    fake_stop();
}

TEST(what_a_client_sends_on_its_stream_is_ignored)
{
    start();
    struct client c = connect_to("/hub/sse");
    fake_stream_data(c.stream, "GET / HTTP/1.1\r\n\r\n", 18);
    CHECK_INT(c.stream->in.n, 0);
    CHECK(!c.session->ended);
    fake_stop();
}

TEST(events_that_have_no_form_are_not_told)
{
    start();
    struct client c = connect_to("/hub/sse");
    buf_clear(&c.stream->out);
    tell(c.session, HB_EV_MEMBER, NULL);
    CHECK_INT(c.stream->out.n, 0);
    fake_stop();
}
