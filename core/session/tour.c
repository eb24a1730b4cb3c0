#include "session/tour.h"
#include "base/check.h"

static void travel(struct tour *t);

static void on_back(struct mail *mail, void *receiver)
{
    struct tour *t = container_of(mail, struct tour, mail);
    t->back(t);
}

static void on_lost(struct mail *mail)
{
    struct tour *t = container_of(mail, struct tour, mail);
    t->lost(t);
}

static void go_back(struct tour *t)
{
    t->mail = (struct mail){.deliver = on_back, .discard = on_lost};
    shard_post(t->hub, t->back_to, &t->mail);
}

static void on_arrival(struct mail *mail, void *receiver)
{
    struct tour *t = container_of(mail, struct tour, mail);
    enum tour_step step = t->visit(t, receiver);
    if (step == TOUR_NEXT) {
        t->worker++;
        t->at = 0;
    }
    if (step == TOUR_BACK || t->worker >= t->hub->n_workers)
        go_back(t);
    else
        travel(t);
}

static void on_closed(struct mail *mail)
{
    struct tour *t = container_of(mail, struct tour, mail);
    t->cut_short = true;
    go_back(t);
}

static void travel(struct tour *t)
{
    t->mail = (struct mail){.deliver = on_arrival, .discard = on_closed};
    shard_post(t->hub, t->worker, &t->mail);
}

void tour_begin(struct tour *t)
{
    if (t->worker < t->hub->n_workers)
        travel(t);
    else
        go_back(t);
}
