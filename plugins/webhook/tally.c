#include "tally.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct entry {
    struct entry *next;  /* in its chain */
    size_t heap;         /* place in `leaving` + 1; 0: not leaving */
    uint64_t hash, count, due_ms;
    size_t n;
    char name[];
};

struct tally {
    struct entry **chains;
    size_t n_chains, n;       /* n_chains is a power of two */
    struct entry **leaving;   /* a heap by due_ms */
    size_t n_leaving, cap_leaving;
    struct entry *gone;       /* the last one that expired */
    uint64_t seed;
};

static uint64_t hash_of(const struct tally *t, hb_str name)
{
    uint64_t h = t->seed;
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)name.p[i]) * 0x9e3779b97f4a7c15;
    return h ^ h >> 32;
}

struct tally *tally_create(void)
{
    struct tally *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->n_chains = 64;
    t->chains = calloc(t->n_chains, sizeof(*t->chains));
    if (!t->chains || getrandom(&t->seed, sizeof(t->seed), 0) != sizeof(t->seed)) {
        tally_destroy(t);
        return NULL;
    }
    return t;
}

void tally_destroy(struct tally *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->chains && i < t->n_chains; i++)
        while (t->chains[i]) {
            struct entry *e = t->chains[i];
            t->chains[i] = e->next;
            free(e);
        }
    free(t->gone);
    free(t->leaving);
    free(t->chains);
    free(t);
}

/* ---- The heap of those that leave. */

static void place(struct tally *t, size_t i, struct entry *e)
{
    t->leaving[i] = e;
    e->heap = i + 1;
}

static void sift_up(struct tally *t, size_t i, struct entry *e)
{
    while (i > 0 && t->leaving[(i - 1) / 2]->due_ms > e->due_ms) {
        place(t, i, t->leaving[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(t, i, e);
}

static void sift_down(struct tally *t, size_t i, struct entry *e)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= t->n_leaving)
            break;
        if (child + 1 < t->n_leaving && t->leaving[child + 1]->due_ms < t->leaving[child]->due_ms)
            child++;
        if (t->leaving[child]->due_ms >= e->due_ms)
            break;
        place(t, i, t->leaving[child]);
        i = child;
    }
    place(t, i, e);
}

static void stay(struct tally *t, struct entry *e)
{
    size_t i = e->heap - 1;
    struct entry *last = t->leaving[--t->n_leaving];
    e->heap = 0;
    if (last == e)
        return;
    if (i > 0 && t->leaving[(i - 1) / 2]->due_ms > last->due_ms)
        sift_up(t, i, last);
    else
        sift_down(t, i, last);
}

/* There is room: one place is kept for each entry. */
static void leave(struct tally *t, struct entry *e)
{
    sift_up(t, t->n_leaving++, e);
}

/* ---- Entries. */

static struct entry **find(struct tally *t, hb_str name, uint64_t hash)
{
    struct entry **at = &t->chains[hash & (t->n_chains - 1)];
    while (*at &&
           ((*at)->hash != hash || (*at)->n != name.n || memcmp((*at)->name, name.p, name.n) != 0))
        at = &(*at)->next;
    return at;
}

/* Twice the chains when they get long; it does without when there is no memory. */
static void grow_chains(struct tally *t)
{
    size_t n = t->n_chains * 2;
    struct entry **chains = t->n < t->n_chains ? NULL : calloc(n, sizeof(*chains));
    if (!chains)
        return;
    for (size_t i = 0; i < t->n_chains; i++)
        while (t->chains[i]) {
            struct entry *e = t->chains[i];
            t->chains[i] = e->next;
            e->next = chains[e->hash & (n - 1)];
            chains[e->hash & (n - 1)] = e;
        }
    free(t->chains);
    t->chains = chains;
    t->n_chains = n;
}

static bool grow_leaving(struct tally *t)
{
    if (t->n < t->cap_leaving)
        return true;
    size_t cap = t->cap_leaving ? t->cap_leaving * 2 : 64;
    struct entry **grown = realloc(t->leaving, cap * sizeof(*grown));
    if (!grown)
        return false;
    t->leaving = grown;
    t->cap_leaving = cap;
    return true;
}

static bool add_entry(struct tally *t, hb_str name, uint64_t hash)
{
    struct entry *e = grow_leaving(t) ? malloc(sizeof(*e) + name.n + 1) : NULL;
    if (!e)
        return false;
    *e = (struct entry){.hash = hash, .count = 1, .n = name.n};
    memcpy(e->name, name.p, name.n);
    e->name[name.n] = '\0';
    t->n++;
    grow_chains(t);
    e->next = t->chains[hash & (t->n_chains - 1)];
    t->chains[hash & (t->n_chains - 1)] = e;
    return true;
}

bool tally_add(struct tally *t, hb_str name)
{
    uint64_t hash = hash_of(t, name);
    struct entry *e = *find(t, name, hash);
    if (!e)
        return add_entry(t, name, hash);
    if (e->heap)
        stay(t, e);
    e->count++;
    return false;
}

void tally_remove(struct tally *t, hb_str name, uint64_t now_ms, uint64_t grace_ms)
{
    struct entry *e = *find(t, name, hash_of(t, name));
    if (!e || e->count == 0 || --e->count > 0)
        return;
    e->due_ms = now_ms + grace_ms;
    leave(t, e);
}

uint64_t tally_due(const struct tally *t)
{
    return t->n_leaving ? t->leaving[0]->due_ms : UINT64_MAX;
}

bool tally_expire(struct tally *t, uint64_t now_ms, hb_str *name)
{
    free(t->gone);
    t->gone = NULL;
    if (!t->n_leaving || t->leaving[0]->due_ms > now_ms)
        return false;
    struct entry *e = t->leaving[0];
    stay(t, e);
    *find(t, (hb_str){e->name, e->n}, e->hash) = e->next;
    t->n--;
    t->gone = e;
    *name = (hb_str){e->name, e->n};
    return true;
}

size_t tally_count(const struct tally *t)
{
    return t->n;
}
