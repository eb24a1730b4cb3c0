#include "admin/window.h"
#include "base/check.h"
#include <stdlib.h>
#include <string.h>

enum { SLACK_MS = 500 }; /* ticks are not on the dot */

void window_init(struct window *w, uint64_t over_ms, size_t width)
{
    uint64_t spacing = over_ms / WINDOW_POINTS;
    *w = (struct window){.over_ms = over_ms, .spacing_ms = spacing > 1000 ? spacing : 1000, .width = width};
    w->cap = (size_t)(over_ms / w->spacing_ms) + 2;
    w->times = mem_zalloc(w->cap * sizeof(*w->times));
    w->items = mem_zalloc(w->cap * width * sizeof(*w->items));
}

void window_finish(struct window *w)
{
    free(w->times);
    free(w->items);
    memset(w, 0, sizeof(*w));
}

static void drop_oldest(struct window *w)
{
    w->first = (w->first + 1) % w->cap;
    w->n--;
}

void window_advance(struct window *w, uint64_t now_ms)
{
    while (w->n > 0 && w->times[w->first] + w->over_ms + SLACK_MS < now_ms)
        drop_oldest(w);
}

void window_put(struct window *w, uint64_t now_ms, const double *point)
{
    size_t last = (w->first + w->n + w->cap - 1) % w->cap;
    if (w->n > 0 && now_ms + SLACK_MS < w->times[last] + w->spacing_ms)
        return;
    if (!w->began_ms)
        w->began_ms = now_ms;
    if (w->n == w->cap)
        drop_oldest(w);
    size_t at = (w->first + w->n++) % w->cap;
    w->times[at] = now_ms;
    memcpy(w->items + at * w->width, point, w->width * sizeof(*point));
}

const double *window_oldest(const struct window *w)
{
    return w->n > 0 ? w->items + w->first * w->width : NULL;
}

bool window_full(const struct window *w, uint64_t now_ms)
{
    return w->began_ms && now_ms + SLACK_MS >= w->began_ms + w->over_ms;
}

double window_mean(const struct window *w)
{
    double sum = 0;
    for (size_t i = 0; i < w->n; i++)
        sum += w->items[(w->first + i) % w->cap * w->width];
    return w->n > 0 ? sum / (double)w->n : 0;
}
