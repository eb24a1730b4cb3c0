#include "settings.h"
#include <stddef.h>
#include <string.h>

#define FIELD(name) .offset = offsetof(struct options, name)

const hb_option settings_table[] = {
    {.key = "url", .type = HB_OPT_STRING, FIELD(url), .def = "redis://127.0.0.1:6379",
        .doc = "redis://user:password@host:port/database or unix:///path?db=0"},
    {.key = "prefix", .type = HB_OPT_STRING, FIELD(prefix), .required = true,
        .doc = "what all keys and channels begin with; the nodes with the same one are one cluster"},
    {.key = "timeout", .type = HB_OPT_DURATION, FIELD(timeout_ms), .def = "2s", .min = 100, .max = 60000,
        .doc = "for a connection and for each answer; past it the connection is made anew"},
    {.key = "backoff.min", .type = HB_OPT_DURATION, FIELD(backoff_min_ms), .def = "100ms", .min = 10, .max = 60000,
        .doc = "before the first new attempt to connect; doubles each time, with jitter"},
    {.key = "backoff.max", .type = HB_OPT_DURATION, FIELD(backoff_max_ms), .def = "3s", .min = 10, .max = 600000,
        .doc = "the longest pause between two attempts"},
    {.key = "journal.time", .type = HB_OPT_DURATION, FIELD(journal_ms), .def = "60s", .min = 100, .max = 3600e3,
        .doc = "how long a publish waits for a Redis that is away before it is `unavailable`"},
    {.key = "journal.size", .type = HB_OPT_SIZE, FIELD(journal_bytes), .def = "64MiB", .min = 65536, .max = 1099511627776.0,
        .doc = "how much may wait on a node; past it publishes are `unavailable` at once"},
    {.key = "check", .type = HB_OPT_DURATION, FIELD(check_ms), .def = "2s", .min = 100, .max = 60000,
        .doc = "how often positions are compared, to find a message whose push never came"},
    {.key = "positions", .type = HB_OPT_DURATION, FIELD(positions_ms), .def = "1d", .min = 60000, .max = 365 * 86400e3,
        .doc = "how long the position of a room that nobody uses is remembered after its history"},
    {.key = "lease", .type = HB_OPT_DURATION, FIELD(lease_ms), .def = "15s", .min = 1000, .max = 600000,
        .doc = "a node that does not renew it for that long is dead, and what it held is removed"},
    {.key = "reply_size", .type = HB_OPT_SIZE, FIELD(reply_bytes), .def = "64MiB", .min = 1048576, .max = 1073741824,
        .doc = "the largest answer that is taken"},
    {.key = "durability", .type = HB_OPT_CHOICE, FIELD(durability), .def = "memory", .choices = "memory|wait-replica",
        .doc = "when a publish is answered: Redis has it, or so many of its replicas too"},
    {.key = "replicas", .type = HB_OPT_INT, FIELD(replicas), .def = "1", .min = 1, .max = 100,
        .doc = "with wait-replica: how many"},
    {.key = "replica_wait", .type = HB_OPT_DURATION, FIELD(replica_wait_ms), .def = "500ms", .min = 1, .max = 30000,
        .doc = "with wait-replica: how long to wait for them; then the publish is `unavailable`"},
    {.key = "sentinel.master", .type = HB_OPT_STRING, FIELD(sentinel_master),
        .doc = "ask these Sentinels for this master, instead of the URL's host and port"},
    {.key = "sentinel.nodes", .type = HB_OPT_STRINGS, FIELD(sentinel_nodes), .doc = "host:port of each Sentinel"},
    {.key = "sentinel.user", .type = HB_OPT_STRING, FIELD(sentinel_user), .doc = "at the Sentinels"},
    {.key = "sentinel.password", .type = HB_OPT_STRING, FIELD(sentinel_password), .doc = "at the Sentinels"},
    {.key = NULL}};

static bool is_plain(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || strchr("*?[]{}\\\x7f", *s))
            return false;
    return true;
}

const char *settings_fault(const struct options *o)
{
    struct place place;
    struct login login;
    const char *fault = url_parse(o->url, &place, &login);
    if (fault)
        return fault;
    if (!o->prefix[0] || strlen(o->prefix) > 64 || !is_plain(o->prefix))
        return "prefix: 1 to 64 characters, no spaces and none of * ? [ ] { } \\";
    if (o->backoff_min_ms > o->backoff_max_ms)
        return "backoff.min is more than backoff.max";
    if (o->sentinel_master[0] && o->sentinel_nodes.n == 0)
        return "sentinel.master needs sentinel.nodes";
    for (size_t i = 0; i < o->sentinel_nodes.n; i++)
        if (!place_parse(o->sentinel_nodes.items[i].p, 26379, &place))
            return "sentinel.nodes: each is host:port";
    if (o->durability == DURABILITY_WAIT_REPLICA && o->replica_wait_ms >= o->timeout_ms)
        return "replica_wait has to be shorter than timeout";
    return NULL;
}

static bool same(const hb_strings *a, const hb_strings *b)
{
    bool equal = a->n == b->n;
    for (size_t i = 0; equal && i < a->n; i++)
        equal = strcmp(a->items[i].p, b->items[i].p) == 0;
    return equal;
}

const char *settings_fixed(const struct options *now, const struct options *next)
{
    if (strcmp(now->url, next->url) != 0)
        return "url";
    if (strcmp(now->prefix, next->prefix) != 0)
        return "prefix";
    if (now->durability != next->durability)
        return "durability";
    if (strcmp(now->sentinel_master, next->sentinel_master) != 0 ||
        strcmp(now->sentinel_user, next->sentinel_user) != 0 ||
        strcmp(now->sentinel_password, next->sentinel_password) != 0 ||
        !same(&now->sentinel_nodes, &next->sentinel_nodes))
        return "sentinel";
    return NULL;
}
