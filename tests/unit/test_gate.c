/* The admin listener's door, with a worker's loop behind it and sockets before it; what lies behind
 * the HTTP library is a fake that answers, or keeps the requests. */
#include "server/gate.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "server/conn.h"
#include "server/request.h"
#include "unit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FULL = 256, LEAVING = 64, CLIENTS = FULL + LEAVING + 1, TURNS = 400, MIB = 1024 * 1024 };

#define TOKEN "Authorization: Bearer right\r\n"
#define GET(headers) "GET /x HTTP/1.1\r\nHost: a\r\n" headers "\r\n"
#define POST(headers) "POST /x HTTP/1.1\r\nHost: a\r\n" headers "\r\n"

static struct {
    struct worker *worker;
    struct listener *listener;
    int listening;
    int clients[CLIENTS];
    int n_clients;
    int asked;       /* requests that came through */
    bool keeps;      /* them, unanswered */
    struct buf said; /* what a client was told */
} door;

static void on_request(struct shard *control, hb_request *req)
{
    (void)control;
    door.asked++;
    if (!door.keeps)
        request_respond(req, 200, NULL, 0, HB_STR("fine"));
}

static hb_code judge(const struct config *config, const struct server_asker *who, const char **why)
{
    (void)config;
    *why = "who are you?";
    return str_eq(who->authorization, HB_STR("Bearer right")) ? HB_OK : HB_UNAUTHORIZED;
}

static void make_server(void)
{
    struct errors errors = {0};
    server.config = config_parse("test", HB_STR(""), &errors);
    CHECK(server.config != NULL);
    server.n_workers = 1;
    server.metrics = metrics_create(1);
    metrics_core_register(server.metrics, "test");
    server.admin = on_request;
    server.judge = judge;
}

static void make_listener(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    door.listening = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!bind(door.listening, (struct sockaddr *)&at, sizeof at) && !listen(door.listening, 16));
    door.listener = &door.worker->listeners[0];
    *door.listener = (struct listener){.worker = door.worker, .index = -1};
    door.listener->accept.ctx = &door.worker->context;
    door.listener->accept.hosts = door.worker->conf.hosts;
}

static void open_door(void)
{
    clock_fake(1000000, 1700000000000);
    log_configure(LOG_ERROR, false);
    make_server();
    door.worker = worker_create(&server, server.n_workers);
    worker_open(door.worker);
    make_listener();
    door.n_clients = door.asked = 0;
    door.keeps = false;
}

static void shut_door(void)
{
    for (int i = 0; i < door.n_clients; i++)
        close(door.clients[i]);
    worker_end_connections(door.worker);
    CHECK_INT(door.worker->n_conns, 0);
    mailbox_close(&door.worker->shard.box);
    worker_close(door.worker);
    worker_destroy(door.worker);
    close(door.listening);
    metrics_destroy(server.metrics);
    config_free(server.config);
    buf_finish(&door.said);
}

/* A client that is connected and accepted; its number. */
static int come(void)
{
    struct sockaddr_storage at, from;
    socklen_t n = sizeof at, m = sizeof from;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!getsockname(door.listening, (struct sockaddr *)&at, &n));
    CHECK(!connect(fd, (struct sockaddr *)&at, n));
    int accepted =
        accept4(door.listening, (struct sockaddr *)&from, &m, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(accepted >= 0);
    conn_accept(door.listener, accepted, &from);
    door.clients[door.n_clients] = fd;
    return door.n_clients++;
}

static void come_many(int n)
{
    while (n-- > 0)
        come();
}

static void say(int client, const char *text)
{
    CHECK_INT(send(door.clients[client], text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Has the server closed it? What comes until then is in door.said. */
static bool is_over(int client)
{
    char bytes[4096];
    ssize_t n;
    while ((n = recv(door.clients[client], bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        buf_append(&door.said, bytes, (size_t)n);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

static void turn_until_over(int client)
{
    buf_clear(&door.said);
    for (int i = 0; !is_over(client); i++) {
        CHECK(i < TURNS);
        worker_turn(door.worker);
    }
}

static size_t times_said(const char *text)
{
    size_t n = 0;
    hb_str said = buf_view(&door.said);
    for (const char *at; said.n && (at = memmem(said.p, said.n, text, strlen(text))); n++)
        said = (hb_str){at + 1, said.n - (size_t)(at + 1 - said.p)};
    return n;
}

static void turn_until_said(int client, const char *text, size_t times)
{
    buf_clear(&door.said);
    for (int i = 0; !is_over(client) && times_said(text) < times; i++) {
        CHECK(i < TURNS);
        worker_turn(door.worker);
    }
    CHECK_INT(times_said(text), times);
}

static void turn_until_asked(int times)
{
    for (int i = 0; door.asked < times; i++) {
        CHECK(i < TURNS);
        worker_turn(door.worker);
    }
}

static void is_turned_away(const char *head, const char *status)
{
    open_door();
    int client = come();
    say(client, head);
    turn_until_said(client, "\r\n\r\n{\"error\"", 1);
    CHECK_INT(times_said(status), 1);
    CHECK_INT(times_said("Connection: close\r\n"), 1);
    CHECK_INT(door.asked, 0);
    turn_until_over(client);
    shut_door();
}

TEST(a_strangers_large_body_is_refused_by_its_head)
{
    is_turned_away(POST("Content-Length: 65537\r\n"), "HTTP/1.1 401 ");
}

TEST(a_strangers_body_of_unknown_size_is_refused_by_its_head)
{
    is_turned_away(POST("Transfer-Encoding: chunked\r\n"), "WWW-Authenticate: Bearer\r\n");
}

TEST(a_length_that_is_no_number_is_not_modest)
{
    is_turned_away(POST("Content-Length: 18446744073709551617\r\n"), "HTTP/1.1 401 ");
}

TEST(a_head_that_reads_in_two_ways_is_refused_with_the_token_too)
{
    is_turned_away(POST(TOKEN "Content-Length: 1\r\nContent-Length: 2\r\n"), "HTTP/1.1 400 ");
}

TEST(a_head_that_does_not_end_is_refused)
{
    struct buf head = BUF_INIT;
    buf_lit(&head, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    for (int i = 0; i < 64 * 1024; i++)
        buf_char(&head, 'x');
    buf_char(&head, '\0');
    is_turned_away(head.p, "HTTP/1.1 413 ");
    buf_finish(&head);
}

TEST(a_strangers_small_request_is_answered_and_no_second_one)
{
    open_door();
    int client = come();
    say(client, GET("") GET(TOKEN));
    turn_until_over(client);
    CHECK_INT(door.asked, 1);
    CHECK_INT(times_said("HTTP/1.1 200 "), 1);
    shut_door();
}

TEST(who_shows_the_token_keeps_the_connection)
{
    open_door();
    int client = come();
    say(client, GET(TOKEN) GET(TOKEN) GET(TOKEN));
    turn_until_said(client, "HTTP/1.1 200 ", 3);
    CHECK_INT(door.asked, 3);
    CHECK_INT(door.worker->n_conns, 1);
    shut_door();
}

TEST(a_head_may_come_in_pieces)
{
    open_door();
    int client = come();
    say(client, "GET /x HTTP/1.1\r\nHo");
    worker_turn(door.worker);
    CHECK_INT(door.asked, 0);
    say(client, "st: a\r\n" TOKEN "\r\n");
    turn_until_said(client, "HTTP/1.1 200 ", 1);
    shut_door();
}

TEST(who_has_not_said_a_head_in_header_time_goes)
{
    open_door();
    int silent = come(), slow = come();
    say(slow, "GET /x HT");
    worker_turn(door.worker);
    clock_fake_advance((uint64_t)server.config->limits.header_time_ms - 10);
    worker_turn(door.worker);
    CHECK_INT(door.worker->n_conns, 2);
    clock_fake_advance(20);
    turn_until_over(silent);
    turn_until_over(slow);
    CHECK_INT(door.said.n, 0);
    CHECK_INT(door.worker->n_conns, 0);
    shut_door();
}

TEST(when_full_the_one_that_was_silent_longest_makes_room)
{
    open_door();
    come_many(FULL);
    int late = come();
    say(late, GET(TOKEN));
    turn_until_over(0);
    turn_until_said(late, "HTTP/1.1 200 ", 1);
    CHECK_INT(door.worker->n_conns, FULL);
    for (int i = 1; i < FULL; i++)
        CHECK(!is_over(i));
    shut_door();
}

TEST(when_full_strangers_go_before_those_with_the_token)
{
    open_door();
    int admin = come();
    say(admin, GET(TOKEN));
    turn_until_said(admin, "HTTP/1.1 200 ", 1);
    come_many(FULL - 1);
    come();
    turn_until_over(1);
    CHECK(!is_over(admin));
    shut_door();
}

TEST(whose_request_is_being_answered_stays_and_the_late_one_is_told)
{
    open_door();
    door.keeps = true;
    for (int i = 0; i < FULL; i++)
        say(come(), GET(TOKEN));
    turn_until_asked(FULL);
    int late = come();
    turn_until_over(late);
    CHECK_INT(times_said("HTTP/1.1 503 "), 1);
    CHECK_INT(times_said("Retry-After: "), 1);
    CHECK_INT(door.worker->n_conns, FULL);
    CHECK(!is_over(0));
    shut_door();
}

TEST(those_told_to_go_are_bounded_until_they_are_gone)
{
    open_door();
    come_many(FULL + LEAVING);
    CHECK_INT(door.worker->n_conns, FULL + LEAVING);
    int late = come();
    CHECK_INT(door.worker->n_conns, FULL + LEAVING);
    turn_until_over(late);
    CHECK_INT(times_said("HTTP/1.1 503 "), 1);
    shut_door();
}

/* Sends so much of a body, as fast as it is read. */
static void pour(int client, size_t bytes)
{
    static char chunk[64 * 1024];
    for (size_t sent = 0; sent < bytes;) {
        ssize_t n = send(door.clients[client], chunk, sizeof chunk, MSG_DONTWAIT | MSG_NOSIGNAL);
        CHECK(n > 0 || errno == EAGAIN);
        if (n > 0)
            sent += (size_t)n;
        else
            worker_turn(door.worker);
    }
}

TEST(what_all_hold_is_bounded_and_the_largest_goes)
{
    open_door();
    int n = 0, large = come();
    say(large, POST(TOKEN "Content-Length: 8000000\r\n"));
    pour(large, 7 * MIB);
    while (door.worker->n_conns == (size_t)n + 1) {
        CHECK(n < 64);
        n++;
        int client = come();
        say(client, POST(TOKEN "Content-Length: 8000000\r\n"));
        pour(client, 3 * MIB);
        worker_turn(door.worker);
    }
    turn_until_over(large);
    CHECK_INT(door.worker->n_conns, n);
    CHECK(n >= 64 / 7);
    CHECK_INT(door.asked, 0);
    shut_door();
}
