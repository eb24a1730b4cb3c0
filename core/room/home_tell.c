/* From a home to the members on all workers: one mail to a worker, encoded there once per form. */
#include "base/check.h"
#include "base/str.h"
#include "room/home_inner.h"
#include "room/members.h"
#include <stdlib.h>
#include <string.h>

struct telling {
    struct mail mail;
    hb_event ev;           /* strings in `bytes` */
    hb_sid except;
    char bytes[];
};

/* The strings of an event that is told to a whole room. */
#define EACH_STRING(do) do(room) do(event) do(user) do(session) do(data) do(list)

static void tell_here(struct shard *s, const hb_event *ev, hb_sid except)
{
    struct members *r = members_find(s, ev->room);
    if (r)
        members_tell(s, r, ev, except ? s->hub->session_ops->outbox_of(s, except) : NULL);
}

static void on_telling(struct mail *mail, void *receiver)
{
    struct telling *t = container_of(mail, struct telling, mail);
    tell_here(receiver, &t->ev, t->except);
    free(t);
}

static void discard_telling(struct mail *mail)
{
    free(container_of(mail, struct telling, mail));
}

/* NULL when memory is out. */
static struct telling *copy(const hb_event *ev, hb_sid except)
{
#define PLUS_SIZE(field) + ev->field.n
    size_t n = 0 EACH_STRING(PLUS_SIZE);
    struct telling *t = mem_try_alloc(sizeof(*t) + n);
    if (!t)
        return NULL;
    *t = (struct telling){.mail = {.deliver = on_telling, .discard = discard_telling}, .ev = *ev,
        .except = except};
    char *at = t->bytes;
#define PUT(field) t->ev.field = str_put(&at, ev->field);
    EACH_STRING(PUT)
    return t;
}

void home_tell(struct shard *s, hb_str room, const hb_event *ev, hb_sid except)
{
    struct home *h = home_find(s, room);
    for (int w = 0; h && w < s->hub->n_workers; w++) {
        if (h->here[w] == 0)
            continue;
        if (w == s->index) {
            tell_here(s, ev, except);
            continue;
        }
        struct telling *t = copy(ev, except);
        if (t)
            shard_post(s->hub, w, &t->mail);
    }
}
