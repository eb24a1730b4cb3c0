#include "question.h"
#include <hubbub/transport.h>
#include <string.h>

enum { HEADER_NAME_MAX = 128 };

static struct text begin(const hb_ctx *ctx, const char *type, const hb_session *session)
{
    struct text t = TEXT_INIT;
    hb_session_info info = {.size = sizeof(info)};
    ctx->host->session_info(session, &info);
    text_lit(&t, "{");
    text_put(&t, "type", (hb_str){type, strlen(type)});
    text_put_int(&t, "ts", ctx->host->wall_ms());
    text_put(&t, "session", info.id);
    text_put(&t, "user", info.user);
    text_put(&t, "remote", info.remote);
    text_put(&t, "transport", info.transport);
    return t;
}

/* Header names as the host wants them. False when it is too long for one. */
static bool lower(hb_str name, char *out)
{
    if (name.n > HEADER_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++)
        out[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] | 0x20) : name.p[i];
    out[name.n] = '\0';
    return true;
}

static void put_headers(
    const hb_ctx *ctx, struct text *t, const hb_request *req, const hb_strings *allowed)
{
    text_key(t, "headers");
    text_lit(t, "{");
    for (size_t i = 0; req && i < allowed->n; i++) {
        char name[HEADER_NAME_MAX + 1];
        if (!lower(allowed->items[i], name))
            continue;
        hb_str value = ctx->host->net->header(req, (hb_str){name, allowed->items[i].n});
        if (value.p)
            text_put(t, name, value);
    }
    text_lit(t, "}");
}

struct text question_connect(const hb_ctx *ctx, const hb_connect *ev, const hb_strings *headers)
{
    struct text t = begin(ctx, "connect", ev->session);
    text_put_bool(&t, "refresh", ev->refresh);
    text_put(&t, "credential", ev->credential);
    put_headers(ctx, &t, ev->request, headers);
    text_lit(&t, "}");
    return t;
}

struct text question_join(const hb_ctx *ctx, const hb_join *ev)
{
    struct text t = begin(ctx, "join", ev->session);
    text_put(&t, "room", ev->room);
    text_put_raw(&t, "data", ev->data);
    text_lit(&t, "}");
    return t;
}

struct text question_publish(const hb_ctx *ctx, const hb_publish *ev)
{
    struct text t = begin(ctx, "publish", ev->session);
    text_put(&t, "room", ev->room);
    text_put_bool(&t, "member", ctx->host->session_is_member(ev->session, ev->room));
    text_put(&t, "event", ev->event);
    text_put(&t, "key", ev->key);
    text_put_raw(&t, "data", ev->data);
    text_lit(&t, "}");
    return t;
}

struct text question_call(const hb_ctx *ctx, const hb_call *ev)
{
    struct text t = begin(ctx, "call", ev->session);
    text_put(&t, "event", ev->event);
    text_put_raw(&t, "data", ev->data);
    text_lit(&t, "}");
    return t;
}
