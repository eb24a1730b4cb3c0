#include "session/note.h"
#include "base/check.h"
#include "router/hooks.h"
#include "router/visit.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static _Atomic int64_t under_way;

struct note {
    hb_done done;
    struct shard *s;
    int module;
    hb_note_fn *fn;
    void *arg;
};

int64_t note_under_way(void)
{
    return atomic_load(&under_way);
}

static const hb_backend *keeper(void)
{
    const struct hub *hub = hooks_hub();
    const hb_backend *b = hub && hub->backend >= 0 ? hub->modules[hub->backend].desc->backend : NULL;
    return b && b->note_put && b->note_take ? b : NULL;
}

size_t net_note_max(void)
{
    return keeper() ? HB_NOTE_MAX : 0;
}

static void on_done(struct hb_done *done, const hb_result *r)
{
    struct note n = *container_of(done, struct note, done);
    const hb_note note = {.size = sizeof(note), .code = r->code, .unknown = r->unknown, .bytes = r->note};
    free(container_of(done, struct note, done));
    struct visit visit = visit_begin(n.s, n.module);
    n.fn(&n.s->ctx[n.module], &note, n.arg);
    visit_end(&visit, HOOK_COUNT);
    atomic_fetch_sub(&under_way, 1); /* what `fn` put in its turn counts already */
}

static hb_done *begin(const hb_ctx *ctx, hb_note_fn *fn, void *arg)
{
    struct shard *s = hooks_shard(ctx);
    struct note *n = mem_alloc(sizeof(*n));
    *n = (struct note){.done = {on_done}, .s = s, .module = shard_module(s, ctx), .fn = fn, .arg = arg};
    atomic_fetch_add(&under_way, 1);
    return &n->done;
}

/* As the backend knows it, by the transport's name. Absent: it is too long. */
static hb_str full_name(const hb_ctx *ctx, hb_str name, char out[static HB_NOTE_NAME_MAX])
{
    const struct shard *s = hooks_shard(ctx);
    int n = snprintf(out, HB_NOTE_NAME_MAX, "%s:%.*s", s->hub->modules[shard_module(s, ctx)].desc->name, (int)name.n, name.p);
    return n > 0 && n < HB_NOTE_NAME_MAX ? (hb_str){out, (size_t)n} : (hb_str){NULL, 0};
}

static void refuse(const hb_ctx *ctx, hb_code code, hb_note_fn *done, void *arg)
{
    const hb_note note = {.size = sizeof(note), .code = code};
    done(ctx, &note, arg);
}

static const hb_ctx *backend_ctx(const hb_ctx *ctx)
{
    return &hooks_shard(ctx)->ctx[hooks_hub()->backend];
}

void net_note_put(const hb_ctx *ctx, hb_str name, hb_str bytes, int64_t ttl_ms, hb_note_fn *done, void *arg)
{
    char text[HB_NOTE_NAME_MAX];
    const hb_backend *b = keeper();
    hb_str full = full_name(ctx, name, text);
    if (b && full.p && bytes.n > 0 && bytes.n <= HB_NOTE_MAX && ttl_ms > 0)
        b->note_put(backend_ctx(ctx), full, bytes, ttl_ms, begin(ctx, done, arg));
    else
        refuse(ctx, HB_UNAVAILABLE, done, arg);
}

void net_note_take(const hb_ctx *ctx, hb_str name, hb_note_fn *done, void *arg)
{
    char text[HB_NOTE_NAME_MAX];
    const hb_backend *b = keeper();
    hb_str full = full_name(ctx, name, text);
    if (b && full.p)
        b->note_take(backend_ctx(ctx), full, begin(ctx, done, arg));
    else
        refuse(ctx, HB_NOT_FOUND, done, arg);
}
