#include "server/listen.h"

#include "base/clock.h"
#include "base/log.h"
#include "server/conn.h"
#include "server/tls.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

enum { BACKLOG = 4096, ACCEPTS_PER_TURN = 64, EXHAUSTED_MS = 200 };

static struct {
    int fds[WORKERS_MAX][LISTENERS_MAX]; /* -1: none, or taken over */
    int admin;
} bound = {.admin = -1};

/* ---- binding ---- */

static socklen_t make_address(const char *text, int64_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return sizeof *v4;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
        return 0;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    return sizeof *v6;
}

enum { ALONE = 1, LISTEN = 2 };

static int open_socket(const char *address, int64_t port, int how)
{
    struct sockaddr_storage to;
    socklen_t size = make_address(address, port, &to);
    int kind = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, one = 1;
    int fd = size ? socket(to.ss_family, kind, 0) : -1;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (!(how & ALONE))
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&to, size) == 0 &&
        (!(how & LISTEN) || listen(fd, BACKLOG) == 0))
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* SO_REUSEPORT would let a second server of the same user share the port unnoticed: ask without. */
static bool port_is_free(const char *address, int64_t port)
{
    int fd = open_socket(address, port, ALONE);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static bool tell_failed(const char *address, int64_t port)
{
    int why = errno;
    log_write(LOG_ERROR, "listen", "can't listen on %s port %lld: %s", address, (long long)port,
        why == EADDRINUSE ? "another program does already" : strerror(why));
    return false;
}

static bool bind_listener(const struct config_listen *l, int index, int workers)
{
    if (!port_is_free(l->address, l->port))
        return tell_failed(l->address, l->port);
    for (int i = 0; i < workers; i++) {
        bound.fds[i][index] = open_socket(l->address, l->port, LISTEN);
        if (bound.fds[i][index] < 0)
            return tell_failed(l->address, l->port);
    }
    return true;
}

bool listen_bind(struct server *s)
{
    const struct config *c = s->config;
    memset(&bound, 0xff, sizeof bound);
    if (c->listen.n > LISTENERS_MAX) {
        log_write(LOG_ERROR, "listen", "at most %d addresses to listen on", LISTENERS_MAX);
        return false;
    }
    for (size_t i = 0; i < c->listen.n; i++)
        if (!bind_listener(&c->listen.items[i], (int)i, s->n_workers))
            return false;
    if (!c->admin.port)
        return true;
    bound.admin = open_socket(c->admin.address, c->admin.port, ALONE | LISTEN);
    return bound.admin >= 0 || tell_failed(c->admin.address, c->admin.port);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void listen_unbind(struct server *s)
{
    for (int i = 0; i < s->n_workers; i++)
        for (int l = 0; l < LISTENERS_MAX; l++)
            close_fd(&bound.fds[i][l]);
    close_fd(&bound.admin);
}

/* ---- accepting ---- */

static void resume(struct timer *t);
static void on_accept(h2o_socket_t *sock, const char *err);

/* No descriptor is left: with the reserve, get rid of one that waits; then let it rest, for the
 * kernel would call again at once. */
static void exhausted(struct listener *l)
{
    struct worker *w = l->worker;
    log_write(LOG_ERROR, "accept",
        "out of file descriptors: raise the limit of open files, or "
        "lower limits.connections");
    close(w->reserve_fd);
    int fd = accept4(h2o_socket_get_fd(l->sock), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    w->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    h2o_socket_read_stop(l->sock);
    l->paused = true;
    if (!timer_is_set(&w->resume))
        timer_set(&w->shard.wheel, &w->resume, clock_mono_ms() + EXHAUSTED_MS);
}

static void resume(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, resume);
    for (int i = 0; i < w->n_listeners; i++) {
        struct listener *l = &w->listeners[i];
        if (l->sock && l->paused)
            h2o_socket_read_start(l->sock, on_accept);
        l->paused = false;
    }
}

/* False when there is nothing more to accept now. */
static bool accept_one(struct listener *l)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    memset(&peer, 0, sizeof peer);
    int fd = accept4(
        h2o_socket_get_fd(l->sock), (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        conn_accept(l, fd, &peer);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        exhausted(l);
    return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
}

static void on_accept(h2o_socket_t *sock, const char *err)
{
    struct listener *l = sock->data;
    for (int i = 0; i < ACCEPTS_PER_TURN && !l->paused; i++)
        if (!accept_one(l))
            break;
}

static void add_listener(struct worker *w, int *fd, int index, const struct config_listen *from)
{
    struct listener *l = &w->listeners[w->n_listeners++];
    *l = (struct listener){.worker = w, .index = index};
    l->accept.ctx = &w->context;
    l->accept.hosts = w->conf.hosts;
    l->accept.ssl_ctx = from && from->tls.certificate[0] ? tls_context(index) : NULL;
    l->proxy_protocol = from && from->proxy_protocol;
    l->sock = h2o_evloop_socket_create(w->context.loop, *fd, H2O_SOCKET_FLAG_DONT_READ);
    l->sock->data = l;
    *fd = -1;
    h2o_socket_read_start(l->sock, on_accept);
}

void listen_open(struct worker *w)
{
    const struct config *c = w->shard.config;
    int index = w->shard.index;
    timer_init(&w->resume, resume);
    w->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (index == w->server->n_workers) {
        if (bound.admin >= 0)
            add_listener(w, &bound.admin, -1, NULL);
        return;
    }
    for (size_t i = 0; i < c->listen.n; i++)
        add_listener(w, &bound.fds[index][i], (int)i, &c->listen.items[i]);
}

void listen_close(struct worker *w)
{
    if (w->n_listeners) /* else it was never opened: a start that failed */
        timer_cancel(&w->shard.wheel, &w->resume);
    for (int i = 0; i < w->n_listeners; i++) {
        struct listener *l = &w->listeners[i];
        if (!l->sock)
            continue;
        while (!l->paused && accept_one(l))
            ;
        h2o_socket_close(l->sock);
        l->sock = NULL;
    }
}
