#include "session/survey.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "session/cluster.h"
#include <stdlib.h>
#include <string.h>

enum {
    SURVEYS_MAX = 1024,              /* of a shard */
    VALUES_MAX = 3 * 1024 * 1024,    /* of all answers together; the others count as missing */
    ON_THE_WAY_MS = 2000             /* beyond the time for answers, for what is under way between nodes */
};

struct surveys {
    struct list open;                /* struct survey */
    struct list portions;            /* struct portion */
    uint64_t last;
    size_t n_open;
};

static struct surveys *surveys_of(struct shard *s)
{
    if (s->surveys)
        return s->surveys;
    s->surveys = mem_zalloc(sizeof(*s->surveys));
    list_init(&s->surveys->open);
    list_init(&s->surveys->portions);
    return s->surveys;
}

/* Values behind those that are there. False: they have no place any more. */
static bool append(struct buf *to, hb_str values)
{
    if (values.n == 0)
        return true;
    if (to->n + values.n + 1 > VALUES_MAX)
        return false;
    if (to->n > 0)
        buf_char(to, ',');
    buf_str(to, values);
    return !to->failed;
}

/* --- the shard that asks -------------------------------------------------------------------------- */

struct survey {
    struct list link;
    struct timer timer;
    struct shard *s;
    struct asker who;
    uint64_t number;
    bool complete;
    int workers_due;
    size_t nodes_due;
    struct buf values;
    uint32_t nodes[];                /* those that are due */
};

static void destroy(struct survey *v)
{
    timer_cancel(&v->s->wheel, &v->timer);
    list_remove(&v->link);
    v->s->surveys->n_open--;
    buf_finish(&v->values);
    free(v);
}

static void finish(struct survey *v)
{
    struct shard *s = v->s;
    struct asker who = v->who;
    struct buf list = BUF_INIT;
    buf_char(&list, '[');
    buf_str(&list, buf_view(&v->values));
    buf_char(&list, ']');
    hb_code code = v->complete ? HB_OK : HB_UNAVAILABLE;
    destroy(v);
    who.done(s, &who, code, buf_view(&list));
    buf_finish(&list);
}

static void on_late(struct timer *t)
{
    struct survey *v = container_of(t, struct survey, timer);
    v->complete = false;
    finish(v);
}

uint64_t survey_open(struct shard *s, const struct asker *who, int64_t timeout_ms, bool all_nodes)
{
    struct surveys *all = surveys_of(s);
    uint32_t nodes[CLUSTER_NODES_MAX];
    size_t n = all_nodes ? cluster_nodes(nodes) : 0;
    if (all->n_open == SURVEYS_MAX)
        return 0;
    struct survey *v = mem_zalloc(sizeof(*v) + n * sizeof(*nodes));
    *v = (struct survey){.s = s, .who = *who, .number = ++all->last, .complete = true,
        .workers_due = s->hub->n_workers, .nodes_due = n, .values = BUF_INIT};
    memcpy(v->nodes, nodes, n * sizeof(*nodes));
    list_push_back(&all->open, &v->link);
    all->n_open++;
    timer_init(&v->timer, on_late);
    timer_set(&s->wheel, &v->timer, clock_mono_ms() + (uint64_t)ask_timeout(timeout_ms) + ON_THE_WAY_MS);
    return v->number;
}

static struct survey *find(const struct shard *s, uint64_t number)
{
    if (s->surveys)
        list_for_each(item, &s->surveys->open)
            if (list_entry(item, struct survey, link)->number == number)
                return list_entry(item, struct survey, link);
    return NULL;
}

/* Of a node that came up since: taken, but nobody waits for it. */
static void strike_off(struct survey *v, uint32_t node)
{
    if (node == 0) {
        v->workers_due--;
        return;
    }
    for (size_t i = 0; i < v->nodes_due; i++)
        if (v->nodes[i] == node) {
            v->nodes[i] = v->nodes[--v->nodes_due];
            return;
        }
}

struct part {
    struct mail mail;
    uint64_t number;
    uint32_t node;
    bool complete;
    hb_str values;                   /* in `bytes` */
    char bytes[];
};

static void on_part(struct mail *mail, void *receiver)
{
    struct part *p = container_of(mail, struct part, mail);
    struct survey *v = find(receiver, p->number);
    if (v) {
        v->complete = append(&v->values, p->values) && p->complete && v->complete;
        strike_off(v, p->node);
        if (v->workers_due == 0 && v->nodes_due == 0)
            finish(v);
    }
    free(p);
}

static void discard_part(struct mail *mail)
{
    free(container_of(mail, struct part, mail));
}

void survey_add(struct hub *hub, int shard, uint64_t number, uint32_t node, bool complete, hb_str values)
{
    struct part *p = mem_try_alloc(sizeof(*p) + values.n);
    if (!p)
        return;
    char *at = p->bytes;
    *p = (struct part){.mail = {.deliver = on_part, .discard = discard_part}, .number = number, .node = node,
        .complete = complete};
    p->values = str_put(&at, values);
    shard_post(hub, shard, &p->mail);
}

/* --- a worker that is asked ----------------------------------------------------------------------- */

struct portion {
    struct list link;
    struct shard *s;
    int shard;
    uint64_t number;
    uint32_t due;                    /* answers, and one until it is closed */
    bool complete;
    struct buf values;
};

static void free_portion(struct portion *p)
{
    list_remove(&p->link);
    buf_finish(&p->values);
    free(p);
}

static void settle(struct portion *p)
{
    if (--p->due > 0)
        return;
    survey_add(p->s->hub, p->shard, p->number, 0, p->complete, buf_view(&p->values));
    free_portion(p);
}

static void on_answer(struct shard *s, const struct asker *who, hb_code code, hb_str data)
{
    struct portion *p = who->arg;
    if (code == HB_UNAVAILABLE || (code == HB_OK && !append(&p->values, data)))
        p->complete = false;
    settle(p);
}

struct portion *portion_open(struct shard *s, int shard, uint64_t number)
{
    struct portion *p = mem_zalloc(sizeof(*p));
    *p = (struct portion){.s = s, .shard = shard, .number = number, .due = 1, .complete = true,
        .values = BUF_INIT};
    list_push_back(&surveys_of(s)->portions, &p->link);
    return p;
}

bool portion_ask(struct portion *p, struct session *ss, const hb_event *ev, int64_t timeout_ms)
{
    hb_event question = *ev;
    p->due++;
    return ask_session(ss, &question, &(struct asker){.done = on_answer, .arg = p}, timeout_ms);
}

void portion_close(struct portion *p)
{
    settle(p);
}

void surveys_destroy(struct shard *s)
{
    struct surveys *all = s->surveys;
    if (!all)
        return;
    while (!list_empty(&all->open))
        destroy(list_entry(all->open.next, struct survey, link));
    while (!list_empty(&all->portions))
        free_portion(list_entry(all->portions.next, struct portion, link));
    free(all);
    s->surveys = NULL;
}
