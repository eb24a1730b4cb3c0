#include "room.h"
#include "script.h"
#include <stdio.h>
#include <string.h>

/*
 * What Redis confirmed and has no more: after a failover, or a restart without all of it. Who has
 * members finds it out by their position (fill.c); who only published, here, by the newest position
 * that was confirmed. It is told by breaking the stream off, so that the members of all nodes come back.
 */
struct errand {
    struct command c;
    struct worker *w;
    hb_pos pos;
    uint16_t n_name;
    char name[];
};

static struct errand *errand(const struct room *r, hb_pos pos, void (*done)(struct command *, const redisReply *))
{
    struct errand *e = mem_zalloc(sizeof(*e) + r->n_name);
    e->c.done = done;
    e->w = r->w;
    e->pos = pos;
    e->n_name = r->n_name;
    memcpy(e->name, r->name, r->n_name);
    return e;
}

static struct room *room_of(const struct errand *e)
{
    return room_find(e->w, (hb_str){e->name, e->n_name});
}

static bool is_none(hb_pos pos)
{
    return pos_equal(pos, (hb_pos){0, 0});
}

/* --- breaking off -------------------------------------------------------------------------------- */

static void send_break(struct room *r, struct errand *e)
{
    char last[KEY_MAX], since[POS_TEXT_MAX], keep[24], known[POS_TEXT_MAX];
    uint64_t ms = (uint64_t)(r->keep.age_ms + worker_options(r->w)->positions_ms);
    hb_str words[] = {HB_STR("EVALSHA"), {script_sha(SCRIPT_BREAK), SCRIPT_SHA - 1}, HB_STR("1"),
        worker_key(r->w, 'l', room_name(r), last), HB_STR(""), text_decimal(ms, keep), room_known(r, known)};
    if (!is_none(e->pos))
        words[4] = (hb_str){since, pos_text(e->pos, since)};
    pipe_send(&r->w->pipe, &e->c, 7, words, ASK_MS);
}

/* Our members were told, but somebody may be back already, at a position that is none any more. */
static void on_broken(struct command *c, const redisReply *reply)
{
    struct errand *e = container_of(c, struct errand, c);
    struct room *r = room_of(e);
    if (r) {
        r->breaking = false;
        if (reply_str(reply).p && pos_equal(r->broken, e->pos)) {
            r->broken = (hb_pos){0, 0};
            if (r->interested && r->has_last)
                fill_start(r);
        }
    }
    free(e);
}

void lost_break(struct room *r, hb_pos since)
{
    if (is_none(r->broken) || pos_compare(since, r->broken) < 0)
        r->broken = since;
    if (r->breaking)
        return;
    r->breaking = true;
    send_break(r, errand(r, r->broken, on_broken));
}

/* --- publishes whose outcome is not known ---------------------------------------------------------- */

static void on_settled(struct command *c, const redisReply *reply)
{
    struct errand *e = container_of(c, struct errand, c);
    struct room *r = room_of(e);
    if (r && reply_str(reply).p)
        r->unsettled = false;
    free(e);
}

/* Before it is repeated: did Redis forget its key, while somebody may have it already? */
static void settle(struct room *r)
{
    struct errand *e = errand(r, (hb_pos){0, 0}, on_settled);
    e->c.first = true;
    send_break(r, e);
}

/* --- is it still there? ---------------------------------------------------------------------------- */

/* What stands behind `pos` says what stood before it. Trimmed away: nobody can know. */
static bool is_gone(const struct page *p, hb_pos pos, hb_pos *since)
{
    struct entry e = {.prev = p->head};
    if (p->n > 0 && !page_entry(p, 0, &e))
        return false;
    *since = e.prev;
    return pos_compare(e.prev, pos) < 0;
}

static void take_verified(struct room *r, hb_pos pos, const struct page *p)
{
    hb_pos since;
    if (pos_equal(r->doubt, pos))
        r->doubt = (hb_pos){0, 0};
    if (is_gone(p, pos, &since)) {
        r->acked_ms = 0;
        lost_break(r, since);
    }
}

static void on_verified(struct command *c, const redisReply *reply)
{
    struct errand *e = container_of(c, struct errand, c);
    struct room *r = room_of(e);
    struct page p;
    if (r) {
        *(c->first ? &r->reverifying : &r->verifying) = false;
        if (page_parse(reply, &p))
            take_verified(r, e->pos, &p);
        else if (is_none(r->doubt))
            r->doubt = e->pos;
    }
    free(e);
}

static void ask_verify(struct room *r, hb_pos pos, bool first)
{
    bool *asked = first ? &r->reverifying : &r->verifying;
    if (*asked)
        return;
    *asked = true;
    struct errand *e = errand(r, pos, on_verified);
    e->c.first = first;
    page_ask(r, &e->c, &e->pos, false, 1, 1);
}

void lost_suspect(struct room *r)
{
    if (is_none(r->doubt))
        r->doubt = r->acked;
    ask_verify(r, r->doubt, false);
}

/* --- when ------------------------------------------------------------------------------------------ */

void lost_check(struct room *r)
{
    if (!is_none(r->broken))
        lost_break(r, r->broken);
    if (!is_none(r->doubt))
        ask_verify(r, r->doubt, false);
}

void lost_reconnected(struct worker *w)
{
    struct room *r;
    size_t at = 0;
    while ((r = table_next(&w->rooms, &at))) {
        if (!room_keeps(r))
            continue;
        if (r->acked_ms) /* before anything newer is confirmed, which would stand in its place */
            ask_verify(r, r->acked, true);
        if (r->unsettled || publish_is_unknown(r))
            settle(r);
    }
}
