#include "room/history.h"
#include "base/check.h"
#include "base/clock.h"
#include "out/msg.h"
#include <stdlib.h>

struct held {
    struct list all;         /* in pool->held */
    struct history *history;
    hb_message *message;
    uint64_t due_ms;         /* when it is too old */
};

struct history {
    struct history_pool *pool;
    struct held **ring;      /* owned */
    size_t head, count, cap; /* cap: a power of two */
    int64_t bytes;
    hb_keep keep;
    struct timer age;        /* due when the oldest is */
};

enum { FIRST_CAP = 8 };

static struct held *at(const struct history *h, size_t i)
{
    return h->ring[(h->head + i) & (h->cap - 1)];
}

size_t history_count(const struct history *h)
{
    return h ? h->count : 0;
}

hb_message *history_at(const struct history *h, size_t i)
{
    return at(h, i)->message;
}

void history_pool_init(struct history_pool *p, struct shard *s)
{
    p->s = s;
    p->bytes = 0;
    list_init(&p->held);
}

static void drop_oldest(struct history *h)
{
    struct held *oldest = at(h, 0);
    int64_t size = (int64_t)msg_size(oldest->message);
    h->head = (h->head + 1) & (h->cap - 1);
    h->count--;
    h->bytes -= size;
    h->pool->bytes -= size;
    list_remove(&oldest->all);
    msg_unref(oldest->message);
    free(oldest);
}

static void set_timer(struct history *h)
{
    if (h->count > 0)
        timer_set(&h->pool->s->wheel, &h->age, at(h, 0)->due_ms);
    else
        timer_cancel(&h->pool->s->wheel, &h->age);
}

static bool past_a_bound(const struct history *h, uint64_t now)
{
    return (int64_t)h->count > h->keep.messages || (h->keep.bytes > 0 && h->bytes > h->keep.bytes) ||
        at(h, 0)->due_ms <= now;
}

void history_trim(struct history *h)
{
    uint64_t now = clock_mono_ms();
    while (h->count > 0 && past_a_bound(h, now))
        drop_oldest(h);
    set_timer(h);
}

void history_keep(struct history *h, const hb_keep *keep)
{
    h->keep = *keep;
    history_trim(h);
}

static void on_age(struct timer *t)
{
    history_trim(container_of(t, struct history, age));
}

/* The worker's own bound: the oldest of all rooms goes first. */
static void trim_pool(struct history_pool *p)
{
    int64_t limit = p->s->config->limits.history_size / p->s->hub->n_workers;
    while (limit > 0 && p->bytes > limit && !list_empty(&p->held)) {
        struct history *h = list_entry(p->held.next, struct held, all)->history;
        drop_oldest(h);
        set_timer(h);
    }
}

static void grow(struct history *h)
{
    size_t cap = h->cap ? h->cap * 2 : FIRST_CAP;
    struct held **ring = mem_alloc(cap * sizeof(*ring));
    for (size_t i = 0; i < h->count; i++)
        ring[i] = at(h, i);
    free(h->ring);
    h->ring = ring;
    h->cap = cap;
    h->head = 0;
}

struct history *history_create(struct history_pool *p, const hb_keep *keep)
{
    struct history *h = mem_zalloc(sizeof(*h));
    h->pool = p;
    h->keep = *keep;
    timer_init(&h->age, on_age);
    return h;
}

void history_destroy(struct history *h)
{
    if (!h)
        return;
    while (h->count > 0)
        drop_oldest(h);
    timer_cancel(&h->pool->s->wheel, &h->age);
    free(h->ring);
    free(h);
}

void history_add(struct history *h, hb_message *m)
{
    if (h->count == h->cap)
        grow(h);
    struct held *held = mem_alloc(sizeof(*held));
    *held = (struct held){.history = h, .message = m,
        .due_ms = clock_mono_ms() + (uint64_t)h->keep.age_ms};
    msg_ref(m);
    h->ring[(h->head + h->count++) & (h->cap - 1)] = held;
    h->bytes += (int64_t)msg_size(m);
    h->pool->bytes += (int64_t)msg_size(m);
    list_push_back(&h->pool->held, &held->all);
    history_trim(h);
    trim_pool(h->pool);
}
