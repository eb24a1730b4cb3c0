/* Presence at a room's home: the backend keeps it, members are told by way of the modules. */
#include "base/check.h"
#include "base/str.h"
#include "room/home_inner.h"
#include <stdlib.h>

static void tell_modules(struct home *h, hb_presence_event ev)
{
    ev.size = sizeof(ev);
    ev.room = home_name(h);
    h->s->hub->session_ops->presence(h->s, &ev);
}

void home_presence_changed(hb_room *room, const hb_presence_event *ev)
{
    tell_modules((struct home *)room, *ev);
}

/* Data are left out where all of them would be more than a client can be sent at once. */
static void put_user(struct buf *b, const hb_present *p, size_t max_bytes)
{
    buf_lit(b, b->n > 1 ? ",{\"user\":" : "{\"user\":");
    buf_json_str(b, p->user);
    buf_lit(b, ",\"sessions\":");
    buf_i64(b, p->sessions);
    buf_lit(b, ",\"since\":");
    buf_i64(b, p->since);
    if (p->data.p && b->n + p->data.n <= max_bytes) {
        buf_lit(b, ",\"data\":");
        buf_str(b, p->data);
    }
    buf_char(b, '}');
}

static void put_users(struct buf *b, const hb_result *r, size_t max_bytes)
{
    buf_char(b, '[');
    for (size_t i = 0; i < r->n_present; i++)
        put_user(b, &r->present[i], max_bytes);
    buf_char(b, ']');
}

static void take_list(struct home_req *req, const hb_result *r)
{
    struct home *h = req->home;
    struct home_presence *p = req->presence;
    p->count = r->count;
    if (p->all_or_none && r->count > (int64_t)req->limit) {
        tell_modules(h, (hb_presence_event){.kind = HB_PRESENCE_COUNT, .count = r->count});
        return;
    }
    put_users(&p->users, r, (size_t)h->s->config->limits.outbox / 2);
    if (p->users.failed)
        req->code = HB_UNAVAILABLE;
}

static void on_list(hb_done *done, const hb_result *r)
{
    struct home_req *req = container_of(done, struct home_req, done);
    req->code = r->code;
    if (r->code == HB_OK)
        take_list(req, r);
    home_finish(req);
}

static void on_done(hb_done *done, const hb_result *r)
{
    struct home_req *req = container_of(done, struct home_req, done);
    req->code = r->code;
    home_finish(req);
}

static bool keeps_presence(const hb_backend *b)
{
    return b->presence_set && b->presence_drop && b->presence_list;
}

static void set(struct home_req *req)
{
    const struct homes *hs = req->at->homes;
    const struct home_presence *p = req->presence;
    hs->backend->presence_set(hs->ctx, req->home->state, p->user, p->session, p->origin, p->data, &req->done);
}

void home_presence_count(struct home_req *req, void (*fn)(hb_done *, const hb_result *))
{
    static const hb_result none = {.code = HB_UNAVAILABLE};
    req->done.fn = fn;
    req->presence->counted = keeps_presence(req->at->homes->backend);
    if (req->presence->counted)
        set(req);
    else
        fn(&req->done, &none);
}

void home_presence_run(struct home_req *req)
{
    const struct homes *hs = req->at->homes;
    const hb_backend *b = hs->backend;
    struct home_presence *p = req->presence;
    void *state = req->home->state;
    req->done.fn = req->verb == HOME_PRESENCE_LIST ? on_list : on_done;
    if (!keeps_presence(b)) {
        static const hb_result none = {.code = HB_UNAVAILABLE};
        req->done.fn(&req->done, &none);
    } else if (req->verb == HOME_PRESENCE_SET) {
        set(req);
    } else if (req->verb == HOME_PRESENCE_DROP) {
        b->presence_drop(hs->ctx, state, p->user, p->session, p->grace_ms, &req->done);
    } else {
        b->presence_list(hs->ctx, state, req->limit, &req->done);
    }
}
