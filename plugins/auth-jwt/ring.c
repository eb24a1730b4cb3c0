#include "ring.h"

void ring_init(struct ring *r)
{
    *r = (struct ring){0};
    pthread_mutex_init(&r->lock, NULL);
    atomic_init(&r->version, 1);
}

void ring_finish(struct ring *r)
{
    for (int i = 0; i < RING_PARTS; i++)
        keys_unref(r->parts[i]);
    pthread_mutex_destroy(&r->lock);
}

void ring_put(struct ring *r, enum ring_part part, struct keys *adopt)
{
    pthread_mutex_lock(&r->lock);
    struct keys *old = r->parts[part];
    r->parts[part] = adopt;
    atomic_fetch_add(&r->version, 1);
    pthread_mutex_unlock(&r->lock);
    keys_unref(old);
}

unsigned ring_version(struct ring *r)
{
    return atomic_load(&r->version);
}

struct keys *ring_take(struct ring *r, unsigned *version)
{
    struct keys *all = keys_create();
    pthread_mutex_lock(&r->lock);
    for (int i = 0; i < RING_PARTS; i++)
        keys_add_all(all, r->parts[i]); /* KEYS_MAX bounds the sum too */
    *version = atomic_load(&r->version);
    pthread_mutex_unlock(&r->lock);
    return all;
}
