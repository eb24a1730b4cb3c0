#include "plugin/find.h"
#include "base/log.h"
#include "base/str.h"
#include "conf/options.h"
#include "conf/parse.h"
#include "plugin/places.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NEAR_MAX = 128 };

struct finding {
    struct config *config;
    struct wanted_list *out;
    struct errors *errors;
};

hb_strings find_directories(const struct config *c, enum module_kind kind)
{
    static hb_str transports, plugins; /* the built-in ones; the same at each call */
    switch (kind) {
    case MODULE_TRANSPORT:
        transports = str_of(places_transports());
        return c->transport_directories.n ? c->transport_directories : (hb_strings){&transports, 1};
    case MODULE_PLUGIN:
        plugins = str_of(places_plugins());
        return c->plugin_directories.n ? c->plugin_directories : (hb_strings){&plugins, 1};
    default:
        return c->drop_in;
    }
}

static int is_module_file(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 3 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 3, ".so") == 0;
}

bool find_each(const char *directory, void (*fn)(const char *name, const char *path, void *arg),
    void *arg)
{
    struct dirent **entries;
    int n = scandir(directory, &entries, is_module_file, alphasort);
    if (n < 0)
        return false;
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        char *name = entries[i]->d_name;
        if (snprintf(path, sizeof path, "%s/%s", directory, name) < (int)sizeof path) {
            name[strlen(name) - 3] = '\0';
            fn(name, path, arg);
        }
        free(entries[i]);
    }
    free(entries);
    return true;
}

static const char *find_file(const struct config *c, enum module_kind kind, const char *name,
    char path[static PATH_MAX])
{
    hb_strings directories = find_directories(c, kind);
    for (size_t i = 0; i < directories.n; i++) {
        int n = snprintf(path, PATH_MAX, "%s/%s.so", directories.items[i].p, name);
        if (n < PATH_MAX && access(path, F_OK) == 0)
            return path;
    }
    return NULL;
}

/* ---- a module that is not there ---- */

struct names {
    char *items[NEAR_MAX]; /* owned */
    size_t n;
};

static void collect(const char *name, const char *path, void *arg)
{
    struct names *names = arg;
    if (names->n < NEAR_MAX)
        names->items[names->n++] = strdup(name);
}

static void append_hint(const struct config *c, enum module_kind kind, const char *name,
    struct buf *text)
{
    char path[PATH_MAX];
    enum module_kind other = kind == MODULE_TRANSPORT ? MODULE_PLUGIN : MODULE_TRANSPORT;
    if (find_file(c, other, name, path)) {
        buf_printf(text, "; it is a %s: name it under '%s'", other == MODULE_PLUGIN ? "plugin" :
            "transport", other == MODULE_PLUGIN ? "plugins.load" : "transports");
        return;
    }
    struct names names = {.n = 0};
    hb_strings directories = find_directories(c, kind);
    for (size_t i = 0; i < directories.n; i++)
        find_each(directories.items[i].p, collect, &names);
    const char *near = options_nearest(str_of(name), (const char *const *)names.items, names.n);
    if (near)
        buf_printf(text, "; did you mean '%s'?", near);
    for (size_t i = 0; i < names.n; i++)
        free(names.items[i]);
}

static void tell_missing(struct finding *f, enum module_kind kind, const struct config_module *m)
{
    struct buf text = BUF_INIT;
    hb_strings directories = find_directories(f->config, kind);
    buf_printf(&text, "no %s '%s': there is no %s.so in ", kind == MODULE_TRANSPORT ? "transport" :
        "plugin", m->name, m->name);
    for (size_t i = 0; i < directories.n; i++)
        buf_printf(&text, "%s%s", i ? ", " : "", directories.items[i].p);
    append_hint(f->config, kind, m->name, &text);
    buf_char(&text, '\0');
    errors_at(f->errors, m->node, "%s", text.failed ? m->name : text.p);
    buf_finish(&text);
}

/* ---- the list ---- */

static const struct wanted *already(const struct wanted_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    return NULL;
}

static bool has_room(struct finding *f, const char *path)
{
    if (f->out->n < MODULES_MAX)
        return true;
    errors_add(f->errors, path, 0, 0, "more than %d modules", MODULES_MAX);
    return false;
}

static void want_named(struct finding *f, enum module_kind kind, const struct config_module *m)
{
    char path[PATH_MAX];
    const char *file = find_file(f->config, kind, m->name, path);
    if (already(f->out, m->name)) {
        errors_at(f->errors, m->node, "'%s' is named twice: once as a transport", m->name);
        return;
    }
    if (!file && m->is_default) {
        log_write(LOG_DEBUG, "module", "transport %s is not built, and nobody named it", m->name);
        return;
    }
    if (!file)
        tell_missing(f, kind, m);
    if (has_room(f, m->name))
        f->out->items[f->out->n++] = (struct wanted){m->name,
            file ? arena_copy(&f->config->arena, str_of(file)) : NULL, kind, m->node};
}

static void want_drop_in(const char *name, const char *path, void *arg)
{
    struct finding *f = arg;
    const struct wanted *first = already(f->out, name);
    if (first) {
        errors_add(f->errors, path, 0, 0, "there is a module '%s' already, %s", name,
            first->path ? first->path : "which the configuration names");
        return;
    }
    if (!has_room(f, path))
        return;
    f->out->items[f->out->n++] = (struct wanted){
        arena_copy(&f->config->arena, str_of(name)), arena_copy(&f->config->arena, str_of(path)),
        MODULE_DROP_IN, config_drop_in(f->config, path, f->errors)};
}

static void want_drop_ins(struct finding *f, const char *directory)
{
    if (find_each(directory, want_drop_in, f))
        return;
    const hb_node *place = node_get(node_get(f->config->root, HB_STR("plugins")),
        HB_STR("drop_in"));
    if (place)
        errors_warn(f->errors, place, "'%s': %s", directory, strerror(errno));
    else if (errno != ENOENT) /* the built-in place need not be there */
        errors_add(f->errors, directory, 0, 0, "%s", strerror(errno));
}

void find_wanted(struct config *c, struct wanted_list *out, struct errors *errors)
{
    struct finding f = {c, out, errors};
    out->n = 0;
    for (size_t i = 0; i < c->transports.n; i++)
        want_named(&f, MODULE_TRANSPORT, &c->transports.items[i]);
    for (size_t i = 0; i < c->plugins.n; i++)
        want_named(&f, MODULE_PLUGIN, &c->plugins.items[i]);
    for (size_t i = 0; i < c->drop_in.n; i++)
        want_drop_ins(&f, c->drop_in.items[i].p);
}
