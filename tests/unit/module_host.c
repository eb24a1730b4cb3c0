#include "module_host.h"
#include "conf/options.h"
#include "conf/parse.h"
#include "base/str.h"
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { METRICS = 64, TIMERS = 512, WATCHES = 128, POSTS = 512, DEADLINE_MS = 10000 };

struct module_host mh;

static struct {
    char names[METRICS][128];
    int64_t values[METRICS];
    int n;
} metrics;

static struct {
    hb_timer *timer;
    uint64_t due_ms;
    const hb_ctx *ctx;
} timers[TIMERS];
static size_t n_timers;

static struct watch {
    int fd, what;
    void (*ready)(const hb_ctx *ctx, int fd, int what, void *arg);
    void *arg;
} watches[WATCHES];
static size_t n_watches;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of posts, tickets and the log */
static struct post {
    int worker;
    void (*fn)(const hb_ctx *ctx, void *arg);
    void *arg;
} posts[POSTS];
static size_t n_posts;

/* ---- The host table. */

static uint64_t clock_ms(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t now_ms(void)
{
    return mh.real_time ? clock_ms(CLOCK_MONOTONIC) : mh.now_ms;
}

static int64_t wall_ms(void)
{
    return mh.real_time ? (int64_t)clock_ms(CLOCK_REALTIME) : mh.wall_ms;
}

static void write_log(
    const hb_ctx *ctx, hb_log_level level, const char *cause, const char *sentence)
{
    pthread_mutex_lock(&lock);
    size_t n = strlen(mh.logged);
    snprintf(mh.logged + n, sizeof(mh.logged) - n, "%s: %s\n", cause, sentence);
    pthread_mutex_unlock(&lock);
}

static void copy(char *to, size_t size, hb_str from)
{
    snprintf(to, size, "%.*s", from.p ? (int)from.n : 1, from.p ? from.p : "-");
}

static void note(struct module_answer *a, hb_verdict verdict, const hb_outcome *out)
{
    static const hb_outcome nothing = {.size = sizeof(nothing)};
    out = out ? out : &nothing;
    *a = (struct module_answer){.given = true, .verdict = verdict, .code = out->code,
        .retry_after_ms = out->retry_after_ms, .expires_at = out->expires_at};
    copy(a->message, sizeof(a->message), out->message);
    copy(a->user, sizeof(a->user), out->user);
    copy(a->rights, sizeof(a->rights), out->rights);
    copy(a->data, sizeof(a->data), out->data);
}

static hb_ticket *later(const hb_ctx *ctx, void *ev)
{
    if (mh.n_tickets == sizeof(mh.tickets) / sizeof(*mh.tickets))
        abort();
    return &mh.tickets[mh.n_tickets++];
}

static void complete(hb_ticket *ticket, hb_verdict verdict, const hb_outcome *outcome)
{
    if (ticket->answer.given)
        abort();
    note(&ticket->answer, verdict, outcome);
}

static void session_info(const hb_session *s, hb_session_info *out)
{
    static char id[32];
    snprintf(id, sizeof(id), "s%llu", (unsigned long long)s->sid);
    *out = (hb_session_info){.size = sizeof(*out),
        .sid = s->sid,
        .id = str_of(id),
        .user = str_of(s->user),
        .remote = str_of(s->remote),
        .transport = HB_STR("test"),
        .opened_ts = mh.wall_ms};
}

static hb_session *session_find(const hb_ctx *ctx, hb_sid sid)
{
    hb_session *s = sid && sid <= mh.n_sessions ? &mh.sessions[sid - 1] : NULL;
    return s && !s->gone ? s : NULL;
}

static void **session_slot(const hb_ctx *ctx, hb_session *s)
{
    return &s->slot;
}

static void session_emit(const hb_ctx *ctx, hb_sid sid, hb_str event, hb_str data)
{
    hb_session *s = session_find(ctx, sid);
    if (s)
        snprintf(s->emitted, sizeof(s->emitted), "%.*s %.*s", (int)event.n, event.p, (int)data.n,
            data.p);
}

static void session_kick(const hb_ctx *ctx, hb_sid sid, hb_end why, hb_str reason)
{
    hb_session *s = session_find(ctx, sid);
    if (s)
        s->kicked = (int)why;
}

static size_t find_timer(const hb_timer *t)
{
    size_t i = 0;
    while (i < n_timers && timers[i].timer != t)
        i++;
    return i;
}

static void timer_set(const hb_ctx *ctx, hb_timer *t, uint64_t after_ms)
{
    size_t i = find_timer(t);
    if (i == TIMERS)
        abort();
    n_timers += i == n_timers;
    timers[i].timer = t;
    timers[i].due_ms = now_ms() + after_ms;
    timers[i].ctx = ctx;
}

static void timer_cancel(const hb_ctx *ctx, hb_timer *t)
{
    size_t i = find_timer(t);
    if (i < n_timers)
        timers[i] = timers[--n_timers];
}

static int watch(const hb_ctx *ctx, int fd, int what,
    void (*ready)(const hb_ctx *ctx, int fd, int what, void *arg), void *arg)
{
    size_t i = 0;
    while (i < n_watches && watches[i].fd != fd)
        i++;
    if (what == HB_WATCH_NONE) {
        if (i < n_watches)
            watches[i] = watches[--n_watches];
        return 0;
    }
    if (i == WATCHES)
        return -1;
    n_watches += i == n_watches;
    watches[i] = (struct watch){fd, what, ready, arg};
    return 0;
}

static void post(const hb_ctx *ctx, int worker, void (*fn)(const hb_ctx *, void *), void *arg)
{
    pthread_mutex_lock(&lock);
    if (n_posts == POSTS)
        abort();
    posts[n_posts++] = (struct post){worker, fn, arg};
    pthread_mutex_unlock(&lock);
}

static int workers(void)
{
    return 1;
}

static int metric(
    const hb_ctx *ctx, const char *name, const char *help, const char *label, bool counter)
{
    if (metrics.n == METRICS)
        abort();
    snprintf(
        metrics.names[metrics.n], sizeof(metrics.names[0]), label ? "%s{%s}" : "%s", name, label);
    metrics.values[metrics.n] = 0;
    return metrics.n++;
}

static void count(const hb_ctx *ctx, int id, int64_t n)
{
    metrics.values[id] += n;
}

static hb_str node_string(const hb_node *node)
{
    return node_text(node);
}

static const hb_node *get_node(const hb_node *map, const char *key)
{
    return node_get(map, str_of(key));
}

static const hb_node *get_item(const hb_node *map, size_t i, hb_str *key)
{
    if (key)
        *key = node_text(node_key(map, i));
    return node_item(map, i);
}

static void node_error(const hb_host *host, const hb_node *node, const char *message)
{
    snprintf(mh.error, sizeof(mh.error), "%s", message);
}

static bool lenient(void)
{
    return false;
}

/* ---- Life. */

static void reset(bool real_time)
{
    memset(&mh, 0, sizeof(mh));
    n_timers = n_watches = n_posts = 0;
    metrics.n = 0;
    mh.real_time = real_time;
    mh.wall_ms = 1700000000000;
    mh.now_ms = 1000000;
    mh.host = (hb_host){.abi = HB_ABI,
        .size = sizeof(hb_host),
        .log = write_log,
        .now_ms = now_ms,
        .wall_ms = wall_ms,
        .later = later,
        .complete = complete,
        .session_info = session_info,
        .session_find = session_find,
        .session_slot = session_slot,
        .session_emit = session_emit,
        .session_kick = session_kick,
        .timer_set = timer_set,
        .timer_cancel = timer_cancel,
        .watch = watch,
        .post = post,
        .workers = workers,
        .metric = metric,
        .count = count,
        .node_string = node_string,
        .node_get = get_node,
        .node_item = get_item,
        .node_error = node_error,
        .lenient = lenient};
    mh.control = (hb_ctx){.host = &mh.host, .worker = -1};
}

const void *module_host_options(const char *yaml)
{
    static struct arena arena; /* never freed: options live on */
    struct errors errors;
    errors_init(&errors);
    const hb_node *node = parse_text(&arena, "test.yaml", str_of(yaml), &errors);
    void *options = arena_alloc(&arena, hubbub_module.options_size);
    memset(options, 0, hubbub_module.options_size);
    if (!errors.n)
        options_read(node, hubbub_module.options, options, &errors);
    bool ok = errors.n == 0;
    if (!ok)
        snprintf(mh.error, sizeof(mh.error), "%s", errors.items[0].message);
    errors_finish(&errors);
    if (ok && hubbub_module.check &&
        hubbub_module.check(&mh.host, options, mh.error, sizeof(mh.error)))
        return NULL;
    return ok ? options : NULL;
}

static bool start(const char *yaml, bool real_time)
{
    reset(real_time);
    mh.control.options = module_host_options(yaml);
    if (!mh.control.options ||
        hubbub_module.init(&mh.control, &mh.control.self, mh.error, sizeof(mh.error)))
        return false;
    mh.worker = mh.control;
    mh.worker.worker = 0;
    return !hubbub_module.worker_init ||
           hubbub_module.worker_init(&mh.worker, &mh.worker.local) == 0;
}

bool module_host_start(const char *yaml)
{
    return start(yaml, false);
}

bool module_host_start_real(const char *yaml)
{
    return start(yaml, true);
}

void module_host_stop(void)
{
    if (hubbub_module.worker_finish)
        hubbub_module.worker_finish(&mh.worker);
    hubbub_module.finish(&mh.control);
}

bool module_host_reload(const char *yaml)
{
    const void *options = module_host_options(yaml);
    if (!options)
        return false;
    mh.control.options = mh.worker.options = options;
    if (hubbub_module.reload)
        hubbub_module.reload(&mh.control);
    if (hubbub_module.worker_reload)
        hubbub_module.worker_reload(&mh.worker);
    return true;
}

/* ---- Sessions and hooks. */

hb_session *module_host_session(const char *user, const char *remote)
{
    if (mh.n_sessions == sizeof(mh.sessions) / sizeof(*mh.sessions))
        abort();
    hb_session *s = &mh.sessions[mh.n_sessions++];
    *s = (hb_session){.sid = mh.n_sessions, .user = user, .remote = remote, .kicked = -1};
    return s;
}

/* A ticket that a hook took is the last one. */
static struct module_answer answer(hb_verdict verdict, const hb_outcome *out)
{
    struct module_answer a;
    note(&a, verdict, out);
    if (verdict == HB_LATER)
        a.ticket = &mh.tickets[mh.n_tickets - 1];
    return a;
}

struct module_answer module_host_connect(hb_session *s, const char *token, bool refresh)
{
    hb_connect ev = {.session = s, .credential = str_of(token), .remote = str_of(s->remote),
        .transport = HB_STR("test"), .refresh = refresh, .out = {.size = sizeof(hb_outcome)}};
    hb_verdict v = hubbub_module.hooks->connect(&mh.worker, &ev);
    return answer(v, &ev.out);
}

struct module_answer module_host_join(hb_session *s, const char *room, const char *data)
{
    hb_join ev = {.session = s,
        .room = str_of(room),
        .data = str_of(data),
        .out = {.size = sizeof(hb_outcome)}};
    hb_verdict v = hubbub_module.hooks->join(&mh.worker, &ev);
    return answer(v, &ev.out);
}

struct module_answer module_host_publish(
    hb_session *s, const char *room, const char *event, const char *data)
{
    hb_publish ev = {.session = s,
        .room = str_of(room),
        .event = str_of(event),
        .data = str_of(data),
        .out = {.size = sizeof(hb_outcome)}};
    hb_verdict v = hubbub_module.hooks->publish(&mh.worker, &ev);
    return answer(v, &ev.out);
}

struct module_answer module_host_call(hb_session *s, const char *event, const char *data)
{
    hb_call ev = {.session = s,
        .event = str_of(event),
        .data = str_of(data),
        .out = {.size = sizeof(hb_outcome)}};
    hb_verdict v = hubbub_module.hooks->call(&mh.worker, &ev);
    return answer(v, &ev.out);
}

void module_host_close(hb_session *s, hb_end why)
{
    hubbub_module.hooks->closed(&mh.worker, s, why);
    s->gone = true;
}

/* ---- Time. */

static size_t first_timer(void)
{
    size_t first = 0;
    for (size_t i = 1; i < n_timers; i++)
        if (timers[i].due_ms < timers[first].due_ms)
            first = i;
    return first;
}

static bool fire_next(uint64_t until_ms)
{
    size_t i = first_timer();
    if (!n_timers || timers[i].due_ms > until_ms)
        return false;
    hb_timer *t = timers[i].timer;
    const hb_ctx *ctx = timers[i].ctx;
    if (!mh.real_time && timers[i].due_ms > mh.now_ms) {
        mh.wall_ms += (int64_t)(timers[i].due_ms - mh.now_ms);
        mh.now_ms = timers[i].due_ms;
    }
    timers[i] = timers[--n_timers];
    t->fire(ctx, t);
    return true;
}

void module_host_advance(uint64_t ms)
{
    uint64_t end = mh.now_ms + ms;
    while (fire_next(end))
        continue;
    mh.wall_ms += (int64_t)(end - mh.now_ms);
    mh.now_ms = end;
}

static bool run_post(void)
{
    pthread_mutex_lock(&lock);
    struct post p = n_posts ? posts[0] : (struct post){0};
    if (n_posts)
        memmove(posts, posts + 1, --n_posts * sizeof(*posts));
    pthread_mutex_unlock(&lock);
    if (p.fn)
        p.fn(p.worker < 0 ? &mh.control : &mh.worker, p.arg);
    return p.fn;
}

static int bits_of(short revents)
{
    return (revents & (POLLIN | POLLHUP | POLLERR) ? HB_WATCH_READ : 0) |
        (revents & (POLLOUT | POLLERR) ? HB_WATCH_WRITE : 0);
}

/* One round: callbacks may watch and forget as they like. */
static void poll_once(void)
{
    struct pollfd fds[WATCHES];
    size_t n = n_watches;
    for (size_t i = 0; i < n; i++)
        fds[i] = (struct pollfd){watches[i].fd,
            (short)((watches[i].what & HB_WATCH_READ ? POLLIN : 0) |
                    (watches[i].what & HB_WATCH_WRITE ? POLLOUT : 0)),
            0};
    poll(fds, n, 5);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n_watches; j++)
            if (watches[j].fd == fds[i].fd && bits_of(fds[i].revents) & watches[j].what) {
                watches[j].ready(&mh.worker, fds[i].fd, bits_of(fds[i].revents) & watches[j].what,
                    watches[j].arg);
                break;
            }
}

bool module_host_run(bool (*done)(void *arg), void *arg)
{
    uint64_t end = clock_ms(CLOCK_MONOTONIC) + DEADLINE_MS;
    while (!done(arg) && clock_ms(CLOCK_MONOTONIC) < end) {
        poll_once();
        while (run_post())
            continue;
        while (fire_next(now_ms()))
            continue;
    }
    return done(arg);
}

static bool is_given(void *ticket)
{
    return ((hb_ticket *)ticket)->answer.given;
}

struct module_answer module_host_wait(hb_ticket *ticket)
{
    module_host_run(is_given, ticket);
    return ticket->answer;
}

size_t module_host_timers(void)
{
    return n_timers;
}

static int64_t *find_metric(const char *name)
{
    for (int i = 0; i < metrics.n; i++)
        if (strcmp(metrics.names[i], name) == 0)
            return &metrics.values[i];
    return NULL;
}

int64_t module_host_metric(const char *name)
{
    const int64_t *value = find_metric(name);
    return value ? *value : -1;
}

