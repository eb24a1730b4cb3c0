#include "session/cluster.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/rand.h"
#include "base/str.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { FORGET_MS = 6000, NODE_JSON_MAX = 2048, CAST_MAX = 4 * 1024 * 1024 };

static cluster_fn on_beacon;
static cluster_fn *handlers[CLUSTER_KINDS] = {[CLUSTER_BEACON] = on_beacon, [CLUSTER_ORDER] = cluster_on_order,
    [CLUSTER_REVOKE] = cluster_on_revoke, [CLUSTER_SEND] = cluster_on_send, [CLUSTER_PORTION] = cluster_on_portion,
    [CLUSTER_MEMBER] = cluster_on_member};

struct node {
    uint32_t number;       /* 0: free */
    uint64_t heard_ms;
    size_t n;
    char json[NODE_JSON_MAX];
};

static struct {
    pthread_mutex_t lock;
    struct node nodes[CLUSTER_NODES_MAX];
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

void cluster_on(enum cluster_kind kind, cluster_fn *fn)
{
    handlers[kind] = fn;
}

bool cluster_is(const struct hub *hub)
{
    return hub->backend >= 0 && hub->modules[hub->backend].desc->backend->cast;
}

uint32_t cluster_self(const struct hub *hub)
{
    static _Atomic uint32_t self; /* a reload does not change it */
    uint32_t number = atomic_load_explicit(&self, memory_order_relaxed);
    if (number == 0) {
        number = (uint32_t)hash_stable(str_of(hub->shards[0]->config->node));
        atomic_store_explicit(&self, number, memory_order_relaxed);
    }
    return number;
}

/* --- telling ------------------------------------------------------------------------------------ */

struct cast {
    struct mail mail;
    uint32_t node;
    bool kept;
    int64_t until_ms;
    size_t n;
    char bytes[];
};

static void on_cast(struct mail *mail, void *receiver)
{
    struct cast *c = container_of(mail, struct cast, mail);
    const struct shard *s = receiver;
    const hb_backend *backend = s->hub->modules[s->hub->backend].desc->backend;
    const hb_ctx *ctx = &s->ctx[s->hub->backend];
    if (c->kept && backend->cast_kept)
        backend->cast_kept(ctx, (hb_str){c->bytes, c->n}, c->until_ms);
    else
        backend->cast(ctx, c->node, (hb_str){c->bytes, c->n});
    free(c);
}

static void discard_cast(struct mail *mail)
{
    free(container_of(mail, struct cast, mail));
}

static char *put_field(char *at, hb_str f)
{
    uint32_t n = f.p ? (uint32_t)f.n : UINT32_MAX;
    memcpy(at, &n, 4);
    memcpy(at + 4, f.p ? f.p : "", f.p ? f.n : 0);
    return at + 4 + (f.p ? f.n : 0);
}

/* By mail to the first worker, so that it works on any thread and what is told keeps its order. */
static void post(struct hub *hub, struct cast how, enum cluster_kind kind, const hb_str *fields, size_t n)
{
    size_t size = 1;
    for (size_t i = 0; i < n; i++)
        size += 4 + fields[i].n;
    struct cast *c = cluster_is(hub) && size <= CAST_MAX ? mem_try_alloc(sizeof(*c) + size) : NULL;
    if (!c)
        return;
    *c = how;
    c->mail = (struct mail){.deliver = on_cast, .discard = discard_cast};
    c->n = size;
    c->bytes[0] = (char)kind;
    char *at = c->bytes + 1;
    for (size_t i = 0; i < n; i++)
        at = put_field(at, fields[i]);
    shard_post(hub, 0, &c->mail);
}

void cluster_cast(struct hub *hub, uint32_t node, enum cluster_kind kind, const hb_str *fields, size_t n)
{
    post(hub, (struct cast){.node = node}, kind, fields, n);
}

void cluster_keep(struct hub *hub, enum cluster_kind kind, const hb_str *fields, size_t n, int64_t until_ms)
{
    post(hub, (struct cast){.kept = true, .until_ms = until_ms}, kind, fields, n);
}

/* --- hearing ------------------------------------------------------------------------------------ */

static bool take_field(hb_str *rest, hb_str *out)
{
    uint32_t n;
    if (rest->n < 4)
        return false;
    memcpy(&n, rest->p, 4);
    *rest = str_sub(*rest, 4, rest->n);
    *out = (hb_str){NULL, 0};
    if (n == UINT32_MAX)
        return true;
    if (n > rest->n)
        return false;
    *out = (hb_str){rest->p, n};
    *rest = str_sub(*rest, n, rest->n);
    return true;
}

void cluster_heard(struct shard *s, hb_str bytes)
{
    hb_str fields[CLUSTER_FIELDS_MAX], rest = str_sub(bytes, 1, bytes.n);
    size_t n = 0;
    if (bytes.n == 0 || (unsigned char)bytes.p[0] >= CLUSTER_KINDS)
        return;
    while (rest.n > 0)
        if (n == CLUSTER_FIELDS_MAX || !take_field(&rest, &fields[n++]))
            return;
    cluster_fn *fn = handlers[(unsigned char)bytes.p[0]];
    if (fn)
        fn(s, fields, n);
}

/* --- who they are ------------------------------------------------------------------------------- */

static struct node *place_for(uint32_t number, uint64_t now)
{
    struct node *free_one = NULL;
    for (int i = 0; i < CLUSTER_NODES_MAX; i++) {
        struct node *node = &known.nodes[i];
        if (node->number == number)
            return node;
        if (!free_one && (!node->number || now - node->heard_ms > FORGET_MS))
            free_one = node;
    }
    return free_one;
}

static void on_beacon(struct shard *s, const hb_str *fields, size_t n)
{
    uint64_t now = clock_mono_ms();
    if (n != 2 || !fields[0].n || fields[1].n >= NODE_JSON_MAX || json_check(fields[1], 4, NULL) != JSON_OK)
        return;
    uint32_t number = (uint32_t)hash_stable(fields[0]);
    if (number == cluster_self(s->hub))
        return;
    pthread_mutex_lock(&known.lock);
    struct node *node = place_for(number, now);
    if (node) {
        node->number = number;
        node->heard_ms = now;
        node->n = fields[1].n;
        memcpy(node->json, fields[1].p, fields[1].n);
    }
    pthread_mutex_unlock(&known.lock);
}

static bool is_there(const struct node *node, uint64_t now)
{
    return node->number && now - node->heard_ms <= FORGET_MS;
}

size_t cluster_nodes(uint32_t numbers[static CLUSTER_NODES_MAX])
{
    size_t n = 0;
    uint64_t now = clock_mono_ms();
    pthread_mutex_lock(&known.lock);
    for (int i = 0; i < CLUSTER_NODES_MAX; i++)
        if (is_there(&known.nodes[i], now))
            numbers[n++] = known.nodes[i].number;
    pthread_mutex_unlock(&known.lock);
    return n;
}

bool cluster_knows(uint32_t number)
{
    bool found = false;
    uint64_t now = clock_mono_ms();
    pthread_mutex_lock(&known.lock);
    for (int i = 0; i < CLUSTER_NODES_MAX && !found; i++)
        found = known.nodes[i].number == number && is_there(&known.nodes[i], now);
    pthread_mutex_unlock(&known.lock);
    return found;
}

void cluster_each(void (*fn)(hb_str json, void *arg), void *arg)
{
    uint64_t now = clock_mono_ms();
    pthread_mutex_lock(&known.lock);
    for (int i = 0; i < CLUSTER_NODES_MAX; i++)
        if (is_there(&known.nodes[i], now))
            fn((hb_str){known.nodes[i].json, known.nodes[i].n}, arg);
    pthread_mutex_unlock(&known.lock);
}
