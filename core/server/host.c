#include "server/host.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "out/encode.h"
#include "out/msg.h"
#include "room/home.h"
#include "plugin/check_host.h"
#include "server/request.h"
#include "server/stream.h"
#include "server/watch.h"
#include "session/cluster.h"
#include "session/net.h"
#include "session/ask.h"
#include "session/revoked.h"
#include "session/note.h"
#include "session/send.h"
#include "session/presence.h"
#include <stdlib.h>

struct shard *host_shard(const hb_ctx *ctx)
{
    const struct server *s = &server;
    return s->hub.shards[ctx->worker < 0 ? s->n_workers : ctx->worker];
}

struct visit host_visit(const hb_ctx *ctx)
{
    struct shard *shard = host_shard(ctx);
    return visit_begin(shard, shard_module(shard, ctx));
}

/* ---- timers: hb_timer->reserved[0] is what stands for it while it is set ---- */

struct module_timer {
    struct timer timer;
    hb_timer *outer;
    const hb_ctx *ctx;
};

static void on_timer(struct timer *t)
{
    struct module_timer *m = container_of(t, struct module_timer, timer);
    hb_timer *outer = m->outer;
    const hb_ctx *ctx = m->ctx;
    outer->reserved[0] = NULL;
    free(m);
    struct visit visit = host_visit(ctx);
    outer->fire(ctx, outer);
    visit_end(&visit, HOOK_COUNT);
}

static void timer_set_for_module(const hb_ctx *ctx, hb_timer *t, uint64_t after_ms)
{
    struct module_timer *m = t->reserved[0];
    if (!m) {
        m = t->reserved[0] = mem_alloc(sizeof *m);
        timer_init(&m->timer, on_timer);
        m->outer = t;
        m->ctx = ctx;
    }
    timer_set(&host_shard(ctx)->wheel, &m->timer, clock_mono_ms() + after_ms);
}

static void timer_cancel_for_module(const hb_ctx *ctx, hb_timer *t)
{
    struct module_timer *m = t->reserved[0];
    t->reserved[0] = NULL;
    if (!m)
        return;
    timer_cancel(&host_shard(ctx)->wheel, &m->timer);
    free(m);
}

/* ---- posting ---- */

struct post {
    struct mail mail;
    int module;
    void (*fn)(const hb_ctx *ctx, void *arg);
    void (*drop)(void *arg); /* NULL: nobody cares */
    void *arg;
};

static void on_post(struct mail *mail, void *receiver)
{
    struct post p = *container_of(mail, struct post, mail);
    struct shard *shard = receiver;
    free(container_of(mail, struct post, mail));
    struct visit visit = visit_begin(shard, p.module);
    p.fn(&shard->ctx[p.module], p.arg);
    visit_end(&visit, HOOK_COUNT);
}

static void drop_post(struct mail *mail)
{
    struct post *p = container_of(mail, struct post, mail);
    if (p->drop)
        p->drop(p->arg);
    free(p);
}

static void post_owned(const hb_ctx *ctx, int worker, void (*fn)(const hb_ctx *ctx, void *arg), void (*drop)(void *arg),
    void *arg)
{
    struct post *p = mem_alloc(sizeof *p);
    *p = (struct post){.mail = {.deliver = on_post, .discard = drop_post},
        .module = shard_module(host_shard(ctx), ctx), .fn = fn, .drop = drop, .arg = arg};
    shard_post(&server.hub, worker < 0 ? server.n_workers : worker, &p->mail);
}

static void post(const hb_ctx *ctx, int worker, void (*fn)(const hb_ctx *ctx, void *arg), void *arg)
{
    post_owned(ctx, worker, fn, NULL, arg);
}

static int workers(void)
{
    return server.n_workers;
}

/* ---- log, metrics, configuration ---- */

static void write_log(const hb_ctx *ctx, hb_log_level level, const char *cause,
    const char *sentence)
{
    log_write((enum log_level)level, cause, "%s", sentence);
}

static int metric(const hb_ctx *ctx, const char *name, const char *help, const char *label,
    bool counter)
{
    enum metric_kind kind = counter ? METRIC_COUNTER : METRIC_GAUGE;
    return (int)metrics_register(server.metrics, kind, name, help, label);
}

static void count(const hb_ctx *ctx, int id, int64_t n)
{
    if (id > 0 && id < METRICS_SLOTS)
        metrics_add(host_shard(ctx)->metrics, (metric_id)id, n);
}

static struct errors *collected;

void host_collect_errors(struct errors *errors)
{
    collected = errors;
}

static void node_error(const hb_host *host, const hb_node *node, const char *message)
{
    if (collected)
        errors_at(collected, node, "%s", message);
    else
        log_write(LOG_ERROR, "configuration", "%s", message);
}

static int64_t limit(hb_limit which)
{
    const struct config *c = worker_self->shard.config;
    return which == HB_LIMIT_INFLATED_SIZE ? c->limits.inflated_size : c->limits.message_size;
}

static void require_auth(const hb_ctx *ctx)
{
    server.hub.auth = true; /* no worker runs yet */
}

/* ---- the tables ---- */

static const hb_net net_table = {
    .size = sizeof(hb_net),
    .header = request_header,
    .query = request_query,
    .respond = request_respond,
    .respond_error = request_respond_error,
    .park = request_park,
    .take_over = request_take_over,
    .pause = stream_pause,
    .stream_close = stream_close,
    .open = net_open,
    .attach = net_attach,
    .start = net_start,
    .input = net_input,
    .op = net_op,
    .push = net_push,
    .take = net_take,
    .touch = net_touch,
    .cursor = net_cursor,
    .end = net_end,
    .close = net_close,
    .ticket = net_ticket,
    .out = out_bytes,
    .out_json = net_out_json,
    .out_slot = out_slot,
    .out_size = out_size,
    .out_view = out_view,
    .out_insert = out_insert,
    .out_truncate = out_truncate,
    .stream_write = stream_write,
    .limit = limit,
    .out_create = out_create,
    .out_destroy = out_destroy,
    .out_failed = out_failed,
    .cursor_merge = net_cursor_merge,
    .variant = net_variant,
    .enter = net_enter,
    .answer = net_answer,
    .cursor_latest = net_cursor_latest,
    .resume = net_resume,
    .leave = net_leave,
    .note_max = net_note_max,
    .note_put = net_note_put,
    .note_take = net_note_take,
};

static void backend_up(const hb_ctx *ctx, bool up)
{
    metrics_set_up(host_shard(ctx)->metrics, METRIC_BACKEND_UP, up);
    host_shard(ctx)->backend_away = !up;
}

static void backend_took(const hb_ctx *ctx, uint64_t ns)
{
    metrics_observe(host_shard(ctx)->metrics, METRIC_BACKEND, ns, 1);
}

static void backend_heard(const hb_ctx *ctx, hb_str bytes)
{
    cluster_heard(host_shard(ctx), bytes);
}

static void backend_kept(const hb_ctx *ctx, bool whole)
{
    revoked_kept(host_shard(ctx), whole);
}

static uint32_t backend_node(void)
{
    return cluster_self(&server.hub);
}

static const hb_store store_table = {
    .size = sizeof(hb_store),
    .ref = msg_ref,
    .unref = msg_unref,
    .message = msg_create,
    .place = msg_place,
    .deliver = home_deliver,
    .presence = home_presence_changed,
    .lost = home_lost,
    .up = backend_up,
    .took = backend_took,
    .heard = backend_heard,
    .node = backend_node,
    .kept = backend_kept,
};

const hb_host host_table = {
    .abi = HB_ABI,
    .size = sizeof(hb_host),
    .net = &net_table,
    .store = &store_table,
    .log = write_log,
    .now_ms = clock_mono_ms,
    .wall_ms = clock_wall_ms,
    .later = host_later,
    .complete = host_complete,
    .session_info = host_session_info,
    .session_find = host_session_find,
    .session_slot = host_session_slot,
    .session_is_member = host_session_is_member,
    .session_emit = host_session_emit,
    .session_kick = host_session_kick,
    .session_join = host_session_join,
    .session_leave = host_session_leave,
    .publish = host_publish,
    .timer_set = timer_set_for_module,
    .timer_cancel = timer_cancel_for_module,
    .watch = watch_set,
    .post = post,
    .workers = workers,
    .metric = metric,
    .count = count,
    .node_string = check_host_node_string,
    .node_get = check_host_node_get,
    .node_item = check_host_node_item,
    .node_error = node_error,
    .lenient = check_host_lenient,
    .presence_wanted = host_presence_wanted,
    .presence_set = host_presence_set,
    .presence_drop = host_presence_drop,
    .presence_sync = host_presence_sync,
    .presence_tell = host_presence_tell,
    .require_auth = require_auth,
    .session_send = host_session_send,
    .session_exit = host_session_exit,
    .post_owned = post_owned,
};

const struct io_ops host_io = {
    .write = stream_writev,
    .bind = stream_bind,
    .fd = stream_fd,
    .pause = stream_pause,
    .close = stream_close,
    .respond = request_respond,
    .respond_error = request_respond_error,
    .header = request_header,
    .query = request_query,
};
