/*
 * A configuration of any bytes is refused with at least one error, or is a whole one: nothing hangs,
 * every field is in its bounds and every string is there.
 */
#include "base/str.h"
#include "base/utf8.h"
#include "conf/config.h"
#include "conf/parse.h"
#include "fuzz.h"
#include <stdio.h>
#include <string.h>

static void walk(const hb_node *node, unsigned depth)
{
    HOLDS(depth <= PARSE_MAX_DEPTH);
    HOLDS(node->line > 0 && node->column > 0);
    HOLDS(node->kind != NODE_SCALAR || node->text.p[node->text.n] == 0);
    HOLDS(node->kind != NODE_SCALAR || strlen(node->text.p) == node->text.n);
    HOLDS(node->kind != NODE_NULL || node->n == 0);
    for (size_t i = 0; i < node_count(node); i++) {
        const hb_node *key = node_key(node, i);
        HOLDS((key != NULL) == (node->kind == NODE_MAP));
        HOLDS(!key || node_get(node, key->text) != NULL);
        walk(node_item(node, i), depth + 1);
    }
}

static void check_whole(const struct config *c)
{
    walk(c->root, 0);
    HOLDS(utf8_name(str_of(c->node), 1, 64));
    HOLDS(c->workers >= 1 && c->workers <= 1024);
    HOLDS(c->listen.n >= 1 && c->transports.n >= 1);
    HOLDS(c->limits.connections >= 1 && c->limits.message_size >= 1);
    for (size_t i = 0; i < c->listen.n; i++)
        HOLDS(c->listen.items[i].port >= 1 && c->listen.items[i].port <= 65535);
    for (size_t i = 0; i < c->rooms.n; i++)
        HOLDS(c->rooms.items[i].match[0] && c->rooms.items[i].join != WHO_MEMBERS);
    for (size_t i = 0; i < c->plugins.n; i++)
        HOLDS(!strchr(c->plugins.items[i].name, '/') && c->plugins.items[i].node->kind == NODE_MAP);
    HOLDS(config_room_rule(c, HB_STR("@alice")) != NULL);
}

static void print(struct errors *errors)
{
    static FILE *nowhere;
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    errors_print(errors, nowhere);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct errors errors;
    errors_init(&errors);
    struct config *c = config_parse("fuzz.yaml", (hb_str){(const char *)data, size}, &errors);
    HOLDS((c == NULL) == (errors.fatal > 0));
    if (c)
        check_whole(c);
    print(&errors);
    config_free(c);
    errors_finish(&errors);
    return 0;
}
