#include "table.h"
#include "mem.h"
#include <string.h>
#include <sys/random.h>

enum { FIRST_SIZE = 64 };

void table_init(struct table *t)
{
    *t = (struct table){.size = FIRST_SIZE, .slots = mem_zalloc(FIRST_SIZE * sizeof(struct table_slot))};
    if (getrandom(t->secret, sizeof(t->secret), 0) != sizeof(t->secret))
        abort();
}

void table_finish(struct table *t)
{
    free(t->slots);
    t->slots = NULL;
}

/* Multiplication folded to its halves, as wyhash does it; the secret is never seen from outside. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_of(const struct table *t, hb_str key)
{
    uint64_t h = t->secret[0] ^ key.n;
    for (size_t i = 0; i < key.n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, key.p + i, key.n - i < 8 ? key.n - i : 8);
        h = fold(h ^ word, t->secret[1] | 1) + 0x9e3779b97f4a7c15u;
    }
    return fold(h ^ t->secret[1], 0xe7037ed1a0b428dbu);
}

/* The entry's slot, or the free one where it would go. */
static struct table_slot *find(const struct table *t, hb_str key, uint64_t hash)
{
    for (size_t i = hash & (t->size - 1);; i = (i + 1) & (t->size - 1)) {
        struct table_slot *s = &t->slots[i];
        if (!s->key.p || (s->hash == hash && s->key.n == key.n && memcmp(s->key.p, key.p, key.n) == 0))
            return s;
    }
}

void *table_get(const struct table *t, hb_str key)
{
    return find(t, key, hash_of(t, key))->value;
}

static void grow(struct table *t)
{
    struct table_slot *old = t->slots;
    size_t n = t->size;
    t->size *= 2;
    t->slots = mem_zalloc(t->size * sizeof(*t->slots));
    for (size_t i = 0; i < n; i++)
        if (old[i].key.p)
            *find(t, old[i].key, old[i].hash) = old[i];
    free(old);
}

void table_put(struct table *t, hb_str key, void *value)
{
    if (t->count * 2 >= t->size)
        grow(t);
    uint64_t hash = hash_of(t, key);
    *find(t, key, hash) = (struct table_slot){key, value, hash};
    t->count++;
}

/* Those behind it move up, so that none is cut off from its place. */
void table_remove(struct table *t, hb_str key)
{
    struct table_slot *s = find(t, key, hash_of(t, key));
    if (!s->key.p)
        return;
    size_t mask = t->size - 1, hole = (size_t)(s - t->slots);
    for (size_t i = (hole + 1) & mask; t->slots[i].key.p; i = (i + 1) & mask) {
        size_t home = t->slots[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        t->slots[hole] = t->slots[i];
        hole = i;
    }
    t->slots[hole] = (struct table_slot){{NULL, 0}, NULL, 0};
    t->count--;
}

void *table_next(const struct table *t, size_t *at)
{
    while (*at < t->size) {
        const struct table_slot *s = &t->slots[(*at)++];
        if (s->key.p)
            return s->value;
    }
    return NULL;
}
