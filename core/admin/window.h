/*
 * The last while of some numbers: points put once a second, kept for `over_ms`, thinned out where
 * that is long, so that its memory has a bound. One thread.
 */
#ifndef ADMIN_WINDOW_H
#define ADMIN_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WINDOW_POINTS = 300 };

struct window {
    uint64_t over_ms, spacing_ms;
    size_t width;         /* numbers of a point */
    size_t first, n, cap; /* points */
    uint64_t began_ms;    /* when the first point ever was put */
    uint64_t *times;
    double *items;        /* owned: cap × width */
};

void window_init(struct window *w, uint64_t over_ms, size_t width);
void window_finish(struct window *w); /* of a zeroed one, too */
/* Drop what is older than the window. */
void window_advance(struct window *w, uint64_t now_ms);
void window_put(struct window *w, uint64_t now_ms, const double *point);
/* The oldest point, or NULL. */
const double *window_oldest(const struct window *w);
/* Has one full window passed? */
bool window_full(const struct window *w, uint64_t now_ms);
double window_mean(const struct window *w); /* of each point's first number; 0 without any */

#endif
