#include "session/member.h"
#include "base/check.h"
#include "out/msg.h"
#include "room/home.h"
#include <stdlib.h>
#include <string.h>

/* On its way to the room's home, which tells everybody. */
struct news {
    struct mail mail;
    hb_event ev;
    hb_sid origin;
    char bytes[];
};

static hb_str put(char **at, hb_str s)
{
    if (!s.p)
        return s;
    char *p = memcpy(*at, s.p, s.n);
    *at += s.n;
    return (hb_str){p, s.n};
}

static void tell(struct shard *s, struct news *n)
{
    int64_t members = home_members(s, n->ev.room);
    if (members > 0 && members <= HB_MEMBERS_TOLD)
        home_tell(s, n->ev.room, &n->ev, n->origin);
    free(n);
}

static void on_news(struct mail *mail, void *receiver)
{
    tell(receiver, container_of(mail, struct news, mail));
}

static void discard(struct mail *mail)
{
    free(container_of(mail, struct news, mail));
}

static bool wanted(const struct hub *hub)
{
    for (unsigned i = 0; i < hub->n_modules; i++)
        if (hub->modules[i].desc->transport && hub->modules[i].desc->transport->members)
            return true;
    return false;
}

void member_tell(const struct session *ss, hb_str room, hb_str event)
{
    struct hub *hub = ss->s->hub;
    char id[SESSION_TICKET_MAX];
    if (room.p[0] == '@' || !wanted(hub))
        return;
    hb_str session = session_public_id(ss, id), user = session_user(ss);
    struct news *n = mem_alloc(sizeof(*n) + room.n + session.n + user.n);
    char *at = n->bytes;
    n->mail = (struct mail){.deliver = on_news, .discard = discard};
    n->origin = ss->sid;
    event_init(&n->ev, HB_EV_MEMBER);
    n->ev.event = event;
    n->ev.room = put(&at, room);
    n->ev.session = put(&at, session);
    n->ev.user = put(&at, user);
    int home = home_worker(hub, room);
    if (home == ss->s->index)
        tell(ss->s, n);
    else
        shard_post(hub, home, &n->mail);
}
