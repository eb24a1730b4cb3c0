/* What json.c and json_check.c both know of JSON's text. Not for others. */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char byte;

/*
 * Strings are run through eight bytes at a time: in a test of a word, each byte that stops the run
 * gets its top bit. A borrow can only falsify bytes above one that stops, and the lowest counts.
 */
#define EACH(b) ((uint64_t)0x0101010101010101 * (b))

static inline uint64_t load8(const byte *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return le64toh(word);
}

/* The first byte that has its top bit in `stop`, which is not 0. */
static inline unsigned first_stop(uint64_t stop)
{
    return (unsigned)__builtin_ctzll(stop) >> 3;
}

static inline bool is_space(byte c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const byte *skip_space(const byte *p, const byte *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

static inline int hex_value(byte c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of four hex digits at p, or -1. */
static inline int32_t hex4(const byte *p, const byte *end)
{
    int32_t v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0)
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

static inline bool high_surrogate(int32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static inline bool low_surrogate(int32_t unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

#endif
