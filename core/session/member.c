#include "session/member.h"
#include "base/check.h"
#include "base/str.h"
#include "base/utf8.h"
#include "out/msg.h"
#include "room/home.h"
#include "router/op.h"
#include "session/cluster.h"
#include <stdlib.h>
#include <string.h>

/* On its way to the room's home, which tells everybody. */
struct news {
    struct mail mail;
    hb_event ev;
    hb_sid origin; /* 0: on another node */
    char bytes[];
};

static void tell(struct shard *s, struct news *n)
{
    int64_t members = home_members(s, n->ev.room);
    if (members > 0 && members <= HB_MEMBERS_TOLD)
        home_tell(s, n->ev.room, &n->ev, n->origin);
    if (n->origin && members <= HB_MEMBERS_TOLD)
        cluster_cast(s->hub, 0, CLUSTER_MEMBER,
            (hb_str[]){n->ev.event, n->ev.room, n->ev.session, n->ev.user}, 4);
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

static void send_home(
    struct shard *s, hb_sid origin, hb_str event, hb_str room, hb_str session, hb_str user)
{
    struct news *n = mem_alloc(sizeof(*n) + room.n + session.n + user.n);
    char *at = n->bytes;
    n->mail = (struct mail){.deliver = on_news, .discard = discard};
    n->origin = origin;
    event_init(&n->ev, HB_EV_MEMBER);
    n->ev.event = event;
    n->ev.room = str_put(&at, room);
    n->ev.session = str_put(&at, session);
    n->ev.user = str_put(&at, user);
    int home = home_worker(s->hub, room);
    if (home == s->index)
        tell(s, n);
    else
        shard_post(s->hub, home, &n->mail);
}

void member_tell(const struct session *ss, hb_str room, hb_str event)
{
    char id[SESSION_TICKET_MAX];
    if (room.p[0] != '@' && wanted(ss->s->hub))
        send_home(ss->s, ss->sid, event, room, session_public_id(ss, id), session_user(ss));
}

void cluster_on_member(struct shard *s, const hb_str *f, size_t n)
{
    static const hb_str join = {"join", 4}, leave = {"leave", 5};
    if (n != 4 || !op_room_name(f[1]) || !utf8_name(f[2], 1, SESSION_TICKET_MAX) ||
        (f[3].p && !op_room_name(f[3])) || !wanted(s->hub))
        return;
    if (str_eq(f[0], join))
        send_home(s, 0, join, f[1], f[2], f[3]);
    else if (str_eq(f[0], leave))
        send_home(s, 0, leave, f[1], f[2], f[3]);
}
