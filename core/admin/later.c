#include "admin/later.h"

static void on_gone(hb_request *req)
{
    ((struct later *)req->owner)->req = NULL;
}

void later_hold(struct later *l, const struct admin_call *call)
{
    l->control = call->control;
    l->req = call->req;
    l->req->owner = l;
    l->req->gone = on_gone;
}

bool later_take(struct later *l, struct admin_call *call)
{
    *call = (struct admin_call){.control = l->control, .req = l->req, .decoded = BUF_INIT};
    if (!l->req)
        return false;
    l->req->gone = NULL;
    l->req = NULL;
    return true;
}

struct tour later_tour(const struct admin_call *call, int first,
    enum tour_step (*visit)(struct tour *t, struct shard *s), void (*back)(struct tour *t),
    void (*lost)(struct tour *t))
{
    return (struct tour){.hub = call->control->hub, .back_to = call->control->index,
        .worker = first, .visit = visit, .back = back, .lost = lost};
}
