/*
 * May this happen now? Asks every rule that applies; all must have their tokens, or none is taken.
 * A worker's thread; the table is shared.
 */
#ifndef RATE_LIMIT_JUDGE_H
#define RATE_LIMIT_JUDGE_H

#include "hash.h"
#include "rules.h"
#include "state.h"
#include "table.h"

/* What is wanted. */
struct demand {
    enum demand_kind kind;
    hb_sid sid;
    uint64_t user, ip, room, event;   /* hashes; 0: it has none */
    hb_str room_name, event_name;     /* for the patterns */
    size_t bytes;
};

struct judgement {
    enum bucket_answer answer;
    uint64_t wait_ns;         /* TAKEN: how long to hold it back; EMPTY: when to come again */
    const struct rule *rule;  /* that refused */
    unsigned evicted;         /* buckets of others that were taken over */
};

struct judge {
    const struct rules *rules;
    struct table *table;
    const struct hash_secret *secret;
};

/* `state` may be NULL for CONNECT and OPENED. */
struct judgement judge_demand(const struct judge *j, struct state *state, const struct demand *d,
    uint64_t now_ns);

#endif
