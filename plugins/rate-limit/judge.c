#include "judge.h"
#include "../common/pattern.h"

/* Tokens that were taken, in case another rule refuses. */
struct taken {
    const struct rule_limit *limit;
    uint64_t key;
    uint64_t n;
    bool own; /* of the session's own bucket */
};

struct sitting {
    const struct judge *judge;
    struct state *state;
    const struct demand *demand;
    uint64_t now_ns;
    struct judgement out;
    struct taken taken[2 * RULES_MAX];
    size_t n_taken;
};

static bool applies(const struct rule *r, const struct demand *d)
{
    return r->kinds & d->kind && (!*r->room || pattern_matches(r->room, d->room_name)) &&
        (!*r->event || pattern_matches(r->event, d->event_name));
}

/* Rules per session alone have their buckets in the session's state. */
static bool is_own(const struct sitting *s, const struct rule *r)
{
    return r->per == PER_SESSION && s->state;
}

static uint64_t key_of(
    const struct sitting *s, const struct rule *r, const struct rule_limit *limit)
{
    const struct demand *d = s->demand;
    uint64_t parts[] = {limit->id, r->per & PER_SESSION ? d->sid : 0,
        r->per & PER_USER ? d->user : 0, r->per & PER_IP ? d->ip : 0,
        r->per & PER_ROOM ? d->room : 0, r->per & PER_EVENT ? d->event : 0};
    return hash_bytes(s->judge->secret, parts, sizeof(parts));
}

static enum bucket_answer take(
    struct sitting *s, const struct rule *r, const struct taken *t, uint64_t *wait_ns)
{
    const struct bucket_limit *l = &t->limit->limit;
    if (t->own) {
        struct own_bucket *b = state_bucket(s->state, t->key);
        *wait_ns = 0;
        return b ? bucket_take(&b->full_ns, l, t->n, s->now_ns, r->patience_ns, wait_ns)
                 : BUCKET_TAKEN;
    }
    bool evicted = false;
    enum bucket_answer a =
        table_take(s->judge->table, t->key, l, t->n, s->now_ns, r->patience_ns, wait_ns, &evicted);
    s->out.evicted += evicted;
    return a;
}

static bool ask(struct sitting *s, const struct rule *r, const struct rule_limit *limit, uint64_t n)
{
    uint64_t wait_ns = 0;
    if (!limit->id || !n)
        return true;
    bool own = is_own(s, r);
    struct taken t = {limit, own ? limit->id : key_of(s, r, limit), n, own};
    enum bucket_answer a = take(s, r, &t, &wait_ns);
    if (a != BUCKET_TAKEN) {
        s->out.answer = a;
        s->out.wait_ns = wait_ns;
        s->out.rule = r;
        return false;
    }
    s->taken[s->n_taken++] = t;
    if (wait_ns > s->out.wait_ns)
        s->out.wait_ns = wait_ns;
    return true;
}

static void give_back(struct sitting *s)
{
    while (s->n_taken > 0) {
        const struct taken *t = &s->taken[--s->n_taken];
        if (t->own) {
            struct own_bucket *b = state_bucket(s->state, t->key);
            uint64_t cost = bucket_cost(&t->limit->limit, t->n);
            if (b && b->full_ns >= cost)
                b->full_ns -= cost;
        } else {
            table_give(s->judge->table, t->key, &t->limit->limit, t->n);
        }
    }
}

struct judgement judge_demand(const struct judge *j, struct state *state, const struct demand *d,
    uint64_t now_ns)
{
    struct sitting s = {
        .judge = j, .state = state, .demand = d, .now_ns = now_ns, .out = {.answer = BUCKET_TAKEN}};
    for (size_t i = 0; i < j->rules->n; i++) {
        const struct rule *r = &j->rules->items[i];
        if (applies(r, d) && (!ask(&s, r, &r->count, 1) || !ask(&s, r, &r->bytes, d->bytes))) {
            give_back(&s);
            break;
        }
    }
    return s.out;
}
