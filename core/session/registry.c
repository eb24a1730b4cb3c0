#include "session/registry.h"
#include "base/check.h"
#include "base/rand.h"
#include "base/str.h"
#include "session/ask.h"
#include "session/revoked.h"
#include <stdlib.h>
#include <string.h>

enum { SOME_SLOTS = 512 };
enum { TICKET_VERSION = 1, TICKET_RAW = 1 + 4 + 8 + SESSION_SECRET_BYTES, SLOTS_MAX = 1 << 24 };

struct registry *registry_create(void)
{
    struct registry *r = mem_zalloc(sizeof(*r));
    list_init(&r->dead);
    return r;
}

void registry_destroy(struct registry *r)
{
    if (!r)
        return;
    asks_destroy(r->asks);
    revoked_destroy(r->revoked);
    free(r->slots);
    free(r->doomed);
    free(r);
}

size_t registry_count(const struct registry *r)
{
    return r->count;
}

static uint32_t take_slot(struct registry *r)
{
    if (r->first_free) {
        uint32_t slot = r->first_free - 1;
        r->first_free = r->slots[slot].next_free;
        return slot;
    }
    if (r->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 64;
        r->slots = mem_realloc(r->slots, r->cap * sizeof(*r->slots));
    }
    CHECK_INVARIANT(r->n < SLOTS_MAX);
    r->slots[r->n] = (struct registry_slot){.generation = 1};
    return r->n++;
}

/* worker + 1 in 8 bits, slot in 24, generation in 32 */
void registry_add(struct registry *r, struct session *ss, int worker)
{
    uint32_t slot = take_slot(r);
    r->slots[slot].session = ss;
    r->count++;
    ss->sid = (uint64_t)(worker + 1) << 56 | (uint64_t)slot << 32 | r->slots[slot].generation;
}

static uint32_t slot_of(hb_sid sid)
{
    return (uint32_t)(sid >> 32) & (SLOTS_MAX - 1);
}

void registry_remove(struct registry *r, struct session *ss)
{
    uint32_t slot = slot_of(ss->sid);
    r->slots[slot] = (struct registry_slot){.generation = r->slots[slot].generation + 1, .next_free = r->first_free};
    r->first_free = slot + 1;
    r->count--;
}

struct session *session_find(struct shard *s, hb_sid sid)
{
    uint32_t slot = slot_of(sid);
    if (sid_worker(sid) != s->index || slot >= s->registry->n)
        return NULL;
    const struct registry_slot *at = &s->registry->slots[slot];
    return at->session && at->generation == (uint32_t)sid && at->session->state != SESSION_DEAD ? at->session : NULL;
}

void registry_each(struct shard *s, void (*fn)(struct session *ss, void *arg), void *arg)
{
    for (uint32_t i = 0; i < s->registry->n; i++) {
        struct session *ss = s->registry->slots[i].session;
        if (ss && ss->state != SESSION_DEAD)
            fn(ss, arg);
    }
}

bool registry_some(struct shard *s, uint32_t *at, bool (*fn)(struct session *ss, void *arg), void *arg)
{
    const struct registry *r = s->registry;
    for (int looked = 0; *at < r->n && looked < SOME_SLOTS; looked++) {
        struct session *ss = r->slots[(*at)++].session;
        if (ss && ss->state != SESSION_DEAD && !fn(ss, arg))
            break;
    }
    return *at >= r->n;
}

struct sids {
    hb_sid *items;
    size_t n;
};

static void note_sid(struct outbox *out, void *arg)
{
    struct sids *all = arg;
    all->items[all->n++] = container_of(out, struct session, out)->sid;
}

void registry_each_member(
    struct shard *s, struct members *room, void (*fn)(struct session *ss, void *arg), void *arg)
{
    struct sids all = {mem_alloc(members_count(room) * sizeof(hb_sid) + 1), 0};
    members_each_outbox(room, note_sid, &all);
    for (size_t i = 0; i < all.n; i++) {
        struct session *ss = session_find(s, all.items[i]);
        if (ss)
            fn(ss, arg);
    }
    free(all.items);
}

void registry_doom(struct registry *r, hb_sid sid)
{
    if (r->n_doomed == r->cap_doomed) {
        r->cap_doomed = r->cap_doomed ? r->cap_doomed * 2 : 16;
        r->doomed = mem_realloc(r->doomed, r->cap_doomed * sizeof(*r->doomed));
    }
    r->doomed[r->n_doomed++] = sid;
}

hb_sid registry_doomed(struct registry *r)
{
    return r->n_doomed > 0 ? r->doomed[--r->n_doomed] : 0;
}

/* --- names and tickets ------------------------------------------------------------------------- */

static hb_str encode(const void *raw, size_t n, char *buf)
{
    struct buf text = BUF_INIT;
    buf_base64url(&text, (hb_str){raw, n});
    size_t used = text.n < SESSION_TICKET_MAX ? text.n : 0;
    memcpy(buf, text.p, used);
    buf[used] = '\0';
    buf_finish(&text);
    return (hb_str){buf, used};
}

hb_str session_public_id(const struct session *ss, char *buf)
{
    return encode(ss->id, sizeof(ss->id), buf);
}

/* version, the node's stable hash (4 bytes), sid, secret */
hb_str session_ticket(const struct session *ss, char *buf)
{
    uint8_t raw[TICKET_RAW] = {TICKET_VERSION};
    uint32_t node = (uint32_t)hash_stable(str_of(ss->s->config->node));
    memcpy(raw + 1, &node, 4);
    memcpy(raw + 5, &ss->sid, 8);
    memcpy(raw + 13, ss->secret, SESSION_SECRET_BYTES);
    return encode(raw, sizeof(raw), buf);
}

static bool decode_ticket(hb_str ticket, uint8_t *raw)
{
    struct buf bytes = BUF_INIT;
    bool ok = ticket.n > 0 && ticket.n < SESSION_TICKET_MAX && base64url_decode(ticket, &bytes) &&
        bytes.n == TICKET_RAW && bytes.p[0] == TICKET_VERSION;
    if (ok)
        memcpy(raw, bytes.p, TICKET_RAW);
    buf_finish(&bytes);
    return ok;
}

hb_sid ticket_sid(hb_str ticket)
{
    uint8_t raw[TICKET_RAW];
    hb_sid sid = 0;
    if (decode_ticket(ticket, raw))
        memcpy(&sid, raw + 5, 8);
    return sid;
}

uint32_t ticket_node(hb_str ticket)
{
    uint8_t raw[TICKET_RAW];
    uint32_t node = 0;
    if (decode_ticket(ticket, raw))
        memcpy(&node, raw + 1, 4);
    return node;
}

struct session *session_by_ticket(struct shard *s, hb_str ticket)
{
    uint8_t raw[TICKET_RAW];
    hb_sid sid;
    if (!decode_ticket(ticket, raw))
        return NULL;
    memcpy(&sid, raw + 5, 8);
    struct session *ss = session_find(s, sid);
    hb_str theirs = {(const char *)raw + 13, SESSION_SECRET_BYTES};
    if (!ss || !str_eq_secret((hb_str){(const char *)ss->secret, SESSION_SECRET_BYTES}, theirs))
        return NULL;
    return ss;
}
