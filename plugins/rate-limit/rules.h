/*
 * The plugin's options, and the rules that they come to: what is counted, in whose bucket, and what
 * happens when it is empty. Rules borrow from the options that they were made of. Pure.
 */
#ifndef RATE_LIMIT_RULES_H
#define RATE_LIMIT_RULES_H

#include "bucket.h"
#include <hubbub/plugin.h>

/* What a rule's `of` says. */
enum rule_of { OF_MESSAGES, OF_PUBLISHES, OF_CALLS, OF_JOINS, OF_CONNECTS, OF_REFRESHES };

enum rule_action { ACTION_REFUSE, ACTION_DELAY, ACTION_CLOSE };

struct rule_options {
    int of; /* enum rule_of */
    const char *room, *event;
    hb_strings per;
    double rate;
    int64_t burst, bytes, bytes_burst;
    int action; /* enum rule_action */
    int64_t delay_ms;
};

/* Filled by the host; immutable. README.md says what each is for. */
struct options {
    struct rule_options messages, connects;
    hb_list rules; /* of struct rule_options */
    int64_t ipv4_prefix, ipv6_prefix, buckets;
};

extern const hb_option options_table[];

/* What happens: a bit each. */
enum demand_kind {
    KIND_PUBLISH = 1,
    KIND_CALL = 2,
    KIND_JOIN = 4,
    KIND_CONNECT = 8, /* a session is wanted: its address is known, its user is not */
    KIND_OPENED = 16, /* and there it is */
    KIND_REFRESH = 32,
};

/* What makes two things count in one bucket: a bit each. */
enum rule_per { PER_SESSION = 1, PER_USER = 2, PER_IP = 4, PER_ROOM = 8, PER_EVENT = 16 };

/* One of a rule's buckets. */
struct rule_limit {
    uint64_t id; /* 0: there is none; else it stays the same over reloads, whatever its numbers */
    struct bucket_limit limit;
};

struct rule {
    unsigned kinds, per;
    const char *room, *event; /* patterns; "": any */
    struct rule_limit count, bytes;
    enum rule_action action;
    uint64_t patience_ns;     /* with ACTION_DELAY */
    uint64_t strikes;         /* refusals in a row that end a session */
};

enum { RULES_MAX = 34 }; /* 32 in the list, and messages and connects */

struct rules {
    unsigned kinds, per;      /* of all of them together */
    size_t n;
    struct rule items[RULES_MAX];
};

/* False with a sentence, and `out` is of no use. */
bool rules_make(const struct options *o, struct rules *out, char *error, size_t error_size);

#endif
