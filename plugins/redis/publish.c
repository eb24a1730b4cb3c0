#include "room.h"
#include "script.h"
#include <string.h>

enum { UNSEEN_MS = 1000, KEY_NAME_MAX = 1024, KEY_WORD_MAX = KEY_NAME_MAX + 96 };

/* What goes out as one step: those that a room got in one turn, in order. It is known by the token of
 * its first. */
enum { CALL_WORDS = 12, CALL_PUBLISHES = 40, CALL_BYTES = 64 * 1024 };
_Static_assert(CALL_WORDS + 2 * CALL_PUBLISHES <= 99, "as far as a command grows");

struct call {
    struct command c;
    struct publish *first, **end;
    int n;
};

struct publish {
    struct list link;      /* in room->publishes */
    struct call *call;     /* NULL: answered */
    struct publish *next;  /* in the call */
    struct room *room;     /* NULL: it is gone */
    hb_message *m;         /* counted */
    struct token token;
    hb_done *done;         /* NULL: answered */
    bool placed;
    uint64_t answered_ms;  /* rooms without history: the push is still to come */
};

static struct call *call_create(struct room *r)
{
    struct call *call = mem_zalloc(sizeof(*call));
    call->end = &call->first;
    call->c.store = r->w->store;
    return call;
}

static void call_add(struct call *call, struct publish *p)
{
    pipe_keeps(&p->room->w->pipe, &call->c, sizeof(*p) + entry_size(p->m));
    p->call = call;
    *call->end = p;
    call->end = &p->next;
    call->n++;
}

/* The publishes of a call are their own from here on: the first one. */
static struct publish *call_end(struct call *call)
{
    struct publish *first = call->first;
    if (first->room && first->room->open == call)
        first->room->open = NULL;
    for (struct publish *p = first; p; p = p->next)
        p->call = NULL;
    free(call);
    return first;
}

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

/* "<prefix>:k:<room> NUL <scope> NUL <key>" */
static hb_str key_name(const struct room *r, const hb_key *key, char out[static KEY_NAME_MAX])
{
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

/* --- rooms with history -------------------------------------------------------------------------- */

struct outcome {
    char kind;             /* '0' stored, '1' known, '2' known otherwise */
    hb_pos id;
    hb_str rest;           /* '0': the position before it; else the token of who stored it */
};

/* Cuts one off: three words. */
static bool outcome_cut(hb_str *answer, struct outcome *out)
{
    hb_str kind, id;
    if (!word_cut(answer, &kind) || !word_cut(answer, &id) || !word_cut(answer, &out->rest))
        return false;
    out->kind = kind.p[0];
    return kind.n == 1 && out->kind >= '0' && out->kind <= '2' && pos_parse(id, &out->id);
}

static bool is_outcome(const redisReply *reply)
{
    struct outcome o;
    hb_str answer = reply_str(reply);
    return outcome_cut(&answer, &o);
}

static bool same(hb_str a, hb_str b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* Stored when this same call was made before? */
static bool is_ours(const struct publish *p, const struct outcome *o)
{
    char token[40];
    hb_str ours = token_text(p->token, token);
    return same(o->rest, HB_STR("-")) || same(o->rest, ours);
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

static void unstored(struct publish *p, const redisReply *reply, bool sent)
{
    hb_result result = {.code = HB_UNAVAILABLE, .unknown = !reply}; /* to be retried with its key, sent or not */
    p->room->unsettled |= !reply && sent;
    answer(p, &result);
}

static void log_refusal(const struct room *r, const redisReply *reply)
{
    if (r && reply && reply_is_error(reply))
        r->w->ctx->host->log(r->w->ctx, HB_LOG_ERROR, "redis-publish", reply->str);
}

static void settle(struct publish *p, const struct outcome *o)
{
    hb_pos prev = {0, 0};
    if ((o->kind == '0' && pos_parse(o->rest, &prev)) || is_ours(p, o)) /* ours: what stood before it is not known */
        stored(p, o->id, prev);
    else
        answer(p, &(hb_result){.code = o->kind == '2' ? HB_CONFLICT : HB_OK, .duplicate = true, .pos = o->id,
            .ts = (int64_t)o->id.hi});
}

static void on_stored(struct command *c, const redisReply *reply)
{
    bool sent = c->sent_us;
    const hb_store *store = c->store;
    struct publish *p = call_end(container_of(c, struct call, c)), *next;
    struct outcome o;
    hb_str answers = reply_str(reply);
    log_refusal(p->room, reply);
    for (; p; p = next) {
        next = p->next;
        bool known = outcome_cut(&answers, &o);
        if (p->room && known)
            settle(p, &o);
        else if (p->room)
            unstored(p, reply, sent);
        destroy(p, store);
    }
}

/* A call of which only the publishes are missing, `n` bytes of them to begin with. */
static struct call *begin_call(struct room *r, struct token t, size_t n)
{
    const struct options *o = worker_options(r->w);
    char stream[KEY_MAX], last[KEY_MAX], channel[KEY_MAX], name[KEY_MAX], text[40];
    char messages[24], age[24], keep[24], window[24], known[POS_TEXT_MAX];
    hb_str words[CALL_WORDS] = {HB_STR("EVALSHA"), {script_sha(SCRIPT_PUBLISH), SCRIPT_SHA - 1}, HB_STR("3"),
        worker_key(r->w, 's', room_name(r), stream), worker_key(r->w, 'l', room_name(r), last),
        worker_key(r->w, 't', token_text(t, text), name), worker_key(r->w, 'r', room_name(r), channel),
        text_positive(r->keep.messages, messages), text_positive(r->keep.age_ms, age),
        text_positive(r->keep.age_ms + o->positions_ms, keep), text_positive(o->journal_ms * 2 + o->timeout_ms, window),
        room_known(r, known)};
    struct call *call = call_create(r);
    call->c.done = on_stored;
    call->c.fits = is_outcome;
    call->c.durable = true;
    call->c.grows = n;
    pipe_send(&r->w->pipe, &call->c, CALL_WORDS, words, o->journal_ms);
    return call;
}

/* "window digest token key", or "" without a key */
static hb_str key_word(const struct room *r, struct token t, const hb_key *key, char out[static KEY_WORD_MAX])
{
    char name[KEY_NAME_MAX], window[24], digest[24], token[40];
    if (!key)
        return HB_STR("");
    hb_str parts[] = {text_positive(key->window_ms, window), text_hex(key->digest, digest), token_text(t, token),
        key_name(r, key, name)};
    char *at = out;
    for (int i = 0; i < 4; i++) {
        at = (char *)memcpy(at, parts[i].p, parts[i].n) + parts[i].n;
        *at++ = ' ';
    }
    return (hb_str){out, (size_t)(at - out) - 1};
}

static bool has_place(const struct room *r, const struct call *call, size_t n)
{
    return call && pipe_can_grow(&r->w->pipe, &call->c) && call->n < CALL_PUBLISHES && call->c.n + n < CALL_BYTES;
}

static void send_stored(struct room *r, struct publish *p, const hb_key *key)
{
    char text[KEY_WORD_MAX];
    hb_str word = key_word(r, p->token, key, text);
    size_t n = entry_size(p->m), more = word_size(word.n) + word_size(n);
    if (!has_place(r, r->open, more))
        r->open = begin_call(r, p->token, more);
    memcpy(pipe_grow(&r->w->pipe, &r->open->c, word.n), word.p, word.n);
    entry_write(p->m, p->token, pipe_grow(&r->w->pipe, &r->open->c, n));
    call_add(r->open, p);
}

/* --- rooms without ------------------------------------------------------------------------------- */

/* Order is that of the pushes; who has none coming delivers now. */
static void on_sent(struct command *c, const redisReply *reply)
{
    bool sent = c->sent_us;
    const hb_store *store = c->store;
    struct publish *p = call_end(container_of(c, struct call, c));
    struct room *r = p->room;
    hb_result result = {.code = HB_OK, .delivered = true};
    if (!r) {
        destroy(p, store);
        return;
    }
    if (!reply || reply->type != REDIS_REPLY_INTEGER) {
        log_refusal(r, reply);
        unstored(p, reply, sent);
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

static void send_pushed(struct room *r, struct publish *p)
{
    static const char nowhere[] = "0-0 0-0 ";
    char channel[KEY_MAX];
    size_t n = sizeof(nowhere) - 1 + entry_size(p->m);
    char *payload = mem_need(malloc(n));
    memcpy(payload, nowhere, sizeof(nowhere) - 1);
    entry_write(p->m, p->token, payload + sizeof(nowhere) - 1);
    struct call *call = call_create(r);
    call->c.done = on_sent;
    call->c.fits = is_integer;
    call->c.once = true;
    pipe_send(&r->w->pipe, &call->c, 3, (hb_str[]){HB_STR("PUBLISH"), worker_key(r->w, 'r', room_name(r), channel),
        {payload, n}}, worker_options(r->w)->journal_ms);
    call_add(call, p);
    free(payload);
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
    for (struct list *at = r->publishes.next; at != &r->publishes; at = at->next) {
        const struct call *call = list_entry(at, struct publish, link)->call;
        if (call && call->c.sent_us)
            return true;
    }
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
    if (!pipe_has_room(&r->w->pipe, entry_size(m) + KEY_NAME_MAX)) {
        hb_result result = {.code = HB_UNAVAILABLE, .unknown = true};
        done->fn(done, &result);
        return;
    }
    struct publish *p = mem_zalloc(sizeof(*p));
    *p = (struct publish){.room = r, .m = m, .done = done, .token = {r->w->nonce, ++r->w->n_tokens}};
    r->w->store->ref(m);
    list_insert(&r->publishes, &p->link);
    if (room_keeps(r))
        send_stored(r, p, key);
    else
        send_pushed(r, p);
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
    hb_str s = reply_str(reply), d = text_hex(digest, ours);
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
    hb_str words[] = {HB_STR("GET"), key_name(r, key, name)};
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
