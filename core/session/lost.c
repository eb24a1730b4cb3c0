#include "session/lost.h"
#include "session/registry.h"

enum { SPREAD_MS = 2000 }; /* over which they are to come back */

struct leaving {
    size_t at, n;
};

static void send_away(struct session *ss, void *arg)
{
    struct leaving *l = arg;
    session_close_later(ss, 1001, HB_STR("messages were lost; recover by cursor"), HB_END_DRAIN,
        (int64_t)(SPREAD_MS * l->at++ / l->n));
}

void lost_room(struct shard *s, hb_str room)
{
    struct members *r = members_find(s, room);
    if (r && members_count(r) > 0)
        registry_each_member(s, r, send_away, &(struct leaving){0, members_count(r)});
}
