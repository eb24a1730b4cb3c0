#include "base/str.h"
#include "fake_host.h"
#include "unit.h"
#include "common/frame.h"
#include "ws_client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT (FRAME_FIN | FRAME_OP_TEXT)
#define BINARY (FRAME_FIN | FRAME_OP_BINARY)
#define PING (FRAME_FIN | FRAME_OP_PING)
#define CLOSE (FRAME_FIN | FRAME_OP_CLOSE)

extern const hb_module hubbub_module;

/* As the module has it; the tests fill it in like the host would. */
static struct {
    hb_strings paths;
    const char *echo;
    bool compression;
    int64_t threshold;
} options;
static const hb_str paths[] = {{"/hub/ws", 7}, {"/", 1}};

static void start(void)
{
    CHECK_INT(sizeof(options), hubbub_module.options_size);
    options.paths = (hb_strings){paths, 2};
    options.echo = "/echo";
    options.compression = false;
    options.threshold = 100;
    fake_start(&hubbub_module, &options);
}

static struct fake_request *upgrade(const char *path)
{
    struct fake_request *r = fake_request("GET", path);
    fake_request_header(r, "upgrade", "websocket");
    fake_request_header(r, "connection", "Upgrade");
    fake_request_header(r, "sec-websocket-version", "13");
    fake_request_header(r, "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    return r;
}

struct client {
    struct fake_request *request;
    hb_session *session;
    hb_stream *stream;
};

static struct client connect_to(const char *path)
{
    struct client c = {.request = upgrade(path)};
    if (options.compression)
        fake_request_header(c.request, "sec-websocket-extensions", "permessage-deflate");
    CHECK(fake_request_send(c.request));
    c.session = c.request->session;
    c.stream = fake_stream_open(c.request);
    return c;
}

static void send_frame(struct client *c, unsigned first, hb_str payload)
{
    struct buf b = BUF_INIT;
    ws_frame(&b, first, payload);
    fake_stream_data(c->stream, b.p, b.n);
    buf_finish(&b);
}

static void send_text(struct client *c, const char *text)
{
    send_frame(c, TEXT, str_of(text));
}

/* What the server wrote since the last call, to be compared with bytes. */
static void expect_bytes(struct client *c, hb_str want)
{
    CHECK_INT(c->stream->out.n, want.n);
    CHECK(memcmp(c->stream->out.p ? c->stream->out.p : "", want.p, want.n) == 0);
    buf_clear(&c->stream->out);
}

#define EXPECT_BYTES(c, literal) expect_bytes((c), HB_STR(literal))

static bool says(const struct buf *b, const char *text)
{
    return str_find(buf_view(b), str_of(text)) != SIZE_MAX;
}

TEST(an_upgrade_opens_a_session_and_starts_it_on_its_stream)
{
    start();
    struct client c = connect_to("/hub/ws");
    CHECK_INT(c.request->status, 101);
    CHECK_STR(buf_view(&c.request->head), "upgrade: websocket\n"
                                          "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n");
    CHECK(fake.opening.auth_later);
    CHECK_INT(fake.opening.variant, 0);
    CHECK(c.session->stream == c.stream && c.session->started);
    CHECK_INT(c.session->rooms.n, 0);
    fake_stop();
}

TEST(the_subprotocol_is_echoed_and_the_token_beside_it_is_not)
{
    start();
    struct fake_request *r = upgrade("/hub/ws");
    fake_request_header(r, "sec-websocket-protocol", "hubbub.bearer.secret, hubbub.v1");
    CHECK(fake_request_send(r));
    CHECK_STR(str_of(fake.credential), "secret");
    CHECK(says(&r->head, "sec-websocket-protocol: hubbub.v1\n"));
    CHECK(!says(&r->head, "secret"));
    fake_stream_vanish(r);
    fake_stop();
}

TEST(a_bearer_token_goes_before_one_in_the_subprotocol)
{
    start();
    struct fake_request *r = upgrade("/hub/ws");
    fake_request_header(r, "authorization", "bearer first");
    fake_request_header(r, "sec-websocket-protocol", "hubbub.bearer.second");
    CHECK(fake_request_send(r));
    CHECK_STR(str_of(fake.credential), "");
    fake_stream_vanish(r);
    fake_stop();
}

TEST(the_root_is_taken_only_for_websockets_and_other_paths_not_at_all)
{
    start();
    CHECK(!fake_request_send(fake_request("GET", "/")));
    CHECK(!fake_request_send(upgrade("/hub/wss")));
    CHECK(!fake_request_send(upgrade("/hub/ws/")));
    struct fake_request *r = upgrade("/");
    CHECK(fake_request_send(r));
    CHECK_INT(r->status, 101);
    fake_stream_vanish(r);
    fake_stop();
}

TEST(without_an_upgrade_the_answer_is_426_and_says_what_is_spoken)
{
    start();
    struct fake_request *r = fake_request("GET", "/hub/ws?x=1");
    CHECK(fake_request_send(r));
    CHECK_INT(r->status, 426);
    CHECK_STR(buf_view(&r->head), "upgrade: websocket\nsec-websocket-version: 13\n"
                                  "content-type: application/json\ncache-control: no-store\n");
    CHECK(says(&r->body, "{\"error\":{\"code\":\"bad_request\",\"message\":\""));
    fake_stop();
}

TEST(other_methods_get_405_with_the_one_allowed)
{
    start();
    struct fake_request *r = fake_request("POST", "/hub/ws");
    CHECK(fake_request_send(r));
    CHECK_INT(r->status, 405);
    CHECK_STR(buf_view(&r->head), "allow: GET\ncontent-type: application/json\ncache-control: no-store\n");
    fake_stop();
}

TEST(a_refused_session_is_answered_in_the_usual_form)
{
    start();
    fake.open_code = HB_UNAUTHORIZED;
    struct fake_request *r = upgrade("/hub/ws");
    CHECK(fake_request_send(r));
    CHECK_INT(r->code, HB_UNAUTHORIZED);
    CHECK(!r->events);
    fake_stop();
}

TEST(a_client_that_leaves_while_its_credentials_are_looked_at_leaves_nothing)
{
    start();
    fake.open_later = true;
    struct fake_request *r = upgrade("/hub/ws");
    CHECK(fake_request_send(r));
    fake_request_leave(r);
    CHECK(!r->status);
    r = upgrade("/hub/ws");
    CHECK(fake_request_send(r));
    fake_open_answer();
    CHECK_INT(r->status, 101);
    fake_stream_vanish(r);
    fake_stop();
}

TEST(a_client_that_leaves_before_the_switch_ends_its_session)
{
    start();
    struct fake_request *r = upgrade("/hub/ws");
    CHECK(fake_request_send(r));
    fake_stream_vanish(r);
    CHECK(r->session->ended);
    CHECK_INT(r->session->why, HB_END_CLIENT);
    fake_stop();
}

TEST(a_session_that_ends_before_its_stream_came_closes_it)
{
    start();
    struct fake_request *r = upgrade("/hub/ws");
    CHECK(fake_request_send(r));
    fake_session_end(r->session);
    hb_stream *s = fake_stream_open(r);
    CHECK(s->closed);
    fake_stop();
}

TEST(a_session_closed_before_its_stream_came_still_gets_its_close_frame)
{
    start();
    struct client c = {.request = upgrade("/hub/ws")};
    CHECK(fake_request_send(c.request));
    fake_session_close(c.request->session, 1001, "");
    c.stream = fake_stream_open(c.request);
    EXPECT_BYTES(&c, "\x88\x02\x03\xe9");
    CHECK(!c.request->session->started);
    fake_stop();
}

TEST(each_text_message_is_an_input_in_order)
{
    start();
    struct client c = connect_to("/hub/ws");
    send_text(&c, "{\"type\":\"ping\"}");
    send_frame(&c, FRAME_OP_TEXT, HB_STR("{\"a\":"));
    send_frame(&c, FRAME_FIN, HB_STR("1}"));
    CHECK_STR(buf_view(&c.session->input), "{\"type\":\"ping\"}\n{\"a\":1}\n");
    fake_stop();
}

TEST(bytes_arriving_one_by_one_make_the_same_messages)
{
    start();
    struct client c = connect_to("/hub/ws");
    struct buf b = BUF_INIT;
    ws_frame(&b, TEXT, HB_STR("first"));
    ws_frame(&b, PING, HB_STR("p"));
    ws_frame(&b, TEXT, HB_STR("second"));
    for (size_t i = 0; i < b.n; i++)
        fake_stream_data(c.stream, b.p + i, 1);
    CHECK_STR(buf_view(&c.session->input), "first\nsecond\n");
    EXPECT_BYTES(&c, "\x8a\x01p");
    CHECK_INT(c.stream->in.n, 0);
    buf_finish(&b);
    fake_stop();
}

TEST(a_ping_is_answered_with_its_payload_and_a_pong_is_not)
{
    start();
    struct client c = connect_to("/hub/ws");
    send_frame(&c, PING, HB_STR("abc"));
    send_frame(&c, FRAME_FIN | FRAME_OP_PONG, HB_STR("abc"));
    EXPECT_BYTES(&c, "\x8a\x03" "abc");
    fake_stop();
}

TEST(a_heartbeat_is_a_ping)
{
    start();
    struct client c = connect_to("/hub/ws");
    fake_session_heartbeat(c.session);
    EXPECT_BYTES(&c, "\x89\0");
    fake_stop();
}

TEST(a_binary_message_closes_1003)
{
    start();
    struct client c = connect_to("/hub/ws");
    send_frame(&c, BINARY, HB_STR("x"));
    EXPECT_BYTES(&c, "\x88\x02\x03\xeb");
    CHECK_INT(c.session->why, HB_END_ERROR);
    fake_stop();
}

TEST(a_message_over_the_limit_closes_1009_when_it_is_announced)
{
    start();
    struct client c = connect_to("/hub/ws");
    struct buf b = BUF_INIT;
    ws_head(&b, TEXT, 65537, 8);
    fake_stream_data(c.stream, b.p, b.n);
    EXPECT_BYTES(&c, "\x88\x02\x03\xf1");
    CHECK(c.session->ended);
    buf_finish(&b);
    fake_stop();
}

TEST(nothing_behind_a_fault_is_read)
{
    start();
    struct client c = connect_to("/hub/ws");
    struct buf b = BUF_INIT;
    ws_frame(&b, TEXT, HB_STR("good"));
    ws_frame(&b, TEXT, HB_STR("\xff"));
    ws_frame(&b, TEXT, HB_STR("late"));
    fake_stream_data(c.stream, b.p, b.n);
    CHECK_STR(buf_view(&c.session->input), "good\n");
    EXPECT_BYTES(&c, "\x88\x02\x03\xef");
    CHECK_INT(c.stream->in.n, 0);
    buf_finish(&b);
    fake_stop();
}

TEST(a_close_is_answered_with_its_code_and_ends_the_session)
{
    start();
    struct client c = connect_to("/hub/ws");
    send_frame(&c, CLOSE, HB_STR("\x0f\xa1" "why"));
    EXPECT_BYTES(&c, "\x88\x02\x0f\xa1");
    CHECK_INT(c.session->why, HB_END_CLIENT);
    CHECK(!c.session->at_once); /* a page that is loaded anew comes back */
    c = connect_to("/hub/ws");
    send_frame(&c, CLOSE, HB_STR(""));
    EXPECT_BYTES(&c, "\x88\0");
    fake_stop();
}

TEST(after_the_servers_close_nothing_is_read_or_sent)
{
    start();
    struct client c = connect_to("/hub/ws");
    fake_session_close(c.session, 4003, "kicked");
    EXPECT_BYTES(&c, "\x88\x08\x0f\xa3kicked");
    send_text(&c, "late");
    send_frame(&c, PING, HB_STR(""));
    send_frame(&c, CLOSE, HB_STR("\x0f\xa3"));
    fake_session_heartbeat(c.session);
    EXPECT_BYTES(&c, "");
    CHECK_INT(c.session->input.n, 0);
    CHECK(!c.session->ended); /* the host ends what it closed */
    fake_stop();
}

static void close_it(hb_session *s, hb_str json)
{
    fake_session_close(s, 4001, "");
}

static void end_it(hb_session *s, hb_str json)
{
    fake_session_end(s);
}

static void disconnect_it(hb_session *s, hb_str json)
{
    fake_stream_disconnect(s->stream);
}

TEST(a_session_may_be_closed_or_gone_within_its_own_input)
{
    static void (*const ways[])(hb_session *, hb_str) = {close_it, end_it, disconnect_it};
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        start();
        struct client c = connect_to("/hub/ws");
        struct buf b = BUF_INIT;
        ws_frame(&b, FRAME_OP_TEXT, HB_STR("one"));
        ws_frame(&b, FRAME_FIN, HB_STR(""));
        ws_frame(&b, TEXT, HB_STR("two"));
        fake.on_input = ways[i];
        fake_stream_data(c.stream, b.p, b.n);
        CHECK_STR(buf_view(&c.session->input), "one\n");
        buf_finish(&b);
        fake_stop();
    }
}

TEST(a_disconnect_in_the_middle_of_a_message_frees_it)
{
    start();
    struct client c = connect_to("/hub/ws");
    send_frame(&c, FRAME_OP_TEXT, HB_STR("never"));
    fake_stream_disconnect(c.stream);
    CHECK(c.session->ended);
    fake_stop();
}

TEST(events_are_text_frames_with_the_shortest_head)
{
    start();
    struct buf out = BUF_INIT;
    hb_event ev = fake_event(HB_EV_MESSAGE);
    fake_encode(0, &ev, &out);
    CHECK_STR(buf_view(&out), "\x81\x12{\"type\":\"message\"}");
    buf_clear(&out);
    char data[300];
    memset(data, '1', sizeof(data));
    ev.data = (hb_str){data, sizeof(data)};
    fake_encode(0, &ev, &out);
    CHECK_INT(out.n, 4 + 18 + 8 + 300);
    CHECK(memcmp(out.p, "\x81\x7e\x01\x46{\"type\"", 11) == 0);
    buf_finish(&out);
    fake_stop();
}

TEST(an_event_without_native_form_is_not_told)
{
    start();
    struct buf out = BUF_INIT;
    hb_event ev = fake_event(HB_EV_MEMBER);
    fake_encode(0, &ev, &out);
    fake_encode(1, &ev, &out);
    CHECK_INT(out.n, 0);
    fake_stop();
}

/* ---- compression ---- */

TEST(compression_is_agreed_to_only_where_it_is_enabled)
{
    start();
    struct fake_request *r = upgrade("/hub/ws");
    fake_request_header(r, "sec-websocket-extensions", "permessage-deflate");
    CHECK(fake_request_send(r));
    CHECK(!says(&r->head, "extensions"));
    CHECK_INT(r->session->variant, 0);
    fake_stream_vanish(r);
    options.compression = true;
    struct client c = connect_to("/hub/ws");
    CHECK(says(&c.request->head, "sec-websocket-extensions: permessage-deflate; "
                                    "server_no_context_takeover; client_no_context_takeover\n"));
    CHECK_INT(c.session->variant, 1);
    fake_stop();
}

TEST(long_events_are_compressed_and_short_ones_are_not)
{
    start();
    struct buf out = BUF_INIT;
    hb_event ev = fake_event(HB_EV_MESSAGE);
    fake_encode(1, &ev, &out);
    CHECK_INT((uint8_t)out.p[0], TEXT);
    buf_clear(&out);
    char data[3000];
    memset(data, '1', sizeof(data));
    ev.data = (hb_str){data, sizeof(data)};
    fake_encode(1, &ev, &out);
    CHECK_INT((uint8_t)out.p[0], TEXT | FRAME_RSV1);
    CHECK(out.n < 100);
    CHECK_INT((uint8_t)out.p[1], out.n - 2);
    buf_finish(&out);
    fake_stop();
}

#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00" /* RFC 7692, section 7.2.3.1 */

TEST(compressed_messages_are_read)
{
    start();
    options.compression = true;
    struct client c = connect_to("/hub/ws");
    send_frame(&c, FRAME_RSV1 | TEXT, HB_STR(HELLO));
    send_frame(&c, FRAME_RSV1 | FRAME_OP_TEXT, HB_STR("\xf2\x48\xcd"));
    send_frame(&c, FRAME_FIN, HB_STR("\xc9\xc9\x07\x00"));
    CHECK_STR(buf_view(&c.session->input), "Hello\nHello\n");
    fake_stop();
}

/* `text` as the payload of a compressed message: one stored block. */
static void send_stored(struct client *c, hb_str text)
{
    struct buf b = BUF_INIT;
    uint16_t n = (uint16_t)text.n;
    buf_append(&b, "\0", 1);
    buf_append(&b, (char[]){(char)n, (char)(n >> 8), (char)~n, (char)(~n >> 8)}, 4);
    buf_str(&b, text);
    buf_append(&b, "\0", 1);
    send_frame(c, FRAME_RSV1 | TEXT, buf_view(&b));
    buf_finish(&b);
}

TEST(what_is_inflated_is_checked_like_what_came_plain)
{
    start();
    options.compression = true;
    struct client c = connect_to("/hub/ws");
    send_stored(&c, HB_STR("gr\xc3\xbc\xc3\x9f"));
    CHECK_STR(buf_view(&c.session->input), "gr\xc3\xbc\xc3\x9f\n");
    send_stored(&c, HB_STR("\xc3"));
    EXPECT_BYTES(&c, "\x88\x02\x03\xef");
    c = connect_to("/hub/ws");
    send_frame(&c, FRAME_RSV1 | TEXT, HB_STR("\xff\xff"));
    EXPECT_BYTES(&c, "\x88\x02\x03\xef");
    c = connect_to("/hub/ws");
    fake.limits[HB_LIMIT_INFLATED_SIZE] = 4;
    send_frame(&c, FRAME_RSV1 | TEXT, HB_STR(HELLO));
    EXPECT_BYTES(&c, "\x88\x02\x03\xf1");
    fake_stop();
}

static void tell_much(hb_session *s, hb_str json)
{
    char *data = calloc(1, 200000);
    hb_event ev = fake_event(HB_EV_REPLY);
    memset(data, '1', 200000);
    ev.data = (hb_str){data, 200000};
    fake_session_tell(s, &ev);
    free(data);
    buf_str(&s->rooms, json); /* read again: it must not have been freed by the answer */
}

TEST(an_answer_given_within_an_input_leaves_the_input_alone)
{
    char text[65000];
    memset(text, 'x', sizeof(text));
    start();
    options.compression = true;
    fake.limits[HB_LIMIT_MESSAGE_SIZE] = 100000;
    struct client c = connect_to("/hub/ws");
    fake.on_input = tell_much;
    send_stored(&c, (hb_str){text, sizeof(text)});
    CHECK_INT(c.session->rooms.n, sizeof(text));
    CHECK_INT((uint8_t)c.stream->out.p[0], TEXT | FRAME_RSV1);
    fake_stop();
}

/* ---- echo ---- */

TEST(the_echo_path_sends_back_text_and_binary_without_a_session)
{
    start();
    struct client c = connect_to("/echo");
    CHECK_INT(c.request->status, 101);
    CHECK(!c.session && !fake.sessions);
    send_text(&c, "abc");
    send_frame(&c, BINARY, HB_STR("\xff"));
    send_frame(&c, PING, HB_STR(""));
    EXPECT_BYTES(&c, "\x81\x03" "abc" "\x82\x01\xff" "\x8a\0");
    send_frame(&c, CLOSE, HB_STR("\x03\xe8"));
    EXPECT_BYTES(&c, "\x88\x02\x03\xe8");
    CHECK(c.stream->closed);
    fake_stop();
}

TEST(the_echo_path_keeps_to_the_limits)
{
    start();
    struct client c = connect_to("/echo");
    struct buf b = BUF_INIT;
    ws_head(&b, BINARY, 65537, 8);
    fake_stream_data(c.stream, b.p, b.n);
    EXPECT_BYTES(&c, "\x88\x02\x03\xf1");
    CHECK(c.stream->closed);
    c = connect_to("/echo");
    fake.stream_limit = 10;
    send_text(&c, "more than ten bytes");
    CHECK(c.stream->closed);
    buf_finish(&b);
    fake_stop();
}

TEST(an_echo_whose_client_goes_is_freed)
{
    start();
    struct client c = connect_to("/echo");
    send_frame(&c, FRAME_OP_TEXT, HB_STR("never"));
    fake_stream_disconnect(c.stream);
    struct fake_request *r = upgrade("/echo");
    CHECK(fake_request_send(r));
    fake_stream_vanish(r);
    fake_stop();
}

TEST(the_echo_is_compressed_where_that_was_agreed)
{
    char text[1000];
    memset(text, 'x', sizeof(text));
    start();
    options.compression = true;
    struct client c = connect_to("/echo");
    send_frame(&c, TEXT, (hb_str){text, sizeof(text)});
    CHECK_INT((uint8_t)c.stream->out.p[0], TEXT | FRAME_RSV1);
    CHECK(c.stream->out.n < 50);
    buf_clear(&c.stream->out);
    send_frame(&c, FRAME_RSV1 | TEXT, HB_STR(HELLO));
    EXPECT_BYTES(&c, "\x81\x05Hello");
    fake_stop();
}

TEST(paths_are_checked)
{
    char error[200];
    hb_str bad = HB_STR("hub"), same = HB_STR("/echo");
    start();
    CHECK_INT(hubbub_module.check(NULL, &options, error, sizeof(error)), 0);
    options.paths = (hb_strings){&bad, 1};
    CHECK_INT(hubbub_module.check(NULL, &options, error, sizeof(error)), -1);
    CHECK_STR(str_of(error), "the path \"hub\" must begin with / and have no query");
    options.paths = (hb_strings){&same, 1};
    CHECK_INT(hubbub_module.check(NULL, &options, error, sizeof(error)), -1);
    fake_stop();
}
