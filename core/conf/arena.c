#include "conf/arena.h"
#include "base/check.h"
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 16 * 1024, ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(ALIGN) char bytes[];
};

void arena_init(struct arena *a)
{
    a->blocks = NULL;
}

void arena_finish(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        free(b);
    }
}

static void add_block(struct arena *a, size_t at_least)
{
    size_t size = at_least > BLOCK_BYTES ? at_least : BLOCK_BYTES;
    struct arena_block *b = mem_alloc(sizeof(*b) + size);
    b->next = a->blocks;
    b->used = 0;
    b->size = size;
    a->blocks = b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!a->blocks || a->blocks->size - a->blocks->used < n)
        add_block(a, n);
    void *p = a->blocks->bytes + a->blocks->used;
    a->blocks->used += n;
    return memset(p, 0, n);
}

char *arena_copy(struct arena *a, hb_str s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}
