/*
 * conf/README.md and conf/full.yaml say what the option tables say: all of it, and nothing else.
 * The tables of transports and plugins are asked of the modules that the build made.
 */
#include "base/buf.h"
#include "base/str.h"
#include "conf/config.h"
#include "conf/options.h"
#include "conf/parse.h"
#include "conf/schema.h"
#include "unit.h"
#include <dlfcn.h>
#include <glob.h>
#include <hubbub/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define README SOURCE_ROOT "/conf/README.md"
#define FULL SOURCE_ROOT "/conf/full.yaml"
#define SMALLEST SOURCE_ROOT "/conf/hubbub.yaml"

static struct arena arena;
static struct errors errors;

static hb_str read_text(const char *path)
{
    static struct buf text;
    FILE *f = fopen(path, "r");
    int c;
    if (!f)
        unit_fail(__FILE__, __LINE__, "no %s", path);
    buf_clear(&text);
    while ((c = getc(f)) != EOF)
        buf_char(&text, (char)c);
    fclose(f);
    return buf_view(&text);
}

static void check_no_errors(void)
{
    if (errors.n)
        unit_fail(__FILE__, __LINE__, "%s:%u: %s", errors.items[0].file, errors.items[0].line,
            errors.items[0].message);
}

/* ---- README.md ---- */

static const char *type_name(hb_option_type type)
{
    static const char *const names[] = {
        [HB_OPT_BOOL] = "bool", [HB_OPT_INT] = "integer", [HB_OPT_NUMBER] = "number",
        [HB_OPT_STRING] = "text", [HB_OPT_PATH] = "path", [HB_OPT_DURATION] = "duration",
        [HB_OPT_SIZE] = "size", [HB_OPT_RATE] = "rate", [HB_OPT_CHOICE] = "choice",
        [HB_OPT_STRINGS] = "texts", [HB_OPT_PATHS] = "paths", [HB_OPT_LIST] = "list",
        [HB_OPT_NODE] = "map"};
    return names[type];
}

static void render(struct buf *out, const char *prefix, const hb_option *row)
{
    buf_printf(out, "| `%s%s` | %s | ", prefix, row->key, type_name(row->type));
    if (row->required)
        buf_lit(out, "required");
    else if (row->def)
        buf_printf(out, "`%s`", row->def);
    buf_printf(out, " | %s |\n", row->doc);
}

/* The lines that the README must have, in order. */
static void render_table(struct buf *out, const char *prefix, const hb_option *table)
{
    char inner[128];
    for (; table->key; table++) {
        if (strcmp(table->key, ".") == 0)
            continue;
        CHECK(table->doc && *table->doc);
        render(out, prefix, table);
        snprintf(inner, sizeof(inner), "%s%s[].", prefix, table->key);
        if (table->sub)
            render_table(out, inner, table->sub);
    }
}

static void check_lines_are_in(hb_str lines, hb_str text, const char *complaint)
{
    hb_str line;
    while (str_split(&lines, '\n', &line)) {
        hb_str whole = {line.p, line.n + 1};
        if (str_starts(line, HB_STR("| `")) && str_find(text, whole) == SIZE_MAX)
            unit_fail(__FILE__, __LINE__, "%s: %.*s", complaint, (int)line.n, line.p);
    }
}

TEST(the_readme_has_a_line_for_each_option_and_no_other)
{
    struct buf lines = BUF_INIT;
    render_table(&lines, "", config_options);
    if (getenv("CONF_DOCS_PRINT")) /* to paste into the README */
        fwrite(lines.p, 1, lines.n, stderr);
    hb_str readme = read_text(README);
    check_lines_are_in(buf_view(&lines), readme, "README.md lacks");
    check_lines_are_in(readme, buf_view(&lines), "README.md has what is no option");
    buf_finish(&lines);
}

/* ---- full.yaml ---- */

/* With the options that are commented out: a "#" without a space behind it goes. */
static void uncomment(hb_str text, struct buf *out)
{
    hb_str line;
    while (str_split(&text, '\n', &line)) {
        size_t indent = 0;
        while (indent < line.n && line.p[indent] == ' ')
            indent++;
        bool option = indent + 1 < line.n && line.p[indent] == '#' && line.p[indent + 1] != ' ';
        buf_append(out, line.p, indent);
        buf_str(out, str_sub(line, indent + option, line.n));
        buf_char(out, '\n');
    }
}

static const hb_node *find(const hb_node *map, const char *dotted)
{
    hb_str rest = str_of(dotted), key;
    while (map && str_split(&rest, '.', &key))
        map = node_get(map, key);
    return map;
}

static void check_has_all(const char *whose, const hb_option *table, const hb_node *const *maps,
    size_t n);

static void check_has(const char *whose, const hb_option *row, const hb_node *const *maps, size_t n)
{
    const hb_node *inner[64];
    size_t n_inner = 0;
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        const hb_node *at = find(maps[i], row->key);
        found |= at != NULL;
        for (size_t j = 0; row->sub && j < node_count(at) && n_inner < 64; j++)
            inner[n_inner++] = node_item(at, j);
    }
    if (!found)
        unit_fail(__FILE__, __LINE__, "full.yaml lacks '%s' %s", row->key, whose);
    if (row->sub)
        check_has_all(whose, row->sub, inner, n_inner);
}

/* Each key of the table is in one of the maps, at least. */
static void check_has_all(const char *whose, const hb_option *table, const hb_node *const *maps,
    size_t n)
{
    for (; table->key; table++)
        if (strcmp(table->key, ".") != 0)
            check_has(whose, table, maps, n);
}

static const hb_node *read_uncommented(void)
{
    struct buf text = BUF_INIT;
    setenv("JWT_SECRET", "x", 1);
    uncomment(read_text(FULL), &text);
    const hb_node *root = parse_text(&arena, FULL, buf_view(&text), &errors);
    buf_finish(&text);
    check_no_errors();
    return root;
}

TEST(full_yaml_has_every_option)
{
    struct raw_config *raw = calloc(1, sizeof(*raw));
    const hb_node *root = read_uncommented();
    options_read(root, config_options, raw, &errors);
    check_no_errors();
    check_has_all("of the core", config_options, &root, 1);
    CHECK(raw->config.alerts.n > 0 && raw->config.notify.n > 0);
    free(raw);
}

static bool same_strings(const void *a, const void *b)
{
    hb_strings x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    for (size_t i = 0; i < x.n && x.n == y.n; i++)
        if (!str_eq(x.items[i], y.items[i]))
            return false;
    return x.n == y.n;
}

static bool same_table(const hb_option *table, const char *a, const char *b);

static bool same_list(const hb_option *row, const void *a, const void *b)
{
    hb_list x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    for (size_t i = 0; i < x.n && x.n == y.n; i++)
        if (!same_table(row->sub, (const char *)x.items + i * row->sub_size,
                (const char *)y.items + i * row->sub_size))
            return false;
    return x.n == y.n;
}

static bool same(const hb_option *row, const char *a, const char *b)
{
    switch (row->type) {
    case HB_OPT_BOOL:
        return *a == *b;
    case HB_OPT_CHOICE:
        return memcmp(a, b, sizeof(int)) == 0;
    case HB_OPT_STRING:
    case HB_OPT_PATH:
        return strcmp(*(const char *const *)(const void *)a,
                   *(const char *const *)(const void *)b) == 0;
    case HB_OPT_STRINGS:
    case HB_OPT_PATHS:
        return same_strings(a, b);
    case HB_OPT_LIST:
        return same_list(row, a, b);
    case HB_OPT_NODE:
        return true;
    default:
        return memcmp(a, b, 8) == 0;
    }
}

static bool same_table(const hb_option *table, const char *a, const char *b)
{
    for (; table->key; table++)
        if (!same(table, a + table->offset, b + table->offset))
            unit_fail(__FILE__, __LINE__, "'%s' in full.yaml is not the default", table->key);
    return true;
}

TEST(full_yaml_shows_the_defaults)
{
    struct raw_config *shown = calloc(1, sizeof(*shown)), *defaults = calloc(1, sizeof(*defaults));
    const hb_node *full = parse_file(&arena, FULL, &errors);
    const hb_node *empty = parse_text(&arena, FULL, HB_STR(""), &errors);
    check_no_errors();
    options_read(full, config_options, shown, &errors);
    options_read(empty, config_options, defaults, &errors);
    check_no_errors();
    CHECK(same_table(config_options, (const char *)shown, (const char *)defaults));
    free(shown);
    free(defaults);
}

TEST(full_yaml_is_what_an_empty_file_means)
{
    struct config *full = config_load(FULL, &errors);
    struct config *empty = config_parse(FULL, HB_STR(""), &errors);
    check_no_errors();
    CHECK_INT(full->transports.n, empty->transports.n);
    for (size_t i = 0; i < full->transports.n; i++)
        CHECK_STR(str_of(full->transports.items[i].name), empty->transports.items[i].name);
    CHECK_INT(full->plugins.n, 0);
    config_free(full);
    config_free(empty);
}

TEST(the_smallest_file_is_right_but_for_what_others_build)
{
    const hb_node *root = parse_file(&arena, SMALLEST, &errors);
    struct raw_config *raw = calloc(1, sizeof(*raw));
    CHECK(options_read(root, config_options, raw, &errors));
    check_no_errors();
    free(raw);
}

/* ---- transports and plugins ---- */

/* What full.yaml has for a module, its comments included, or NULL. */
static const hb_node *module_node(const hb_node *root, const char *name)
{
    const hb_node *load = find(root, "plugins.load");
    const hb_node *found = node_get(node_get(root, HB_STR("transports")), str_of(name));
    for (size_t i = 0; !found && i < node_count(load); i++)
        found = node_get(node_item(load, i), str_of(name));
    return found;
}

/* Rows that have a default show it; the others show anything. */
static void check_shows_defaults(const hb_module *m, const void *shown, const void *defaults)
{
    for (const hb_option *row = m->options; row->key; row++)
        if (row->def && !same(row, (const char *)shown + row->offset,
                (const char *)defaults + row->offset))
            unit_fail(__FILE__, __LINE__, "'%s' of %s in full.yaml is not the default", row->key,
                m->name);
}

static void check_module(const hb_node *root, const hb_module *m)
{
    const hb_node *node = module_node(root, m->name);
    void *shown = calloc(1, m->options_size), *defaults = calloc(1, m->options_size);
    struct errors ignored;
    errors_init(&ignored);
    if (!node)
        unit_fail(__FILE__, __LINE__, "full.yaml lacks the module %s", m->name);
    options_read(node, m->options, shown, &errors);
    check_no_errors();
    check_has_all(m->name, m->options, &node, 1);
    options_read(node_empty_map(node), m->options, defaults, &ignored);
    check_shows_defaults(m, shown, defaults);
    errors_finish(&ignored);
    free(shown);
    free(defaults);
}

static void check_modules(const char *pattern)
{
    const hb_node *root = read_uncommented();
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        void *handle = dlopen(found.gl_pathv[i], RTLD_LAZY | RTLD_LOCAL);
        const hb_module *m = handle ? dlsym(handle, "hubbub_module") : NULL;
        if (m && m->options)
            check_module(root, m);
        if (handle)
            dlclose(handle);
    }
    globfree(&found);
}

TEST(full_yaml_has_every_option_of_the_transports)
{
    check_modules(BUILD_ROOT "/transports/*.so");
}

TEST(full_yaml_has_every_option_of_the_plugins)
{
    check_modules(BUILD_ROOT "/plugins/*.so");
}
