#include "http.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool equals(hb_str s, hb_str other)
{
    return s.n == other.n && (s.n == 0 || memcmp(s.p, other.p, s.n) == 0);
}

bool http_is_one_of(const hb_strings *paths, hb_str path)
{
    for (size_t i = 0; i < paths->n; i++)
        if (equals(path, paths->items[i]))
            return true;
    return false;
}

int http_check_paths(const hb_strings *paths, char *error, size_t error_size)
{
    for (size_t i = 0; i < paths->n; i++) {
        hb_str path = paths->items[i];
        if (path.n > 0 && path.p[0] == '/' && !memchr(path.p, '?', path.n))
            continue;
        snprintf(error, error_size, "the path \"%.*s\" must begin with / and have no query",
            (int)path.n, path.p);
        return -1;
    }
    return 0;
}

bool http_method_is(const hb_request *req, hb_str method)
{
    return equals(req->method, method);
}

void http_refuse_method(const hb_net *net, hb_request *req, hb_str allow)
{
    const hb_header headers[] = {
        {HB_STR("allow"), allow},
        {HB_STR("content-type"), HB_STR("application/json")},
        {HB_STR("cache-control"), HB_STR("no-store")},
    };
    net->respond(req, 405, headers, 3, HB_STR("{\"error\":{\"code\":\"method_not_allowed\","
        "\"message\":\"This path answers to other methods only.\"}}"));
}

struct opening *opening_create(void)
{
    return calloc(1, sizeof(struct opening));
}

void opening_destroy(const hb_net *net, struct opening *o)
{
    if (!o)
        return;
    net->out_destroy(o->merged);
    free(o->rooms);
    free(o->cursors);
    free(o);
}

static bool add(hb_str **list, size_t *n, size_t *cap, hb_str item)
{
    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 4;
        hb_str *grown = realloc(*list, more * sizeof(hb_str));
        if (!grown)
            return false;
        *list = grown;
        *cap = more;
    }
    (*list)[(*n)++] = item;
    return true;
}

bool opening_add_room(struct opening *o, hb_str room)
{
    return add(&o->rooms, &o->n_rooms, &o->cap_rooms, room);
}

bool opening_add_cursor(struct opening *o, hb_str cursor)
{
    return add(&o->cursors, &o->n_cursors, &o->cap_cursors, cursor);
}

/* The host bounds how many parameters there are. */
bool opening_add_query(const hb_net *net, hb_request *req, struct opening *o)
{
    hb_str value;
    for (size_t i = 0; (value = net->query(req, HB_STR("room"), i)).p; i++)
        if (!opening_add_room(o, value))
            return false;
    for (size_t i = 0; (value = net->query(req, HB_STR("cursor"), i)).p; i++)
        if (!opening_add_cursor(o, value))
            return false;
    return true;
}

/* A lone one, or several that are none, go on as they are: then the client is told. */
void opening_settle(const hb_net *net, struct opening *o)
{
    if (o->n_cursors == 0)
        return;
    o->cursor = o->cursors[0];
    if (o->n_cursors == 1)
        return;
    o->merged = net->out_create();
    if (net->cursor_merge(o->cursors, o->n_cursors, o->merged) > 0 && !net->out_failed(o->merged))
        o->cursor = net->out_view(o->merged);
}
