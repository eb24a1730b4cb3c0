#include "admin/notify.h"
#include "base/log.h"
#include "base/str.h"
#include "unit.h"
#include <arpa/inet.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Targets: bound at first, so that nobody else has the port, and away until it listens. */
struct target {
    int fd;
    char url[64];
};

static sem_t failed;
static _Atomic int dropped;

static void on_log(const char *line, size_t n, void *arg)
{
    if (str_find((hb_str){line, n}, HB_STR("it is tried again")) != SIZE_MAX)
        sem_post(&failed);
    dropped += str_find((hb_str){line, n}, HB_STR("one is dropped")) != SIZE_MAX;
}

static struct target target_open(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 60};
    socklen_t n = sizeof(a);
    struct target t = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    CHECK(t.fd >= 0 && !bind(t.fd, (struct sockaddr *)&a, n));
    CHECK(!getsockname(t.fd, (struct sockaddr *)&a, &n));
    setsockopt(t.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    snprintf(t.url, sizeof(t.url), "http://127.0.0.1:%d/", ntohs(a.sin_port));
    return t;
}

/* The next request's body. */
static void receive(const struct target *t, char body[static 64])
{
    char request[4096] = "";
    size_t n = 0, whole = SIZE_MAX;
    int fd = accept(t->fd, NULL, NULL);
    CHECK(fd >= 0);
    while (n < whole) {
        ssize_t got = read(fd, request + n, sizeof(request) - 1 - n);
        CHECK(got > 0);
        n += (size_t)got;
        const char *end = strstr(request, "\r\n\r\n"),
                   *length = strcasestr(request, "content-length:");
        if (end && length)
            whole = (size_t)(end + 4 - request) + (size_t)atoi(length + 15);
    }
    snprintf(body, 64, "%s", strstr(request, "\r\n\r\n") + 4);
    static const char fine[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    CHECK(send(fd, fine, sizeof(fine) - 1, MSG_NOSIGNAL) > 0);
    close(fd);
}

static void expect(const struct target *t, const char *wanted)
{
    char body[64];
    receive(t, body);
    CHECK_STR(str_of(body), wanted);
}

static void send_to(const struct target *t, const char *kind, const char *body)
{
    notify_send(str_of(t->url), str_of(kind), str_of(body));
}

/* It was tried in vain, and nothing is on its way to it. */
static void begin_away(struct target *away, const char *kind, const char *body)
{
    struct timespec until;
    sem_init(&failed, 0, 0);
    dropped = 0;
    log_capture(on_log, NULL);
    *away = target_open();
    send_to(away, kind, body);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    CHECK(sem_timedwait(&failed, &until) == 0);
}

/* All that was sent so far has come to the thread. */
static void barrier(void)
{
    struct target other = target_open();
    CHECK(!listen(other.fd, 16));
    send_to(&other, "barrier", "barrier");
    expect(&other, "barrier");
    close(other.fd);
}

static void end(struct target *t)
{
    notify_finish();
    log_capture(NULL, NULL);
    close(t->fd);
}

TEST(a_target_that_was_away_hears_the_newest_of_each_kind)
{
    struct target away;
    char body[32];
    begin_away(&away, "firing A", "A fires, 0");
    for (int i = 1; i <= 1000; i++) {
        snprintf(body, sizeof(body), "A fires, %d", i);
        send_to(&away, "firing A", body);
    }
    send_to(&away, "resolved A", "A is over");
    send_to(&away, "firing B", "B fires");
    barrier();
    CHECK(!listen(away.fd, 16));
    expect(&away, "A fires, 1000");
    expect(&away, "A is over");
    expect(&away, "B fires");
    CHECK_INT(dropped, 0);
    end(&away);
}

TEST(what_fires_again_comes_behind_its_end)
{
    struct target away;
    begin_away(&away, "firing A", "A fires");
    send_to(&away, "resolved A", "A is over");
    send_to(&away, "firing A", "A fires again");
    barrier();
    CHECK(!listen(away.fd, 16));
    expect(&away, "A is over");
    expect(&away, "A fires again");
    end(&away);
}

TEST(of_more_kinds_than_may_wait_the_oldest_is_dropped_and_told)
{
    struct target away;
    char body[32];
    begin_away(&away, "first", "first");
    for (int i = 0; i < 512; i++) {
        snprintf(body, sizeof(body), "kind %d", i);
        send_to(&away, body, body);
    }
    barrier();
    CHECK_INT(dropped, 1);
    CHECK(!listen(away.fd, 16));
    expect(&away, "kind 0");
    expect(&away, "kind 1");
    end(&away);
}

TEST(a_new_target_takes_the_place_of_one_that_is_not_needed_any_more)
{
    for (int i = 0; i < 40; i++)
        barrier();
    notify_finish();
}
