#include "room/home.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/str.h"
#include "out/msg.h"
#include "room/home_inner.h"
#include "room/members.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A message on its way to a worker that has members. */
struct delivery {
    struct mail mail;
    hb_message *message;
};

static char *name_of(const struct home *h)
{
    return (char *)(uintptr_t)&h->here[h->s->hub->n_workers];
}

hb_str home_name(const struct home *h)
{
    return str_of(name_of(h));
}

static hb_str key_of(const void *home)
{
    return home_name(home);
}

struct homes *homes_create(struct shard *s)
{
    struct homes *hs = mem_zalloc(sizeof(*hs));
    map_init(&hs->rooms, key_of);
    if (s->hub->backend >= 0) {
        hs->backend = s->hub->modules[s->hub->backend].desc->backend;
        hs->ctx = &s->ctx[s->hub->backend]; /* filled in when the modules start on this worker */
    } else {
        hs->backend = &memory_backend;
        hs->own = (hb_ctx){.host = s->hub->host, .local = memory_create(s), .worker = s->index};
        hs->ctx = &hs->own;
    }
    return hs;
}

static void destroy(struct home *h)
{
    struct homes *hs = h->s->homes;
    timer_cancel(&h->s->wheel, &h->idle);
    hs->backend->room_close(hs->ctx, h->state);
    map_remove(&hs->rooms, home_name(h));
    metrics_add(h->s->metrics, METRIC_ROOMS, -1);
    atomic_fetch_sub_explicit(&h->s->hub->n_rooms, 1, memory_order_relaxed);
    free(h);
}

void homes_destroy(struct shard *s)
{
    struct homes *hs = s->homes;
    struct home *h;
    size_t pos = 0;
    if (!hs)
        return;
    while ((h = map_next(&hs->rooms, &pos))) {
        hs->backend->room_close(hs->ctx, h->state); /* completes what is under way, which may set the timer */
        timer_cancel(&s->wheel, &h->idle);
        free(h);
    }
    map_finish(&hs->rooms);
    if (hs->backend == &memory_backend)
        memory_destroy(hs->own.local);
    free(hs);
}

int home_worker(const struct hub *hub, hb_str room)
{
    return (int)(hash_stable(room) % (uint64_t)hub->n_workers);
}

/* --- life ------------------------------------------------------------------------------------ */

static void settle(struct home *h)
{
    struct homes *hs = h->s->homes;
    if (h->total > 0 || h->pending > 0)
        return;
    int64_t idle = hs->backend->idle_ms(hs->ctx, h->state);
    timer_set(&h->s->wheel, &h->idle, clock_mono_ms() + (uint64_t)(idle > 0 ? idle : 0));
}

static void on_idle(struct timer *t)
{
    struct home *h = container_of(t, struct home, idle);
    if (h->total == 0 && h->pending == 0)
        destroy(h);
}

static hb_keep keep_of(struct shard *s, hb_str room)
{
    const struct config_room *rule = config_room_rule(s->config, room);
    if (!rule)
        return (hb_keep){0, 0, 0};
    return (hb_keep){rule->history.messages, rule->history.bytes, rule->history.age_ms};
}

static struct home *create(struct shard *s, hb_str room)
{
    const hb_keep keep = keep_of(s, room);
    size_t here = (size_t)s->hub->n_workers * sizeof(uint32_t);
    struct home *h = mem_zalloc(offsetof(struct home, here) + here + room.n + 1);
    h->s = s;
    memcpy(name_of(h), room.p, room.n);
    h->rules = s->homes->rules;
    timer_init(&h->idle, on_idle);
    h->state = s->homes->backend->room_open(s->homes->ctx, (hb_room *)h, home_name(h), &keep);
    map_put(&s->homes->rooms, h);
    metrics_add(s->metrics, METRIC_ROOMS, 1);
    return h;
}

void homes_reload(struct shard *s)
{
    s->homes->rules++;
}

static void follow_rules(struct home *h)
{
    struct homes *hs = h->s->homes;
    if (h->rules == hs->rules)
        return;
    h->rules = hs->rules;
    const hb_keep keep = keep_of(h->s, home_name(h));
    if (hs->backend->room_keep)
        hs->backend->room_keep(hs->ctx, h->state, &keep);
}

struct home *home_find(struct shard *s, hb_str room)
{
    return map_get(&s->homes->rooms, room);
}

/* --- delivery -------------------------------------------------------------------------------- */

static void on_delivery(struct mail *mail, void *receiver)
{
    struct delivery *d = container_of(mail, struct delivery, mail);
    members_deliver(receiver, d->message->room, d->message);
    msg_unref(d->message);
    free(d);
}

static void discard_delivery(struct mail *mail)
{
    struct delivery *d = container_of(mail, struct delivery, mail);
    msg_unref(d->message);
    free(d);
}

void home_deliver(hb_room *room, hb_message *message)
{
    struct home *h = (struct home *)room;
    for (int w = 0; w < h->s->hub->n_workers; w++) {
        if (h->here[w] == 0)
            continue;
        if (w == h->s->index) {
            members_deliver(h->s, message->room, message);
            continue;
        }
        struct delivery *d = mem_alloc(sizeof(*d));
        d->mail = (struct mail){.deliver = on_delivery, .discard = discard_delivery};
        d->message = message;
        msg_ref(message);
        shard_post(h->s->hub, w, &d->mail);
    }
}

/* --- requests -------------------------------------------------------------------------------- */

static void on_back(struct mail *mail, void *receiver)
{
    struct home_req *req = container_of(mail, struct home_req, mail);
    req->at = receiver;
    req->back(req);
}

/* Nobody to answer any more: the process is ending. */
static void discard_req(struct mail *mail)
{
    struct home_req *req = container_of(mail, struct home_req, mail);
    req->code = HB_UNAVAILABLE;
    req->at = NULL;
    req->back(req);
}

static void send_back(struct home_req *req)
{
    struct shard *here = req->at;
    if (req->from == here->index) {
        req->back(req);
        return;
    }
    req->mail = (struct mail){.deliver = on_back, .discard = discard_req};
    shard_post(here->hub, req->from, &req->mail);
}

void home_finish(struct home_req *req)
{
    struct home *h = req->home;
    req->members = h->total;
    h->pending--;
    settle(h);
    send_back(req);
}

static void take_result(struct home_req *req, const hb_result *r)
{
    req->code = r->code;
    req->unknown = r->unknown;
    req->duplicate = r->duplicate;
    req->recovered = r->recovered;
    req->more = r->more;
    req->pos = r->pos;
    req->ts = r->ts;
    if (r->n == 0)
        return;
    req->messages = mem_alloc(r->n * sizeof(*req->messages));
    for (req->n = 0; req->n < r->n; req->n++) {
        req->messages[req->n] = r->messages[req->n];
        msg_ref(r->messages[req->n]);
    }
}

static void on_result(hb_done *done, const hb_result *r)
{
    struct home_req *req = container_of(done, struct home_req, done);
    take_result(req, r);
    home_finish(req);
}

static void on_published(hb_done *done, const hb_result *r)
{
    struct home_req *req = container_of(done, struct home_req, done);
    take_result(req, r);
    if (r->code == HB_OK && !r->duplicate && !r->delivered)
        home_deliver((hb_room *)req->home, req->message);
    home_finish(req);
}

static void on_position(hb_done *done, const hb_result *r)
{
    struct home_req *req = container_of(done, struct home_req, done);
    req->code = r->code;
    req->pos = r->pos;
    home_finish(req);
}

static void leave(struct home *h, int worker)
{
    h->here[worker]--;
    if (--h->total == 0)
        h->s->homes->backend->interest(h->s->homes->ctx, h->state, false);
}

/* The first page of a join: a cursor that the stream does not hold any more joins at its end. */
static void on_joined_since(hb_done *done, const hb_result *r)
{
    struct home_req *req = container_of(done, struct home_req, done);
    struct homes *hs = req->at->homes;
    if (r->code == HB_OK && !r->recovered) {
        req->done.fn = on_position;
        hs->backend->position(hs->ctx, req->home->state, &req->done);
        return;
    }
    if (r->code != HB_OK)
        leave(req->home, req->from);
    take_result(req, r);
    home_finish(req);
}

static void on_joined(hb_done *done, const hb_result *r)
{
    struct home_req *req = container_of(done, struct home_req, done);
    if (r->code != HB_OK)
        leave(req->home, req->from);
    on_position(done, r);
}

static void take_place(struct home_req *req)
{
    const struct homes *hs = req->at->homes;
    req->done.fn = req->has_since ? on_joined_since : on_joined;
    if (req->has_since)
        hs->backend->read(hs->ctx, req->home->state, &req->since, req->limit, req->max_bytes, &req->done);
    else
        hs->backend->position(hs->ctx, req->home->state, &req->done);
}

/* Whether it could be or not: who is in the room is a member first. */
static void on_counted(hb_done *done, const hb_result *r)
{
    take_place(container_of(done, struct home_req, done));
}

/* The user is counted before the place is taken, whose answer may not wait: what is published
 * behind it goes to the member. */
static void join(struct home_req *req)
{
    struct home *h = req->home;
    struct homes *hs = h->s->homes;
    int64_t limit = h->s->config->limits.room_members;
    if (limit > 0 && h->total >= limit && !req->quiet_limit) {
        req->code = HB_ROOM_FULL;
        home_finish(req);
        return;
    }
    timer_cancel(&h->s->wheel, &h->idle);
    h->here[req->from]++;
    if (h->total++ == 0)
        hs->backend->interest(hs->ctx, h->state, true);
    if (req->presence)
        home_presence_count(req, on_counted);
    else
        take_place(req);
}

static void run(struct home_req *req)
{
    struct homes *hs = req->at->homes;
    struct home *h = req->home;
    req->done.fn = on_result;
    switch (req->verb) {
    case HOME_JOIN:
        join(req);
        break;
    case HOME_SYNC:
        req->code = HB_OK;
        home_finish(req);
        break;
    case HOME_LEAVE:
        leave(h, req->from);
        home_finish(req);
        break;
    case HOME_PUBLISH:
        req->done.fn = on_published;
        hs->backend->publish(hs->ctx, h->state, req->message, req->key.key.p ? &req->key : NULL, &req->done);
        break;
    case HOME_LOOKUP:
        hs->backend->lookup(hs->ctx, h->state, &req->key, &req->done);
        break;
    case HOME_READ:
        hs->backend->read(hs->ctx, h->state, req->has_since ? &req->since : NULL, req->limit,
            req->max_bytes, &req->done);
        break;
    default:
        home_presence_run(req);
        break;
    }
}

static bool may_create(struct shard *s)
{
    int64_t limit = s->config->limits.rooms;
    if (atomic_fetch_add_explicit(&s->hub->n_rooms, 1, memory_order_relaxed) < limit || limit == 0)
        return true;
    atomic_fetch_sub_explicit(&s->hub->n_rooms, 1, memory_order_relaxed);
    return false;
}

static void arrive(struct shard *s, struct home_req *req)
{
    req->at = s;
    req->home = home_find(s, req->room);
    if (!req->home && may_create(s))
        req->home = create(s, req->room);
    if (!req->home) {
        req->code = HB_UNAVAILABLE;
        send_back(req);
        return;
    }
    req->home->pending++;
    follow_rules(req->home);
    run(req);
}

static void on_arrival(struct mail *mail, void *receiver)
{
    arrive(receiver, container_of(mail, struct home_req, mail));
}

void home_send(struct shard *from, struct home_req *req)
{
    int to = home_worker(from->hub, req->room);
    req->from = from->index;
    if (to == from->index) {
        arrive(from, req);
        return;
    }
    req->mail = (struct mail){.deliver = on_arrival, .discard = discard_req};
    shard_post(from->hub, to, &req->mail);
}

struct leaving {
    struct home_req req;
    char room[];
};

static void on_left(struct home_req *req)
{
    free(container_of(req, struct leaving, req));
}

void *home_backend_local(const hb_room *room)
{
    return ((const struct home *)room)->s->homes->ctx->local;
}

void home_leave(struct shard *from, hb_str room)
{
    struct leaving *l = mem_zalloc(sizeof(*l) + room.n + 1);
    memcpy(l->room, room.p, room.n);
    l->req.verb = HOME_LEAVE;
    l->req.room = (hb_str){l->room, room.n};
    l->req.back = on_left;
    home_send(from, &l->req);
}

void home_req_finish(struct home_req *req)
{
    for (size_t i = 0; i < req->n; i++)
        msg_unref(req->messages[i]);
    free(req->messages);
    req->messages = NULL;
    req->n = 0;
    if (req->presence)
        buf_finish(&req->presence->users);
}

int64_t home_members(struct shard *s, hb_str room)
{
    struct home *h = home_find(s, room);
    return h ? h->total : -1;
}

void homes_each(struct shard *s, void (*fn)(hb_str room, int64_t members, void *arg), void *arg)
{
    size_t pos = 0;
    const struct home *h;
    while ((h = map_next(&s->homes->rooms, &pos)))
        fn(home_name(h), h->total, arg);
}
