/*
 * The backend is told: what happened goes into the ledger, and worker 0's sender is woken. A
 * session's slot holds the user that it is counted for, or NULL.
 */
#include "webhook.h"
#include <stdlib.h>
#include <string.h>

static void on_wake(const hb_ctx *ctx, void *unused)
{
    struct local *local = ctx->local;
    if (local && local->sender)
        sender_look(local->sender);
}

static void wake_if(const hb_ctx *ctx, bool needed)
{
    if (needed)
        ctx->host->post(ctx, 0, on_wake, NULL);
}

static hb_session_info info_of(const hb_ctx *ctx, const hb_session *session)
{
    hb_session_info info = {.size = sizeof(info)};
    ctx->host->session_info(session, &info);
    return info;
}

static void count_user(const hb_ctx *ctx, hb_session *session, hb_str user)
{
    const struct webhook *w = ctx->self;
    void **slot = ctx->host->session_slot(ctx, session);
    char *copy = !user.p || *slot ? NULL : malloc(user.n + 1);
    if (!copy)
        return;
    memcpy(copy, user.p, user.n);
    copy[user.n] = '\0';
    *slot = copy;
    wake_if(ctx, ledger_user(w->ledger, ctx->host->wall_ms(), ctx->host->now_ms(), user, true));
}

void told_opened(const hb_ctx *ctx, hb_session *session)
{
    const struct webhook *w = ctx->self;
    hb_session_info info = info_of(ctx, session);
    wake_if(ctx, ledger_session(w->ledger, ctx->host->wall_ms(), "session_opened", &info, NULL));
    count_user(ctx, session, info.user);
}

void told_authenticated(const hb_ctx *ctx, hb_session *session, bool refresh)
{
    count_user(ctx, session, info_of(ctx, session).user);
}

void told_joined(const hb_ctx *ctx, hb_session *session, hb_str room, hb_str data)
{
    const struct webhook *w = ctx->self;
    wake_if(
        ctx, ledger_room(w->ledger, ctx->host->wall_ms(), ctx->host->now_ms(), room, true, false));
}

void told_left(const hb_ctx *ctx, hb_session *session, hb_str room, bool at_once)
{
    const struct webhook *w = ctx->self;
    wake_if(ctx,
        ledger_room(w->ledger, ctx->host->wall_ms(), ctx->host->now_ms(), room, false, at_once));
}

static const char *reason_of(hb_end why)
{
    static const char *const names[HB_END_COUNT] = {"client", "error", "heartbeat", "slow_consumer",
        "expired", "refused", "kicked", "rate_limit", "drain"};
    return why < HB_END_COUNT && names[why] ? names[why] : "other";
}

void told_closed(const hb_ctx *ctx, hb_session *session, hb_end why)
{
    const struct webhook *w = ctx->self;
    hb_session_info info = info_of(ctx, session);
    void **slot = ctx->host->session_slot(ctx, session);
    char *user = *slot;
    *slot = NULL;
    wake_if(ctx,
        ledger_session(w->ledger, ctx->host->wall_ms(), "session_closed", &info, reason_of(why)));
    if (user)
        wake_if(ctx, ledger_user(w->ledger, ctx->host->wall_ms(), ctx->host->now_ms(),
                         (hb_str){user, strlen(user)}, false));
    free(user);
}
