#include "conf/options.h"
#include "base/str.h"
#include "conf/parse.h"
#include "conf/units.h"
#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 128, CHOICES_MAX = 16 };

/* One reading of one map by one table. */
struct reading {
    const hb_option *table;
    size_t rows;
    char *out;
    struct errors *errors;
    bool seen[OPTIONS_MAX_ROWS];
};

static bool fills(const hb_node *node, const hb_option *row, const char *what, struct errors *errors)
{
    char shown[64];
    if (node->kind == NODE_SCALAR)
        errors_at(errors, node, "'%s': expected %s, not %s", row->key, what,
            node_shown(node, shown));
    else
        errors_at(errors, node, "'%s': expected %s, not %s", row->key, what,
            node->kind == NODE_LIST ? "a list" : node->kind == NODE_MAP ? "a map" : "nothing");
    return false;
}

/* ---- numbers ---- */

static void show_bound(const hb_option *row, double bound, char out[static 32])
{
    if (row->type == HB_OPT_DURATION)
        units_show_duration((int64_t)bound, out);
    else if (row->type == HB_OPT_SIZE)
        units_show_size((int64_t)bound, out);
    else
        snprintf(out, 32, "%.10g%s", bound, row->type == HB_OPT_RATE ? "/s" : "");
}

static bool within(const hb_option *row, const hb_node *node, double value, struct errors *errors)
{
    bool open = row->min == 0 && row->max == 0;
    char least[32], most[32];
    if (value >= row->min && (open || value <= row->max))
        return true;
    show_bound(row, row->min, least);
    show_bound(row, row->max, most);
    if (open)
        errors_at(errors, node, "'%s': must be at least %s", row->key, least);
    else
        errors_at(errors, node, "'%s': must be from %s to %s", row->key, least, most);
    return false;
}

static bool parse_number(const hb_option *row, hb_str text, double *value)
{
    int64_t whole = 0;
    bool ok;
    switch (row->type) {
    case HB_OPT_INT:
        if (row->choices && str_eq(text, str_of(row->choices)))
            return *value = 0, true;
        ok = units_int(text, &whole);
        break;
    case HB_OPT_DURATION:
        ok = units_duration(text, &whole);
        break;
    case HB_OPT_SIZE:
        ok = units_size(text, &whole);
        break;
    case HB_OPT_RATE:
        return units_rate(text, value);
    default:
        return units_number(text, value);
    }
    *value = (double)whole;
    return ok;
}

static void expected_number(const hb_option *row, char *out, size_t size)
{
    static const char *const examples[] = {
        [HB_OPT_INT] = "a whole number", [HB_OPT_NUMBER] = "a number",
        [HB_OPT_DURATION] = "a duration such as 25s, 5m or 100ms",
        [HB_OPT_SIZE] = "a size such as 64KiB or 1MB", [HB_OPT_RATE] = "a rate such as 50/s"};
    if (row->type == HB_OPT_INT && row->choices)
        snprintf(out, size, "%s or '%s'", examples[row->type], row->choices);
    else
        snprintf(out, size, "%s", examples[row->type]);
}

static void read_number(const hb_option *row, const hb_node *node, char *out, struct errors *errors)
{
    hb_str text = node_text(node);
    char expected[96];
    double value;
    expected_number(row, expected, sizeof(expected));
    if (node->kind != NODE_SCALAR || !parse_number(row, text, &value)) {
        fills(node, row, expected, errors);
        return;
    }
    bool word = row->type == HB_OPT_INT && row->choices && str_eq(text, str_of(row->choices));
    if (!word && !within(row, node, value, errors))
        return;
    if (row->type == HB_OPT_NUMBER || row->type == HB_OPT_RATE)
        *(double *)(void *)out = value;
    else
        *(int64_t *)(void *)out = (int64_t)value;
}

/* ---- words ---- */

static void read_bool(const hb_option *row, const hb_node *node, char *out, struct errors *errors)
{
    hb_str text = node_text(node);
    if (str_eq(text, HB_STR("true")))
        *(bool *)(void *)out = true;
    else if (str_eq(text, HB_STR("false")))
        *(bool *)(void *)out = false;
    else
        fills(node, row, "true or false", errors);
}

static void read_choice(const hb_option *row, const hb_node *node, char *out, struct errors *errors)
{
    hb_str rest = str_of(row->choices), word;
    char expected[160] = "one of ";
    for (int i = 0; str_split(&rest, '|', &word); i++) {
        if (node->kind == NODE_SCALAR && str_eq(word, node->text)) {
            *(int *)(void *)out = i;
            return;
        }
        size_t n = strlen(expected);
        snprintf(expected + n, sizeof(expected) - n, "%s%.*s", i ? ", " : "", (int)word.n, word.p);
    }
    fills(node, row, expected, errors);
}

static hb_str absolute(const hb_node *node)
{
    const char *folder = node->doc->folder;
    size_t n = strlen(folder) + 1 + node->text.n;
    if (node->text.n == 0 || node->text.p[0] == '/')
        return node->text;
    char *p = arena_alloc(node->doc->arena, n + 1);
    snprintf(p, n + 1, "%s/%s", strcmp(folder, "/") ? folder : "", node->text.p);
    return str_of(p);
}

static bool is_path(const hb_option *row)
{
    return row->type == HB_OPT_PATH || row->type == HB_OPT_PATHS;
}

static void read_string(const hb_option *row, const hb_node *node, char *out, struct errors *errors)
{
    if (node->kind != NODE_SCALAR)
        fills(node, row, node->kind == NODE_NULL ? "a text; an empty one is written \"\"" : "a text",
            errors);
    else
        *(const char **)(void *)out = is_path(row) ? absolute(node).p : node->text.p;
}

static void read_strings(const hb_option *row, const hb_node *node, char *out, struct errors *errors)
{
    size_t n = node->kind == NODE_LIST ? node->n : node->kind == NODE_SCALAR;
    hb_str *items = arena_alloc(node->doc->arena, (n + 1) * sizeof(*items));
    if (node->kind == NODE_MAP) {
        fills(node, row, "a list of texts", errors);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const hb_node *item = node->kind == NODE_LIST ? node_item(node, i) : node;
        if (item->broken)
            return;
        if (item->kind != NODE_SCALAR) {
            fills(item, row, "a list of texts", errors);
            return;
        }
        items[i] = is_path(row) ? absolute(item) : item->text;
    }
    *(hb_strings *)(void *)out = (hb_strings){items, n};
}

static void read_list(const hb_option *row, const hb_node *node, char *out, struct errors *errors)
{
    size_t n = node->kind == NODE_LIST ? node->n : node->kind == NODE_MAP;
    char *items = arena_alloc(node->doc->arena, (n + 1) * row->sub_size);
    if (node->kind == NODE_SCALAR) {
        fills(node, row, "a list", errors);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const hb_node *item = node->kind == NODE_LIST ? node_item(node, i) : node;
        if (item->kind == NODE_MAP)
            options_read(item, row->sub, items + i * row->sub_size, errors);
        else
            fills(item, row, "a list of maps", errors);
    }
    hb_list list = {items, n};
    memcpy(out, &list, sizeof(list)); /* the field may be a struct with a pointer of its own type */
}

void options_read_value(const hb_option *row, const hb_node *node, void *out, struct errors *errors)
{
    if (node->broken)
        return;
    switch (row->type) {
    case HB_OPT_BOOL:
        read_bool(row, node, out, errors);
        break;
    case HB_OPT_INT:
    case HB_OPT_NUMBER:
    case HB_OPT_DURATION:
    case HB_OPT_SIZE:
    case HB_OPT_RATE:
        read_number(row, node, out, errors);
        break;
    case HB_OPT_STRING:
    case HB_OPT_PATH:
        read_string(row, node, out, errors);
        break;
    case HB_OPT_CHOICE:
        read_choice(row, node, out, errors);
        break;
    case HB_OPT_STRINGS:
    case HB_OPT_PATHS:
        read_strings(row, node, out, errors);
        break;
    case HB_OPT_LIST:
        read_list(row, node, out, errors);
        break;
    case HB_OPT_NODE:
        *(const hb_node **)(void *)out = node;
        break;
    }
}

/* ---- defaults ---- */

/* Scalars are taken as they are, so that "*" needs no quotes within the quotes. */
static const hb_node *default_node(const hb_option *row, const hb_node *map, struct errors *errors)
{
    bool yaml = row->type >= HB_OPT_STRINGS;
    hb_node *node;
    if (yaml)
        return parse_value(map, str_of(row->def), errors);
    node = arena_alloc(map->doc->arena, sizeof(*node));
    *node = *map;
    node->kind = NODE_SCALAR;
    node->text = str_of(row->def);
    node->n = 0;
    return node;
}

/* A default is its author's word: its bounds are not asked. */
static void set_default(const hb_option *row, const hb_node *map, char *out, struct errors *errors)
{
    hb_option unbound = *row;
    const hb_node *node;
    unbound.min = -1e15;
    unbound.max = 1e15;
    if (row->type == HB_OPT_STRING || row->type == HB_OPT_PATH)
        *(const char **)(void *)out = "";
    if (row->type == HB_OPT_NODE && strcmp(row->key, ".") == 0)
        *(const hb_node **)(void *)out = map;
    else if (row->def && (node = default_node(row, map, errors)))
        options_read_value(&unbound, node, out, errors);
}

/* ---- keys ---- */

const char *options_nearest(hb_str word, const char *const *words, size_t n)
{
    const char *best = NULL;
    size_t least = word.n / 3 + 2; /* farther than that, a hint misleads */
    for (size_t i = 0; i < n; i++) {
        size_t far = str_distance(word, str_of(words[i]));
        if (far < least && far < strlen(words[i])) {
            least = far;
            best = words[i];
        }
    }
    return best;
}

/* The keys that may stand where `prefix` leads, for the hint. */
static void unknown_key(struct reading *r, const hb_node *key, hb_str prefix)
{
    static _Thread_local char names[OPTIONS_MAX_ROWS][KEY_MAX];
    const char *words[OPTIONS_MAX_ROWS];
    size_t n = 0;
    for (size_t i = 0; i < r->rows; i++) {
        hb_str rest = str_of(r->table[i].key), word;
        if (!str_starts(rest, prefix) || str_eq(rest, HB_STR(".")))
            continue;
        rest = str_sub(rest, prefix.n, rest.n);
        if (str_split(&rest, '.', &word) && word.n < KEY_MAX) {
            snprintf(names[n], KEY_MAX, "%.*s", (int)word.n, word.p);
            words[n] = names[n];
            n++;
        }
    }
    /* Hints cost time: none for errors that nobody will see. */
    const char *near = r->errors->n < ERRORS_MAX ? options_nearest(key->text, words, n) : NULL;
    if (near)
        errors_at(r->errors, key, "unknown key '%.64s'; did you mean '%s'?", key->text.p, near);
    else
        errors_at(r->errors, key, "unknown key '%.64s'", key->text.p);
}

static const hb_option *find_row(const struct reading *r, hb_str key, bool *inner)
{
    for (size_t i = 0; i < r->rows; i++) {
        hb_str name = str_of(r->table[i].key);
        if (str_eq(name, key))
            return &r->table[i];
        *inner |= str_starts(name, key) && name.p[key.n] == '.' && key.n > 0;
    }
    return NULL;
}

static void read_map(struct reading *r, const hb_node *map, hb_str prefix);

static void read_pair(struct reading *r, const hb_node *key, const hb_node *value, hb_str prefix)
{
    char name[KEY_MAX];
    bool inner = false;
    /* A key that holds a dot itself never names a row. */
    bool fits = prefix.n + key->text.n + 1 < sizeof(name) && !memchr(key->text.p, '.', key->text.n);
    int n = snprintf(name, sizeof(name), "%.*s%s", (int)prefix.n, prefix.p, key->text.p);
    const hb_option *row = fits ? find_row(r, (hb_str){name, (size_t)n}, &inner) : NULL;
    if (row) {
        r->seen[row - r->table] = true;
        options_read_value(row, value, r->out + row->offset, r->errors);
    } else if (!inner) {
        unknown_key(r, key, prefix);
    } else if (value->kind == NODE_MAP || value->kind == NODE_NULL) {
        name[n] = '.';
        read_map(r, value, (hb_str){name, (size_t)n + 1});
    } else if (!value->broken) {
        errors_at(r->errors, value, "'%s': expected a map, 'key: value'", name);
    }
}

static void read_map(struct reading *r, const hb_node *map, hb_str prefix)
{
    for (size_t i = 0; i < node_count(map); i++)
        read_pair(r, node_key(map, i), node_item(map, i), prefix);
}

bool options_read(const hb_node *map, const hb_option *table, void *out, struct errors *errors)
{
    struct reading r = {.table = table, .out = out, .errors = errors};
    size_t before = errors->fatal;
    while (table[r.rows].key && r.rows < OPTIONS_MAX_ROWS)
        r.rows++;
    if (table[r.rows].key) {
        errors_at(errors, map, "the table of options is longer than %d rows", OPTIONS_MAX_ROWS);
        return false;
    }
    for (size_t i = 0; i < r.rows; i++)
        set_default(&table[i], map, r.out + table[i].offset, errors);
    if (map->kind == NODE_MAP || map->kind == NODE_NULL)
        read_map(&r, map, HB_STR(""));
    else
        errors_at(errors, map, "expected a map of options, 'key: value'");
    for (size_t i = 0; i < r.rows; i++)
        if (table[i].required && !r.seen[i])
            errors_at(errors, map, "missing key '%s'", table[i].key);
    return errors->fatal == before;
}
