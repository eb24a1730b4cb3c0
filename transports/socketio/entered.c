/*
 * The modules are told that a client entered a namespace once it has had the time to read that it
 * did, as from the reference, which writes CONNECT before its application hears of the socket: a
 * simple client that begins to listen on CONNECT misses nothing that they say to it. That is when
 * its next packet comes, or after ENTERED_MS.
 */
#include "engine.h"
#include "space.h"
#include <stdlib.h>
#include <string.h>

enum { ENTERED_MS = 10 };

struct entered {
    struct entered *next;
    size_t n_space, n_data;
    char text[]; /* the namespace, then the data */
};

void entered_note(struct conn *c, const struct socket *s, hb_str data)
{
    struct entered *e = malloc(sizeof(*e) + s->n_space + data.n), **last = &c->sockets.entered;
    if (!e) {
        engine_fault(c);
        return;
    }
    *e = (struct entered){NULL, s->n_space, data.n};
    memcpy(e->text, s->space, s->n_space);
    memcpy(e->text + s->n_space, data.p, data.n);
    while (*last)
        last = &(*last)->next;
    *last = e;
    engine_timer(c, TIMER_ENTERED, ENTERED_MS);
}

static void tell(struct conn *c, const struct entered *e)
{
    hb_str space = {e->text, e->n_space}, data = {e->text + e->n_space, e->n_data};
    const struct socket *s = socket_find(c, space);
    if (s && s->state == SOCKET_CONNECTED && !c->closing && !c->over)
        c->worker->net->enter(c->session, space_for_host(space), data);
}

void entered_tell(struct conn *c)
{
    for (struct entered *e; (e = c->sockets.entered);) {
        c->sockets.entered = e->next;
        tell(c, e);
        free(e);
    }
}

void entered_forget(struct conn *c)
{
    for (struct entered *e; (e = c->sockets.entered);) {
        c->sockets.entered = e->next;
        free(e);
    }
}
