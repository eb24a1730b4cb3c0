#include "link.h"
#include "wire.h"
#include "mem.h"
#include "resolve.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_BYTES = 16 * 1024, READS_PER_TURN = 16 };

static void close_now(struct link *l);
static void on_ready(const hb_ctx *ctx, int fd, int what, void *arg);
static void connect_to(struct link *l);

/* --- life --------------------------------------------------------------------------------------- */

static void look(struct link *l)
{
    l->state = LINK_LOOKING;
    l->ctx->host->timer_set(l->ctx, &l->timer, (uint64_t)link_options(l)->timeout_ms);
    if (l->look)
        l->look(l);
    else
        connect_to(l);
}

static void on_timer(const hb_ctx *ctx, hb_timer *t)
{
    struct link *l = t->owner;
    if (l->state == LINK_DOWN)
        look(l);
    else if (l->state != LINK_UP)
        link_fail(l, l->state == LINK_GREETING ? "the greeting was not answered in time" : "connecting took too long");
}

static void flush(struct link *l);

static void on_flush(const hb_ctx *ctx, hb_timer *t)
{
    struct link *l = t->owner;
    l->flush_set = false;
    flush(l);
}

void link_init(struct link *l, const hb_ctx *ctx, const struct link_ops *ops, const char *name)
{
    l->ctx = ctx;
    l->ops = ops;
    l->name = name;
    l->fd = -1;
    l->state = LINK_DOWN;
    l->told = false;
    l->pause_ms = 0;
    l->out_at = l->out_n = l->out_cap = 0;
    l->timer = (hb_timer){.fire = on_timer, .owner = l};
    l->flush = (hb_timer){.fire = on_flush, .owner = l};
}

void link_open(struct link *l)
{
    look(l);
}

/* Between half and all of the pause, so that nodes don't come back together. */
static uint64_t jittered(uint64_t pause)
{
    uint32_t random = 0;
    (void)!getrandom(&random, sizeof(random), 0);
    return pause / 2 + random % (pause / 2 + 1);
}

static void log_state(struct link *l, hb_log_level level, const char *what)
{
    char text[256];
    snprintf(text, sizeof(text), "%s connection: %s", l->name, what);
    l->ctx->host->log(l->ctx, level, "redis", text);
}

static void drop_socket(struct link *l)
{
    if (l->fd >= 0) {
        l->ctx->host->watch(l->ctx, l->fd, HB_WATCH_NONE, NULL, NULL);
        close(l->fd);
    }
    l->fd = -1;
    l->watch_write = false;
    replies_destroy(l->replies);
    l->replies = NULL;
    l->out_at = l->out_n = 0;
    l->greeting = 0;
    l->ctx->host->timer_cancel(l->ctx, &l->flush);
    l->flush_set = false;
}

static void close_now(struct link *l)
{
    const struct options *o = link_options(l);
    bool was_up = l->state == LINK_UP;
    if (!l->told || strcmp(l->said, l->fault) != 0) /* cut off first, then refused: the second says why */
        log_state(l, HB_LOG_WARN, l->fault);
    memcpy(l->said, l->fault, sizeof(l->said));
    l->told = true;
    l->fault[0] = '\0';
    drop_socket(l);
    l->state = LINK_DOWN;
    l->pause_ms = l->pause_ms ? l->pause_ms * 2 : (uint64_t)o->backoff_min_ms;
    if (l->pause_ms > (uint64_t)o->backoff_max_ms)
        l->pause_ms = (uint64_t)o->backoff_max_ms;
    l->ctx->host->timer_set(l->ctx, &l->timer, jittered(l->pause_ms));
    if (was_up)
        l->ops->down(l);
}

void link_fail(struct link *l, const char *why)
{
    if (l->state == LINK_DOWN || l->fault[0])
        return;
    snprintf(l->fault, sizeof(l->fault), "%s", why);
    for (char *c = l->fault; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    if (!l->reading)
        close_now(l);
}

void link_finish(struct link *l)
{
    drop_socket(l);
    l->ctx->host->timer_cancel(l->ctx, &l->timer);
    free(l->out);
    l->out = NULL;
    l->state = LINK_DOWN;
}

/* --- connecting --------------------------------------------------------------------------------- */

static void open_socket(struct link *l, const struct sockaddr *to, socklen_t n)
{
    int one = 1;
    l->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0) {
        link_fail(l, strerror(errno));
        return;
    }
    if (to->sa_family != AF_UNIX)
        setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(l->fd, to, n) != 0 && errno != EINPROGRESS) {
        link_fail(l, strerror(errno));
        return;
    }
    l->state = LINK_CONNECTING;
    l->watch_write = true;
    if (l->ctx->host->watch(l->ctx, l->fd, HB_WATCH_READ | HB_WATCH_WRITE, on_ready, l) != 0)
        link_fail(l, "the socket can't be watched");
}

static void connect_unix(struct link *l)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", l->place.path);
    open_socket(l, (struct sockaddr *)&to, sizeof(to));
}

static void on_resolved(void *owner, const struct sockaddr *to, socklen_t n)
{
    struct link *l = owner;
    if (l->state != LINK_LOOKING)
        return;
    if (to)
        open_socket(l, to, n);
    else
        link_fail(l, "its host name has no address");
}

static void connect_to(struct link *l)
{
    if (l->place.path[0])
        connect_unix(l);
    else
        resolve(l->ctx, l->place.host, l->place.port, on_resolved, l);
}

void link_found(struct link *l, const struct place *place)
{
    if (l->state != LINK_LOOKING)
        return;
    l->place = *place;
    connect_to(l);
}

/* --- greeting ----------------------------------------------------------------------------------- */

void link_greet(struct link *l, int n, const hb_str *words)
{
    l->greeting++;
    link_command(l, n, words);
}

static hb_str text(const char *s)
{
    return (hb_str){s, strlen(s)};
}

static void greet(struct link *l)
{
    char db[16];
    l->state = LINK_GREETING;
    l->replies = replies_create();
    if (l->login.password[0] && l->login.user[0])
        link_greet(l, 3, (hb_str[]){HB_STR("AUTH"), text(l->login.user), text(l->login.password)});
    else if (l->login.password[0])
        link_greet(l, 2, (hb_str[]){HB_STR("AUTH"), text(l->login.password)});
    if (l->login.db) {
        snprintf(db, sizeof(db), "%d", l->login.db);
        link_greet(l, 2, (hb_str[]){HB_STR("SELECT"), text(db)});
    }
    if (l->check_role)
        link_greet(l, 1, (hb_str[]){HB_STR("ROLE")});
    link_greet(l, 1, (hb_str[]){HB_STR("PING")});
    if (l->ops->greet)
        l->ops->greet(l);
}

static bool is_slave(const redisReply *r)
{
    hb_str role = reply_str(reply_at(r, 0));
    return role.n == 5 && memcmp(role.p, "slave", 5) == 0;
}

static void on_greeting(struct link *l, const redisReply *r)
{
    if (reply_is_error(r)) {
        link_fail(l, r->str);
        return;
    }
    if (is_slave(r)) {
        link_fail(l, "it is a replica, not the master");
        return;
    }
    if (--l->greeting > 0)
        return;
    l->state = LINK_UP;
    l->pause_ms = 0;
    l->ctx->host->timer_cancel(l->ctx, &l->timer);
    if (l->told)
        log_state(l, HB_LOG_INFO, "back");
    l->told = false;
    l->ops->up(l);
}

/* --- reading ------------------------------------------------------------------------------------ */

static void take_replies(struct link *l)
{
    const redisReply *reply;
    while (!l->fault[0]) {
        if (!replies_next(l->replies, &reply)) {
            link_fail(l, "an answer that is none");
            return;
        }
        if (!reply)
            return;
        if (l->state == LINK_GREETING && l->greeting > 0)
            on_greeting(l, reply);
        else
            l->ops->reply(l, reply);
    }
}

static void read_some(struct link *l)
{
    char bytes[READ_BYTES];
    l->reading = true;
    for (int i = 0; i < READS_PER_TURN && !l->fault[0]; i++) {
        ssize_t n = read(l->fd, bytes, sizeof(bytes));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n <= 0)
            link_fail(l, n == 0 ? "closed by the server" : strerror(errno));
        else if (!l->replies || !replies_feed(l->replies, bytes, (size_t)n, (size_t)link_options(l)->reply_bytes))
            link_fail(l, "an answer past reply_size");
        else
            take_replies(l);
        if (n < (ssize_t)sizeof(bytes))
            break;
    }
    l->reading = false;
    if (l->fault[0])
        close_now(l);
}

/* --- writing ------------------------------------------------------------------------------------ */

static void watch(struct link *l, bool write)
{
    if (l->watch_write == write)
        return;
    l->watch_write = write;
    l->ctx->host->watch(l->ctx, l->fd, write ? HB_WATCH_READ | HB_WATCH_WRITE : HB_WATCH_READ, on_ready, l);
}

static void flush(struct link *l)
{
    while (l->fd >= 0 && l->state >= LINK_GREETING && l->out_at < l->out_n) {
        ssize_t n = send(l->fd, l->out + l->out_at, l->out_n - l->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            link_fail(l, strerror(errno));
            return;
        }
        if (n < 0)
            break;
        l->out_at += (size_t)n;
    }
    if (l->out_at == l->out_n)
        l->out_at = l->out_n = 0;
    if (l->fd >= 0)
        watch(l, l->out_n > 0);
}

void link_flush(struct link *l)
{
    if (!l->flush_set)
        return;
    l->ctx->host->timer_cancel(l->ctx, &l->flush);
    l->flush_set = false;
    flush(l);
}

static void finish_connecting(struct link *l)
{
    int error = 0;
    socklen_t n = sizeof(error);
    getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (error)
        link_fail(l, strerror(error));
    else
        greet(l);
}

static void on_ready(const hb_ctx *ctx, int fd, int what, void *arg)
{
    struct link *l = arg;
    if (l->state == LINK_CONNECTING)
        finish_connecting(l);
    else if (what & HB_WATCH_READ)
        read_some(l);
    if (l->fd == fd && (what & HB_WATCH_WRITE) && l->state >= LINK_GREETING)
        flush(l);
}

/* Room for n bytes behind what is to be written; NULL: there is no connection to write them to. */
static char *append(struct link *l, size_t n)
{
    if (l->state < LINK_GREETING)
        return NULL;
    if (l->out_at > 0 && l->out_n + n > l->out_cap) {
        memmove(l->out, l->out + l->out_at, l->out_n - l->out_at);
        l->out_n -= l->out_at;
        l->out_at = 0;
    }
    if (l->out_n + n > l->out_cap) {
        l->out_cap = (l->out_n + n) * 2;
        l->out = mem_need(realloc(l->out, l->out_cap));
    }
    if (!l->flush_set)
        l->ctx->host->timer_set(l->ctx, &l->flush, 0);
    l->flush_set = true;
    l->out_n += n;
    return l->out + l->out_n - n;
}

void link_put(struct link *l, const char *bytes, size_t n)
{
    char *out = append(l, n);
    if (out)
        memcpy(out, bytes, n);
}

void link_command(struct link *l, int n, const hb_str *words)
{
    char *out = append(l, command_size(n, words));
    if (out)
        command_write(n, words, out);
}
