/* What an admin ordered on one node, carried out on the others. */
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "session/cluster.h"
#include "session/ops.h"
#include "session/registry.h"
#include "session/revoked.h"
#include "session/tour.h"
#include <stdlib.h>
#include <string.h>

enum { KICK_KEPT_MS = 60000 };

struct order {
    struct tour tour;
    enum cluster_what what;
    int64_t before_ms;       /* sessions opened by then are meant */
    hb_str id, user, room;
    char bytes[];
};

void cluster_order(struct hub *hub, enum cluster_what what, hb_str id, hb_str user, hb_str room)
{
    char kind = (char)what;
    cluster_cast(hub, 0, CLUSTER_ORDER, (hb_str[]){{&kind, 1}, id, user, room}, 4);
    if (what != CLUSTER_KICK)
        return;
    int64_t now = clock_wall_ms(); /* and what is kept may be heard when some are back already */
    hb_str before = str_raw(&now, sizeof(now));
    cluster_keep(hub, CLUSTER_ORDER, (hb_str[]){{&kind, 1}, id, user, room, before}, 5, now + KICK_KEPT_MS);
}

static bool is_meant(const struct session *ss, const struct order *o)
{
    char id[SESSION_TICKET_MAX];
    if (ss->state != SESSION_OPEN || ss->opened_ts > o->before_ms)
        return false;
    return o->id.p ? str_eq(session_public_id(ss, id), o->id) : ss->user && str_eq(session_user(ss), o->user);
}

static bool carry_out(struct session *ss, void *arg)
{
    const struct order *o = arg;
    hb_op op = {.type = o->what == CLUSTER_LEAVE ? HB_OP_LEAVE : HB_OP_JOIN, .room = o->room};
    if (!is_meant(ss, o))
        return true;
    if (o->what == CLUSTER_KICK)
        session_close(ss, 4003, HB_STR("disconnected by the server"), HB_END_KICKED);
    else
        ops_input(ss, &op, OP_SERVER, NULL);
    return !o->id.p;
}

static enum tour_step visit(struct tour *t, struct shard *s)
{
    return registry_some(s, &t->at, carry_out, container_of(t, struct order, tour)) ? TOUR_NEXT : TOUR_AGAIN;
}

static void finish(struct tour *t)
{
    free(container_of(t, struct order, tour));
}

void cluster_on_order(struct shard *s, const hb_str *f, size_t n)
{
    if (n < 4 || n > 5 || (n == 5 && f[4].n != 8) || f[0].n != 1 || (unsigned char)f[0].p[0] > CLUSTER_LEAVE ||
        !f[1].p == !f[2].p ||
        (f[0].p[0] != CLUSTER_KICK && (!f[3].n || f[3].p[0] == '@' || f[3].n > 128)))
        return;
    struct order *o = mem_zalloc(sizeof(*o) + f[1].n + f[2].n + f[3].n);
    char *at = o->bytes;
    o->what = (enum cluster_what)f[0].p[0];
    o->before_ms = INT64_MAX;
    if (n == 5)
        memcpy(&o->before_ms, f[4].p, 8);
    o->id = str_put(&at, f[1]);
    o->user = str_put(&at, f[2]);
    o->room = str_put(&at, f[3]);
    o->tour = (struct tour){.hub = s->hub, .back_to = s->index, .visit = visit, .back = finish, .lost = finish};
    tour_begin(&o->tour);
}

/* --- revocations ---------------------------------------------------------------------------------- */

/* The same bytes for the same revocation, so that it is kept once. */
void cluster_revoke(struct hub *hub, const struct revocation *what)
{
    int64_t issued_before_ms = what->token_id.p ? 0 : what->issued_before_ms;
    hb_str before = str_raw(&issued_before_ms, 8), until = str_raw(&what->until_ms, 8);
    cluster_keep(hub, CLUSTER_REVOKE, (hb_str[]){what->token_id, what->user, before, until}, 4, what->until_ms);
}

void cluster_on_revoke(struct shard *s, const hb_str *f, size_t n)
{
    if (n != 4 || !f[0].p == !f[1].p || f[0].n > 1024 || f[1].n > 128 || f[2].n != 8 || f[3].n != 8)
        return;
    struct revocation what = {.token_id = f[0], .user = f[1]};
    memcpy(&what.issued_before_ms, f[2].p, 8);
    memcpy(&what.until_ms, f[3].p, 8);
    if (what.issued_before_ms >= 0 && what.until_ms >= 0 && !revoked_again(s, &what))
        revoked_add(s->hub, &what, s->index, NULL, NULL);
}
