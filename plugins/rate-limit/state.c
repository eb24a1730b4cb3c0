#include "state.h"
#include <stdlib.h>

enum { OWN_MAX = 128 }; /* more than one configuration can ask for */

struct state *state_create(hb_sid sid)
{
    struct state *s = calloc(1, sizeof(*s));
    if (s)
        s->sid = sid;
    return s;
}

void state_destroy(struct state *s)
{
    if (s)
        free(s->own);
    free(s);
}

static struct own_bucket *fullest(struct state *s)
{
    struct own_bucket *best = s->own;
    for (size_t i = 1; i < s->n; i++)
        if (s->own[i].full_ns < best->full_ns)
            best = &s->own[i];
    return best;
}

static struct own_bucket *add(struct state *s)
{
    if (s->n == OWN_MAX)
        return fullest(s);
    struct own_bucket *grown = realloc(s->own, (s->n + 1) * sizeof(*grown));
    if (!grown)
        return NULL;
    s->own = grown;
    return &s->own[s->n++];
}

struct own_bucket *state_bucket(struct state *s, uint64_t id)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->own[i].id == id)
            return &s->own[i];
    struct own_bucket *b = add(s);
    if (b)
        *b = (struct own_bucket){.id = id};
    return b;
}
