#include "rules.h"
#include <stdio.h>
#include <string.h>

enum { BYTES_BURST_LEAST = 64 * 1024, STRIKES = 10, BURST_WITHOUT_COUNT = 100 };

#define AT(f) offsetof(struct rule_options, f)
#define LIMITS(prefix, base)                                                                      \
    {prefix "rate", HB_OPT_RATE, (base) + AT(rate),                                               \
        .doc = "how many; 0: no limit"},                                                          \
    {prefix "burst", HB_OPT_INT, (base) + AT(burst), NULL, 0, 1e9,                                \
        .doc = "how many at once; 0: as many as come in a second"}

#define BYTES(prefix, base)                                                                       \
    {prefix "bytes", HB_OPT_SIZE, (base) + AT(bytes), NULL, 0, 1e12,                              \
        .doc = "bytes of data per second; 0: no limit"},                                          \
    {prefix "bytes_burst", HB_OPT_SIZE, (base) + AT(bytes_burst), NULL, 0, 1e12,                  \
        .doc = "at once, so the largest message; 0: a second's, 64KiB at least"}

#define ACTION(prefix, base)                                                                      \
    {prefix "action", HB_OPT_CHOICE, (base) + AT(action), "refuse",                               \
        .choices = "refuse|delay|close", .doc = "what happens to one too many"},                  \
    {prefix "delay", HB_OPT_DURATION, (base) + AT(delay_ms), "1s", 1, 60e3,                       \
        .doc = "with delay: the longest; who would wait longer is refused"}

static const hb_option rule_table[] = {
    {"of", HB_OPT_CHOICE, AT(of), "messages",
        .choices = "messages|publishes|calls|joins|connects|refreshes",
        .doc = "what is counted; messages are publishes and calls"},
    {"room", HB_OPT_STRING, AT(room), .doc = "only in rooms of this pattern"},
    {"event", HB_OPT_STRING, AT(event), .doc = "only events of this pattern"},
    {"per", HB_OPT_STRINGS, AT(per), "session",
        .doc = "a bucket for each session, user, ip, room, event, or combination of those; []: one "
               "for all"},
    LIMITS("", 0),
    BYTES("", 0),
    ACTION("", 0),
    {NULL},
};

#define MESSAGES offsetof(struct options, messages)
#define CONNECTS offsetof(struct options, connects)
#define FIELD(f) offsetof(struct options, f)

const hb_option options_table[] = {
    LIMITS("messages.", MESSAGES),
    BYTES("messages.", MESSAGES),
    ACTION("messages.", MESSAGES),
    {"messages.per", HB_OPT_STRINGS, MESSAGES + AT(per), "session",
        .doc = "whose bucket; see rules"},
    LIMITS("connects.", CONNECTS),
    {"connects.per", HB_OPT_STRINGS, CONNECTS + AT(per), "ip",
        .doc = "ip, user, or [ip, user] for each pair"},
    {"rules", HB_OPT_LIST, FIELD(rules), .sub = rule_table, .sub_size = sizeof(struct rule_options),
        .doc = "further limits; all that apply must agree"},
    {"ipv4_prefix", HB_OPT_INT, FIELD(ipv4_prefix), "32", 1, 32,
        .doc = "bits of an IPv4 address that count as one"},
    {"ipv6_prefix", HB_OPT_INT, FIELD(ipv6_prefix), "64", 1, 128,
        .doc = "bits of an IPv6 address that count as one"},
    {"buckets", HB_OPT_INT, FIELD(buckets), "65536", 1024, 16777216,
        .doc = "memory, 16 bytes each, for all buckets but those per session; a change takes a "
               "restart"},
    {NULL},
};

struct context {
    struct rules *out;
    const char *where;
    char *error;
    size_t error_size;
};

static bool fail(const struct context *c, const char *sentence)
{
    snprintf(c->error, c->error_size, "%s: %s", c->where, sentence);
    return false;
}

static unsigned kinds_of(int of)
{
    static const unsigned kinds[] = {[OF_MESSAGES] = KIND_PUBLISH | KIND_CALL,
        [OF_PUBLISHES] = KIND_PUBLISH,
        [OF_CALLS] = KIND_CALL,
        [OF_JOINS] = KIND_JOIN,
        [OF_CONNECTS] = KIND_CONNECT,
        [OF_REFRESHES] = KIND_REFRESH};
    return kinds[of];
}

static bool read_per(const struct context *c, const hb_strings *per, unsigned *out)
{
    static const char *const words[] = {"session", "user", "ip", "room", "event"};
    for (size_t i = 0; i < per->n; i++) {
        unsigned bit = 0;
        for (unsigned w = 0; w < sizeof(words) / sizeof(*words); w++)
            if (strcmp(per->items[i].p, words[w]) == 0)
                bit = 1u << w;
        if (!bit)
            return fail(c, "per: takes session, user, ip, room and event");
        *out |= bit;
    }
    return true;
}

/* A call has no room: rules about rooms are about publishes then. A connect's user is known once it
 * is open. */
static void narrow(struct rule *r)
{
    if (*r->room || r->per & PER_ROOM)
        r->kinds &= ~(unsigned)KIND_CALL;
    if (r->kinds == KIND_CONNECT && r->per & PER_USER)
        r->kinds = KIND_OPENED;
}

static bool check_fit(const struct context *c, const struct rule_options *o, const struct rule *r)
{
    bool about_room = *r->room || r->per & PER_ROOM, about_event = *r->event || r->per & PER_EVENT;
    if (about_room && o->of != OF_MESSAGES && o->of != OF_PUBLISHES && o->of != OF_JOINS)
        return fail(c, "only messages, publishes and joins have a room");
    if (about_event && o->of > OF_CALLS)
        return fail(c, "only messages, publishes and calls have an event");
    if (o->of == OF_CONNECTS && r->per & PER_SESSION)
        return fail(c, "connects are counted per ip or user");
    if (o->of >= OF_CONNECTS && o->action != ACTION_REFUSE)
        return fail(c, "action: connects and refreshes can only be refused");
    if (o->of >= OF_CONNECTS && (o->bytes || o->bytes_burst))
        return fail(c, "bytes: connects and refreshes have none");
    if ((o->burst && o->rate <= 0) || (o->bytes_burst && !o->bytes))
        return fail(c, "a burst takes a rate");
    return true;
}

static uint64_t digest(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3;
    return h;
}

/* Of what the rule is about, not of its numbers. Two rules about the same differ by their order. */
static uint64_t identify(const struct rules *all, const struct rule *r)
{
    uint64_t h = digest(0xcbf29ce484222325, &r->kinds, sizeof(r->kinds));
    h = digest(h, &r->per, sizeof(r->per));
    h = digest(h, r->room, strlen(r->room) + 1);
    h = digest(h, r->event, strlen(r->event) + 1) | 1;
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i].count.id == h || all->items[i].bytes.id == h + 1)
            h += 2;
    return h;
}

static void set_limits(const struct context *c, const struct rule_options *o, struct rule *r)
{
    uint64_t id = identify(c->out, r);
    int64_t burst = o->burst ? o->burst : o->rate <= 1 ? 1 : (int64_t)o->rate;
    int64_t bytes_burst = o->bytes_burst ? o->bytes_burst
        : o->bytes > BYTES_BURST_LEAST ? o->bytes : BYTES_BURST_LEAST;
    if (o->rate > 0)
        r->count = (struct rule_limit){id, bucket_limit(o->rate, (double)burst)};
    if (o->bytes)
        r->bytes = (struct rule_limit){id + 1, bucket_limit((double)o->bytes, (double)bytes_burst)};
    r->strikes = STRIKES * (uint64_t)(r->count.id ? burst : BURST_WITHOUT_COUNT);
}

static bool add(const struct context *c, const struct rule_options *o)
{
    struct rule r = {.kinds = kinds_of(o->of),
        .room = o->room ? o->room : "",
        .event = o->event ? o->event : "",
        .action = (enum rule_action)o->action,
        .patience_ns = o->action == ACTION_DELAY ? (uint64_t)o->delay_ms * 1000000 : 0};
    if (!read_per(c, &o->per, &r.per) || !check_fit(c, o, &r))
        return false;
    if (o->rate <= 0 && !o->bytes)
        return true;
    narrow(&r);
    set_limits(c, o, &r);
    c->out->items[c->out->n++] = r;
    c->out->kinds |= r.kinds;
    c->out->per |= r.per;
    return true;
}

bool rules_make(const struct options *o, struct rules *out, char *error, size_t error_size)
{
    struct rule_options messages = o->messages, connects = o->connects;
    const struct rule_options *more = o->rules.items;
    messages.of = OF_MESSAGES;
    connects.of = OF_CONNECTS;
    connects.action = ACTION_REFUSE;
    out->n = 0;
    out->kinds = out->per = 0;
    if (o->rules.n > RULES_MAX - 2) {
        snprintf(error, error_size, "rules: there are more than %d", RULES_MAX - 2);
        return false;
    }
    if (!add(&(struct context){out, "messages", error, error_size}, &messages) ||
        !add(&(struct context){out, "connects", error, error_size}, &connects))
        return false;
    for (size_t i = 0; i < o->rules.n; i++) {
        char where[40];
        snprintf(where, sizeof(where), "rules, entry %zu", i + 1);
        if (!add(&(struct context){out, where, error, error_size}, &more[i]))
            return false;
    }
    return true;
}
