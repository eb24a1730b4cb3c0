/*
 * The rooms of a worker, page by page. Their order is that of their hashes, so that what comes and
 * goes meanwhile shifts nobody onto another page; only the array of hashes is run through.
 */
#include "base/check.h"
#include "room/home_inner.h"
#include <stdlib.h>

/* The `limit` lowest hashes that were put, the highest on top. */
struct heap {
    uint32_t *items;
    size_t n, limit;
};

static void sift_down(struct heap *h)
{
    for (size_t i = 0, child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->items[child + 1] > h->items[child])
            child++;
        if (h->items[i] >= h->items[child])
            return;
        uint32_t swap = h->items[i];
        h->items[i] = h->items[child];
        h->items[child] = swap;
    }
}

static void put(struct heap *h, uint32_t hash)
{
    if (h->n == h->limit) {
        if (hash < h->items[0]) {
            h->items[0] = hash;
            sift_down(h);
        }
        return;
    }
    size_t i = h->n++;
    for (; i > 0 && h->items[(i - 1) / 2] < hash; i = (i - 1) / 2)
        h->items[i] = h->items[(i - 1) / 2];
    h->items[i] = hash;
}

/* The last hash of the page, and whether there are more behind it. */
static uint32_t page_end(const struct map *rooms, uint32_t after, size_t limit, bool *more)
{
    struct heap h = {mem_alloc(limit * sizeof(uint32_t)), 0, limit};
    size_t behind = 0;
    for (size_t i = 0; i < rooms->cap; i++) {
        if (rooms->hashes[i] <= after)
            continue;
        behind++;
        put(&h, rooms->hashes[i]);
    }
    uint32_t last = h.n ? h.items[0] : after;
    *more = behind > h.n;
    free(h.items);
    return last;
}

uint32_t homes_page(struct shard *s, uint32_t after, size_t limit,
    void (*fn)(hb_str room, int64_t members, void *arg), void *arg)
{
    const struct map *rooms = &s->homes->rooms;
    bool more;
    uint32_t last = page_end(rooms, after, limit, &more);
    for (size_t i = 0; i < rooms->cap; i++) {
        const struct home *h = rooms->values[i];
        if (rooms->hashes[i] > after && rooms->hashes[i] <= last)
            fn(home_name(h), h->total, arg);
    }
    return more ? last : 0;
}
