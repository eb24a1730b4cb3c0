#include "room/members.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/str.h"
#include "out/encode.h"
#include "out/msg.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct item {
    struct outbox *out;
    struct membership *membership;
    uint32_t start; /* index of the first entry of this turn that it gets */
    uint32_t fast;  /* its outbox's entry in shard->fast */
};

/* What is delivered at the end of the turn: a message, or another event as its frames. */
struct entry {
    hb_message *message;           /* shared; NULL: an event */
    struct frame **forms;          /* event: a frame per wire, made when told; NULL entries: not told */
    const struct outbox *except;   /* not for this one */
};

/* One allocation, there while it has entries: most rooms are quiet most of the time. */
struct turn {
    struct list dirty; /* in shard->dirty_rooms */
    struct members *room;
    uint32_t n, cap;
    struct entry entries[];
};

struct members {
    union {                        /* most rooms are a user's own, with one session: `one` */
        struct item one;
        struct item *many;         /* owned; while cap_items > 1 */
    };
    struct turn *turn;             /* owned; NULL: nothing to deliver */
    uint64_t hash;                 /* of the name */
    uint32_t n_items, cap_items, holds;
    uint16_t n_name;
    char name[];                   /* with a NUL behind it */
};

struct members_table {
    struct map rooms;
};

static struct item *items_of(struct members *r)
{
    return r->cap_items > 1 ? r->many : &r->one;
}

hb_str members_name(const struct members *r)
{
    return (hb_str){r->name, r->n_name};
}

static hb_str key_of(const void *members)
{
    return members_name(members);
}

struct members_table *members_create(void)
{
    struct members_table *t = mem_zalloc(sizeof(*t));
    map_init(&t->rooms, key_of);
    return t;
}

void members_destroy(struct members_table *t)
{
    if (!t)
        return;
    map_finish(&t->rooms);
    free(t);
}

uint64_t members_hash(const struct members *r)
{
    return r->hash;
}

size_t members_count(const struct members *r)
{
    return r->n_items;
}

bool members_all_live(const struct members *r)
{
    return r->holds == r->n_items;
}

struct members *members_find(struct shard *s, hb_str room)
{
    return map_get(&s->members->rooms, room);
}

struct members *members_hold(struct shard *s, hb_str room)
{
    struct members *r = members_find(s, room);
    if (!r) {
        r = mem_zalloc(offsetof(struct members, name) + room.n + 1);
        r->cap_items = 1;
        r->hash = hash_stable(room);
        r->n_name = (uint16_t)room.n;
        memcpy(r->name, room.p, room.n);
        map_put(&s->members->rooms, r);
    }
    r->holds++;
    return r;
}

static void drop_entry(struct shard *s, struct entry *e)
{
    msg_unref(e->message);
    if (!e->forms)
        return;
    for (unsigned i = 0; i < s->hub->n_wires; i++)
        frame_unref(e->forms[i]);
    free(e->forms);
}

static void drop_turn(struct shard *s, struct turn *turn)
{
    for (uint32_t i = 0; i < turn->n; i++)
        drop_entry(s, &turn->entries[i]);
    free(turn);
}

/* The room has none any more. */
static struct turn *take_turn(struct shard *s, struct members *r)
{
    struct turn *turn = r->turn;
    r->turn = NULL;
    list_remove(&turn->dirty);
    s->n_dirty_rooms--;
    return turn;
}

void members_release(struct shard *s, struct members *r)
{
    if (--r->holds > 0)
        return;
    CHECK_INVARIANT(r->n_items == 0);
    if (r->turn)
        drop_turn(s, take_turn(s, r));
    map_remove(&s->members->rooms, members_name(r));
    if (r->cap_items > 1)
        free(r->many);
    free(r);
}

static void grow(struct members *r)
{
    struct item one = r->one, *many = r->cap_items > 1 ? r->many : NULL;
    r->many = mem_realloc(many, r->cap_items * 2 * sizeof(struct item));
    if (!many)
        r->many[0] = one;
    r->cap_items *= 2;
}

void members_add(struct members *r, struct membership *m, struct outbox *out)
{
    if (m->live)
        return;
    if (r->n_items == r->cap_items)
        grow(r);
    m->live = true;
    m->index = r->n_items;
    items_of(r)[r->n_items++] = (struct item){out, m, r->turn ? r->turn->n : 0, out->fast};
}

void members_remove(struct members *r, struct membership *m)
{
    if (!m->live)
        return;
    m->live = false;
    struct item *items = items_of(r), *last = &items[--r->n_items];
    items[m->index] = *last;
    last->membership->index = m->index;
    if (r->cap_items > 8 && r->n_items < r->cap_items / 4) {
        r->cap_items /= 2;
        r->many = mem_realloc(r->many, r->cap_items * sizeof(struct item));
    }
}

static void begin_turn(struct shard *s, struct members *r)
{
    enum { FIRST = 4 };
    r->turn = mem_alloc(sizeof(*r->turn) + FIRST * sizeof(struct entry));
    r->turn->room = r;
    r->turn->n = 0;
    r->turn->cap = FIRST;
    list_push_back(&s->dirty_rooms, &r->turn->dirty);
    s->n_dirty_rooms++;
}

static void grow_turn(struct members *r)
{
    struct list *behind = r->turn->dirty.next;
    list_remove(&r->turn->dirty);
    r->turn = mem_realloc(r->turn, sizeof(*r->turn) + r->turn->cap * 2 * sizeof(struct entry));
    r->turn->cap *= 2;
    list_insert_before(behind, &r->turn->dirty);
}

static struct entry *add_entry(struct shard *s, struct members *r)
{
    if (!r->turn)
        begin_turn(s, r);
    else if (r->turn->n == r->turn->cap)
        grow_turn(r);
    struct entry *e = &r->turn->entries[r->turn->n++];
    *e = (struct entry){0};
    return e;
}

void members_deliver(struct shard *s, hb_str room, hb_message *message)
{
    struct members *r = members_find(s, room);
    if (!r || r->n_items == 0)
        return;
    struct entry *e = add_entry(s, r);
    msg_ref(message);
    e->message = message;
    if (message->no_echo)
        e->except = s->hub->session_ops->outbox_of(s, message->origin);
}

/* Is there a member whose transport tells of members? */
static bool wants_members(const struct shard *s, struct members *r)
{
    const struct item *items = items_of(r);
    for (uint32_t i = 0; i < r->n_items; i++)
        if (s->hub->wires[s->fast[items[i].fast].wire].transport->members)
            return true;
    return false;
}

void members_tell(struct shard *s, struct members *r, const hb_event *ev, const struct outbox *except)
{
    if (r->n_items == 0 || (ev->kind == HB_EV_MEMBER && !wants_members(s, r)))
        return;
    struct frame **forms = mem_zalloc(s->hub->n_wires * sizeof(*forms));
    for (unsigned i = 0; i < s->hub->n_wires; i++)
        forms[i] = encode_event(s, i, ev);
    struct entry *e = add_entry(s, r);
    e->forms = forms;
    e->except = except;
}

/* --- the end of a turn -------------------------------------------------------------------------- */

/* A room's turn in one wire form. */
struct form {
    struct frame **frames; /* one for each entry; NULL: not told */
    struct frame *flat;    /* all of them in one; NULL while unmade or impossible */
    bool made;
};

static struct frame *entry_frame(struct shard *s, unsigned wire, struct entry *e)
{
    if (e->message)
        return encode_message(s, wire, e->message);
    struct frame *f = e->forms[wire];
    if (f)
        frame_ref(f);
    return f;
}

static struct frame *flatten(struct frame **frames, uint32_t n)
{
    size_t size = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (frames[i] && frames[i]->n_slots)
            return NULL;
        size += frames[i] ? frames[i]->n : 0;
    }
    if (n == 1 && frames[0]) {
        frame_ref(frames[0]);
        return frames[0];
    }
    struct frame *flat = size > 0 ? frame_create(size) : NULL;
    if (!flat)
        return NULL;
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct frame *f = frames[i];
        if (!f)
            continue;
        memcpy(flat->bytes + at, f->bytes, f->n);
        at += f->n;
        flat->n_messages += f->n_messages;
        if (!f->message)
            continue;
        if (!flat->received_us)
            flat->received_us = f->received_us;
        msg_unref(flat->message);
        msg_ref(f->message);
        flat->message = f->message;
    }
    return flat;
}

static void make_form(struct shard *s, struct form *form, unsigned wire, struct entry *turn, uint32_t n)
{
    form->made = true;
    form->frames = mem_alloc(n * sizeof(*form->frames));
    for (uint32_t i = 0; i < n; i++)
        form->frames[i] = entry_frame(s, wire, &turn[i]);
    form->flat = flatten(form->frames, n);
}

static void finish_form(struct form *form, uint32_t n)
{
    if (!form->made)
        return;
    for (uint32_t i = 0; i < n; i++)
        frame_unref(form->frames[i]);
    frame_unref(form->flat);
    free(form->frames);
}

struct flush {
    struct shard *s;
    struct entry *turn;
    uint32_t n;
    bool has_except, now;
    struct form forms[WIRES_MAX];
    uint64_t delivered[WIRES_MAX]; /* messages */
    uint64_t written[WIRES_MAX];   /* members to whom the flat frame was sent at once */
};

static void deliver_singly(struct flush *fl, struct item *item, struct form *form)
{
    for (uint32_t i = item->start; i < fl->n; i++) {
        struct frame *f = form->frames[i];
        if (!f || fl->turn[i].except == item->out)
            continue;
        outbox_push(fl->s, item->out, f);
        fl->delivered[fl->s->fast[item->fast].wire] += f->n_messages;
    }
}

static bool gets_all(const struct flush *fl, const struct item *item)
{
    if (item->start > 0)
        return false;
    for (uint32_t i = 0; fl->has_except && i < fl->n; i++)
        if (fl->turn[i].except == item->out)
            return false;
    return true;
}

/* Where frames are fetched they must be told apart: several never go as one. */
static bool is_fetched(const struct flush *fl, const struct item *item, const struct fast *fast)
{
    return fl->n > 1 && fast->fd < 0 && !item->out->stream;
}

/* What goes out past the outbox moves the position here. */
static void advance(struct membership *m, const hb_message *message)
{
    if (message && message->cursor.p)
        m->pos = message->pos;
}

static void deliver_item(struct flush *fl, struct item *item)
{
    const struct fast *fast = &fl->s->fast[item->fast];
    unsigned wire = fast->wire;
    struct form *form = &fl->forms[wire];
    if (!form->made)
        make_form(fl->s, form, wire, fl->turn, fl->n);
    if (!form->flat || is_fetched(fl, item, fast) || !gets_all(fl, item)) {
        deliver_singly(fl, item, form);
    } else {
        fl->delivered[wire] += form->flat->n_messages;
        if (fl->now && fast->fd >= 0 && fl->s->hub->wires[wire].cursors)
            advance(item->membership, form->flat->message);
        if (fl->now && fast->fd >= 0)
            fl->written[wire] += outbox_send(fl->s, item->out, fast->fd, form->flat);
        else
            outbox_push(fl->s, item->out, form->flat);
    }
    item->start = 0;
}

/* One clock read for all that was written at once. */
static void account(struct flush *fl)
{
    uint64_t now = clock_mono_us();
    for (unsigned w = 0; w < fl->s->hub->n_wires; w++) {
        struct form *form = &fl->forms[w];
        if (!form->made)
            continue;
        if (form->flat)
            metrics_add(fl->s->metrics, METRIC_SENT_BYTES, (int64_t)(fl->written[w] * form->flat->n));
        metrics_add(fl->s->metrics, fl->s->hub->modules[fl->s->hub->wires[w].module].metrics.delivered,
            (int64_t)fl->delivered[w]);
        for (uint32_t i = 0; fl->written[w] && i < fl->n; i++)
            if (form->frames[i] && form->frames[i]->n_messages)
                metrics_observe(fl->s->metrics, METRIC_DELIVERY,
                    (now - form->frames[i]->received_us) * 1000, fl->written[w]);
    }
}

static void flush_room(struct shard *s, struct members *r, bool now)
{
    struct turn *turn = take_turn(s, r);
    struct flush fl = {.s = s, .turn = turn->entries, .n = turn->n, .now = now};
    for (uint32_t i = 0; i < fl.n; i++)
        fl.has_except |= fl.turn[i].except != NULL;
    for (uint32_t i = 0; i < r->n_items; i++)
        deliver_item(&fl, &items_of(r)[i]);
    account(&fl);
    for (unsigned w = 0; w < s->hub->n_wires; w++)
        finish_form(&fl.forms[w], fl.n);
    drop_turn(s, turn);
}

void members_settle(struct shard *s, struct members *r)
{
    if (r->turn)
        flush_room(s, r, false);
}

void members_flush(struct shard *s)
{
    /* A single room's turn may be written straight through; with several, a session that is in more
     * than one of them is to be written to once, at the end. */
    bool now = s->n_dirty_rooms == 1;
    while (!list_empty(&s->dirty_rooms))
        flush_room(s, list_entry(s->dirty_rooms.next, struct turn, dirty)->room, now);
}

void members_each(struct shard *s, void (*fn)(struct members *r, void *arg), void *arg)
{
    size_t pos = 0;
    struct members *r;
    while ((r = map_next(&s->members->rooms, &pos)))
        fn(r, arg);
}

void members_each_outbox(struct members *r, void (*fn)(struct outbox *out, void *arg), void *arg)
{
    for (uint32_t i = 0; i < r->n_items; i++)
        fn(items_of(r)[i].out, arg);
}
