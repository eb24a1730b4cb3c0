#include "redis_host.h"
#include "../../plugins/redis/script.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

extern const hb_module hubbub_module;

enum { TIMERS_MAX = 64, SOCKETS_MAX = 64, TURNS_MAX = 100000 };

struct redis_listener redis_listener;
uint64_t redis_now;
size_t redis_texts;
bool redis_refuses;
int redis_worker;
hb_strings redis_sentinels;
const struct link *redis_connecting;

/* --- chance and time: the program's own, so that the plugin's are the test's ---------------------- */

static uint64_t state;

static uint64_t next(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void redis_seed(uint64_t seed)
{
    state = seed;
}

uint64_t redis_random(uint64_t n)
{
    return next() % n;
}

ssize_t getrandom(void *out, size_t n, unsigned flags)
{
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)out)[i] = (unsigned char)next();
    return (ssize_t)n;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    if (clock != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, clock, t);
    *t = (struct timespec){(time_t)(redis_now / 1000), (long)(redis_now % 1000) * 1000000};
    return 0;
}

/* --- messages ------------------------------------------------------------------------------------- */

static void ref(hb_message *m)
{
    ((struct redis_text *)m)->refs++;
}

void redis_unref(hb_message *m)
{
    if (--((struct redis_text *)m)->refs > 0)
        return;
    redis_texts--;
    free(m);
}

static hb_message *make(hb_str room, hb_str event, hb_str data, hb_str user)
{
    struct redis_text *t = calloc(1, sizeof(*t));
    size_t n = data.n < REDIS_TEXT_MAX ? data.n : REDIS_TEXT_MAX;
    t->refs = 1;
    redis_texts++;
    if (n)
        memcpy(t->data, data.p, n);
    t->m.data = (hb_str){t->data, n};
    t->m.event = HB_STR("message");
    return &t->m;
}

hb_message *redis_message(hb_str data)
{
    return make((hb_str){NULL, 0}, (hb_str){NULL, 0}, data, (hb_str){NULL, 0});
}

static void place(hb_message *m, hb_pos pos, int64_t ts, bool with_cursor)
{
    m->pos = pos;
    m->ts = ts;
}

/* --- what is told --------------------------------------------------------------------------------- */

static void deliver(hb_room *room, hb_message *m)
{
    if (redis_listener.deliver)
        redis_listener.deliver(room, m);
}

static void lost(hb_room *room)
{
    if (redis_listener.lost)
        redis_listener.lost(room);
}

static void presence(hb_room *room, const hb_presence_event *ev)
{
    if (redis_listener.presence)
        redis_listener.presence(room, ev);
}

static void heard(const hb_ctx *ctx, hb_str bytes)
{
    if (redis_listener.heard)
        redis_listener.heard(ctx, bytes);
}

static void kept(const hb_ctx *ctx, bool whole)
{
    if (redis_listener.kept)
        redis_listener.kept(ctx, whole);
}

static void up(const hb_ctx *ctx, bool is_up)
{
}

static void took(const hb_ctx *ctx, uint64_t ns)
{
}

static uint32_t node_number(void)
{
    return 1;
}

static void write_log(
    const hb_ctx *ctx, hb_log_level level, const char *cause, const char *sentence)
{
    if (getenv("REDIS_HOST_LOG"))
        fprintf(stderr, "# %llu n%d %s: %s\n", (unsigned long long)redis_now, ctx->worker, cause,
            sentence);
}

static uint64_t now_ms(void)
{
    return redis_now;
}

static int64_t wall_ms(void)
{
    return (int64_t)redis_now;
}

/* --- timers --------------------------------------------------------------------------------------- */

static struct due {
    hb_timer *t;
    const hb_ctx *ctx;
    uint64_t ms;
} timers[TIMERS_MAX];
static size_t n_timers;

static void timer_cancel(const hb_ctx *ctx, hb_timer *t)
{
    for (size_t i = 0; i < n_timers; i++)
        if (timers[i].t == t) {
            timers[i] = timers[--n_timers];
            return;
        }
}

static void timer_set(const hb_ctx *ctx, hb_timer *t, uint64_t after_ms)
{
    timer_cancel(ctx, t);
    if (n_timers == TIMERS_MAX)
        abort();
    timers[n_timers++] = (struct due){t, ctx, redis_now + after_ms};
}

static bool fire_one(uint64_t until)
{
    size_t first = 0;
    for (size_t i = 1; i < n_timers; i++)
        if (timers[i].ms < timers[first].ms)
            first = i;
    if (n_timers == 0 || timers[first].ms > until)
        return false;
    struct due d = timers[first];
    timers[first] = timers[--n_timers];
    if (d.ms > redis_now)
        redis_now = d.ms;
    d.t->fire(d.ctx, d.t);
    return true;
}

/* --- sockets -------------------------------------------------------------------------------------- */

static struct watched {
    const hb_ctx *ctx;
    int fd, what;
    void (*ready)(const hb_ctx *ctx, int fd, int what, void *arg);
    void *arg;
} watched[SOCKETS_MAX];
static size_t n_watched;
static int listener = -1;
static char path[64];

static void listen_at_path(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (listener >= 0)
        return;
    snprintf(path, sizeof(path), "/tmp/hubbub-redis-host-%d", (int)getpid());
    memcpy(at.sun_path, path, sizeof(path));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(path);
    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(listener, 16) != 0)
        abort();
}

__attribute__((destructor)) static void forget_path(void)
{
    if (listener >= 0)
        unlink(path);
}

/* A link watches each new socket at once: the next to be accepted is its other end. */
static void take_other_end(const hb_ctx *ctx, const void *link)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct redis_node *node =
        (struct redis_node *)((uintptr_t)ctx - offsetof(struct redis_node, ctx));
    struct worker *w = ctx->local;
    if (fd < 0)
        abort();
    redis_connecting = link;
    if (redis_refuses || !redis_listener.connected)
        close(fd);
    else
        redis_listener.connected(node, fd, link == (void *)&w->pipe.link);
}

static int watch(const hb_ctx *ctx, int fd, int what,
    void (*ready)(const hb_ctx *ctx, int fd, int what, void *arg), void *arg)
{
    size_t i = 0;
    while (i < n_watched && watched[i].fd != fd)
        i++;
    if (what == HB_WATCH_NONE) {
        if (i < n_watched)
            watched[i] = watched[--n_watched];
        return 0;
    }
    bool is_new = i == n_watched;
    if (is_new && ++n_watched > SOCKETS_MAX)
        abort();
    watched[i] = (struct watched){ctx, fd, what, ready, arg};
    if (is_new)
        take_other_end(ctx, arg);
    return 0;
}

static bool poll_once(void)
{
    struct pollfd fds[SOCKETS_MAX];
    size_t n = n_watched;
    for (size_t i = 0; i < n; i++)
        fds[i] = (struct pollfd){.fd = watched[i].fd,
            .events = (short)((watched[i].what & HB_WATCH_READ ? POLLIN : 0) |
                              (watched[i].what & HB_WATCH_WRITE ? POLLOUT : 0))};
    if (poll(fds, n, 0) <= 0)
        return false;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; fds[i].revents && k < n_watched; k++)
            if (watched[k].fd == fds[i].fd) {
                int what = (fds[i].revents & (POLLIN | POLLHUP | POLLERR) ? HB_WATCH_READ : 0) |
                           (fds[i].revents & POLLOUT ? HB_WATCH_WRITE : 0);
                watched[k].ready(
                    watched[k].ctx, watched[k].fd, what & watched[k].what, watched[k].arg);
                break;
            }
    return true;
}

void redis_turn(void)
{
    for (int i = 0; i < TURNS_MAX; i++)
        if (!fire_one(redis_now) && !poll_once())
            return;
    abort(); /* it never comes to rest */
}

void redis_advance(uint64_t ms)
{
    uint64_t until = redis_now + ms;
    redis_turn();
    while (fire_one(until))
        redis_turn();
    redis_now = until;
}

/* --- nodes ---------------------------------------------------------------------------------------- */

static const hb_store store = {.size = sizeof(store),
    .ref = ref,
    .unref = redis_unref,
    .message = make,
    .place = place,
    .deliver = deliver,
    .lost = lost,
    .presence = presence,
    .heard = heard,
    .up = up,
    .took = took,
    .node = node_number,
    .kept = kept};
static const hb_host host = {.size = sizeof(host),
    .store = &store,
    .log = write_log,
    .now_ms = now_ms,
    .wall_ms = wall_ms,
    .timer_set = timer_set,
    .timer_cancel = timer_cancel,
    .watch = watch};

const hb_backend *redis_backend(void)
{
    return hubbub_module.backend;
}

void redis_node_start(struct redis_node *node, uint32_t number)
{
    listen_at_path();
    script_init();
    *node = (struct redis_node){.number = number};
    node->options = (struct options){.url = "",
        .prefix = "p",
        .node = "n",
        .timeout_ms = 1000,
        .backoff_min_ms = 50,
        .backoff_max_ms = 500,
        .journal_ms = 60000,
        .journal_bytes = 1 << 20,
        .check_ms = 1000,
        .lease_ms = 15000,
        .positions_ms = 86400000,
        .reply_bytes = 1 << 20,
        .replicas = 1,
        .sentinel_master = redis_sentinels.n ? "mymaster" : "",
        .sentinel_nodes = redis_sentinels,
        .sentinel_user = "",
        .sentinel_password = ""};
    node->shared = (struct shared){.first = &node->options, .n_prefix = 1};
    snprintf(node->shared.place.path, sizeof(node->shared.place.path), "%s", path);
    node->ctx = (hb_ctx){.host = &host, .worker = redis_worker, .self = &node->shared, .options = &node->options};
    /* As `local` is known to the host before worker_init returns where a socket is taken. */
    if (hubbub_module.worker_init(&node->ctx, &node->ctx.local) != 0)
        abort();
}

void redis_node_stop(struct redis_node *node)
{
    hubbub_module.worker_finish(&node->ctx);
}
