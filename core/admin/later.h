/*
 * A request that is answered later: what is asked of other threads holds it until their answer is
 * here, and by then its client may have left. Control thread.
 */
#ifndef ADMIN_LATER_H
#define ADMIN_LATER_H

#include "admin/admin.h"
#include "session/tour.h"

struct later {
    struct shard *control;
    hb_request *req; /* NULL: its client went away */
};

/* Hold the call's request; `l` stays where it is until later_take. */
void later_hold(struct later *l, const struct admin_call *call);
/* To answer it now: false when there is nobody to answer. */
bool later_take(struct later *l, struct admin_call *call);
/* A tour that visits the workers from `first` on and comes back to the control thread. */
struct tour later_tour(const struct admin_call *call, int first,
    enum tour_step (*visit)(struct tour *t, struct shard *s), void (*back)(struct tour *t),
    void (*lost)(struct tour *t));

#endif
