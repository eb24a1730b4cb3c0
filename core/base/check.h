/*
 * Broken invariants abort; small fixed allocations abort when memory is out. Anything whose size a
 * peer chose goes through mem_try_*, and its NULL fails that peer only.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stddef.h>

/* Like assert(), but never compiled out. */
#define CHECK_INVARIANT(cond) \
    ((cond) ? (void)0 : check_fail(#cond, __FILE__, __LINE__))

_Noreturn void check_fail(const char *what, const char *file, int line);

void *mem_alloc(size_t n);               /* uninitialised; aborts when out of memory */
void *mem_zalloc(size_t n);              /* zeroed; aborts when out of memory */
void *mem_realloc(void *p, size_t n);    /* aborts when out of memory */
char *mem_strndup(const char *p, size_t n); /* NUL-terminated copy; aborts when out of memory */
void *mem_try_alloc(size_t n);           /* NULL when out of memory */
void *mem_try_realloc(void *p, size_t n);

/* The struct of TYPE that embeds *PTR as MEMBER. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
