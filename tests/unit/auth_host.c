#include "auth_host.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { METRICS = 32, POSTS = 256, LOG_BYTES = 65536 };

struct auth_host auth;

static struct {
    char labels[METRICS][64];
    int64_t values[METRICS];
    int n;
} metrics;

/* What other threads touch. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static struct post {
    void (*fn)(const hb_ctx *ctx, void *arg);
    void *arg;
} posts[POSTS];
static size_t n_posts;
static char logged[LOG_BYTES];

static void write_log(
    const hb_ctx *ctx, hb_log_level level, const char *cause, const char *sentence)
{
    pthread_mutex_lock(&lock);
    size_t n = strlen(logged);
    snprintf(logged + n, sizeof(logged) - n, "%s: %s\n", cause, sentence);
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
}

static void post(const hb_ctx *ctx, int worker, void (*fn)(const hb_ctx *, void *), void *arg)
{
    pthread_mutex_lock(&lock);
    if (worker != 0 || n_posts == POSTS)
        abort();
    posts[n_posts].fn = fn;
    posts[n_posts++].arg = arg;
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
}

static uint64_t now_ms(void)
{
    return auth.now_ms;
}

static int64_t wall_ms(void)
{
    return auth.wall_ms;
}

static bool lenient(void)
{
    return auth.lenient;
}

static int workers(void)
{
    return 1;
}

static void copy(char *to, size_t size, hb_str from)
{
    snprintf(to, size, "%.*s", from.p ? (int)from.n : 1, from.p ? from.p : "-");
}

static void note(struct auth_answer *a, hb_verdict verdict, const hb_outcome *out)
{
    *a = (struct auth_answer){.given = true,
        .verdict = verdict,
        .code = out->code,
        .expires_at = out->expires_at,
        .issued_at = out->issued_at,
        .retry_after_ms = out->retry_after_ms};
    copy(a->message, sizeof(a->message), out->message);
    copy(a->user, sizeof(a->user), out->user);
    copy(a->rights, sizeof(a->rights), out->rights);
    copy(a->token_id, sizeof(a->token_id), out->token_id);
}

static hb_ticket *later(const hb_ctx *ctx, void *ev)
{
    if (auth.n_tickets == sizeof(auth.tickets) / sizeof(*auth.tickets))
        abort();
    auth.tickets[auth.n_tickets] = (hb_ticket){{0}};
    return &auth.tickets[auth.n_tickets++];
}

static void complete(hb_ticket *ticket, hb_verdict verdict, const hb_outcome *outcome)
{
    if (ticket->answer.given)
        abort();
    note(&ticket->answer, verdict, outcome);
}

static void session_info(const hb_session *session, hb_session_info *out)
{
    *out = (hb_session_info){.size = sizeof(*out),
        .sid = session->sid,
        .token_id = {session->token_id, strlen(session->token_id)},
        .issued_at = session->issued_at,
        .expires_at = session->expires_at};
}

static hb_session *session_find(const hb_ctx *ctx, hb_sid sid)
{
    hb_session *s = sid && sid <= auth.n_sessions ? &auth.sessions[sid - 1] : NULL;
    return s && !s->gone ? s : NULL;
}

static void **session_slot(const hb_ctx *ctx, hb_session *session)
{
    return &session->slot;
}

static void session_emit(const hb_ctx *ctx, hb_sid sid, hb_str event, hb_str data)
{
    hb_session *s = session_find(ctx, sid);
    if (s)
        snprintf(s->emitted, sizeof(s->emitted), "%.*s %.*s", (int)event.n, event.p, (int)data.n,
            data.p);
    if (s)
        s->n_emitted++;
}

static void timer_set(const hb_ctx *ctx, hb_timer *t, uint64_t after_ms)
{
    auth.timer = t;
    auth.timer_ms = after_ms;
}

static void timer_cancel(const hb_ctx *ctx, hb_timer *t)
{
    auth.timer = NULL;
}

static int metric(
    const hb_ctx *ctx, const char *name, const char *help, const char *label, bool counter)
{
    snprintf(metrics.labels[metrics.n], sizeof(metrics.labels[0]), "%s{%s}", name, label);
    metrics.values[metrics.n] = 0;
    return metrics.n++;
}

static void count(const hb_ctx *ctx, int id, int64_t n)
{
    metrics.values[id] += n;
}

int auth_host_failures(const char *reason)
{
    char label[64];
    snprintf(label, sizeof(label), "hubbub_auth_jwt_failures_total{reason=\"%s\"}", reason);
    for (int i = 0; i < metrics.n; i++)
        if (strcmp(metrics.labels[i], label) == 0)
            return (int)metrics.values[i];
    return -1;
}

struct setup auth_host_defaults(void)
{
    return (struct setup){.secret = "",
        .user_claim = "sub",
        .expiry_warning_ms = 60000,
        .jwks = {.file = "",
            .url = "",
            .ca_file = "",
            .check_ms = 100,
            .refresh_ms = 900000,
            .refetch_ms = 3600000,
            .timeout_ms = 3000,
            .size_bytes = 262144},
        .cache = {1024, 30000},
        .signing_key = "",
        .signing_kid = "",
        .signing_algorithm = ""};
}

static void reset(const struct setup *options)
{
    memset(&auth, 0, sizeof(auth));
    memset(&metrics, 0, sizeof(metrics));
    n_posts = 0;
    logged[0] = 0;
    auth.wall_ms = 1700000000000;
    auth.now_ms = 1000000;
    auth.host = (hb_host){.abi = HB_ABI,
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
        .timer_set = timer_set,
        .timer_cancel = timer_cancel,
        .post = post,
        .workers = workers,
        .metric = metric,
        .count = count,
        .lenient = lenient};
    auth.control = (hb_ctx){.host = &auth.host, .options = options, .worker = -1};
}

bool auth_host_start(const struct setup *options)
{
    reset(options);
    if (hubbub_module.init(&auth.control, &auth.control.self, auth.error, sizeof(auth.error)))
        return false;
    auth.worker = auth.control;
    auth.worker.worker = 0;
    return hubbub_module.worker_init(&auth.worker, &auth.worker.local) == 0;
}

void auth_host_stop(void)
{
    hubbub_module.worker_finish(&auth.worker);
    hubbub_module.finish(&auth.control);
}

void auth_host_reload(const struct setup *options)
{
    auth.control.options = auth.worker.options = options;
    hubbub_module.reload(&auth.control);
    hubbub_module.worker_reload(&auth.worker);
}

hb_session *auth_host_session(void)
{
    hb_session *s = &auth.sessions[auth.n_sessions++];
    *s = (hb_session){.sid = auth.n_sessions};
    return s;
}

static void accept(hb_session *s, const struct auth_answer *a, bool refresh)
{
    s->issued_at = a->issued_at;
    s->expires_at = a->expires_at;
    snprintf(s->token_id, sizeof(s->token_id), "%s", a->token_id);
    if (refresh)
        hubbub_module.hooks->authenticated(&auth.worker, s, true);
    else
        hubbub_module.hooks->opened(&auth.worker, s);
}

struct auth_answer auth_host_connect(hb_session *session, const char *token, bool refresh)
{
    struct auth_answer a;
    hb_connect ev = {.session = session,
        .refresh = refresh,
        .credential = {token, token ? strlen(token) : 0},
        .out = {.size = sizeof(hb_outcome)}};
    note(&a, hubbub_module.hooks->connect(&auth.worker, &ev), &ev.out);
    if (a.verdict == HB_ALLOW)
        accept(session, &a, refresh);
    return a;
}

struct auth_answer auth_host_bring(hb_session *session, const char *token)
{
    struct auth_answer a;
    hb_connect ev = {.session = session,
        .refresh = true,
        .credential = {token, strlen(token)},
        .out = {.size = sizeof(hb_outcome)}};
    note(&a, hubbub_module.hooks->connect(&auth.worker, &ev), &ev.out);
    return a;
}

static struct timespec deadline(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += 10;
    return t;
}

static bool all_answered(size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!auth.tickets[i].answer.given)
            return false;
    return true;
}

bool auth_host_run(size_t n)
{
    struct timespec end = deadline();
    struct post taken[POSTS];
    int rc = 0;
    while (!all_answered(n) && rc == 0) {
        pthread_mutex_lock(&lock);
        while (!n_posts && rc == 0)
            rc = pthread_cond_timedwait(&news, &lock, &end);
        size_t got = n_posts;
        memcpy(taken, posts, got * sizeof(*posts));
        n_posts = 0;
        pthread_mutex_unlock(&lock);
        for (size_t i = 0; i < got; i++)
            taken[i].fn(&auth.worker, taken[i].arg);
    }
    return all_answered(n);
}

bool auth_host_wait_log(const char *word)
{
    struct timespec end = deadline();
    int rc = 0;
    pthread_mutex_lock(&lock);
    while (!strstr(logged, word) && rc == 0)
        rc = pthread_cond_timedwait(&news, &lock, &end);
    bool found = strstr(logged, word);
    pthread_mutex_unlock(&lock);
    return found;
}
