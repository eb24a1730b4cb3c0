/* Walking a tree that parse.c made. */
#include "base/str.h"
#include "conf/parse.h"
#include <stdio.h>

hb_str node_text(const hb_node *node)
{
    return node && node->kind == NODE_SCALAR ? node->text : (hb_str){NULL, 0};
}

size_t node_count(const hb_node *node)
{
    return node ? node->n : 0;
}

const hb_node *node_item(const hb_node *node, size_t i)
{
    if (i >= node_count(node))
        return NULL;
    return node->items[node->kind == NODE_MAP ? 2 * i + 1 : i];
}

const hb_node *node_key(const hb_node *map, size_t i)
{
    return map && map->kind == NODE_MAP && i < map->n ? map->items[2 * i] : NULL;
}

const hb_node *node_get(const hb_node *map, hb_str key)
{
    for (size_t i = 0; i < node_count(map) && map->kind == NODE_MAP; i++)
        if (str_eq(map->items[2 * i]->text, key))
            return map->items[2 * i + 1];
    return NULL;
}

const hb_node *node_empty_map(const hb_node *like)
{
    hb_node *map = arena_alloc(like->doc->arena, sizeof(*map));
    map->kind = NODE_MAP;
    map->line = like->line;
    map->column = like->column;
    map->doc = like->doc;
    return map;
}

const char *node_shown(const hb_node *scalar, char out[static 64])
{
    if (scalar->expanded)
        snprintf(out, 64, "the value from the environment");
    else
        snprintf(out, 64, "'%.40s%s'", scalar->text.p, scalar->text.n > 40 ? "…" : "");
    return out;
}
