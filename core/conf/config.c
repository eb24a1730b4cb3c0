#include "conf/config.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/str.h"
#include "conf/options.h"
#include "conf/parse.h"
#include "conf/schema.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MODULES_MAX = 256 };

static bool is_module_name(hb_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '_' && (c != '-' || i == 0))
            return false;
    }
    return s.n > 0 && s.n <= 64;
}

static void add_module(struct config_modules *to, const hb_node *name, const hb_node *options,
    struct errors *errors)
{
    char shown[64];
    if (!is_module_name(node_text(name))) {
        errors_at(errors, name, "%s is no name of a module: letters, digits, '-' and '_'",
            name->kind == NODE_SCALAR ? node_shown(name, shown) : "this");
        return;
    }
    for (size_t i = 0; i < to->n; i++)
        if (str_eq(name->text, str_of(to->items[i].name))) {
            errors_at(errors, name, "'%s' is loaded already", name->text.p);
            return;
        }
    if (!options || options->kind == NODE_NULL)
        options = node_empty_map(options ? options : name);
    if (options->kind != NODE_MAP) {
        errors_at(errors, options, "'%s': expected a map of options, 'key: value'", name->text.p);
        return;
    }
    to->items[to->n++] = (struct config_module){name->text.p, options, false};
}

static struct config_modules make_modules(struct arena *a, size_t n)
{
    return (struct config_modules){arena_alloc(a, (n + 1) * sizeof(struct config_module)), 0};
}

static bool count_fits(const hb_node *node, struct errors *errors)
{
    if (node_count(node) <= MODULES_MAX)
        return true;
    errors_at(errors, node, "more than %d modules", MODULES_MAX);
    return false;
}

/* Each is "- name", or "- name: options". */
static void read_plugins(struct raw_config *raw, struct errors *errors)
{
    const hb_node *list = raw->plugins;
    struct config_modules *to = &raw->config.plugins;
    *to = make_modules(&raw->config.arena, 0);
    if (!list || list->kind == NODE_NULL || !count_fits(list, errors))
        return;
    if (list->kind != NODE_LIST) {
        errors_at(errors, list, "'plugins.load': expected a list, '- name: options'");
        return;
    }
    *to = make_modules(&raw->config.arena, list->n);
    for (size_t i = 0; i < list->n; i++) {
        const hb_node *item = node_item(list, i);
        if (item->kind == NODE_SCALAR)
            add_module(to, item, NULL, errors);
        else if (item->kind == NODE_MAP && item->n == 1)
            add_module(to, node_key(item, 0), node_item(item, 0), errors);
        else
            errors_at(errors, item, "expected one plugin, 'name: options'");
    }
}

static void default_transports(struct raw_config *raw, const hb_node *place)
{
    struct config_modules *to = &raw->config.transports;
    hb_str rest = HB_STR(HB_DEFAULT_TRANSPORTS), name;
    while (str_split(&rest, ',', &name) && to->n < MODULES_MAX)
        to->items[to->n++] = (struct config_module){
            arena_copy(&raw->config.arena, name), node_empty_map(place), true};
}

static const hb_option *find_option(const char *key)
{
    const hb_option *row = config_options;
    while (strcmp(row->key, key) != 0)
        row++;
    return row;
}

static void read_transports(struct raw_config *raw, struct errors *errors)
{
    const hb_option *directories = find_option("transports.directories");
    const hb_node *map = raw->transports;
    struct config *c = &raw->config;
    c->transports = make_modules(&c->arena, MODULES_MAX);
    if (map && map->kind != NODE_NULL && map->kind != NODE_MAP) {
        errors_at(errors, map, "'transports': expected a map, 'name: options'");
        return;
    }
    if (!count_fits(map, errors))
        return;
    for (size_t i = 0; i < node_count(map); i++) {
        const hb_node *key = node_key(map, i);
        if (str_eq(key->text, HB_STR("directories")))
            options_read_value(directories, node_item(map, i), &c->transport_directories, errors);
        else
            add_module(&c->transports, key, node_item(map, i), errors);
    }
    if (c->transports.n == 0)
        default_transports(raw, map ? map : c->root);
}

/* Nodes know their arena by its address, so the configuration stays where it was begun. */
static struct raw_config *begin(void)
{
    return mem_zalloc(sizeof(struct raw_config));
}

/* What begin gave becomes the result, or is freed. A draft may have errors. */
static struct config *build(struct raw_config *raw, const char *file, bool draft,
    struct errors *errors)
{
    struct config *c = &raw->config;
    if (c->root && errors->fatal <= ERRORS_MAX) {
        options_read(c->root, config_options, raw, errors);
        c->file = arena_copy(&c->arena, str_of(file));
        read_transports(raw, errors);
        read_plugins(raw, errors);
        verify(raw, errors);
        if (draft || !errors->fatal)
            return c;
    }
    config_free(c);
    return NULL;
}

struct config *config_load(const char *path, struct errors *errors)
{
    struct raw_config *raw = begin();
    raw->config.root = parse_file(&raw->config.arena, path, errors);
    return build(raw, path, false, errors);
}

struct config *config_draft(const char *path, struct errors *errors)
{
    struct raw_config *raw = begin();
    raw->config.root = parse_file(&raw->config.arena, path, errors);
    return build(raw, path, true, errors);
}

struct config *config_parse(const char *file, hb_str text, struct errors *errors)
{
    struct raw_config *raw = begin();
    raw->config.root = parse_text(&raw->config.arena, file, text, errors);
    return build(raw, file, false, errors);
}

void config_free(struct config *c)
{
    if (!c)
        return;
    arena_finish(&c->arena);
    free(c); /* the raw_config around it begins here */
}

const hb_node *config_drop_in(struct config *c, const char *so_path, struct errors *errors)
{
    hb_str stem = str_of(so_path);
    struct buf path = BUF_INIT;
    const hb_node *options;
    if (str_ends(stem, HB_STR(".so")))
        stem.n -= 3;
    buf_str(&path, stem);
    buf_append(&path, ".yaml", sizeof(".yaml"));
    if (access(path.p, F_OK) == 0)
        options = parse_file(&c->arena, path.p, errors);
    else
        options = parse_text(&c->arena, path.p, HB_STR(""), errors);
    buf_finish(&path);
    return options;
}

const struct config_room *config_room_rule(const struct config *c, hb_str room)
{
    bool of_user = str_starts(room, HB_STR("@"));
    for (size_t i = 0; i < c->rooms.n; i++) {
        const struct config_room *rule = &c->rooms.items[i];
        if ((rule->match[0] == '@') == of_user && str_glob(str_of(rule->match), room))
            return rule;
    }
    return of_user ? &c->user_rooms : NULL;
}

bool config_trusts_proxy(const struct config *c, const struct sockaddr *peer)
{
    for (size_t i = 0; i < c->trusted_proxies.n; i++)
        if (cidr_match(&c->trusted_proxies.items[i], peer))
            return true;
    return false;
}
