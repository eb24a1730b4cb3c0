#include "room.h"
#include "script.h"
#include <string.h>

enum { UNSEEN_MS = 1000, KEY_NAME_MAX = 1024 };

struct publish {
    struct command c;
    struct list link;      /* in room->publishes */
    struct room *room;     /* NULL: it is gone */
    hb_message *m;         /* counted */
    struct token token;
    hb_done *done;         /* NULL: answered */
    bool placed;
    uint64_t answered_ms;  /* rooms without history: the push is still to come */
};

static void destroy(struct publish *p, const hb_store *store)
{
    list_remove(&p->link);
    store->unref(p->m);
    free(p);
}

static void answer(struct publish *p, const hb_result *result)
{
    hb_done *done = p->done;
    p->done = NULL;
    if (done)
        done->fn(done, result);
}

/* Redis forgot where it stood, and stored it again: who saw it there keeps it as it was. Without memory
 * everybody does, and a cursor from there is told as a gap. */
static void copy_message(struct publish *p)
{
    const hb_store *store = p->room->w->store;
    hb_message *old = p->m, *m = store->message(old->room, old->event, old->data, old->user);
    if (!m)
        return;
    m->origin = old->origin;
    m->no_echo = old->no_echo;
    m->server = old->server;
    m->received_us = old->received_us;
    p->m = m;
    p->placed = false;
    store->unref(old);
}

static void place(struct publish *p, hb_pos id)
{
    struct room *r = p->room;
    if (p->placed && !pos_equal(p->m->pos, id))
        copy_message(p);
    if (p->placed)
        return;
    p->placed = true;
    r->w->store->place(p->m, id, room_keeps(r) ? (int64_t)id.hi : r->w->ctx->host->wall_ms(), room_keeps(r));
}

/* --- keys --------------------------------------------------------------------------------------- */

static hb_str token_text(struct token t, char out[static 40])
{
    text_hex(t.worker, out);
    text_hex(t.count, out + 16);
    return (hb_str){out, 32};
}

/* "<prefix>:k:<room> NUL <scope> NUL <key>", or "<prefix>:t:<token>" */
static hb_str key_name(const struct room *r, const hb_key *key, hb_str token, char out[static KEY_NAME_MAX])
{
    if (!key)
        return worker_key(r->w, 't', token, out);
    hb_str name = worker_key(r->w, 'k', room_name(r), out);
    char *at = out + name.n;
    if (name.n + key->scope.n + key->key.n + 2 > KEY_NAME_MAX)
        return (hb_str){NULL, 0};
    *at++ = '\0';
    at = (char *)memcpy(at, key->scope.p, key->scope.n) + key->scope.n;
    *at++ = '\0';
    at = (char *)memcpy(at, key->key.p, key->key.n) + key->key.n;
    return (hb_str){out, (size_t)(at - out)};
}

static hb_str decimal(int64_t n, char out[static 24])
{
    return text_decimal(n > 0 ? (uint64_t)n : 0, out);
}

static hb_str digest_text(uint64_t digest, char out[static 24])
{
    return text_hex(digest, out);
}

/* --- rooms with history -------------------------------------------------------------------------- */

struct outcome {
    char kind;             /* '0' stored, '1' known, '2' known otherwise */
    hb_pos id;
    hb_str rest;           /* '0': the position before it; else the token of who stored it */
};

static bool parse_outcome(const redisReply *reply, struct outcome *out)
{
    hb_str s = reply_str(reply);
    const char *space = s.n > 4 ? memchr(s.p + 2, ' ', s.n - 2) : NULL;
    if (!space || s.p[1] != ' ' || s.p[0] < '0' || s.p[0] > '2')
        return false;
    out->kind = s.p[0];
    out->rest = (hb_str){space + 1, (size_t)(s.p + s.n - space - 1)};
    return pos_parse((hb_str){s.p + 2, (size_t)(space - s.p - 2)}, &out->id);
}

static bool is_outcome(const redisReply *reply)
{
    struct outcome o;
    return parse_outcome(reply, &o);
}

static bool is_ours(const struct publish *p, const struct outcome *o)
{
    char token[40];
    hb_str ours = token_text(p->token, token);
    return o->rest.n == ours.n && memcmp(o->rest.p, ours.p, ours.n) == 0;
}

static void stored(struct publish *p, hb_pos id, hb_pos prev)
{
    struct room *r = p->room;
    hb_result result = {.code = HB_OK, .delivered = true, .pos = id, .ts = (int64_t)id.hi};
    place(p, id);
    if (!r->acked_ms || pos_compare(id, r->acked) > 0)
        r->acked = id;
    r->acked_ms = r->w->uptime_ms + 1;
    answer(p, &result);
    order_take(r, id, prev, p->m, false);
}

static void unstored(struct publish *p, const redisReply *reply)
{
    const hb_ctx *ctx = p->room->w->ctx;
    hb_result result = {.code = HB_UNAVAILABLE, .unknown = !reply && p->c.sent_us};
    if (reply && reply_is_error(reply))
        ctx->host->log(ctx, HB_LOG_ERROR, "redis-publish", reply->str);
    p->room->unsettled |= result.unknown;
    answer(p, &result);
}

static void on_stored(struct command *c, const redisReply *reply)
{
    struct publish *p = container_of(c, struct publish, c);
    const hb_store *store = c->store;
    struct outcome o = {0};
    hb_pos prev = {0, 0};
    if (!p->room) {
        destroy(p, store);
        return;
    }
    if (!parse_outcome(reply, &o))
        unstored(p, reply);
    else if (o.kind == '0' && pos_parse(o.rest, &prev))
        stored(p, o.id, prev);
    else if (is_ours(p, &o)) /* repeated after its answer was lost: what stood before it is not known */
        stored(p, o.id, (hb_pos){0, 0});
    else
        answer(p, &(hb_result){.code = o.kind == '2' ? HB_CONFLICT : HB_OK, .duplicate = true, .pos = o.id,
            .ts = (int64_t)o.id.hi});
    destroy(p, store);
}

static void send_stored(struct room *r, struct publish *p, hb_str entry, const hb_key *key)
{
    const struct options *o = worker_options(r->w);
    char stream[KEY_MAX], last[KEY_MAX], channel[KEY_MAX], name[KEY_NAME_MAX], token[40];
    char messages[24], age[24], keep[24], digest[24], window[24];
    char known[POS_TEXT_MAX];
    hb_str words[15] = {HB_STR("EVALSHA"), {script_sha(SCRIPT_PUBLISH), SCRIPT_SHA - 1}, HB_STR("3"),
        worker_key(r->w, 's', room_name(r), stream), worker_key(r->w, 'l', room_name(r), last), {NULL, 0}, entry,
        worker_key(r->w, 'r', room_name(r), channel), decimal(r->keep.messages, messages), decimal(r->keep.age_ms, age),
        decimal(r->keep.age_ms + o->positions_ms, keep), digest_text(key ? key->digest : 0, digest),
        decimal(key ? key->window_ms : o->journal_ms * 2 + o->timeout_ms, window), {NULL, 0}, room_known(r, known)};
    words[13] = token_text(p->token, token);
    words[5] = key_name(r, key, words[13], name);
    p->c.done = on_stored;
    p->c.fits = is_outcome;
    p->c.durable = true;
    pipe_send(&r->w->pipe, &p->c, 15, words, o->journal_ms);
}

/* --- rooms without ------------------------------------------------------------------------------- */

/* Order is that of the pushes; who has none coming delivers now. */
static void on_sent(struct command *c, const redisReply *reply)
{
    struct publish *p = container_of(c, struct publish, c);
    struct room *r = p->room;
    hb_result result = {.code = HB_OK, .delivered = true};
    if (!r) {
        destroy(p, c->store);
        return;
    }
    if (!reply || reply->type != REDIS_REPLY_INTEGER) {
        unstored(p, reply);
        destroy(p, r->w->store);
        return;
    }
    bool seen = p->placed;
    place(p, (hb_pos){0, 0});
    result.ts = p->m->ts;
    answer(p, &result);
    if (seen || !r->interested || !r->subscribed) {
        if (!seen)
            order_take(r, (hb_pos){0, 0}, (hb_pos){0, 0}, p->m, false);
        destroy(p, r->w->store);
        return;
    }
    p->answered_ms = r->w->ctx->host->now_ms();
}

static bool is_integer(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_INTEGER;
}

static void send_pushed(struct room *r, struct publish *p, hb_str payload)
{
    char channel[KEY_MAX];
    hb_str words[] = {HB_STR("PUBLISH"), worker_key(r->w, 'r', room_name(r), channel), payload};
    p->c.done = on_sent;
    p->c.fits = is_integer;
    p->c.once = true;
    pipe_send(&r->w->pipe, &p->c, 3, words, worker_options(r->w)->journal_ms);
}

static void deliver_unseen(struct publish *p)
{
    order_take(p->room, (hb_pos){0, 0}, (hb_pos){0, 0}, p->m, false);
    destroy(p, p->room->w->store);
}

void publish_silent(struct room *r)
{
    list_for_each_safe(item, &r->publishes) {
        struct publish *p = list_entry(item, struct publish, link);
        if (p->answered_ms)
            deliver_unseen(p);
    }
}

void publish_tick(struct room *r, uint64_t now_ms)
{
    list_for_each_safe(item, &r->publishes) {
        struct publish *p = list_entry(item, struct publish, link);
        if (!p->answered_ms || now_ms - p->answered_ms < UNSEEN_MS)
            break;
        deliver_unseen(p);
    }
}

/* --- both --------------------------------------------------------------------------------------- */

static struct publish *find(const struct room *r, struct token t)
{
    for (struct list *at = r->publishes.next; at != &r->publishes; at = at->next)
        if (list_entry(at, struct publish, link)->token.count == t.count)
            return list_entry(at, struct publish, link);
    return NULL;
}

hb_message *publish_own(struct room *r, const struct entry *e)
{
    struct publish *p = e->token.worker == r->w->nonce ? find(r, e->token) : NULL;
    if (!p)
        return NULL;
    place(p, e->id);
    return p->m;
}

bool publish_is_unknown(const struct room *r)
{
    for (struct list *at = r->publishes.next; at != &r->publishes; at = at->next)
        if (list_entry(at, struct publish, link)->c.sent_us)
            return true;
    return false;
}

bool publish_pushed(struct room *r, const struct entry *e)
{
    if (e->token.worker != r->w->nonce)
        return false;
    if (room_keeps(r) && r->has_last && pos_compare(e->id, r->last) <= 0)
        return true; /* its answer came first: as usual */
    struct publish *p = find(r, e->token);
    if (!p)
        return false;
    place(p, e->id);
    order_take(r, e->id, e->prev, p->m, true);
    if (p->answered_ms)
        destroy(p, r->w->store);
    return true;
}

void publish_send(struct room *r, hb_message *m, const hb_key *key, hb_done *done)
{
    size_t n = entry_size(m);
    bool keeps = room_keeps(r);
    char *bytes = pipe_has_room(&r->w->pipe, n + KEY_NAME_MAX) ? malloc(n + 8) : NULL;
    if (!bytes) {
        hb_result result = {.code = HB_UNAVAILABLE};
        done->fn(done, &result);
        return;
    }
    struct publish *p = mem_zalloc(sizeof(*p));
    *p = (struct publish){.c.store = r->w->store, .room = r, .m = m, .done = done, .token = {r->w->nonce, ++r->w->n_tokens}};
    r->w->store->ref(m);
    list_insert(&r->publishes, &p->link);
    memcpy(bytes, "0-0 0-0 ", 8);
    entry_write(m, p->token, bytes + 8);
    if (keeps)
        send_stored(r, p, (hb_str){bytes + 8, n}, key);
    else
        send_pushed(r, p, (hb_str){bytes, n + 8});
    free(bytes);
}

/* The room goes: those under way go on without it. */
void publish_forget(struct room *r)
{
    while (!list_empty(&r->publishes)) {
        struct publish *p = list_entry(r->publishes.next, struct publish, link);
        hb_result result = {.code = HB_UNAVAILABLE, .unknown = true};
        list_remove(&p->link);
        if (p->answered_ms) {
            destroy(p, r->w->store);
            continue;
        }
        p->room = NULL;
        answer(p, &result);
    }
}

/* --- looking a key up ---------------------------------------------------------------------------- */

struct lookup {
    struct command c;
    struct list link;      /* in room->lookups */
    hb_done *done;         /* NULL: the room is gone */
    uint64_t digest;
};

/* "id digest token" */
static bool parse_known(const redisReply *reply, uint64_t digest, hb_result *result)
{
    char ours[24];
    hb_str s = reply_str(reply), d = digest_text(digest, ours);
    const char *space = s.n ? memchr(s.p, ' ', s.n) : NULL;
    if (!space || !pos_parse((hb_str){s.p, (size_t)(space - s.p)}, &result->pos))
        return false;
    size_t rest = (size_t)(s.p + s.n - space - 1);
    bool same = rest > d.n && memcmp(space + 1, d.p, d.n) == 0 && space[1 + d.n] == ' ';
    result->code = same ? HB_OK : HB_CONFLICT;
    result->duplicate = same;
    result->ts = (int64_t)result->pos.hi;
    return true;
}

static void on_looked_up(struct command *c, const redisReply *reply)
{
    struct lookup *l = container_of(c, struct lookup, c);
    hb_result result = {.code = reply && reply->type == REDIS_REPLY_NIL ? HB_NOT_FOUND : HB_UNAVAILABLE};
    if (reply)
        parse_known(reply, l->digest, &result);
    list_remove(&l->link);
    if (l->done)
        l->done->fn(l->done, &result);
    free(l);
}

void publish_lookup(struct room *r, const hb_key *key, hb_done *done)
{
    char name[KEY_NAME_MAX];
    hb_str words[] = {HB_STR("GET"), key_name(r, key, (hb_str){NULL, 0}, name)};
    if (!room_keeps(r) || !words[1].p) {
        hb_result result = {.code = HB_NOT_FOUND};
        done->fn(done, &result);
        return;
    }
    struct lookup *l = mem_zalloc(sizeof(*l));
    *l = (struct lookup){.c = {.done = on_looked_up}, .done = done, .digest = key->digest};
    list_insert(&r->lookups, &l->link);
    pipe_send(&r->w->pipe, &l->c, 2, words, worker_options(r->w)->journal_ms);
}

void publish_forget_lookups(struct room *r)
{
    while (!list_empty(&r->lookups)) {
        struct lookup *l = list_entry(r->lookups.next, struct lookup, link);
        hb_result result = {.code = HB_UNAVAILABLE};
        hb_done *done = l->done;
        list_remove(&l->link);
        l->done = NULL;
        done->fn(done, &result);
    }
}
