#include "pipeline.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "out/encode.h"
#include "room/home.h"
#include "session/edge.h"
#include "session/net.h"
#include "session/survey.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS_MAX = 4, CLIENTS_MAX = 64 };

struct pipeline {
    struct hub hub;
    struct shard shards[WORKERS_MAX + 1];
    struct shard *list[WORKERS_MAX + 1];
    struct config *config;
    struct metrics *metrics;
    struct client clients[CLIENTS_MAX];
    hb_request requests[CLIENTS_MAX];
    int n_clients;
    hb_module probe;
    char room[64];
};

static struct pipeline *the; /* callbacks have no other way to it */

/* --- the recording transport --------------------------------------------------------------------- */

static bool claim(const hb_ctx *ctx, const hb_request *req, hb_claim *out)
{
    return false;
}

static void request(const hb_ctx *ctx, hb_request *req, void *conn, const hb_claim *out)
{
}

static void encode(const hb_ctx *ctx, unsigned variant, const hb_event *ev, hb_out *out)
{
    size_t before = out_size(out);
    net_out_json(out, ev);
    if (out_size(out) > before)
        out_bytes(out, "\n", 1);
}

static void on_close(const hb_ctx *ctx, void *conn, int code, hb_str reason)
{
    ((struct client *)conn)->close_code = code;
}

static void on_ended(const hb_ctx *ctx, void *conn)
{
    struct client *c = conn;
    c->session = NULL;
    c->closed = true;
}

static void on_ready(const hb_ctx *ctx, void *conn)
{
    ((struct client *)conn)->ready = true;
}

static const hb_transport transport = {.size = sizeof(hb_transport), .variants = 1, .cursors = true,
    .claim = claim, .request = request, .encode = encode, .close = on_close, .ended = on_ended, .ready = on_ready};
static const hb_module recorder = {.name = "recorder", .transport = &transport};

/* --- the recording io ------------------------------------------------------------------------------ */

static struct client *client_of(hb_stream *stream)
{
    return (struct client *)(void *)stream;
}

static size_t io_write(hb_stream *stream, const struct iovec *iov, int n)
{
    struct client *c = client_of(stream);
    size_t taken = 0;
    for (int i = 0; i < n; i++) {
        size_t len = iov[i].iov_len;
        if (c->blocked && len > c->room_for)
            len = c->room_for;
        buf_append(&c->got, iov[i].iov_base, len);
        c->room_for -= c->blocked ? len : 0;
        taken += len;
        if (len < iov[i].iov_len)
            break;
    }
    return taken;
}

static void io_bind(hb_stream *stream, const struct io_watch *watch, void *owner)
{
    struct client *c = client_of(stream);
    c->writable = watch->writable;
    c->gone = watch->gone;
    c->owner = owner;
}

static void io_pause(hb_stream *stream, bool paused)
{
}

static void io_close(hb_stream *stream)
{
    client_of(stream)->stream = NULL;
}

static void io_respond(hb_request *req, int status, const hb_header *headers, size_t n, hb_str body)
{
}

static void io_respond_error(hb_request *req, hb_code code, hb_str message, int64_t retry_after_ms)
{
}

static hb_str io_header(const hb_request *req, hb_str name)
{
    return (hb_str){NULL, 0};
}

static hb_str io_query(hb_request *req, hb_str key, size_t nth)
{
    return (hb_str){NULL, 0};
}

static int io_fd(hb_stream *stream)
{
    return -1;
}

static const struct io_ops io = {.fd = io_fd, .write = io_write, .bind = io_bind, .pause = io_pause, .close = io_close,
    .respond = io_respond, .respond_error = io_respond_error, .header = io_header, .query = io_query};

/* --- the pipeline ------------------------------------------------------------------------------------ */

static void wake(void *arg)
{
}

static void add_module(struct pipeline *p, const hb_module *m)
{
    struct module_ref *ref = &p->hub.modules[p->hub.n_modules++];
    ref->desc = m;
    ref->slot = -1;
    if (m->transport)
        metrics_core_transport(p->metrics, m->name, &ref->metrics);
    if (m->hooks && m->hooks->auth)
        p->hub.auth = true;
}

static void start_shard(struct pipeline *p, int i)
{
    struct shard *s = &p->shards[i];
    s->index = i;
    s->hub = &p->hub;
    s->config = p->config;
    wheel_init(&s->wheel, clock_mono_ms());
    mailbox_init(&s->box, wake, NULL);
    s->metrics = metrics_shard(p->metrics, i < p->hub.n_workers ? i : -1);
    for (unsigned m = 0; m < p->hub.n_modules; m++)
        s->ctx[m] = (hb_ctx){.worker = i};
    p->list[i] = s;
    if (i < p->hub.n_workers)
        edge_init(s);
}

struct pipeline *pipeline_start(const char *yaml, const hb_hooks *hooks)
{
    struct errors errors;
    struct pipeline *p = the = mem_zalloc(sizeof(*p));
    clock_fake(1000000, 1700000000000);
    errors_init(&errors);
    p->config = config_parse("test.yaml", str_of(yaml), &errors);
    if (!p->config)
        errors_print(&errors, stderr);
    CHECK_INVARIANT(p->config);
    errors_finish(&errors);
    p->hub.n_workers = (int)p->config->workers;
    CHECK_INVARIANT(p->hub.n_workers <= WORKERS_MAX);
    p->metrics = metrics_create(p->hub.n_workers);
    metrics_core_register(p->metrics, "test");
    p->hub.shards = p->list;
    p->hub.io = &io;
    p->hub.session_ops = &session_ops;
    p->hub.backend = -1;
    add_module(p, &recorder);
    p->hub.wires[p->hub.n_wires++] = (struct wire){.transport = &transport, .cursors = true};
    p->probe = (hb_module){.name = "probe", .hooks = hooks};
    if (hooks)
        add_module(p, &p->probe);
    for (int i = 0; i <= p->hub.n_workers; i++)
        start_shard(p, i);
    return p;
}

void pipeline_stop(struct pipeline *p)
{
    for (int i = 0; i < p->hub.n_workers; i++) {
        edge_finish(&p->shards[i]);
        surveys_destroy(&p->shards[i]);
    }
    for (int i = 0; i <= p->hub.n_workers; i++)
        mailbox_finish(&p->shards[i].box);
    for (int i = 0; i < p->n_clients; i++)
        buf_finish(&p->clients[i].got);
    metrics_destroy(p->metrics);
    config_free(p->config);
    free(p);
    clock_real();
    the = NULL;
}

void pipeline_settle(struct pipeline *p)
{
    size_t moved;
    do {
        moved = 0;
        for (int i = 0; i < p->hub.n_workers; i++) {
            struct shard *s = &p->shards[i];
            moved += mailbox_drain(&s->box, s);
            wheel_advance(&s->wheel, clock_mono_ms());
            edge_flush(s);
        }
        moved += mailbox_drain(&p->shards[p->hub.n_workers].box, &p->shards[p->hub.n_workers]);
    } while (moved > 0);
}

void pipeline_advance(struct pipeline *p, uint64_t ms)
{
    clock_fake_advance(ms);
    pipeline_settle(p);
}

struct shard *pipeline_shard(struct pipeline *p, int worker)
{
    return &p->shards[worker];
}

const char *pipeline_room(struct pipeline *p, const char *prefix, int home)
{
    for (int i = 0;; i++) {
        snprintf(p->room, sizeof(p->room), "%s%d", prefix, i);
        if (home_worker(&p->hub, str_of(p->room)) == home)
            return p->room;
    }
}

hb_ticket *pipeline_later(void *ev)
{
    return host_later(NULL, ev);
}

void pipeline_complete(hb_ticket *ticket, hb_verdict verdict)
{
    host_complete(ticket, verdict, NULL);
}

void pipeline_answer(hb_ticket *ticket, hb_verdict verdict, const hb_outcome *outcome)
{
    host_complete(ticket, verdict, outcome);
}

void pipeline_session_info(const hb_session *session, hb_session_info *info)
{
    host_session_info(session, info);
}

int pipeline_workers(struct pipeline *p)
{
    return p->hub.n_workers;
}

/* --- clients ----------------------------------------------------------------------------------------- */

static void on_opened(const hb_ctx *ctx, void *conn, hb_request *req, hb_session *session, hb_code code,
    hb_str message, int64_t retry_after_ms)
{
    struct client *c = conn;
    c->refused = code;
    c->session = (struct session *)session;
    c->opened = session != NULL;
    if (session && c->stream)
        net_attach(session, c->stream);
}

static struct client *create(struct pipeline *p, int worker, const char *credential, bool pull)
{
    CHECK_INVARIANT(p->n_clients < CLIENTS_MAX);
    struct client *c = &p->clients[p->n_clients];
    hb_request *req = &p->requests[p->n_clients++];
    c->p = p;
    c->stream = pull ? NULL : (hb_stream *)(void *)c;
    req->remote = HB_STR("127.0.0.1");
    hb_open how = {.size = sizeof(how), .conn = c, .credential = str_of(credential), .auth_later = !pull,
        .opened = on_opened};
    net_open(&p->shards[worker].ctx[0], req, &how);
    pipeline_settle(p);
    return c;
}

static void on_started(const hb_ctx *ctx, void *conn, hb_code code, hb_str message)
{
    struct client *c = conn;
    c->started = code;
    c->start_answered = true;
}

struct client *client_open(struct pipeline *p, int worker, const char *credential, bool pull)
{
    struct client *c = create(p, worker, credential, pull);
    if (c->session)
        net_start((hb_session *)c->session, NULL, 0, (hb_str){NULL, 0}, NULL);
    pipeline_settle(p);
    return c;
}

struct client *client_open_rooms(struct pipeline *p, int worker, const hb_str *rooms, size_t n, hb_str cursor)
{
    struct client *c = create(p, worker, NULL, true);
    if (c->session)
        net_start((hb_session *)c->session, rooms, n, cursor, on_started);
    pipeline_settle(p);
    return c;
}

void client_send_quietly(struct client *c, const char *json)
{
    if (c->session)
        net_input((hb_session *)c->session, str_of(json));
}

void client_send(struct client *c, const char *json)
{
    client_send_quietly(c, json);
    pipeline_settle(c->p);
}

const char *client_next(struct client *c)
{
    const char *at = c->got.p ? c->got.p + c->seen : "";
    const char *end = c->got.p ? memchr(at, '\n', c->got.n - c->seen) : NULL;
    if (!end)
        return "";
    snprintf(c->line, sizeof(c->line), "%.*s", (int)(end - at), at);
    c->seen += (size_t)(end - at) + 1;
    return c->line;
}

const char *client_find(struct client *c, const char *part)
{
    const char *line;
    while (*(line = client_next(c)))
        if (strstr(line, part))
            return line;
    return "";
}

void client_take(struct client *c)
{
    struct hb_out out = {.bytes = BUF_INIT};
    while (c->session && net_take((hb_session *)c->session, 1 << 20, (hb_str){"", 0}, &out) > 0)
        pipeline_settle(c->p);
    buf_str(&c->got, buf_view(&out.bytes));
    buf_finish(&out.bytes);
}

void client_gone(struct client *c)
{
    c->stream = NULL;
    if (c->gone)
        c->gone(c->owner);
    if (c->session)
        net_end((hb_session *)c->session, HB_END_CLIENT, false);
    pipeline_settle(c->p);
}

void client_block(struct client *c, size_t room_for)
{
    c->blocked = true;
    c->room_for = room_for;
}

void client_unblock(struct client *c)
{
    c->blocked = false;
    c->writable(c->owner);
    pipeline_settle(c->p);
}

const char *client_field(const char *line, const char *name)
{
    static char values[8][512];
    static int next;
    char *value = values[next++ & 7], wanted[64];
    snprintf(wanted, sizeof(wanted), "\"%s\":\"", name);
    const char *at = strstr(line, wanted);
    value[0] = '\0';
    if (at)
        snprintf(value, sizeof(values[0]), "%.*s", (int)strcspn(at + strlen(wanted), "\""), at + strlen(wanted));
    return value;
}
