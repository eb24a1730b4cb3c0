#include "server/watch.h"

#include "server/host.h"
#include <stdlib.h>
#include <unistd.h>

struct watch {
    int fd;             /* the module's; the key */
    h2o_socket_t *sock; /* on a duplicate, which h2o closes */
    struct worker *worker;
    const hb_ctx *ctx;
    int what;
    bool write_armed;
    void (*ready)(const hb_ctx *ctx, int fd, int what, void *arg);
    void *arg;
};

static hb_str key_of(const int *fd)
{
    return (hb_str){(const char *)fd, sizeof *fd};
}

static hb_str fd_of(const void *watch)
{
    return key_of(&((const struct watch *)watch)->fd);
}

static void on_writable(h2o_socket_t *sock, const char *err);

static void arm_write(struct watch *v)
{
    if (!(v->what & HB_WATCH_WRITE) || v->write_armed)
        return;
    v->write_armed = true;
    h2o_socket_notify_write(v->sock, on_writable);
}

/* False when the watch was forgotten meanwhile. */
static bool tell(struct watch *v, int what)
{
    struct worker *w = v->worker;
    const hb_ctx *ctx = v->ctx;
    w->watching = v;
    struct visit visit = host_visit(ctx);
    v->ready(ctx, v->fd, what, v->arg);
    visit_end(&visit, HOOK_COUNT);
    bool alive = w->watching == v;
    w->watching = NULL;
    return alive;
}

static void on_readable(h2o_socket_t *sock, const char *err)
{
    tell(sock->data, HB_WATCH_READ);
}

static void on_writable(h2o_socket_t *sock, const char *err)
{
    struct watch *v = sock->data;
    v->write_armed = false;
    if (!(v->what & HB_WATCH_WRITE) || tell(v, HB_WATCH_WRITE))
        arm_write(v);
}

static void forget(struct watch *v)
{
    if (v->worker->watching == v)
        v->worker->watching = NULL;
    map_remove(&v->worker->watches, key_of(&v->fd));
    h2o_socket_close(v->sock);
    free(v);
}

static struct watch *create(struct worker *w, int fd)
{
    int own = dup(fd);
    if (own < 0)
        return NULL;
    struct watch *v = mem_zalloc(sizeof *v);
    v->fd = fd;
    v->worker = w;
    v->sock = h2o_evloop_socket_create(w->context.loop, own, H2O_SOCKET_FLAG_DONT_READ);
    v->sock->data = v;
    map_put(&w->watches, v);
    return v;
}

int watch_set(const hb_ctx *ctx, int fd, int what,
    void (*ready)(const hb_ctx *ctx, int fd, int what, void *arg), void *arg)
{
    struct worker *w = worker_self;
    struct watch *v = map_get(&w->watches, key_of(&fd));
    if (what == HB_WATCH_NONE) {
        if (v)
            forget(v);
        return 0;
    }
    if (!v && !(v = create(w, fd)))
        return -1;
    v->ctx = ctx;
    v->what = what;
    v->ready = ready;
    v->arg = arg;
    if (what & HB_WATCH_READ)
        h2o_socket_read_start(v->sock, on_readable);
    else
        h2o_socket_read_stop(v->sock);
    arm_write(v);
    return 0;
}

void watch_init(struct worker *w)
{
    map_init(&w->watches, fd_of);
}

void watch_finish(struct worker *w)
{
    size_t at = 0;
    struct watch *v;
    while ((v = map_next(&w->watches, &at))) {
        forget(v);
        at = 0;
    }
    map_finish(&w->watches);
}
