/*
 * echo-plugin: the smallest application. It answers every call with its arguments, sends `message`
 * back as `message-back`, and tells a client that enters (a namespace of Socket.IO) what it brought.
 */
#include <hubbub/plugin.h>
#include <string.h>

static hb_sid sid_of(const hb_ctx *ctx, const hb_session *session)
{
    hb_session_info info = {.size = sizeof(info)};
    ctx->host->session_info(session, &info);
    return info.sid;
}

static hb_verdict call(const hb_ctx *ctx, hb_call *ev)
{
    static const hb_str message = {"message", 7};
    if (ev->event.n == message.n && memcmp(ev->event.p, message.p, message.n) == 0) {
        const hb_send back = {.size = sizeof(back), .space = ev->space, .event = {"message-back", 12},
            .data = ev->data};
        ctx->host->session_send(ctx, sid_of(ctx, ev->session), &back);
    }
    ev->out.data = ev->data;
    return HB_ALLOW;
}

/* `data` may hold the client's token: an application would not send it around. */
static void entered(const hb_ctx *ctx, hb_session *session, hb_str space, hb_str data)
{
    const hb_send auth = {.size = sizeof(auth), .space = space, .event = {"auth", 4}, .data = data};
    ctx->host->session_send(ctx, sid_of(ctx, session), &auth);
}

static const hb_hooks hooks = {.size = sizeof(hooks), .call = call, .entered = entered};

HB_EXPORT const hb_module hubbub_module = {
    HB_MODULE("echo-plugin", "1.0"),
    .description = "Answers calls with their arguments",
    .hooks = &hooks,
};
