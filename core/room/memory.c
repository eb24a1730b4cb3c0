/*
 * The in-process backend: streams, history and idempotency keys in this worker's memory.
 *
 * Positions are {life, sequence}. The life is this worker's, new at each start; a room's sequence starts at the highest
 * one that any room dropped here ever had, so that a cursor of an earlier life of the room is told
 * from the present one: it is either exactly its end or too old.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/str.h"
#include "out/msg.h"
#include "room/history.h"
#include "room/home.h"
#include "room/roster.h"
#include <stdlib.h>
#include <string.h>

enum {
    KEYS_MAX = 100000,                     /* of this worker */
    PRESENCE_BYTES_MAX = 64 * 1024 * 1024, /* presence data of the node */
};

struct room {
    hb_room *home;
    struct history *history; /* made at its first message */
    struct roster *roster;   /* NULL: nobody was ever present */
    uint64_t seq;            /* of the last message */
    hb_keep keep;
};

struct known {
    struct list by_age;
    uint64_t due_ms;
    uint64_t digest;
    hb_pos pos;
    int64_t ts;
    uint32_t n_id;
    char id[];               /* room NUL scope NUL key */
};

struct memory {
    struct shard *s;
    uint64_t life, high;
    struct history_pool histories;
    struct map keys;
    struct list keys_by_age;
    struct rosters rosters;
};

static struct memory *mem(const struct room *r)
{
    return home_backend_local(r->home);
}

static hb_str id_of(const void *known)
{
    const struct known *k = known;
    return (hb_str){k->id, k->n_id};
}

void *memory_create(struct shard *s)
{
    struct memory *m = mem_zalloc(sizeof(*m));
    m->s = s;
    m->life = rand_u64() >> 15 | 1; /* 49 bits: 7 bytes in a cursor */
    history_pool_init(&m->histories, s);
    map_init(&m->keys, id_of);
    list_init(&m->keys_by_age);
    m->rosters = (struct rosters){.wheel = &s->wheel, .changed = home_presence_changed,
        .data_bytes_max = (size_t)PRESENCE_BYTES_MAX / (size_t)s->hub->n_workers};
    return m;
}

static void forget_key(struct memory *m, struct known *k)
{
    list_remove(&k->by_age);
    map_remove(&m->keys, id_of(k));
    free(k);
}

void memory_destroy(void *local)
{
    struct memory *m = local;
    while (!list_empty(&m->keys_by_age))
        forget_key(m, list_entry(m->keys_by_age.next, struct known, by_age));
    map_finish(&m->keys);
    free(m);
}

/* --- keys ------------------------------------------------------------------------------------- */

static void key_id(const hb_key *key, struct buf *id)
{
    buf_str(id, key->room);
    buf_char(id, '\0');
    buf_str(id, key->scope);
    buf_char(id, '\0');
    buf_str(id, key->key);
}

static void expire_keys(struct memory *m)
{
    uint64_t now = clock_mono_ms();
    while (!list_empty(&m->keys_by_age)) {
        struct known *k = list_entry(m->keys_by_age.next, struct known, by_age);
        if (k->due_ms > now && m->keys.count < KEYS_MAX)
            break;
        if (k->due_ms > now)
            log_write(LOG_WARN, "keys", "more than %d keys within limits.key_window: the oldest are forgotten early",
                KEYS_MAX);
        forget_key(m, k);
    }
}

/* Look a key up: fills the result when it is known. */
static bool known(struct room *r, const hb_key *key, hb_result *result)
{
    struct buf id = BUF_INIT;
    key_id(key, &id);
    struct known *k = map_get(&mem(r)->keys, buf_view(&id));
    buf_finish(&id);
    if (!k || k->due_ms <= clock_mono_ms())
        return false;
    if (k->digest != key->digest) {
        result->code = HB_CONFLICT;
        return true;
    }
    *result = (hb_result){.code = HB_OK, .duplicate = true, .pos = k->pos, .ts = k->ts};
    return true;
}

static void remember(struct room *r, const hb_message *message, const hb_key *key)
{
    struct buf id = BUF_INIT;
    struct memory *m = mem(r);
    expire_keys(m);
    key_id(key, &id);
    struct known *k = mem_alloc(sizeof(*k) + id.n);
    *k = (struct known){.due_ms = clock_mono_ms() + (uint64_t)key->window_ms, .digest = key->digest,
        .pos = message->pos, .ts = message->ts, .n_id = (uint32_t)id.n};
    memcpy(k->id, id.p, id.n);
    buf_finish(&id);
    struct known *old = map_get(&m->keys, id_of(k));
    if (old)
        forget_key(m, old);
    map_put(&m->keys, k);
    list_push_back(&m->keys_by_age, &k->by_age);
}

/* --- the role --------------------------------------------------------------------------------- */

static void *room_open(const hb_ctx *ctx, hb_room *room, hb_str name, const hb_keep *keep)
{
    struct memory *m = ctx->local;
    struct room *r = mem_zalloc(sizeof(*r));
    r->home = room;
    r->seq = m->high;
    r->keep = *keep;
    return r;
}

static void room_close(const hb_ctx *ctx, void *state)
{
    struct room *r = state;
    struct memory *m = mem(r);
    if (r->seq > m->high)
        m->high = r->seq;
    history_destroy(r->history);
    roster_destroy(r->roster);
    free(r);
}

static void room_keep(const hb_ctx *ctx, void *state, const hb_keep *keep)
{
    struct room *r = state;
    r->keep = *keep;
    if (r->history && keep->messages > 0) {
        history_keep(r->history, keep);
    } else {
        history_destroy(r->history);
        r->history = NULL;
    }
}

static int64_t idle_ms(const hb_ctx *ctx, void *state)
{
    struct room *r = state;
    int64_t keep = r->keep.messages > 0 ? r->keep.age_ms : 0, grace = r->roster ? roster_grace_ms(r->roster) : 0;
    return keep > grace ? keep : grace;
}

static void interest(const hb_ctx *ctx, void *state, bool members)
{
}

static void publish(const hb_ctx *ctx, void *state, hb_message *message, const hb_key *key, hb_done *done)
{
    struct room *r = state;
    hb_result result = {.code = HB_OK};
    bool keeps = r->keep.messages > 0;
    if (keeps && key && known(r, key, &result)) {
        done->fn(done, &result);
        return;
    }
    msg_place(message, (hb_pos){mem(r)->life, ++r->seq}, clock_wall_ms(), keeps);
    if (keeps && !r->history)
        r->history = history_create(&mem(r)->histories, &r->keep);
    if (keeps)
        history_add(r->history, message);
    if (keeps && key)
        remember(r, message, key);
    result.pos = message->pos;
    result.ts = message->ts;
    done->fn(done, &result);
}

static void lookup(const hb_ctx *ctx, void *state, const hb_key *key, hb_done *done)
{
    struct room *r = state;
    hb_result result = {.code = HB_NOT_FOUND};
    known(r, key, &result);
    done->fn(done, &result);
}

static void position(const hb_ctx *ctx, void *state, hb_done *done)
{
    struct room *r = state;
    hb_result result = {.code = HB_OK, .pos = {mem(r)->life, r->seq}};
    done->fn(done, &result);
}

static uint64_t first_seq(const struct room *r)
{
    return r->seq + 1 - history_count(r->history); /* what is held is the end of the stream */
}

/* Does the stream still hold all that came after this position? */
static bool holds(const struct room *r, const hb_pos *since)
{
    return since->hi == mem(r)->life && since->lo + 1 >= first_seq(r) && since->lo <= r->seq;
}

/* A page from the i-th message held on into the result; the array is the caller's to free. */
static hb_message **collect(const struct history *h, size_t i, size_t limit, size_t max_bytes, hb_result *result)
{
    size_t bytes = 0, count = history_count(h);
    size_t room_for = count - i < limit ? count - i : limit;
    hb_message **page = mem_alloc((room_for ? room_for : 1) * sizeof(*page));
    for (; i < count && result->n < limit; i++) {
        hb_message *m = history_at(h, i);
        bytes += msg_size(m);
        if (result->n > 0 && bytes > max_bytes)
            break;
        page[result->n++] = m;
        result->pos = m->pos;
    }
    result->more = i < count;
    result->messages = page;
    return page;
}

static void read_history(const hb_ctx *ctx, void *state, const hb_pos *since, size_t limit,
    size_t max_bytes, hb_done *done)
{
    struct room *r = state;
    hb_result result = {.code = HB_OK, .pos = {mem(r)->life, r->seq}};
    if (r->history)
        history_trim(r->history);
    result.recovered = !since || holds(r, since);
    if (!result.recovered) {
        done->fn(done, &result);
        return;
    }
    size_t count = history_count(r->history);
    size_t first = since ? (size_t)(since->lo + 1 - first_seq(r)) : count > limit ? count - limit : 0;
    if (since)
        result.pos = *since;
    hb_message **page = collect(r->history, first, limit, max_bytes, &result);
    done->fn(done, &result);
    free(page);
}

static void presence_set(const hb_ctx *ctx, void *state, hb_str user, hb_str session, hb_sid origin,
    hb_str data, hb_done *done)
{
    struct room *r = state;
    if (!r->roster)
        r->roster = roster_create(&mem(r)->rosters, r->home);
    hb_result result = {.code = roster_set(r->roster, user, session, origin, data)};
    done->fn(done, &result);
}

static void presence_drop(const hb_ctx *ctx, void *state, hb_str user, hb_str session, int64_t grace_ms,
    hb_done *done)
{
    struct room *r = state;
    hb_result result = {.code = HB_OK};
    if (r->roster)
        roster_drop(r->roster, session, grace_ms);
    done->fn(done, &result);
}

static void presence_list(const hb_ctx *ctx, void *state, size_t limit, hb_done *done)
{
    struct room *r = state;
    hb_result result = {.code = HB_OK, .count = r->roster ? roster_count(r->roster) : 0};
    size_t n = limit < (size_t)result.count ? limit : (size_t)result.count;
    hb_present *list = mem_alloc((n ? n : 1) * sizeof(*list));
    result.present = list;
    result.n_present = r->roster ? roster_list(r->roster, n, list) : 0;
    done->fn(done, &result);
    free(list);
}

const hb_backend memory_backend = {
    .size = sizeof(hb_backend),
    .room_open = room_open,
    .room_close = room_close,
    .idle_ms = idle_ms,
    .room_keep = room_keep,
    .interest = interest,
    .publish = publish,
    .lookup = lookup,
    .position = position,
    .read = read_history,
    .presence_set = presence_set,
    .presence_drop = presence_drop,
    .presence_list = presence_list,
};
