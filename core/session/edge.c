#include "session/edge.h"
#include "base/check.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "out/encode.h"
#include "room/home.h"
#include "room/members.h"
#include "session/batch.h"
#include "session/connect.h"
#include "session/drain.h"
#include "session/net.h"
#include "session/own.h"
#include "session/registry.h"
#include <stdlib.h>
#include <string.h>

void edge_init(struct shard *s)
{
    list_init(&s->dirty_rooms);
    list_init(&s->dirty_boxes);
    s->members = members_create();
    s->registry = registry_create();
    s->hooks = hooks_create(s);
    s->homes = homes_create(s);
}

static void end_session(struct session *ss, void *arg)
{
    outbox_drop(ss->s, &ss->out);
    session_end(ss, HB_END_DRAIN, true);
}

void edge_finish(struct shard *s)
{
    drain_destroy(s->registry->draining);
    s->registry->draining = NULL;
    registry_each(s, end_session, NULL);
    sessions_reap(s);
    homes_destroy(s);
    members_destroy(s->members);
    own_rooms_destroy(s);
    registry_destroy(s->registry);
    hooks_destroy(s->hooks);
    free(s->fast);
    encode_finish();
    outboxes_finish();
    net_finish();
}

void edge_reload(struct shard *s)
{
    homes_reload(s);
}

void edge_flush(struct shard *s)
{
    members_flush(s);
    sessions_close_slow(s);
    while (!list_empty(&s->dirty_boxes))
        outbox_flush(s, list_entry(s->dirty_boxes.next, struct outbox, dirty));
    sessions_close_slow(s);
    while (!list_empty(&s->dirty_boxes))
        outbox_flush(s, list_entry(s->dirty_boxes.next, struct outbox, dirty));
    sessions_reap(s);
}

/* --- requests ---------------------------------------------------------------------------------- */

/* <base>/send: POST belongs to the sessions of every one-way transport, DELETE to all. */
static bool is_send(const struct shard *s, hb_str path)
{
    hb_str base = str_of(s->config->base_path);
    return str_starts(path, base) && str_eq(str_sub(path, base.n, SIZE_MAX), HB_STR("/send"));
}

static hb_str ticket_of(struct shard *s, const hb_request *req)
{
    hb_str ticket = s->hub->io->header(req, HB_STR("hub-ticket"));
    return ticket.p ? ticket : s->hub->io->query((hb_request *)(uintptr_t)req, HB_STR("ticket"), 0);
}

int edge_claim(struct shard *s, const hb_request *req, hb_claim *claim)
{
    memset(claim, 0, sizeof(*claim));
    if (is_send(s, req->path)) {
        claim->ticket = ticket_of(s, req);
        return EDGE_SEND;
    }
    for (unsigned i = 0; i < s->hub->n_modules; i++) {
        const hb_transport *t = s->hub->modules[i].desc->transport;
        if (!t)
            continue;
        memset(claim, 0, sizeof(*claim));
        if (t->claim(&s->ctx[i], req, claim))
            return (int)i;
    }
    memset(claim, 0, sizeof(*claim));
    return EDGE_NOBODY;
}

int edge_worker(const struct hub *hub, hb_str ticket)
{
    int worker = sid_worker(ticket_sid(ticket));
    return worker >= 0 && worker < hub->n_workers ? worker : -1;
}

static void run_send(struct session *ss, hb_request *req, void *arg)
{
    if (!str_eq(req->method, HB_STR("DELETE"))) {
        batch_run(ss, req);
        return;
    }
    ss->s->hub->io->respond(req, 204, NULL, 0, (hb_str){NULL, 0});
    session_end(ss, HB_END_CLIENT, true);
}

static bool is_json(hb_str type)
{
    hb_str media = {NULL, 0};
    str_split(&type, ';', &media);
    return str_eq_nocase(str_trim(media), HB_STR("application/json"));
}

static void dispatch_send(struct shard *s, hb_request *req, const hb_claim *claim)
{
    static const hb_header allow[] = {{HB_STR("allow"), HB_STR("POST, DELETE")},
        {HB_STR("content-type"), HB_STR("application/json")}, {HB_STR("cache-control"), HB_STR("no-store")}};
    bool post = str_eq(req->method, HB_STR("POST")), delete = str_eq(req->method, HB_STR("DELETE"));
    struct session *ss = session_by_ticket(s, claim->ticket);
    if (!post && !delete)
        s->hub->io->respond(req, 405, allow, 3, HB_STR("{\"error\":{\"code\":\"method_not_allowed\",\"message\":\"POST ops, or DELETE\"}}"));
    else if (post && !is_json(s->hub->io->header(req, HB_STR("content-type"))))
        s->hub->io->respond_error(req, HB_UNSUPPORTED_MEDIA_TYPE, HB_STR("ops are sent as application/json"), 0);
    else if (!ss || ss->state >= SESSION_CLOSING)
        s->hub->io->respond_error(req, HB_NOT_FOUND, HB_STR("this ticket is unknown or its session has ended"), 0);
    else if (post && !session_transport(ss)->one_way)
        s->hub->io->respond_error(req, HB_BAD_REQUEST, HB_STR("this session sends its ops over its own connection"), 0);
    else
        connect_verify(ss, req, claim->credential, run_send, NULL, 0);
}

struct handing {
    int module;
    hb_claim claim;
};

static void hand_over(struct session *ss, hb_request *req, void *arg)
{
    const struct handing *h = arg;
    const hb_transport *t = ss->s->hub->modules[h->module].desc->transport;
    session_touch(ss);
    t->request(&ss->s->ctx[h->module], req, ss->conn, &h->claim);
}

void edge_dispatch(struct shard *s, hb_request *req, int module, const hb_claim *claim)
{
    if (module == EDGE_SEND) {
        dispatch_send(s, req, claim);
        return;
    }
    struct session *ss = claim->ticket.p ? session_by_ticket(s, claim->ticket) : NULL;
    if (!ss || ss->module != module || !ss->conn) {
        s->hub->modules[module].desc->transport->request(&s->ctx[module], req, NULL, claim);
        return;
    }
    struct handing h = {module, *claim};
    connect_verify(ss, req, claim->credential, hand_over, &h, sizeof(h));
}

/* --- draining ---------------------------------------------------------------------------------- */

size_t edge_drain(struct shard *s, int64_t spread_ms)
{
    size_t n = registry_count(s->registry);
    members_flush(s); /* what this turn has collected was accepted: it goes out before the byes */
    drain_sessions(s, spread_ms);
    return n;
}

size_t edge_sessions(const struct shard *s)
{
    return registry_count(s->registry);
}
