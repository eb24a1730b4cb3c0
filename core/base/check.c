#include "base/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void check_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "hubbub: broken invariant at %s:%d: %s\n", file, line, what);
    abort();
}

static void *require(void *p)
{
    if (!p) {
        fputs("hubbub: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *mem_alloc(size_t n)
{
    return require(mem_try_alloc(n));
}

void *mem_zalloc(size_t n)
{
    return require(calloc(1, n ? n : 1));
}

void *mem_realloc(void *p, size_t n)
{
    return require(mem_try_realloc(p, n));
}

char *mem_strndup(const char *p, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (n > 0)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

void *mem_try_alloc(size_t n)
{
    return malloc(n ? n : 1);
}

void *mem_try_realloc(void *p, size_t n)
{
    return realloc(p, n ? n : 1);
}
