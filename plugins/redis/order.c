#include "room.h"

enum { HELD_MAX = 1024, GAP_MS = 100 };

/* A message that came before what stands before it. */
struct held {
    struct list link;
    hb_pos id, prev;
    hb_message *m;         /* counted */
    const struct fill *during; /* the fill that was under way when it came */
};

static struct held *first(const struct room *r)
{
    return list_entry(r->held.next, struct held, link);
}

static void drop(struct room *r, struct held *h)
{
    list_remove(&h->link);
    r->n_held--;
    r->w->store->unref(h->m);
    free(h);
}

void order_forget(struct room *r)
{
    while (!list_empty(&r->held))
        drop(r, first(r));
}

static void deliver(struct room *r, hb_pos id, hb_message *m)
{
    r->last = id;
    ask_delivered(r, m);
    r->w->store->deliver(r->home, m);
}

/* A Redis that says nonsense does not turn a stream back either. */
static bool continues(const struct room *r, hb_pos id, hb_pos prev)
{
    return pos_equal(prev, r->last) && pos_compare(id, r->last) > 0;
}

/* What is held and continues now. False: the stream went past one that was not in it. */
static bool release(struct room *r)
{
    bool whole = true;
    while (!list_empty(&r->held)) {
        struct held *h = first(r);
        if (continues(r, h->id, h->prev))
            deliver(r, h->id, h->m);
        else if (pos_compare(h->id, r->last) > 0)
            break;
        else
            whole &= pos_equal(h->id, r->last);
        drop(r, h);
    }
    return whole;
}

/* What had its place has it no more: for all nodes. */
static void tell_lost(struct room *r, hb_pos since)
{
    lost_break(r, since);
    order_lose(r, r->last);
}

static void hold(struct room *r, hb_pos id, hb_pos prev, hb_message *m)
{
    struct list *at = r->held.prev;
    if (r->n_held >= HELD_MAX) /* it comes again when it is read back */
        return;
    while (at != &r->held && pos_compare(list_entry(at, struct held, link)->id, id) > 0)
        at = at->prev;
    if (at != &r->held && pos_equal(list_entry(at, struct held, link)->id, id)) {
        struct held *known = list_entry(at, struct held, link);
        if (known->prev.hi == 0)
            known->prev = prev;
        return;
    }
    struct held *h = mem_zalloc(sizeof(*h));
    *h = (struct held){.id = id, .prev = prev, .m = m, .during = r->fill};
    r->w->store->ref(m);
    list_insert(at->next, &h->link);
    r->n_held++;
}

static bool is_live(const struct room *r)
{
    return r->subscribed && r->has_last;
}

void order_take(struct room *r, hb_pos id, hb_pos prev, hb_message *m, bool pushed)
{
    if (!r->interested)
        return;
    if (!room_keeps(r)) {
        r->w->store->deliver(r->home, m);
        return;
    }
    if (r->has_last && continues(r, id, prev)) {
        deliver(r, id, m);
        if (!release(r))
            tell_lost(r, prev);
        return;
    }
    if (r->has_last && pos_compare(id, r->last) <= 0)
        return;
    hold(r, id, prev, m);
    if (!is_live(r))
        return;
    if (pushed && !r->fill)
        fill_start(r);
    else if (r->gap_due_ms == 0)
        r->gap_due_ms = r->w->ctx->host->now_ms() + GAP_MS;
}

static struct held *find_held(const struct room *r, hb_pos id)
{
    for (struct list *at = r->held.next; at != &r->held; at = at->next)
        if (pos_equal(list_entry(at, struct held, link)->id, id))
            return list_entry(at, struct held, link);
    return NULL;
}

hb_message *order_message(struct room *r, const struct entry *e)
{
    const hb_store *store = r->w->store;
    hb_message *m = store->message(room_name(r), e->event, e->data, e->user);
    if (!m)
        return NULL;
    m->server = e->server;
    m->received_us = worker_now_us();
    store->place(m, e->id, room_keeps(r) ? (int64_t)e->id.hi : r->w->ctx->host->wall_ms(), room_keeps(r));
    return m;
}

bool order_take_read(struct room *r, const struct entry *e)
{
    if (pos_compare(e->id, r->last) <= 0)
        return true;
    if (!pos_equal(e->prev, r->last))
        return false;
    struct held *h = find_held(r, e->id);
    if (h) {
        deliver(r, h->id, h->m);
        drop(r, h);
        return true;
    }
    hb_message *m = publish_own(r, e);
    if (m) {
        deliver(r, e->id, m);
        return true;
    }
    m = order_message(r, e);
    if (!m)
        return false;
    deliver(r, e->id, m);
    r->w->store->unref(m);
    return true;
}

void order_lose(struct room *r, hb_pos last)
{
    r->last = last;
    r->w->ctx->host->log(r->w->ctx, HB_LOG_WARN, "redis-lost", "a room's stream does not continue: its members come back");
    r->w->store->lost(r->home); /* may end our interest */
}

/* The fill that just ended saw the whole stream: what came before it was asked for and is not there
 * has been lost. What came since is looked for once more. */
void order_drain(struct room *r)
{
    hb_pos since = r->last;
    bool lost = !release(r);
    list_for_each_safe(item, &r->held) {
        struct held *h = list_entry(item, struct held, link);
        if (h->during) {
            h->during = NULL;
            continue;
        }
        drop(r, h);
        lost = true;
    }
    if (lost)
        tell_lost(r, since);
    else if (!list_empty(&r->held) && r->gap_due_ms == 0)
        r->gap_due_ms = r->w->ctx->host->now_ms() + GAP_MS;
}

void order_begin(struct room *r, hb_pos at)
{
    r->last = at;
    r->has_last = true;
    while (!list_empty(&r->held) && pos_compare(first(r)->id, at) <= 0)
        drop(r, first(r));
    order_drain(r);
}
