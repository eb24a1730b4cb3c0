/*
 * Who is in a room. The table is the backend's and telling is the host's; decided here is what to
 * say: the grace of a reconnect, how much data a user may have, and, in rooms with many users, a
 * count now and then instead of names.
 */
#include <hubbub/plugin.h>
#include <stdlib.h>
#include <string.h>

enum {
    DATA_MAX = 4096,
    CROWD_MS = 1000,  /* between two counts */
    GATHER_MS = 20,   /* before the first: who makes the crowd is to hear it, too */
    BUCKETS = 256,
};

struct options {
    int64_t grace_ms;
    int64_t list_up_to;
};

static const hb_option options_table[] = {
    {.key = "grace", .type = HB_OPT_DURATION, .offset = offsetof(struct options, grace_ms),
        .def = "5s", .min = 0, .max = 3600e3,
        .doc = "for a reconnect: `leave` goes out when a user is gone for longer"},
    {.key = "list_up_to", .type = HB_OPT_INT, .offset = offsetof(struct options, list_up_to),
        .def = "200", .min = 0, .max = 1000,
        .doc = "users of a room that are named; with more, only their count is told"},
    {.key = NULL}};

/*
 * A room of whose users members were told a count, or are to be; gone after a quiet CROWD_MS. Not
 * being here says nothing: a count over the limit is what makes a crowd.
 */
struct crowd {
    struct crowd *next;   /* in its bucket */
    hb_timer timer;       /* always set */
    int64_t count;
    bool counting;        /* members know a count only: names begin with a sync */
    bool news;            /* to be told when the timer fires */
    size_t n;
    char room[];
};

struct local {            /* of one worker: the crowds whose home it is */
    struct crowd *buckets[BUCKETS];
};

static const struct options *options(const hb_ctx *ctx)
{
    return ctx->options;
}

/* --- crowds ----------------------------------------------------------------------------------- */

static struct crowd **bucket(const hb_ctx *ctx, hb_str room)
{
    struct local *local = ctx->local;
    uint32_t hash = 2166136261u; /* FNV-1a: who fills a bucket needs a crowd for each room in it */
    for (size_t i = 0; i < room.n; i++)
        hash = (hash ^ (uint8_t)room.p[i]) * 16777619u;
    return &local->buckets[hash % BUCKETS];
}

static struct crowd *find(const hb_ctx *ctx, hb_str room)
{
    struct crowd *c = *bucket(ctx, room);
    while (c && (c->n != room.n || memcmp(c->room, room.p, room.n) != 0))
        c = c->next;
    return c;
}

static void forget(const hb_ctx *ctx, struct crowd *c)
{
    struct crowd **at = bucket(ctx, (hb_str){c->room, c->n});
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    ctx->host->timer_cancel(ctx, &c->timer);
    free(c);
}

static void tell(const hb_ctx *ctx, struct crowd *c)
{
    hb_str room = {c->room, c->n};
    c->news = false;
    ctx->host->timer_set(ctx, &c->timer, CROWD_MS);
    if (c->count > options(ctx)->list_up_to) {
        ctx->host->presence_tell(ctx, &(hb_presence_event){.size = sizeof(hb_presence_event),
            .kind = HB_PRESENCE_COUNT, .room = room, .count = c->count});
        return;
    }
    c->counting = false;
    ctx->host->presence_sync(ctx, NULL, room, (size_t)options(ctx)->list_up_to);
}

static void on_timer(const hb_ctx *ctx, hb_timer *t)
{
    struct crowd *c = t->owner;
    if (c->news)
        tell(ctx, c);
    else
        forget(ctx, c);
}

/* NULL when memory is out: then members learn of it at the next change. */
static struct crowd *add(const hb_ctx *ctx, hb_str room)
{
    struct crowd **at = bucket(ctx, room), *c = calloc(1, sizeof(*c) + room.n);
    if (!c)
        return NULL;
    c->n = room.n;
    memcpy(c->room, room.p, room.n);
    c->timer.fire = on_timer;
    c->timer.owner = c;
    c->next = *at;
    *at = c;
    ctx->host->timer_set(ctx, &c->timer, GATHER_MS);
    return c;
}

/* To be told when the timer fires. */
static void note(const hb_ctx *ctx, struct crowd *c, const hb_presence_event *ev)
{
    if (!c)
        c = add(ctx, ev->room);
    if (!c)
        return;
    c->count = ev->count;
    c->counting = true;
    c->news = true;
}

/* Do members know who is here, so that this change continues it? */
static bool has_names(const hb_ctx *ctx, const struct crowd *c, const hb_presence_event *ev)
{
    int64_t limit = options(ctx)->list_up_to;
    if (ev->kind > HB_PRESENCE_UPDATE || ev->count > limit)
        return false;
    return c ? !c->counting : ev->kind != HB_PRESENCE_LEAVE || ev->count < limit;
}

static void on_changed(const hb_ctx *ctx, const hb_presence_event *ev)
{
    struct crowd *c = find(ctx, ev->room);
    if (has_names(ctx, c, ev))
        ctx->host->presence_tell(ctx, ev);
    else if (ev->kind != HB_PRESENCE_UPDATE)
        note(ctx, c, ev);
}

/* --- sessions --------------------------------------------------------------------------------- */

static hb_verdict check_data(hb_str data, hb_outcome *out, hb_verdict otherwise)
{
    if (data.n <= DATA_MAX)
        return otherwise;
    out->code = HB_TOO_LARGE;
    out->message = HB_STR("presence data are 4 KiB at most");
    return HB_DENY;
}

static hb_verdict on_join(const hb_ctx *ctx, hb_join *ev)
{
    bool wanted = ctx->host->presence_wanted(ctx, ev->room);
    return wanted ? check_data(ev->data, &ev->out, HB_NEXT) : HB_NEXT;
}

static hb_verdict on_op(const hb_ctx *ctx, hb_presence *ev)
{
    ev->limit = (size_t)options(ctx)->list_up_to;
    return check_data(ev->data, &ev->out, HB_ALLOW);
}

static void on_joined(const hb_ctx *ctx, hb_session *session, hb_str room, hb_str data)
{
    if (!ctx->host->presence_wanted(ctx, room))
        return;
    ctx->host->presence_sync(ctx, session, room, (size_t)options(ctx)->list_up_to);
}

static void on_left(const hb_ctx *ctx, hb_session *session, hb_str room, bool at_once)
{
    ctx->host->presence_drop(ctx, session, room, at_once ? 0 : options(ctx)->grace_ms);
}

/* --- the module ------------------------------------------------------------------------------- */

static int worker_init(const hb_ctx *ctx, void **local)
{
    *local = calloc(1, sizeof(struct local));
    return *local ? 0 : -1;
}

static void worker_finish(const hb_ctx *ctx)
{
    struct local *local = ctx->local;
    for (int i = 0; i < BUCKETS; i++)
        while (local->buckets[i])
            forget(ctx, local->buckets[i]);
    free(local);
}

/* Both options are read where they are used. */
static void worker_reload(const hb_ctx *ctx)
{
}

static const hb_hooks hooks = {.size = sizeof(hb_hooks), .join = on_join, .joined = on_joined,
    .left = on_left, .presence = on_op, .presence_changed = on_changed};

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {HB_MODULE("presence", HB_VERSION),
    .description = "Who is in a room: joins, leaves, data of each user, counts for big rooms.",
    .options = options_table, .options_size = sizeof(struct options), .hooks = &hooks,
    .worker_init = worker_init, .worker_finish = worker_finish, .worker_reload = worker_reload};
