#include "session/lost.h"
#include "base/check.h"
#include "session/session.h"
#include <stdlib.h>

enum { SPREAD_MS = 2000 }; /* over which they are to come back */

struct leaving {
    hb_sid *sids;
    size_t n;
};

static void collect(struct outbox *out, void *arg)
{
    struct leaving *l = arg;
    l->sids[l->n++] = container_of(out, struct session, out)->sid;
}

void lost_room(struct shard *s, hb_str room)
{
    struct members *r = members_find(s, room);
    if (!r || members_count(r) == 0)
        return;
    struct leaving l = {mem_alloc(members_count(r) * sizeof(hb_sid)), 0};
    members_each_outbox(r, collect, &l);
    for (size_t i = 0; i < l.n; i++) {
        struct session *ss = session_find(s, l.sids[i]);
        if (ss)
            session_close_later(ss, 1001, HB_STR("messages were lost; recover by cursor"), HB_END_DRAIN,
                (int64_t)(SPREAD_MS * i / l.n));
    }
    free(l.sids);
}
