#include "waiting.h"
#include <stdlib.h>
#include <string.h>

bool waiting_fits(const struct waiting *w, hb_str token)
{
    return w->n < WAITING_MAX && w->bytes + token.n <= WAITING_BYTES_MAX;
}

struct wait *waiting_add(struct waiting *w, hb_str token, uint64_t turn)
{
    struct wait *x = waiting_fits(w, token) ? malloc(sizeof(*x) + token.n) : NULL;
    if (!x)
        return NULL;
    *x = (struct wait){.next = w->first, .turn = turn, .n = token.n};
    memcpy(x->token, token.p, token.n);
    w->first = x;
    w->n++;
    w->bytes += token.n;
    return x;
}

struct wait *waiting_take(struct waiting *w, uint64_t turn)
{
    struct wait *taken = NULL;
    for (struct wait **at = &w->first; *at;) {
        struct wait *x = *at;
        if (x->turn > turn) {
            at = &x->next;
            continue;
        }
        *at = x->next;
        w->n--;
        w->bytes -= x->n;
        x->next = taken; /* the oldest comes first again */
        taken = x;
    }
    return taken;
}

void waiting_drop(struct waiting *w, struct wait *x)
{
    w->first = x->next;
    w->n--;
    w->bytes -= x->n;
    free(x);
}
