#include "room.h"

enum { PAGE = 256, PAGE_BYTES = 1024 * 1024, AGAIN_MS = 1000 };

struct fill {
    struct command c;
    struct room *room;     /* NULL: it is gone, or wants this no more */
    bool had_last;
    hb_pos since;
};

static void again_later(struct room *r)
{
    r->gap_due_ms = r->w->ctx->host->now_ms() + AGAIN_MS;
}

/* Nothing continues our position any more. `before`: what the next entry says stands before it. */
static void lose(struct room *r, hb_pos before)
{
    if (pos_compare(before, r->last) < 0) /* else it was only dropped for its age or number */
        lost_break(r, before);
    order_lose(r, before);
}

/* Its entries to the members, in order. */
static void take_entries(struct room *r, const struct page *p)
{
    struct entry e;
    for (size_t i = 0; i < p->n && r->interested; i++) {
        if (!page_entry(p, i, &e)) {
            r->w->ctx->host->log(r->w->ctx, HB_LOG_WARN, "redis-junk", "an entry of a stream is not ours");
            continue;
        }
        if (order_take_read(r, &e))
            continue;
        lose(r, e.prev);
        if (r->interested)
            order_take_read(r, &e);
    }
}

/* The room's first position: what came in the meantime is held. */
static void begin(struct room *r, const struct page *p)
{
    order_begin(r, p->head);
    ask_run_waiting(r);
}

static void end(struct room *r, const struct fill *f, const struct page *p)
{
    if (pos_compare(p->head, f->since) < 0 || pos_compare(p->head, r->last) > 0)
        lose(r, p->head);
    if (r->interested)
        order_drain(r);
}

static void take(struct room *r, const struct fill *f, const redisReply *reply)
{
    struct page p;
    if (!page_parse(reply, &p)) {
        if (reply && reply_is_error(reply))
            r->w->ctx->host->log(r->w->ctx, HB_LOG_ERROR, "redis-room", reply->str);
        if (!r->has_last)
            ask_run_waiting(r);
        again_later(r);
        return;
    }
    if (!f->had_last) {
        begin(r, &p);
        return;
    }
    take_entries(r, &p);
    if (!r->interested)
        return;
    if (p.ended)
        end(r, f, &p);
    else
        fill_start(r);
}

static void on_page(struct command *c, const redisReply *reply)
{
    struct fill *f = container_of(c, struct fill, c);
    struct room *r = f->room;
    if (r) {
        r->fill = NULL;
        take(r, f, reply);
    }
    free(f);
}

void fill_start(struct room *r)
{
    if (r->fill)
        return;
    struct fill *f = mem_zalloc(sizeof(*f));
    *f = (struct fill){.c = {.done = on_page}, .room = r, .had_last = r->has_last, .since = r->last};
    r->fill = f;
    r->gap_due_ms = 0;
    /* What is held was there before this was asked. */
    page_ask(r, &f->c, r->has_last ? &f->since : NULL, false, r->has_last ? PAGE : 1, PAGE_BYTES);
}

void fill_forget(struct room *r)
{
    if (r->fill)
        r->fill->room = NULL;
    r->fill = NULL;
}
