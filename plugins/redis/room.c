#include "presence.h"
#include "room.h"
#include <string.h>

struct room *room_find(struct worker *w, hb_str name)
{
    return table_get(&w->rooms, name);
}

hb_str room_known(const struct room *r, char out[static POS_TEXT_MAX])
{
    bool acked = r->acked_ms && (!r->has_last || pos_compare(r->acked, r->last) > 0);
    if (!acked && !r->has_last)
        return HB_STR("");
    return (hb_str){out, pos_text(acked ? r->acked : r->last, out)};
}

/* --- what happens to its channel ------------------------------------------------------------------ */

void room_confirmed(struct room *r)
{
    r->subscribed = true;
    if (room_keeps(r)) {
        fill_start(r);
        return;
    }
    r->has_last = true;
    ask_run_waiting(r);
}

void room_silent(struct room *r)
{
    r->subscribed = false;
    r->unconfirmed = 0;
    publish_silent(r);
}

static void push_entry(struct room *r, const struct entry *e)
{
    if (publish_pushed(r, e) || (room_keeps(r) && r->has_last && pos_compare(e->id, r->last) <= 0))
        return;
    hb_message *m = order_message(r, e);
    if (!m)
        return; /* out of memory: the next one shows the gap */
    order_take(r, e->id, e->prev, m, true);
    r->w->store->unref(m);
}

void room_push(struct room *r, hb_str payload)
{
    struct entry e;
    bool keeps = room_keeps(r);
    if (payload.n > 1 && payload.p[0] == 'p' && payload.p[1] == ' ') {
        presence_push(r, payload);
        return;
    }
    bool ours = push_cut(&payload, &e) && (!keeps || e.id.hi > 0) && entry_cut(&payload, &e);
    while (ours) {
        push_entry(r, &e);
        if (payload.n == 0)
            return;
        e.prev = e.id;
        e.id.lo += keeps;
        ours = entry_cut(&payload, &e);
    }
    r->w->ctx->host->log(r->w->ctx, HB_LOG_WARN, "redis-junk", "a push that is none of ours");
}

void room_tick(struct room *r, uint64_t now_ms)
{
    ask_tick(r, now_ms);
    publish_tick(r, now_ms);
    if (r->gap_due_ms && now_ms >= r->gap_due_ms && r->subscribed)
        fill_start(r);
}

/* --- the backend role ----------------------------------------------------------------------------- */

struct room *room_open(struct worker *w, hb_room *home, hb_str name, const hb_keep *keep)
{
    struct room *r = mem_zalloc(sizeof(*r) + name.n + 1);
    r->w = w;
    r->home = home;
    r->keep = *keep;
    r->refreshed_ms = w->ctx->host->now_ms();
    r->n_name = (uint16_t)name.n;
    memcpy(r->name, name.p, name.n);
    list_init(&r->held);
    list_init(&r->publishes);
    list_init(&r->lookups);
    list_init(&r->present);
    list_init(&r->sayings);
    list_init(&r->asks);
    list_init(&r->recent);
    table_put(&w->rooms, room_name(r), r);
    return r;
}

void room_interest(struct room *r, bool members)
{
    if (r->interested == members)
        return;
    r->interested = members;
    r->has_last = false;
    r->version = 0;
    order_forget(r);
    fill_forget(r);
    if (members) {
        sub_want(&r->w->sub, r);
        return;
    }
    publish_silent(r);
    r->subscribed = false;
    sub_unwant(&r->w->sub, r);
    ask_run_waiting(r);
}

void room_close(struct room *r)
{
    room_interest(r, false);
    publish_forget(r);
    publish_forget_lookups(r);
    ask_forget(r);
    presence_forget(r);
    fill_forget(r);
    order_forget(r);
    sub_forget(&r->w->sub, r);
    table_remove(&r->w->rooms, room_name(r));
    free(r);
}
