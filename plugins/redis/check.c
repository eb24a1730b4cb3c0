#include "presence.h"
#include "room.h"
#include <stdio.h>
#include <string.h>

/*
 * The last positions of many rooms at once, against those of their members: so a push that never came
 * is found although nothing follows it, and so are a Redis that was emptied and one that has lost what
 * it had confirmed.
 */
enum { ROOMS_AT_ONCE = 100, VERIFIED_MS = 15000, REFRESH_SHARE = 4 };

struct checked {
    hb_pos at_least;       /* where Redis has to be */
    uint64_t version;      /* of its presence, as members knew it */
    uint16_t n_name;
    char name[132];
};

struct check {
    struct command c;
    struct worker *w;
    size_t n;
    struct checked rooms[ROOMS_AT_ONCE];
};

static bool is_checked(const struct room *r, uint64_t uptime)
{
    bool live = r->interested && r->subscribed && r->has_last;
    return (live && (room_keeps(r) || r->version)) || (room_keeps(r) && r->acked_ms && uptime < r->acked_ms + VERIFIED_MS);
}

/* --- what is found --------------------------------------------------------------------------------- */

static void compare(struct room *r, const struct checked *k, const redisReply *reply)
{
    hb_pos head = {0, 0};
    bool known = pos_parse(reply_str(reply), &head);
    bool less = !known || pos_compare(head, k->at_least) < 0;
    bool live = r->interested && r->subscribed && r->has_last;
    if (live && (less || pos_compare(head, r->last) > 0))
        fill_start(r);
    if (r->acked_ms && (!known || pos_compare(head, r->acked) < 0))
        lost_suspect(r);
}

static void on_positions(struct command *c, const redisReply *reply)
{
    struct check *k = container_of(c, struct check, c);
    for (size_t i = 0; i < k->n && reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 * k->n; i++) {
        struct room *r = room_find(k->w, (hb_str){k->rooms[i].name, k->rooms[i].n_name});
        if (r && room_keeps(r))
            compare(r, &k->rooms[i], reply_at(reply, i));
        hb_str version = reply_str(reply_at(reply, k->n + i));
        if (r && r->subscribed && version.p && r->version == k->rooms[i].version)
            presence_version(r, strtoull(version.p, NULL, 10));
    }
    free(k);
}

static void on_refreshed(struct command *c, const redisReply *reply)
{
    free(c);
}

/* --- asking ---------------------------------------------------------------------------------------- */

static void send(struct worker *w, struct check *k)
{
    static _Thread_local char keys[2 * ROOMS_AT_ONCE][KEY_MAX];
    hb_str words[2 * ROOMS_AT_ONCE + 1] = {HB_STR("MGET")};
    for (size_t i = 0; i < k->n; i++) {
        hb_str name = {k->rooms[i].name, k->rooms[i].n_name};
        words[i + 1] = worker_key(w, 'l', name, keys[i]);
        words[k->n + i + 1] = worker_key(w, 'v', name, keys[k->n + i]);
    }
    k->w = w;
    k->c.done = on_positions;
    pipe_send(&w->pipe, &k->c, 2 * (int)k->n + 1, words, ASK_MS);
}

static void add(struct check *k, const struct room *r)
{
    struct checked *one = &k->rooms[k->n++];
    bool here = r->interested && r->has_last;
    one->at_least = here ? r->last : r->acked;
    if (here && r->acked_ms && pos_compare(r->acked, r->last) > 0)
        one->at_least = r->acked;
    one->version = r->version;
    one->n_name = r->n_name;
    memcpy(one->name, r->name, r->n_name);
}

/* The position of a room with members is remembered as long as they are there. */
static void refresh(struct room *r, uint64_t now)
{
    char key[KEY_MAX], keep[24];
    int64_t ms = worker_options(r->w)->positions_ms;
    if (now - r->refreshed_ms < (uint64_t)ms / REFRESH_SHARE)
        return;
    r->refreshed_ms = now;
    struct command *c = mem_zalloc(sizeof(*c));
    c->done = on_refreshed;
    hb_str words[] = {HB_STR("PEXPIRE"), worker_key(r->w, 'l', room_name(r), key), text_decimal((uint64_t)(r->keep.age_ms + ms), keep)};
    pipe_send(&r->w->pipe, c, 3, words, ASK_MS);
}

void check_rooms(struct worker *w)
{
    uint64_t now = w->ctx->host->now_ms();
    struct check *k = NULL;
    struct room *r;
    size_t at = 0;
    while ((r = table_next(&w->rooms, &at))) {
        lost_check(r);
        if (!is_checked(r, w->uptime_ms))
            continue;
        if (r->interested)
            refresh(r, now);
        if (!k)
            k = mem_zalloc(sizeof(*k));
        add(k, r);
        if (k->n == ROOMS_AT_ONCE) {
            send(w, k);
            k = NULL;
        }
    }
    if (k)
        send(w, k);
}
