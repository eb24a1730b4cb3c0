/*
 * libyaml gives events, not a tree, so nothing here recurses: a stack of open lists and maps takes
 * each value in. Scalars are put through conf/expand.c on their way.
 */
#include "conf/parse.h"
#include "base/check.h"
#include "base/map.h"
#include "base/str.h"
#include "conf/expand.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* An open list or map. */
struct level {
    hb_node *node;
    hb_node **items;   /* owned while open */
    size_t n, cap;
    struct map keys;   /* MAP: names seen; borrowed from the key nodes */
};

struct parser {
    yaml_parser_t yaml;
    const struct document *doc;
    struct errors *errors;
    struct level levels[PARSE_MAX_DEPTH];
    size_t depth;
    hb_node *root;
    size_t nodes, bytes;
    unsigned line, column; /* of a value that stands elsewhere (an option's default), or 0 */
    bool failed, documents;
};

static void fail(struct parser *p, yaml_mark_t at, const char *what)
{
    p->failed = true;
    if (p->line)
        errors_add(p->errors, p->doc->file, p->line, p->column, "%s", what);
    else
        errors_add(p->errors, p->doc->file, (unsigned)at.line + 1, (unsigned)at.column + 1, "%s",
            what);
}

static hb_node *make_node(struct parser *p, enum node_kind kind, yaml_mark_t at)
{
    hb_node *node = arena_alloc(p->doc->arena, sizeof(*node));
    node->kind = kind;
    node->doc = p->doc;
    node->line = p->line ? p->line : (unsigned)at.line + 1;
    node->column = p->line ? p->column : (unsigned)at.column + 1;
    return node;
}

static bool wants_key(const struct level *l)
{
    return l->node->kind == NODE_MAP && l->n % 2 == 0;
}

static void push_item(struct level *l, hb_node *item)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 8;
        l->items = mem_realloc(l->items, l->cap * sizeof(l->items[0]));
    }
    l->items[l->n++] = item;
}

static hb_str text_of(const void *node)
{
    return ((const hb_node *)node)->text;
}

static void take_key(struct parser *p, struct level *l, hb_node *key)
{
    if (key->kind != NODE_SCALAR) {
        errors_at(p->errors, key, "a key must be a plain word");
        p->failed = true;
        return;
    }
    const hb_node *before = map_get(&l->keys, key->text);
    key->broken = before != NULL;
    if (before)
        errors_at(p->errors, key, "duplicate key '%.64s'; it was given in line %u already",
            key->text.p, before->line);
    else
        map_put(&l->keys, key);
    push_item(l, key);
}

/* A value is complete or, for lists and maps, begun: it goes where the innermost open one waits. */
static void take(struct parser *p, hb_node *node, yaml_mark_t at)
{
    if (++p->nodes > PARSE_MAX_NODES) {
        fail(p, at, "the file holds too many values");
    } else if (p->depth == 0) {
        p->root = node;
    } else {
        struct level *l = &p->levels[p->depth - 1];
        if (wants_key(l))
            take_key(p, l, node);
        else
            push_item(l, node);
    }
}

static void open_level(struct parser *p, enum node_kind kind, const yaml_event_t *ev)
{
    hb_node *node = make_node(p, kind, ev->start_mark);
    if (p->depth == PARSE_MAX_DEPTH) {
        fail(p, ev->start_mark, "nested too deep");
        return;
    }
    take(p, node, ev->start_mark);
    if (p->failed)
        return;
    struct level *l = &p->levels[p->depth++];
    *l = (struct level){.node = node};
    map_init(&l->keys, text_of);
}

/* The first of a key's pairs stays, so that whoever looks it up and whoever walks see the same. */
static void drop_duplicates(struct level *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i += 2) {
        if (l->items[i]->broken)
            continue;
        l->items[kept++] = l->items[i];
        l->items[kept++] = l->items[i + 1];
    }
    l->n = kept;
}

static void close_level(struct parser *p)
{
    struct level *l = &p->levels[--p->depth];
    if (l->node->kind == NODE_MAP)
        drop_duplicates(l);
    size_t bytes = l->n * sizeof(l->items[0]);
    l->node->items = arena_alloc(p->doc->arena, bytes);
    if (bytes)
        memcpy(l->node->items, l->items, bytes);
    l->node->n = l->node->kind == NODE_MAP ? l->n / 2 : l->n;
    map_finish(&l->keys);
    free(l->items);
}

static bool is_null(hb_str plain)
{
    return plain.n == 0 || str_eq(plain, HB_STR("~")) || str_eq(plain, HB_STR("null"));
}

/* Put variables into a scalar's text; the text is the arena's afterwards. */
static void expand_text(struct parser *p, hb_node *node, hb_str raw)
{
    struct buf out = BUF_INIT;
    char why[128];
    out.limit = PARSE_MAX_EXPANDED - p->bytes;
    node->expanded = str_find(raw, HB_STR("${")) != SIZE_MAX;
    node->broken = !expand(raw, &out, why, sizeof(why));
    if (node->broken)
        errors_at(p->errors, node, "%s", why);
    if (out.failed)
        fail(p, (yaml_mark_t){0, node->line - 1, node->column - 1},
            "the values are too long in all");
    p->bytes += out.n;
    node->text = (hb_str){arena_copy(p->doc->arena, buf_view(&out)), out.n};
    buf_finish(&out);
}

static void take_scalar(struct parser *p, const yaml_event_t *ev)
{
    hb_str raw = {(const char *)ev->data.scalar.value, ev->data.scalar.length};
    bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool key = p->depth && wants_key(&p->levels[p->depth - 1]);
    hb_node *node = make_node(p, plain && is_null(raw) ? NODE_NULL : NODE_SCALAR, ev->start_mark);
    if (memchr(raw.p, 0, raw.n))
        fail(p, ev->start_mark, "a value can't hold a NUL character");
    else if (key)
        node->text = (hb_str){arena_copy(p->doc->arena, raw), raw.n};
    else if (node->kind == NODE_SCALAR)
        expand_text(p, node, raw);
    if (!p->failed)
        take(p, node, ev->start_mark);
}

static const char *refused(const yaml_event_t *ev)
{
    static const char anchor[] = "anchors and aliases are not supported";
    static const char tag[] = "tags are not supported";
    switch (ev->type) {
    case YAML_ALIAS_EVENT:
        return anchor;
    case YAML_SCALAR_EVENT:
        return ev->data.scalar.anchor ? anchor : ev->data.scalar.tag ? tag : NULL;
    case YAML_SEQUENCE_START_EVENT:
        return ev->data.sequence_start.anchor ? anchor : ev->data.sequence_start.tag ? tag : NULL;
    case YAML_MAPPING_START_EVENT:
        return ev->data.mapping_start.anchor ? anchor : ev->data.mapping_start.tag ? tag : NULL;
    default:
        return NULL;
    }
}

static void handle(struct parser *p, const yaml_event_t *ev)
{
    const char *why = refused(ev);
    if (why) {
        fail(p, ev->start_mark, why);
        return;
    }
    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (p->documents)
            fail(p, ev->start_mark, "one document only: a second one begins here");
        p->documents = true;
        break;
    case YAML_SCALAR_EVENT:
        take_scalar(p, ev);
        break;
    case YAML_SEQUENCE_START_EVENT:
        open_level(p, NODE_LIST, ev);
        break;
    case YAML_MAPPING_START_EVENT:
        open_level(p, NODE_MAP, ev);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_level(p);
        break;
    default:
        break;
    }
}

/* The reader (bad UTF-8, control characters) tells an offset only. */
static yaml_mark_t mark_of(const yaml_parser_t *yaml, hb_str text)
{
    yaml_mark_t m = {0, 0, 0};
    if (yaml->error != YAML_READER_ERROR)
        return yaml->problem_mark;
    for (size_t i = 0; i < yaml->problem_offset && i < text.n; i++) {
        m.column++;
        if (text.p[i] == '\n') {
            m.line++;
            m.column = 0;
        }
    }
    return m;
}

static void run(struct parser *p, hb_str text)
{
    bool done = false;
    while (!p->failed && !done) {
        yaml_event_t ev;
        if (!yaml_parser_parse(&p->yaml, &ev)) {
            fail(p, mark_of(&p->yaml, text), p->yaml.problem ? p->yaml.problem : "no YAML");
            return;
        }
        done = ev.type == YAML_STREAM_END_EVENT;
        handle(p, &ev);
        yaml_event_delete(&ev);
    }
}

static void finish(struct parser *p)
{
    while (p->depth) {
        struct level *l = &p->levels[--p->depth];
        map_finish(&l->keys);
        free(l->items);
    }
    yaml_parser_delete(&p->yaml);
}

/* NULL when it failed; a NODE_NULL when there is nothing in `text`. */
static hb_node *read_tree(const struct document *doc, hb_str text, const hb_node *like,
    struct errors *errors)
{
    struct parser p = {.doc = doc, .errors = errors};
    hb_node *root = NULL;
    if (like) {
        p.line = like->line;
        p.column = like->column;
    }
    CHECK_INVARIANT(yaml_parser_initialize(&p.yaml));
    yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p.yaml, (const unsigned char *)text.p, text.n);
    run(&p, text);
    if (!p.failed)
        root = p.root ? p.root : make_node(&p, NODE_NULL, (yaml_mark_t){0, 0, 0});
    finish(&p);
    return root;
}

/* The absolute folder of a file that need not exist. */
static const char *folder_of(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    char real[PATH_MAX];
    const char *folder = ".";
    if (slash)
        folder = arena_copy(a, (hb_str){path, slash == path ? 1 : (size_t)(slash - path)});
    return arena_copy(a, str_of(realpath(folder, real) ? real : folder));
}

static const struct document *make_document(struct arena *a, const char *file)
{
    struct document *doc = arena_alloc(a, sizeof(*doc));
    doc->file = arena_copy(a, str_of(file));
    doc->folder = folder_of(a, file);
    doc->arena = a;
    return doc;
}

const hb_node *parse_text(struct arena *a, const char *file, hb_str text, struct errors *errors)
{
    hb_node *root;
    if (text.n > PARSE_MAX_BYTES) {
        errors_add(errors, file, 0, 0, "larger than %d bytes", PARSE_MAX_BYTES);
        return NULL;
    }
    root = read_tree(make_document(a, file), text, NULL, errors);
    if (root && root->kind == NODE_NULL)
        return node_empty_map(root);
    if (root && root->kind != NODE_MAP) {
        errors_at(errors, root, "expected keys with their values, 'key: value'");
        return NULL;
    }
    return root;
}

const hb_node *parse_value(const hb_node *like, hb_str text, struct errors *errors)
{
    return read_tree(like->doc, text, like, errors);
}

/* One piece past the bound is enough to know. False: errno says why. */
static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "re");
    char piece[16 * 1024];
    size_t got;
    if (!f)
        return false;
    while (out->n <= PARSE_MAX_BYTES && (got = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_append(out, piece, got);
    int fault = ferror(f) ? errno : 0;
    fclose(f);
    errno = fault;
    return fault == 0;
}

const hb_node *parse_file(struct arena *a, const char *path, struct errors *errors)
{
    struct buf text = BUF_INIT;
    const hb_node *root = NULL;
    if (read_file(path, &text))
        root = parse_text(a, path, text.n ? buf_view(&text) : HB_STR(""), errors);
    else
        errors_add(errors, path, 0, 0, "can't be read: %s", strerror(errno));
    buf_finish(&text);
    return root;
}
