/*
 * redis: rooms that span machines. Each worker has two connections, one for commands (pipe.c) and one
 * that listens (sub.c), and the rooms whose home it is (room.c). Here: the module, the backend role,
 * and what happens by the clock.
 */
#include "note.h"
#include "presence.h"
#include "resolve.h"
#include "room.h"
#include "script.h"
#include "sentinel.h"
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { VERIFIED_MS = 15000 };

/* --- the role -------------------------------------------------------------------------------------- */

static void *on_open(const hb_ctx *ctx, hb_room *room, hb_str name, const hb_keep *keep)
{
    return room_open(ctx->local, room, name, keep);
}

static void on_close(const hb_ctx *ctx, void *state)
{
    room_close(state);
}

/* What it confirmed to publishers is verified for a while, also when nobody is there and Redis is
 * away in between. */
static int64_t on_idle_ms(const hb_ctx *ctx, void *state)
{
    const struct room *r = state;
    bool busy = r->acked_ms || r->unsettled || r->doubt.hi || r->broken.hi;
    return busy ? VERIFIED_MS + 2 * worker_options(r->w)->journal_ms : 0;
}

static void on_interest(const hb_ctx *ctx, void *state, bool members)
{
    room_interest(state, members);
}

static void on_publish(const hb_ctx *ctx, void *state, hb_message *message, const hb_key *key, hb_done *done)
{
    publish_send(state, message, key, done);
}

static void on_lookup(const hb_ctx *ctx, void *state, const hb_key *key, hb_done *done)
{
    publish_lookup(state, key, done);
}

static void on_position(const hb_ctx *ctx, void *state, hb_done *done)
{
    ask_position(state, done);
}

static void on_read(const hb_ctx *ctx, void *state, const hb_pos *since, size_t limit, size_t max_bytes, hb_done *done)
{
    ask_read(state, since, limit, max_bytes, done);
}

static void on_present(const hb_ctx *ctx, void *state, hb_str user, hb_str session, hb_sid origin, hb_str data,
    hb_done *done)
{
    presence_set(state, user, session, origin, data, done);
}

static void on_absent(const hb_ctx *ctx, void *state, hb_str user, hb_str session, int64_t grace_ms, hb_done *done)
{
    presence_drop(state, session, grace_ms, done);
}

static void on_list(const hb_ctx *ctx, void *state, size_t limit, hb_done *done)
{
    presence_list(state, limit, done);
}

static void on_cast(const hb_ctx *ctx, uint32_t node, hb_str bytes)
{
    worker_cast(ctx->local, node, bytes);
}

static void on_cast_kept(const hb_ctx *ctx, hb_str bytes, int64_t until_ms)
{
    kept_cast(ctx->local, bytes, until_ms);
}

static void on_note_put(const hb_ctx *ctx, hb_str name, hb_str bytes, int64_t ttl_ms, hb_done *done)
{
    note_put(ctx->local, name, bytes, ttl_ms, done);
}

static void on_note_take(const hb_ctx *ctx, hb_str name, hb_done *done)
{
    note_take(ctx->local, name, done);
}

static const hb_backend backend = {
    .size = sizeof(hb_backend),
    .room_open = on_open,
    .room_close = on_close,
    .idle_ms = on_idle_ms,
    .interest = on_interest,
    .publish = on_publish,
    .lookup = on_lookup,
    .position = on_position,
    .read = on_read,
    .presence_set = on_present,
    .presence_drop = on_absent,
    .presence_list = on_list,
    .cast = on_cast,
    .cast_kept = on_cast_kept,
    .note_put = on_note_put,
    .note_take = on_note_take,
};

/* --- the worker ------------------------------------------------------------------------------------- */

static void tell_up(struct worker *w)
{
    bool up = pipe_is_up(&w->pipe) && sub_is_up(&w->sub);
    if (up != w->up)
        w->store->up(w->ctx, up);
    w->up = up;
}

static void on_pipe_changed(struct pipe *p, bool up)
{
    struct worker *w = p->owner;
    if (!up)
        return;
    w->check_due_ms = 0;
    lost_reconnected(w);
    presence_back(w);
    kept_want(w);
}

static void on_tick(const hb_ctx *ctx, hb_timer *t)
{
    struct worker *w = t->owner;
    uint64_t now = ctx->host->now_ms();
    struct room *r;
    size_t at = 0;
    w->uptime_ms += pipe_is_up(&w->pipe) ? TICK_MS : 0;
    pipe_tick(&w->pipe);
    sub_tick(&w->sub);
    while ((r = table_next(&w->rooms, &at)))
        room_tick(r, now);
    if (pipe_is_up(&w->pipe) && now >= w->check_due_ms) {
        w->check_due_ms = now + (uint64_t)worker_options(w)->check_ms;
        check_rooms(w);
        kept_check(w);
    }
    presence_tick(w, now);
    kept_tick(w);
    tell_up(w);
    ctx->host->timer_set(ctx, t, TICK_MS);
}

static int worker_init(const hb_ctx *ctx, void **local)
{
    const struct shared *shared = ctx->self;
    struct worker *w = mem_zalloc(sizeof(*w));
    *local = w;
    w->ctx = ctx;
    w->store = ctx->host->store;
    if (getrandom(&w->nonce, sizeof(w->nonce), 0) != sizeof(w->nonce))
        return -1;
    w->owner = w->nonce;
    table_init(&w->rooms);
    pipe_init(&w->pipe, ctx, on_pipe_changed, w);
    sub_init(&w->sub, w);
    w->pipe.link.place = w->sub.link.place = shared->place;
    w->pipe.link.login = w->sub.link.login = shared->login;
    w->sentinels[0] = sentinel_create(&w->pipe.link);
    w->sentinels[1] = sentinel_create(&w->sub.link);
    w->tick = (hb_timer){.fire = on_tick, .owner = w};
    w->up = true;
    tell_up(w);
    link_open(&w->pipe.link);
    link_open(&w->sub.link);
    ctx->host->timer_set(ctx, &w->tick, TICK_MS);
    return 0;
}

static void worker_finish(const hb_ctx *ctx)
{
    struct worker *w = ctx->local;
    ctx->host->timer_cancel(ctx, &w->tick);
    pipe_finish(&w->pipe);
    sub_finish(&w->sub);
    sentinel_destroy(w->sentinels[0]);
    sentinel_destroy(w->sentinels[1]);
    table_finish(&w->rooms);
    free(w);
}

/* --- the module ------------------------------------------------------------------------------------- */

static int check(const hb_host *host, const void *options, char *error, size_t error_size)
{
    const char *fault = settings_fault(options);
    if (!fault)
        return 0;
    snprintf(error, error_size, "%s", fault);
    return -1;
}

static int init(const hb_ctx *ctx, void **self, char *error, size_t error_size)
{
    const struct options *o = ctx->options;
    struct shared *s = mem_zalloc(sizeof(*s));
    *self = s;
    const char *fault = settings_fault(o);
    if (!fault)
        fault = url_parse(o->url, &s->place, &s->login);
    if (fault) {
        snprintf(error, error_size, "%s", fault);
        free(s);
        return -1;
    }
    s->first = o;
    s->n_prefix = strlen(o->prefix);
    script_init();
    return 0;
}

static void reload(const hb_ctx *ctx)
{
    const struct shared *s = ctx->self;
    const char *fixed = settings_fixed(s->first, ctx->options);
    char sentence[80];
    if (!fixed)
        return;
    snprintf(sentence, sizeof(sentence), "redis: `%s` changes with a restart", fixed);
    ctx->host->log(ctx, HB_LOG_WARN, "reload", sentence);
}

/* Having it says that new options may come: they are read where they are used. */
static void worker_reload(const hb_ctx *ctx)
{
}

static void finish(const hb_ctx *ctx)
{
    resolve_finish();
    free(ctx->self);
}

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {HB_MODULE("redis", HB_VERSION),
    .description = "Rooms that span machines, over a shared Redis; nothing is lost silently.",
    .options = settings_table, .options_size = sizeof(struct options), .backend = &backend, .init = init,
    .check = check, .finish = finish, .worker_init = worker_init, .worker_finish = worker_finish,
    .reload = reload, .worker_reload = worker_reload};
