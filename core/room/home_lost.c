/* A room whose stream has a hole: its members are sent away, and come back to be told. */
#include "base/check.h"
#include "room/home_inner.h"
#include "room/members.h"
#include <stdlib.h>
#include <string.h>

struct losing {
    struct mail mail;
    uint32_t n;
    char room[];
};

static void lose_here(struct shard *s, hb_str room)
{
    if (members_find(s, room))
        s->hub->session_ops->lost(s, room);
}

static void on_losing(struct mail *mail, void *receiver)
{
    struct losing *l = container_of(mail, struct losing, mail);
    lose_here(receiver, (hb_str){l->room, l->n});
    free(l);
}

static void discard_losing(struct mail *mail)
{
    free(container_of(mail, struct losing, mail));
}

/* Here at once: what is delivered next must not reach who stands before the hole. */
void home_lost(hb_room *room)
{
    struct home *h = (struct home *)room;
    hb_str name = home_name(h);
    for (int w = 0; w < h->s->hub->n_workers; w++) {
        if (h->here[w] == 0 || w == h->s->index)
            continue;
        struct losing *l = mem_alloc(sizeof(*l) + name.n);
        *l = (struct losing){.mail = {.deliver = on_losing, .discard = discard_losing}, .n = (uint32_t)name.n};
        memcpy(l->room, name.p, name.n);
        shard_post(h->s->hub, w, &l->mail);
    }
    lose_here(h->s, name);
}
