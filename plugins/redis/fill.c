#include "room.h"
#include "script.h"
#include <stdio.h>
#include <string.h>

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

/* --- telling the other nodes that the stream has lost something ---------------------------------- */

struct breaking {
    struct command c;
    struct worker *w;
    hb_pos head;
    uint16_t n_name;
    char name[];
};

/* Our members have been told already. */
static void on_broken(struct command *c, const redisReply *reply)
{
    struct breaking *b = container_of(c, struct breaking, c);
    struct room *r = reply ? room_find(b->w, (hb_str){b->name, b->n_name}) : NULL;
    hb_pos now;
    if (r && r->has_last && pos_equal(r->last, b->head) && pos_parse(reply_str(reply), &now))
        r->last = now;
    free(b);
}

void fill_break(struct room *r, hb_pos head)
{
    char last[KEY_MAX], text[POS_TEXT_MAX], keep[24];
    struct breaking *b = mem_zalloc(sizeof(*b) + r->n_name);
    b->c.done = on_broken;
    b->w = r->w;
    b->head = head;
    b->n_name = r->n_name;
    memcpy(b->name, r->name, r->n_name);
    hb_str words[] = {HB_STR("EVALSHA"), {script_sha(SCRIPT_BREAK), SCRIPT_SHA - 1}, HB_STR("1"),
        worker_key(r->w, 'l', room_name(r), last), {text, pos_text(head, text)}, {keep, 0}};
    words[5].n = (size_t)snprintf(keep, sizeof(keep), "%lld", (long long)(r->keep.age_ms + worker_options(r->w)->positions_ms));
    pipe_send(&r->w->pipe, &b->c, 6, words, ASK_MS);
}

/* --- reading ------------------------------------------------------------------------------------ */

/* Nothing continues our position any more. `before`: what the next entry says stands before it. */
static void lose(struct room *r, hb_pos before, const struct page *p)
{
    bool was_lost = pos_compare(before, r->last) < 0; /* else it was only dropped for its age or number */
    order_lose(r, before);
    if (was_lost)
        fill_break(r, p->head);
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
        lose(r, e.prev, p);
        if (r->interested)
            order_take_read(r, &e);
    }
}

/* The room's first position: what came in the meantime is held. */
static void begin(struct room *r, const struct page *p)
{
    r->last = p->head;
    r->has_last = true;
    order_drain(r);
    ask_run_waiting(r);
}

static void end(struct room *r, const struct fill *f, const struct page *p)
{
    if (pos_compare(p->head, f->since) < 0 || pos_compare(p->head, r->last) > 0)
        lose(r, p->head, p);
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
