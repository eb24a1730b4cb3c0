#include "room.h"

enum { LIMIT_MAX = 1000 };

/* A read of the host. */
struct ask {
    struct command c;
    struct list link;      /* in room->asks */
    struct room *room;     /* NULL: it is gone */
    hb_done *done;
    bool sent, newest, position;
    hb_pos since;
    size_t limit, max_bytes;
    uint64_t due_ms;       /* while it waits */
};

/* Delivered while reads were under way: what their pages may lack at the end. */
struct recent {
    struct list link;
    hb_message *m;
};

static void forget_recent(struct room *r)
{
    while (!list_empty(&r->recent)) {
        struct recent *n = list_entry(r->recent.next, struct recent, link);
        list_remove(&n->link);
        r->w->store->unref(n->m);
        free(n);
    }
    r->n_recent = 0;
}

void ask_delivered(struct room *r, hb_message *m)
{
    if (list_empty(&r->asks))
        return;
    struct recent *n = mem_zalloc(sizeof(*n));
    n->m = m;
    r->w->store->ref(m);
    list_insert(&r->recent, &n->link);
    r->n_recent++;
}

static void finish(struct ask *a, const hb_result *result)
{
    hb_done *done = a->done;
    struct room *r = a->room;
    list_remove(&a->link);
    if (r && list_empty(&r->asks))
        forget_recent(r);
    free(a);
    done->fn(done, result);
}

static void fail(struct ask *a, hb_code code)
{
    hb_result result = {.code = code};
    finish(a, &result);
}

/* --- the answer ---------------------------------------------------------------------------------- */

/* Entry i, if it continues `at`. */
static bool continues(const struct ask *a, const struct page *p, size_t i, hb_pos at, struct entry *e)
{
    return page_entry(p, i, e) && (a->newest || pos_equal(e->prev, at));
}

/* The page's messages, up to where it does not hang together: what is behind that is another page, and
 * who gets so far finds out there. Else a reader whose first entry fits could neither go on nor be told.
 * False: memory is out. */
static bool collect(struct room *r, const struct ask *a, const struct page *p, hb_message **list, size_t *n, bool *ended)
{
    struct entry e;
    hb_pos at = a->since;
    *ended = p->ended;
    for (size_t i = 0; i < p->n; i++) {
        if (!continues(a, p, i, at, &e)) {
            if (a->newest)
                continue;
            *ended = false;
            return true;
        }
        at = e.id;
        hb_message *m = order_message(r, &e);
        if (!m)
            return false;
        list[(*n)++] = m;
    }
    *ended &= a->newest || pos_equal(at, p->head);
    return true;
}

/* What members heard after the page was read belongs to it: `more` is false only when who reads it
 * is where they are. */
static void append_recent(struct room *r, hb_message **list, size_t *n, hb_pos *at)
{
    for (struct list *i = r->recent.next; i != &r->recent; i = i->next) {
        hb_message *m = list_entry(i, struct recent, link)->m;
        if (pos_compare(m->pos, *at) <= 0)
            continue;
        r->w->store->ref(m);
        list[(*n)++] = m;
        *at = m->pos;
    }
}

static void answer_page(struct ask *a, const struct page *p)
{
    struct room *r = a->room;
    size_t n = 0;
    bool ended;
    hb_message **list = mem_zalloc((p->n + r->n_recent + 1) * sizeof(*list));
    hb_result result = {.code = HB_OK, .pos = p->head};
    if (!collect(r, a, p, list, &n, &ended)) {
        result.code = HB_UNAVAILABLE;
    } else if (a->newest || n > 0 || ended) {
        size_t given = a->limit < n ? a->limit : n;
        result.recovered = true;
        result.messages = list;
        if (!a->newest)
            result.pos = given > 0 ? list[given - 1]->pos : a->since;
        else if (n > 0)
            result.pos = list[n - 1]->pos;
        result.more = !ended || given < n;
        if (!result.more && !a->newest && r->has_last) {
            if (a->limit > 0)
                append_recent(r, list, &n, &result.pos);
            given = n;
            result.more = !pos_equal(result.pos, r->last);
            if (pos_compare(result.pos, r->last) > 0)
                fill_start(r);
        }
        result.n = given;
    }
    const hb_store *store = r->w->store;
    finish(a, &result);
    for (size_t i = 0; i < n; i++)
        store->unref(list[i]);
    free(list);
}

static void on_page(struct command *c, const redisReply *reply)
{
    struct ask *a = container_of(c, struct ask, c);
    struct page p;
    if (!a->room)
        free(a);
    else if (page_parse(reply, &p))
        answer_page(a, &p);
    else
        fail(a, HB_UNAVAILABLE);
}

/* --- asking -------------------------------------------------------------------------------------- */

static void send(struct ask *a)
{
    size_t limit = a->limit > 0 ? a->limit : 1;
    a->sent = true;
    page_ask(a->room, &a->c, &a->since, a->newest, limit, a->max_bytes);
}

static void answer_from_memory(struct ask *a)
{
    hb_result result = {.code = HB_OK, .pos = a->room->last, .recovered = true};
    finish(a, &result);
}

/* A room with members knows where they are before anything is read for them. */
static void run(struct ask *a)
{
    struct room *r = a->room;
    bool here = r->has_last && (a->position || (!a->newest && pos_equal(a->since, r->last)));
    if (here || !room_keeps(r))
        answer_from_memory(a);
    else if (a->position && !r->interested) {
        a->newest = false;
        a->since = (hb_pos){UINT64_MAX, 0};
        a->sent = true;
        page_ask(r, &a->c, NULL, false, 1, 1);
    } else {
        send(a);
    }
}

static void start(struct room *r, struct ask *a)
{
    a->room = r;
    a->c.done = on_page;
    list_insert(&r->asks, &a->link);
    if (r->interested && !r->has_last)
        a->due_ms = r->w->ctx->host->now_ms() + ASK_MS;
    else
        run(a);
}

void ask_read(struct room *r, const hb_pos *since, size_t limit, size_t max_bytes, hb_done *done)
{
    struct ask *a = mem_zalloc(sizeof(*a));
    a->done = done;
    a->newest = !since;
    a->since = since ? *since : (hb_pos){0, 0};
    a->limit = limit < LIMIT_MAX ? limit : LIMIT_MAX;
    a->max_bytes = max_bytes;
    a->position = !since && limit == 0;
    start(r, a);
}

void ask_position(struct room *r, hb_done *done)
{
    ask_read(r, NULL, 0, 0, done);
}

void ask_run_waiting(struct room *r)
{
    list_for_each_safe(item, &r->asks) {
        struct ask *a = list_entry(item, struct ask, link);
        if (a->sent)
            continue;
        if (r->interested && !r->has_last)
            fail(a, HB_UNAVAILABLE);
        else
            run(a);
    }
}

void ask_tick(struct room *r, uint64_t now_ms)
{
    list_for_each_safe(item, &r->asks) {
        struct ask *a = list_entry(item, struct ask, link);
        if (!a->sent && now_ms >= a->due_ms)
            fail(a, HB_UNAVAILABLE);
    }
}

void ask_forget(struct room *r)
{
    while (!list_empty(&r->asks)) {
        struct ask *a = list_entry(r->asks.next, struct ask, link);
        if (!a->sent) {
            fail(a, HB_UNAVAILABLE);
            continue;
        }
        hb_done *done = a->done; /* its command goes on without us */
        hb_result result = {.code = HB_UNAVAILABLE};
        list_remove(&a->link);
        a->room = NULL;
        done->fn(done, &result);
    }
    forget_recent(r);
}
