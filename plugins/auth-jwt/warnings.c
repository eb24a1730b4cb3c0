#include "warnings.h"
#include <inttypes.h>
#include <stdio.h>

enum { TIMER_MAX_MS = 600000 /* the wall clock may be set meanwhile: look again */ };

static uint64_t digest(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3;
    return h;
}

/* Two tokens that agree in all of these are one: minted twice within a second, for the same time.
 */
static uint32_t mark_of(const hb_session_info *info)
{
    uint64_t h = digest(0xcbf29ce484222325, &info->expires_at, sizeof(info->expires_at));
    h = digest(h, &info->issued_at, sizeof(info->issued_at));
    return (uint32_t)digest(h, info->token_id.p, info->token_id.n) | 1;
}

static void *as_slot(uint32_t mark)
{
    return (void *)(uintptr_t)mark;
}

static int64_t end_of(void *arg, const struct expiry_entry *e)
{
    const hb_ctx *ctx = arg;
    hb_session_info info = {.size = sizeof(info)};
    hb_session *session = ctx->host->session_find(ctx, e->sid);
    if (!session || *ctx->host->session_slot(ctx, session) != as_slot(e->mark))
        return 0;
    ctx->host->session_info(session, &info);
    return info.expires_at * 1000;
}

static void warn(const hb_ctx *ctx, hb_sid sid, int64_t expires_ms, int64_t now_ms)
{
    char data[96];
    int n = snprintf(data, sizeof(data), "{\"expires_at\":%" PRId64 ",\"expires_in\":%" PRId64 "}",
        expires_ms, expires_ms > now_ms ? expires_ms - now_ms : 0);
    ctx->host->session_emit(ctx, sid, HB_STR("token-expiring"), (hb_str){data, (size_t)n});
}

static void set_timer(const hb_ctx *ctx, struct warnings *w)
{
    const struct expiry_entry *first = expiry_first(&w->expiry);
    if (!first)
        return;
    int64_t now_ms = ctx->host->wall_ms();
    int64_t after_ms = first->warn_ms <= now_ms ? 1 : first->warn_ms - now_ms;
    ctx->host->timer_set(
        ctx, &w->timer, (uint64_t)(after_ms > TIMER_MAX_MS ? TIMER_MAX_MS : after_ms));
}

static void on_timer(const hb_ctx *ctx, hb_timer *t)
{
    struct warnings *w = t->owner;
    int64_t now_ms = ctx->host->wall_ms();
    const struct expiry_entry *first;
    while ((first = expiry_first(&w->expiry)) && first->warn_ms <= now_ms) {
        struct expiry_entry due = *first;
        expiry_pop(&w->expiry);
        int64_t expires_ms = end_of((void *)(uintptr_t)ctx, &due);
        if (expires_ms)
            warn(ctx, due.sid, expires_ms, now_ms);
    }
    set_timer(ctx, w);
}

void warnings_init(struct warnings *w)
{
    w->timer.fire = on_timer;
    w->timer.owner = w;
}

void warnings_finish(const hb_ctx *ctx, struct warnings *w)
{
    ctx->host->timer_cancel(ctx, &w->timer);
    expiry_finish(&w->expiry);
}

void warnings_expect(const hb_ctx *ctx, struct warnings *w, hb_session *session, int64_t warning_ms)
{
    hb_session_info info = {.size = sizeof(info)};
    ctx->host->session_info(session, &info);
    void **slot = ctx->host->session_slot(ctx, session);
    int64_t now_ms = ctx->host->wall_ms(), expires_ms = info.expires_at * 1000;
    uint32_t mark = mark_of(&info);
    if (*slot == as_slot(mark))
        return;
    *slot = as_slot(mark);
    if (expires_ms <= now_ms)
        return;
    struct expiry_entry e = {expiry_warn_at(now_ms, expires_ms, warning_ms), info.sid, mark};
    expiry_push(&w->expiry, e, end_of, (void *)(uintptr_t)ctx);
    set_timer(ctx, w);
}

void warnings_reload(const hb_ctx *ctx, struct warnings *w, int64_t warning_ms)
{
    expiry_rewarn(
        &w->expiry, ctx->host->wall_ms(), warning_ms, end_of, (void *)(uintptr_t)ctx);
    set_timer(ctx, w);
}
