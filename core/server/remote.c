#include "server/remote.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/str.h"
#include "session/cluster.h"
#include "session/edge.h"
#include "session/registry.h"
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MS = 5000, WAITING_MAX = 10000 };

/* --- where it arrived --------------------------------------------------------------------------- */

struct waiting {
    struct list link;
    struct timer timer;
    struct request *request;
    uint64_t number;
};

/* This worker's. */
static _Thread_local struct {
    bool made;
    struct list all;
    size_t n;
    uint64_t last;
} waits;

static void destroy_waiting(struct waiting *m, struct worker *w)
{
    timer_cancel(&w->shard.wheel, &m->timer);
    list_remove(&m->link);
    waits.n--;
    free(m);
}

static void on_client_gone(hb_request *req)
{
    destroy_waiting(req->owner, request_of(req)->worker);
}

static void on_late(struct timer *t)
{
    struct waiting *m = container_of(t, struct waiting, timer);
    struct request *r = m->request;
    r->pub.gone = NULL;
    destroy_waiting(m, r->worker);
    request_respond_error(&r->pub, HB_UNAVAILABLE, HB_STR("the node of this session does not answer"), 1000);
}

static uint64_t wait_for_answer(struct request *r)
{
    struct waiting *m = mem_zalloc(sizeof(*m));
    if (!waits.made)
        list_init(&waits.all);
    waits.made = true;
    waits.n++;
    m->request = r;
    m->number = ++waits.last;
    r->pub.owner = m;
    r->pub.gone = on_client_gone;
    list_push_back(&waits.all, &m->link);
    timer_init(&m->timer, on_late);
    timer_set(&r->worker->shard.wheel, &m->timer, clock_mono_ms() + ANSWER_MS);
    return m->number;
}

bool remote_forward(struct request *r, const hb_claim *claim)
{
    struct hub *hub = r->worker->shard.hub;
    uint32_t node = ticket_node(claim->ticket), self = cluster_self(hub);
    int32_t worker = r->worker->shard.index;
    if (!node || node == self || !cluster_is(hub) || !cluster_knows(node) || waits.n >= WAITING_MAX)
        return false;
    uint64_t number = wait_for_answer(r);
    hb_str fields[] = {str_raw(&self, 4), str_raw(&worker, 4), str_raw(&number, 8), claim->ticket, claim->credential,
        r->pub.method, request_header(&r->pub, HB_STR("content-type")), r->pub.remote, r->pub.body};
    cluster_cast(hub, node, CLUSTER_REQUEST, fields, 9);
    return true;
}

struct answer {
    struct mail mail;
    uint64_t number;
    int32_t status;
    size_t n;
    char body[];
};

static struct waiting *find(uint64_t number)
{
    if (waits.made)
        list_for_each(item, &waits.all)
            if (list_entry(item, struct waiting, link)->number == number)
                return list_entry(item, struct waiting, link);
    return NULL;
}

static void on_answer_here(struct mail *mail, void *receiver)
{
    static const hb_header headers[] = {{{"content-type", 12}, {"application/json", 16}},
        {{"cache-control", 13}, {"no-store", 8}}};
    struct answer *a = container_of(mail, struct answer, mail);
    struct waiting *m = find(a->number);
    struct shard *s = receiver;
    if (m) {
        struct request *r = m->request;
        r->pub.gone = NULL;
        destroy_waiting(m, worker_of(s));
        request_respond(&r->pub, a->status, headers, 2, (hb_str){a->body, a->n});
    }
    free(a);
}

static void discard_answer(struct mail *mail)
{
    free(container_of(mail, struct answer, mail));
}

static void on_answer(struct shard *s, const hb_str *f, size_t n)
{
    int32_t worker, status;
    uint64_t number;
    if (n != 4 || f[0].n != 4 || f[1].n != 8 || f[2].n != 4)
        return;
    memcpy(&worker, f[0].p, 4);
    memcpy(&number, f[1].p, 8);
    memcpy(&status, f[2].p, 4);
    if (worker < 0 || worker >= s->hub->n_workers || status < 200 || status > 599)
        return;
    struct answer *a = mem_try_alloc(sizeof(*a) + f[3].n);
    if (!a)
        return;
    *a = (struct answer){.mail = {.deliver = on_answer_here, .discard = discard_answer}, .number = number,
        .status = status, .n = f[3].n};
    memcpy(a->body, f[3].p ? f[3].p : "", f[3].n);
    shard_post(s->hub, worker, &a->mail);
}

/* --- where its session is ----------------------------------------------------------------------- */

struct remote {
    struct request request;
    struct mail mail;
    struct hub *hub;
    uint32_t node;
    int32_t worker;
    uint64_t number;
    hb_claim claim;
    hb_str content_type;
    char bytes[];
};

hb_str remote_header(const struct remote *m, hb_str name)
{
    return str_eq(name, HB_STR("content-type")) ? m->content_type : (hb_str){NULL, 0};
}

void remote_respond(struct remote *m, int status, hb_str body)
{
    int32_t code = status;
    hb_str fields[] = {str_raw(&m->worker, 4), str_raw(&m->number, 8), str_raw(&code, 4), body};
    cluster_cast(m->hub, m->node, CLUSTER_ANSWER, fields, 4);
    free(m);
}

static void on_here(struct mail *mail, void *receiver)
{
    struct remote *m = container_of(mail, struct remote, mail);
    struct shard *s = receiver;
    m->request.worker = worker_of(s);
    edge_dispatch(s, &m->request.pub, EDGE_SEND, &m->claim);
}

static void discard_here(struct mail *mail)
{
    free(container_of(mail, struct remote, mail));
}

static void on_request(struct shard *s, const hb_str *f, size_t n)
{
    size_t size = 0;
    for (size_t i = 3; i < n; i++)
        size += f[i].n;
    if (n != 9 || f[0].n != 4 || f[1].n != 4 || f[2].n != 8 || !f[5].p ||
        (int64_t)f[8].n > s->config->limits.message_size)
        return;
    int worker = edge_worker(s->hub, f[3]);
    struct remote *m = mem_try_alloc(sizeof(*m) + size);
    if (!m)
        return;
    char *at = m->bytes;
    *m = (struct remote){.mail = {.deliver = on_here, .discard = discard_here}, .hub = s->hub};
    memcpy(&m->node, f[0].p, 4);
    memcpy(&m->worker, f[1].p, 4);
    memcpy(&m->number, f[2].p, 8);
    m->claim.ticket = str_put(&at, f[3]);
    m->claim.credential = str_put(&at, f[4]);
    m->request.remote = m;
    m->request.pub.method = str_put(&at, f[5]);
    m->content_type = str_put(&at, f[6]);
    m->request.pub.remote = str_put(&at, f[7]);
    m->request.pub.body = str_put(&at, f[8]);
    m->request.pub.http_minor = 1;
    shard_post(s->hub, worker >= 0 ? worker : 0, &m->mail);
}

void remote_register(void)
{
    cluster_on(CLUSTER_REQUEST, on_request);
    cluster_on(CLUSTER_ANSWER, on_answer);
}
