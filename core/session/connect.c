#include "session/connect.h"
#include "base/check.h"
#include "base/str.h"
#include "session/revoked.h"
#include <stdlib.h>
#include <string.h>

struct opening {
    struct chain chain;
    struct shard *s;
    hb_sid sid;
    hb_request *req;      /* NULL: its client went away */
    hb_open how;
    bool brought;         /* a credential came with the request */
    char credential[];
};

struct verifying {
    struct chain chain;
    struct shard *s;
    hb_sid sid;
    hb_request *req;
    void (*done)(struct session *ss, hb_request *req, void *arg);
    void *arg;            /* behind the credential */
    char credential[];
};

int connect_failure(hb_code code)
{
    switch (code) {
    case HB_TOKEN_EXPIRED:
        return AUTH_EXPIRED;
    case HB_FORBIDDEN:
        return AUTH_FORBIDDEN;
    case HB_UNAVAILABLE:
        return AUTH_UNAVAILABLE;
    default:
        return AUTH_INVALID;
    }
}

void connect_event(struct session *ss, struct chain *c, hb_str credential, hb_request *req, bool refresh)
{
    c->ev.connect = (hb_connect){.session = (hb_session *)ss, .credential = credential,
        .remote = session_remote(ss, c->remote), .transport = str_of(ss->s->hub->modules[ss->module].desc->name),
        .refresh = refresh, .request = req};
}

static void count_open(struct session *ss)
{
    const struct metrics_transport *m = &ss->s->hub->modules[ss->module].metrics;
    metrics_inc(ss->s->metrics, m->connections);
    metrics_inc(ss->s->metrics, m->opened);
}

static int rejection_of(hb_code code)
{
    if (code == HB_RATE_LIMITED)
        return REJECTED_RATE;
    return code == HB_UNAUTHORIZED || code == HB_TOKEN_EXPIRED || code == HB_FORBIDDEN ? REJECTED_CREDENTIALS
                                                                                      : REJECTED_OTHER;
}

static void refuse(struct opening *o, struct session *ss, hb_code code, hb_str message, int64_t retry_after_ms)
{
    void *conn = ss->conn;
    ss->conn = NULL;
    metrics_inc(ss->s->metrics, METRIC_REJECTED + rejection_of(code));
    if (code != HB_RATE_LIMITED)
        metrics_inc(ss->s->metrics,
            METRIC_AUTH_FAILURES + (o->brought ? connect_failure(code) : (int)AUTH_MISSING));
    if (code == HB_RATE_LIMITED)
        metrics_inc(ss->s->metrics, METRIC_RATE_LIMITED + LIMITED_CONNECT);
    o->how.opened(session_ctx(ss), conn, o->req, NULL, code, message, retry_after_ms);
    session_end(ss, HB_END_REFUSED, true);
}

static void accept_waiting(struct opening *o, struct session *ss)
{
    count_open(ss);
    session_wait_for_auth(ss, o->how.auth_time_ms > 0 ? o->how.auth_time_ms : o->s->config->limits.auth_time_ms);
    o->how.opened(session_ctx(ss), ss->conn, o->req, (hb_session *)ss, HB_UNAUTHORIZED, (hb_str){NULL, 0}, 0);
}

static void accept_open(struct opening *o, struct session *ss)
{
    session_accept(ss, &o->chain.out);
    count_open(ss);
    session_open(ss);
    ss->had_credential = o->brought;
    ss->may_auth = !o->brought;
    o->how.opened(session_ctx(ss), ss->conn, o->req, (hb_session *)ss, HB_OK, (hb_str){NULL, 0}, 0);
}

static void on_asked(struct chain *c, hb_verdict verdict)
{
    struct opening *o = container_of(c, struct opening, chain);
    struct session *ss = session_find(o->s, o->sid);
    const hb_outcome *out = &c->out;
    verdict = revoked_verdict(c, verdict);
    if (ss && o->req)
        o->req->gone = NULL;
    bool denied = verdict == HB_DENY || (verdict == HB_NEXT && o->s->hub->auth);
    hb_code code = verdict == HB_DENY && out->code != HB_OK ? out->code : HB_UNAUTHORIZED;
    if (!ss || !o->req) {
        if (ss)
            session_end(ss, HB_END_CLIENT, true);
    } else if (!denied) {
        accept_open(o, ss);
    } else if (!o->brought && o->how.auth_later && code == HB_UNAUTHORIZED) {
        accept_waiting(o, ss);
    } else {
        refuse(o, ss, code, out->message.p ? out->message : HB_STR("Authentication required"), out->retry_after_ms);
    }
    chain_finish(c);
    free(o);
}

/* The client left while the hooks were thinking. */
static void on_gone(hb_request *req)
{
    struct opening *o = req->owner;
    struct session *ss = session_find(o->s, o->sid);
    o->req = o->chain.ev.connect.request = NULL;
    if (ss)
        session_end(ss, HB_END_CLIENT, true);
}

static hb_str copy_credential(char *to, hb_str credential)
{
    if (!credential.p)
        return credential;
    memcpy(to, credential.p, credential.n);
    return (hb_str){to, credential.n};
}

void connect_open(struct shard *s, unsigned module, hb_request *req, const hb_open *how)
{
    struct session *ss = session_create(s, module, how->variant, how->conn, req->remote);
    struct opening *o = mem_zalloc(sizeof(*o) + how->credential.n + 1);
    o->s = s;
    o->sid = ss->sid;
    o->req = req;
    memcpy(&o->how, how, how->size < sizeof(*how) ? how->size : sizeof(*how));
    ss->auth_again = o->how.auth_again;
    o->brought = how->credential.p != NULL;
    req->owner = o;
    req->gone = on_gone;
    chain_init(&o->chain, s, ss->sid, HOOK_CONNECT, on_asked);
    connect_event(ss, &o->chain, copy_credential(o->credential, how->credential), req, false);
    chain_run(&o->chain);
}

/* --- later requests ---------------------------------------------------------------------------- */

static void on_verified(struct chain *c, hb_verdict verdict)
{
    struct verifying *v = container_of(c, struct verifying, chain);
    struct session *ss = session_find(v->s, v->sid);
    verdict = revoked_verdict(c, verdict);
    hb_code code = c->out.code != HB_OK ? c->out.code : HB_UNAUTHORIZED;
    if (v->req)
        v->req->gone = NULL;
    if (v->req && !ss)
        v->s->hub->io->respond_error(v->req, HB_NOT_FOUND, HB_STR("this session has ended"), 0);
    else if (v->req && verdict == HB_DENY)
        v->s->hub->io->respond_error(v->req, code, c->out.message, c->out.retry_after_ms);
    else if (v->req && !str_eq(c->out.user, session_user(ss)))
        v->s->hub->io->respond_error(v->req, HB_FORBIDDEN, HB_STR("this session is another user's"), 0);
    else if (v->req)
        v->done(ss, v->req, v->arg);
    chain_finish(c);
    free(v);
}

static void on_verify_gone(hb_request *req)
{
    struct verifying *v = req->owner;
    v->req = v->chain.ev.connect.request = NULL;
}

void connect_verify(struct session *ss, hb_request *req, hb_str credential,
    void (*done)(struct session *ss, hb_request *req, void *arg), const void *arg, size_t arg_size)
{
    if (!credential.p || !ss->s->hub->auth) {
        done(ss, req, (void *)(uintptr_t)arg);
        return;
    }
    size_t at = (sizeof(struct verifying) + credential.n + 15) & ~(size_t)15;
    struct verifying *v = mem_zalloc(at + arg_size);
    v->s = ss->s;
    v->sid = ss->sid;
    v->req = req;
    v->done = done;
    v->arg = (char *)v + at;
    memcpy(v->arg, arg ? arg : "", arg_size);
    req->owner = v;
    req->gone = on_verify_gone;
    chain_init(&v->chain, ss->s, ss->sid, HOOK_CONNECT, on_verified);
    connect_event(ss, &v->chain, copy_credential(v->credential, credential), req, true);
    chain_run(&v->chain);
}
