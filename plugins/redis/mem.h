/* Small fixed allocations: without them nothing goes on, so there is no failing. */
#ifndef REDIS_MEM_H
#define REDIS_MEM_H

#include <stddef.h>
#include <stdlib.h>

static inline void *mem_need(void *p)
{
    if (!p)
        abort();
    return p;
}

static inline void *mem_zalloc(size_t n)
{
    return mem_need(calloc(1, n));
}

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
