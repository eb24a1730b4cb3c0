#include "conf/changes.h"
#include "base/str.h"
#include "conf/parse.h"

enum { LEVELS_MAX = 3 };

static bool same(const hb_node *a, const hb_node *b)
{
    if (!a || !b || a->kind != b->kind || node_count(a) != node_count(b))
        return a == b;
    if (a->kind == NODE_SCALAR)
        return str_eq(a->text, b->text);
    for (size_t i = 0; i < node_count(a); i++) {
        const hb_node *other = a->kind == NODE_MAP ? node_get(b, node_key(a, i)->text) : node_item(b, i);
        if (!other || !same(node_item(a, i), other))
            return false;
    }
    return true;
}

/* The keys on the way to a value, outermost first. */
struct path {
    hb_str keys[LEVELS_MAX];
    int n;
};

static void tell(const struct path *at, struct buf *out)
{
    buf_lit(out, out->n > 0 ? ", " : "");
    for (int i = 0; i < at->n; i++) {
        buf_lit(out, i > 0 ? "." : "");
        buf_str(out, at->keys[i]);
    }
}

static void compare(const hb_node *a, const hb_node *b, struct path at, struct buf *out);

static void compare_key(const hb_node *a, const hb_node *b, hb_str key, struct path at, struct buf *out)
{
    at.keys[at.n++] = key;
    compare(node_get(a, key), node_get(b, key), at, out);
}

/* A section that is missing is looked at as an empty one: its keys are what came or went. */
static void compare(const hb_node *a, const hb_node *b, struct path at, struct buf *out)
{
    bool maps = (!a || a->kind == NODE_MAP) && (!b || b->kind == NODE_MAP);
    if (same(a, b))
        return;
    if (!maps || at.n == LEVELS_MAX || node_count(a) + node_count(b) == 0) {
        tell(&at, out);
        return;
    }
    for (size_t i = 0; i < node_count(a); i++)
        compare_key(a, b, node_key(a, i)->text, at, out);
    for (size_t i = 0; i < node_count(b); i++)
        if (!node_get(a, node_key(b, i)->text))
            compare_key(a, b, node_key(b, i)->text, at, out);
}

void config_changes(const struct config *before, const struct config *after, struct buf *out)
{
    compare(before->root, after->root, (struct path){.n = 0}, out);
}
