#include "space.h"
#include <stdio.h>
#include <string.h>

static const hb_str main_space = {"/", 1};

/* `*` matches any run of bytes. */
static bool matches(hb_str pattern, hb_str name)
{
    size_t p = 0, n = 0, star = SIZE_MAX, mark = 0;
    while (n < name.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            mark = n;
        } else if (p < pattern.n && pattern.p[p] == name.p[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

int space_check(const hb_strings *namespaces, char *error, size_t error_size)
{
    for (size_t i = 0; i < namespaces->n; i++) {
        hb_str s = namespaces->items[i];
        if (s.n > 0 && s.n <= SPACE_MAX && s.p[0] == '/' && !memchr(s.p, ':', s.n) && !memchr(s.p, ',', s.n))
            continue;
        snprintf(error, error_size, "the namespace \"%.*s\" must begin with /, have no : or , and at most %d bytes",
            (int)s.n, s.p, SPACE_MAX);
        return -1;
    }
    return 0;
}

static bool has_control(hb_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

bool space_exists(const struct options *o, hb_str space)
{
    if (space.n == 0 || space.n > SPACE_MAX || memchr(space.p, ':', space.n) || has_control(space))
        return false;
    for (size_t i = 0; i < o->namespaces.n; i++)
        if (matches(o->namespaces.items[i], space))
            return true;
    return false;
}

void space_of(const struct options *o, hb_str full, struct space_room *out)
{
    const char *colon = memchr(full.p, ':', full.n < SPACE_MAX ? full.n : SPACE_MAX);
    out->space = main_space;
    out->room = full;
    if (!colon || colon == full.p)
        return;
    size_t n = (size_t)(colon - full.p);
    out->text[0] = '/';
    memcpy(out->text + 1, full.p, n);
    hb_str space = {out->text, n + 1};
    if (!space_exists(o, space))
        return;
    out->space = space;
    out->room = (hb_str){colon + 1, full.n - n - 1};
}

bool space_full(const struct options *o, hb_str space, hb_str room, struct bytes *out)
{
    struct space_room whose;
    if (!str_same(space, main_space)) {
        bytes_append(out, space.p + 1, space.n - 1);
        bytes_char(out, ':');
        bytes_str(out, room);
        return room.n > 0;
    }
    bytes_str(out, room);
    space_of(o, room, &whose);
    return str_same(whose.space, main_space);
}

hb_str space_for_host(hb_str space)
{
    return str_same(space, main_space) ? (hb_str){NULL, 0} : space;
}

hb_str space_of_host(hb_str space)
{
    return space.p ? space : main_space;
}
