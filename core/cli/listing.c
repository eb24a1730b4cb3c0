#include "cli/listing.h"
#include "base/str.h"
#include <string.h>

struct listing {
    const struct modules *modules;
    enum module_kind kind;
    FILE *out;
};

static void print_row(FILE *out, const char *kind, const char *name, const char *version,
    const char *abi, const char *path, const char *status)
{
    fprintf(out, "%-9s  %-16s  %-8s  %-4s  %s  %s\n", kind, name, version, abi, path, status);
}

static void print_module(FILE *out, const struct module *mod, const char *status)
{
    char abi[32] = "-";
    if (mod->m)
        snprintf(abi, sizeof abi, "%u.%u", mod->m->abi >> 16, mod->m->abi & 0xffff);
    print_row(out, mod->kind == MODULE_TRANSPORT ? "transport" : "plugin", mod->name,
        mod->m ? mod->m->version : "-", abi, mod->path[0] ? mod->path : "-", status);
}

static const struct module *wanted_at(const struct modules *m, const char *path)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->items[i]->path, path) == 0)
            return m->items[i];
    return NULL;
}

/* A file that the configuration does not want: opened for what it says of itself, and closed. */
static void print_other(const char *name, const char *path, void *arg)
{
    const struct listing *l = arg;
    char status[MODULE_WHY + 64], why[MODULE_WHY];
    if (wanted_at(l->modules, path))
        return;
    const struct module *other = modules_find(l->modules, name);
    struct module *mod = module_create(name, path, l->kind);
    if (!module_open(mod, why))
        snprintf(status, sizeof status, "not loaded: %s", why);
    else if (other)
        snprintf(status, sizeof status, "not loaded: %s comes first", other->path);
    else
        snprintf(status, sizeof status, "not loaded: the configuration does not name it");
    print_module(l->out, mod, status);
    module_destroy(mod);
}

void listing_print(const struct modules *m, const struct config *c, FILE *out)
{
    print_row(out, "KIND", "NAME", "VERSION", "ABI", "PATH", "STATUS");
    for (size_t i = 0; i < m->n; i++)
        print_module(out, m->items[i], m->items[i]->status);
    for (enum module_kind kind = MODULE_TRANSPORT; kind <= MODULE_DROP_IN; kind++) {
        struct listing l = {m, kind, out};
        hb_strings directories = find_directories(c, kind);
        for (size_t i = 0; i < directories.n; i++)
            find_each(directories.items[i].p, print_other, &l);
    }
}
