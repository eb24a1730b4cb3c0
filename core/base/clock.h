/*
 * Time. Two clocks: monotonic for everything that measures a span, wall for what people and other
 * machines read. Tests set a fake per thread; nothing else does.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

uint64_t clock_mono_ms(void);   /* CLOCK_MONOTONIC */
uint64_t clock_mono_us(void);
int64_t clock_wall_ms(void);    /* milliseconds since 1970, UTC */

/* For tests: from now on this thread sees these times (mono_ms, wall_ms); clock_fake_advance moves
 * both; clock_real ends it. */
void clock_fake(uint64_t mono_ms, int64_t wall_ms);
void clock_fake_advance(uint64_t ms);
void clock_real(void);

#endif
