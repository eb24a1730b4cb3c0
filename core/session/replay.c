#include "session/replay.h"
#include "base/check.h"
#include "base/str.h"
#include "out/encode.h"
#include "out/msg.h"
#include "session/presence.h"
#include <stdlib.h>
#include <string.h>

enum { PAGE_MESSAGES = 64, PAGE_BYTES = 128 * 1024 };

struct replay {
    hb_pos at;              /* after the last message queued */
    bool asking;            /* a page is under way */
    uint64_t number;        /* tells this replay from one of an earlier membership */
};

struct page {
    struct home_req req;
    struct shard *s;
    hb_sid sid;
    uint64_t number;
    char room[];
};

static _Thread_local uint64_t last_number;

static void finish(struct session *ss, struct membership *m)
{
    free(m->replay);
    m->replay = NULL;
    ss->n_replays--;
}

void replay_stop(struct session *ss, struct membership *m)
{
    if (m->replay)
        finish(ss, m);
}

static void push_page(struct session *ss, const struct home_req *req)
{
    for (size_t i = 0; i < req->n; i++) {
        struct frame *f = encode_message(ss->s, ss->out.wire, req->messages[i]);
        outbox_replay(ss->s, &ss->out, f);
        frame_unref(f);
    }
    metrics_add(ss->s->metrics, ss->s->hub->modules[ss->module].metrics.delivered, (int64_t)req->n);
}

/* Trimmed while it was read, or the backend is away: the client comes back and is told. */
static void give_up(struct session *ss)
{
    session_close(ss, 4008, HB_STR("history outran the replay"), HB_END_SLOW);
}

static void take_page(struct session *ss, struct membership *m, struct home_req *req)
{
    m->replay->asking = false;
    if (req->code != HB_OK || !req->recovered) {
        give_up(ss);
        return;
    }
    m->replay->at = req->pos;
    push_page(ss, req);
    if (req->more) {
        outbox_tell_when_flushed(ss->s, &ss->out);
        return;
    }
    finish(ss, m);
    presence_live(ss, m);
}

static void on_page(struct home_req *req)
{
    struct page *p = container_of(req, struct page, req);
    struct session *ss = req->at ? session_find(p->s, p->sid) : NULL;
    struct membership *m = ss ? session_membership(ss, req->room) : NULL;
    if (m && m->replay && m->replay->number == p->number && ss->state == SESSION_OPEN)
        take_page(ss, m, req);
    home_req_finish(req);
    free(p);
}

static void ask(struct session *ss, struct membership *m)
{
    hb_str room = members_name(m->room);
    struct page *p = mem_zalloc(sizeof(*p) + room.n + 1);
    memcpy(p->room, room.p, room.n);
    p->s = ss->s;
    p->sid = ss->sid;
    p->number = m->replay->number;
    p->req.verb = HOME_READ;
    p->req.room = (hb_str){p->room, room.n};
    p->req.has_since = true;
    p->req.since = m->replay->at;
    p->req.limit = PAGE_MESSAGES;
    p->req.max_bytes = PAGE_BYTES;
    p->req.back = on_page;
    m->replay->asking = true;
    home_send(ss->s, &p->req);
}

void replay_begin(struct session *ss, struct membership *m)
{
    m->replay = mem_zalloc(sizeof(*m->replay));
    m->replay->at = m->pos;
    m->replay->number = ++last_number;
    ss->n_replays++;
    outbox_tell_when_flushed(ss->s, &ss->out);
}

void replay_continue(struct session *ss)
{
    if (ss->start) /* the answers to all rooms come first */
        return;
    list_for_each_safe(item, &ss->rooms) {
        struct membership *m = list_entry(item, struct membership, in_session);
        if (m->replay && !m->replay->asking)
            ask(ss, m);
        if (ss->state != SESSION_OPEN)
            return;
    }
}
