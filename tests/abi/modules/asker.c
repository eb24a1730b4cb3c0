/*
 * A module that asks clients: a call `ask-me` is answered with what the client itself answers to the
 * event `question`; `ask-all`, `ask-here`, `ask-hall` and `ask-others` with what all clients of that part answer,
 * those of this node, the members of its room `hall`, all but the one that calls: {"code":…,"answers":[…]}.
 * `put-me-out` ends the part of the application that was called, `put-all-out` for all clients; `tell-all` goes to every client of that
 * part, `tell-hall` to the members of its hall; `tell-room` is published in the hall of the main part;
 * `tell-first` tells the caller before its call is answered.
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

static void on_answers(const hb_ctx *ctx, hb_code code, hb_str data, void *arg)
{
    size_t size = data.n + 64;
    char *text = malloc(size);
    int n = snprintf(text, size, "{\"code\":%d,\"answers\":%.*s}", (int)code, (int)data.n, data.p);
    const hb_outcome out = {.size = sizeof(out), .data = {text, (size_t)n}};
    ctx->host->complete(arg, HB_ALLOW, &out);
    free(text);
}

/* "hall", or "x:hall" in another part than the main one, which is "/x" here. */
static hb_str hall_of(hb_str space, char buf[static 160])
{
    hb_str name = space.n > 1 ? (hb_str){space.p + 1, space.n - 1} : (hb_str){"", 0};
    int n = snprintf(buf, 160, "%.*s%shall", (int)name.n, name.p, name.n ? ":" : "");
    return (hb_str){buf, (size_t)n};
}

static hb_send to_many(const hb_ctx *ctx, const hb_call *ev, const char *event, char buf[static 160])
{
    hb_send what = {.size = sizeof(what), .space = ev->space, .event = {event, strlen(event)}, .data = ev->data,
        .timeout_ms = 1500};
    if (is(ev->event, "ask-hall") || is(ev->event, "tell-hall"))
        what.room = hall_of(ev->space, buf);
    if (is(ev->event, "ask-others"))
        what.except = sid_of(ctx, ev->session);
    what.local = is(ev->event, "ask-here");
    return what;
}

static hb_verdict ask_many(const hb_ctx *ctx, hb_call *ev)
{
    char buf[160];
    hb_send question = to_many(ctx, ev, "question", buf);
    question.answered = on_answers;
    question.arg = ctx->host->later(ctx, ev);
    if (!question.arg)
        return HB_DENY;
    ctx->host->session_send(ctx, 0, &question);
    return HB_LATER;
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

/* Both go by mail, in order. */
static hb_verdict tell_first(const hb_ctx *ctx, hb_call *ev)
{
    hb_ticket *ticket = ctx->host->later(ctx, ev);
    const hb_send news = {.size = sizeof(news), .space = ev->space, .event = {"news", 4}, .data = ev->data};
    const hb_outcome out = {.size = sizeof(out), .data = {"\"told\"", 6}};
    if (!ticket)
        return HB_DENY;
    ctx->host->session_send(ctx, sid_of(ctx, ev->session), &news);
    ctx->host->complete(ticket, HB_ALLOW, &out);
    return HB_LATER;
}

static hb_verdict call(const hb_ctx *ctx, hb_call *ev)
{
    const hb_str absent = {NULL, 0};
    char buf[160];
    if (is(ev->event, "ask-me"))
        return ask(ctx, ev);
    if (is(ev->event, "tell-first"))
        return tell_first(ctx, ev);
    if (ev->event.n > 4 && memcmp(ev->event.p, "ask-", 4) == 0)
        return ask_many(ctx, ev);
    if (is(ev->event, "put-me-out")) {
        ctx->host->session_exit(ctx, sid_of(ctx, ev->session), ev->space);
    } else if (is(ev->event, "put-all-out")) {
        ctx->host->session_exit(ctx, 0, ev->space);
    } else if (is(ev->event, "tell-all") || is(ev->event, "tell-hall")) {
        const hb_send news = to_many(ctx, ev, "news", buf);
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
