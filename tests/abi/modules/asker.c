/*
 * A module that asks clients: a call `ask-me` is answered with what the client itself answers to the
 * event `question`; `put-me-out` ends the part of the application that was called; `tell-all` goes to
 * every client of that part; `tell-room` to a room. Calls whose data is {"space":…} say which part.
 */
#include <hubbub/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hb_sid sid_of(const hb_ctx *ctx, const hb_session *session)
{
    hb_session_info info = {.size = sizeof(info)};
    ctx->host->session_info(session, &info);
    return info.sid;
}

static bool is(hb_str s, const char *word)
{
    return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

static void on_answer(const hb_ctx *ctx, hb_code code, hb_str data, void *arg)
{
    char number[32];
    hb_outcome out = {.size = sizeof(out), .data = data};
    if (code != HB_OK) {
        snprintf(number, sizeof(number), "{\"code\":%d}", (int)code);
        out.data = (hb_str){number, strlen(number)};
    }
    ctx->host->complete(arg, HB_ALLOW, &out);
}

static hb_verdict ask(const hb_ctx *ctx, hb_call *ev)
{
    hb_ticket *ticket = ctx->host->later(ctx, ev);
    if (!ticket)
        return HB_DENY;
    const hb_send question = {.size = sizeof(question), .space = ev->space, .event = {"question", 8},
        .data = ev->data, .answered = on_answer, .arg = ticket, .timeout_ms = 500};
    ctx->host->session_send(ctx, sid_of(ctx, ev->session), &question);
    return HB_LATER;
}

static hb_verdict call(const hb_ctx *ctx, hb_call *ev)
{
    const hb_str absent = {NULL, 0};
    if (is(ev->event, "ask-me"))
        return ask(ctx, ev);
    if (is(ev->event, "put-me-out")) {
        ctx->host->session_exit(ctx, sid_of(ctx, ev->session), ev->space);
    } else if (is(ev->event, "tell-all")) {
        const hb_send news = {.size = sizeof(news), .space = ev->space, .event = {"news", 4}, .data = ev->data};
        ctx->host->session_send(ctx, 0, &news);
    } else if (is(ev->event, "tell-room")) {
        ctx->host->publish(ctx, (hb_str){"hall", 4}, (hb_str){"news", 4}, ev->data, absent);
    } else {
        return HB_NEXT;
    }
    return HB_ALLOW;
}

static const hb_hooks hooks = {.size = sizeof(hooks), .call = call};

HB_EXPORT const hb_module hubbub_module = {HB_MODULE("asker", "1.0"), .hooks = &hooks};
