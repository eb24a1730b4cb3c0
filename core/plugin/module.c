#include "plugin/module.h"
#include "base/check.h"
#include "conf/options.h"
#include "plugin/trust.h"
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the first modules had; shorter was never a module. */
#define MODULE_SIZE_MIN offsetof(hb_module, init)

enum { OPTIONS_SIZE_MAX = 1 << 20, OPTIONS_DEPTH_MAX = 4 };

#define REFUSE(...) (snprintf(why, MODULE_WHY, __VA_ARGS__), false)

struct module *module_create(const char *name, const char *path, enum module_kind kind)
{
    struct module *mod = mem_zalloc(sizeof *mod);
    mod->name = mem_strndup(name, strlen(name));
    mod->path = mem_strndup(path, strlen(path));
    mod->kind = kind;
    return mod;
}

void module_destroy(struct module *mod)
{
    if (!mod)
        return;
    if (mod->handle && !mod->started)
        dlclose(mod->handle);
    free(mod->name);
    free(mod->path);
    free(mod->status);
    free(mod);
}

void module_set_status(struct module *mod, const char *sentence)
{
    free(mod->status);
    mod->status = mem_strndup(sentence, strlen(sentence));
}

/* Copy a struct that says its own size into one of full size, zeroes behind it. One that is larger
 * than ours under an ABI version that we know was built with other headers. */
static bool copy_sized(void *to, size_t to_size, const void *from, uint32_t from_size,
    size_t least, const char *what, char *why)
{
    if (from_size < least || from_size > to_size)
        return REFUSE("its %s is %u bytes, expected %zu to %zu: built against other headers", what,
            from_size, least, to_size);
    memset(to, 0, to_size);
    memcpy(to, from, from_size);
    return true;
}

static bool check_abi(const hb_module *from, char *why)
{
    unsigned major = from->abi >> 16, minor = from->abi & 0xffff;
    if (major != HB_ABI_MAJOR || minor > HB_ABI_MINOR)
        return REFUSE("built for ABI %u.%u, this hubbub speaks %d.%d", major, minor, HB_ABI_MAJOR,
            HB_ABI_MINOR);
    return true;
}

static size_t option_width(hb_option_type type)
{
    switch (type) {
    case HB_OPT_BOOL:
        return sizeof(bool);
    case HB_OPT_CHOICE:
        return sizeof(int);
    case HB_OPT_STRINGS:
    case HB_OPT_PATHS:
        return sizeof(hb_strings);
    case HB_OPT_LIST:
        return sizeof(hb_list);
    default: /* 64-bit numbers and pointers */
        return sizeof(int64_t);
    }
}

/* A table that would write outside of its struct is its author's fault, but our crash. */
static bool check_table(const hb_option *table, size_t size, int depth, char *why)
{
    size_t rows = 0;
    if (size == 0 || size > OPTIONS_SIZE_MAX || depth > OPTIONS_DEPTH_MAX)
        return REFUSE("its options are %zu bytes, %d deep: that can't be", size, depth);
    for (const hb_option *o = table; o->key; o++) {
        if (++rows > OPTIONS_MAX_ROWS)
            return REFUSE("its option table has more than %d rows", OPTIONS_MAX_ROWS);
        if ((unsigned)o->type > HB_OPT_NODE || option_width(o->type) > size ||
            o->offset > size - option_width(o->type))
            return REFUSE("its option '%s' is of no known type or outside its struct", o->key);
        if (o->type == HB_OPT_CHOICE && !o->choices)
            return REFUSE("its option '%s' has no choices", o->key);
        if (o->type == HB_OPT_LIST &&
            (!o->sub || !check_table(o->sub, o->sub_size, depth + 1, why)))
            return REFUSE("its option '%s' has no fit table of its own", o->key);
    }
    return true;
}

static bool adopt_hooks(struct module *mod, char *why)
{
    const hb_hooks *from = mod->desc.hooks;
    if (!from)
        return true;
    mod->desc.hooks = &mod->hooks;
    mod->roles |= ROLE_HOOKS;
    return copy_sized(&mod->hooks, sizeof mod->hooks, from, from->size,
        offsetof(hb_hooks, connect), "hb_hooks", why);
}

static bool adopt_transport(struct module *mod, char *why)
{
    const hb_transport *from = mod->desc.transport, *to = &mod->transport;
    if (!from)
        return true;
    mod->desc.transport = to;
    mod->roles |= ROLE_TRANSPORT;
    if (!copy_sized(&mod->transport, sizeof mod->transport, from, from->size,
            offsetof(hb_transport, claim), "hb_transport", why))
        return false;
    if (!to->claim || !to->request || !to->encode || !to->close || !to->ended)
        return REFUSE("its transport lacks one of claim, request, encode, close and ended");
    if (to->variants < 1)
        return REFUSE("its transport has no wire form (variants is 0)");
    return true;
}

static bool adopt_backend(struct module *mod, char *why)
{
    const hb_backend *from = mod->desc.backend, *to = &mod->backend;
    if (!from)
        return true;
    mod->desc.backend = to;
    mod->roles |= ROLE_BACKEND;
    if (!copy_sized(&mod->backend, sizeof mod->backend, from, from->size,
            offsetof(hb_backend, room_open), "hb_backend", why))
        return false;
    if (!to->room_open || !to->room_close || !to->idle_ms || !to->interest || !to->publish ||
        !to->lookup || !to->position || !to->read)
        return REFUSE("its backend lacks one of its functions");
    return true;
}

bool module_adopt(struct module *mod, const hb_module *from, char why[static MODULE_WHY])
{
    if (!check_abi(from, why) ||
        !copy_sized(&mod->desc, sizeof mod->desc, from, from->size, MODULE_SIZE_MIN, "hb_module",
            why))
        return false;
    if (!mod->desc.name || !mod->desc.version)
        return REFUSE("it says no name or no version");
    if (strcmp(mod->desc.name, mod->name) != 0)
        return REFUSE("it calls itself '%.64s', so its file must be named '%.64s.so'",
            mod->desc.name, mod->desc.name);
    if (mod->desc.options && !check_table(mod->desc.options, mod->desc.options_size, 1, why))
        return false;
    mod->roles = mod->desc.commands ? ROLE_COMMANDS : 0;
    if (!adopt_hooks(mod, why) || !adopt_transport(mod, why) || !adopt_backend(mod, why))
        return false;
    mod->m = &mod->desc;
    return true;
}

bool module_open(struct module *mod, char why[static MODULE_WHY])
{
    char path[PATH_MAX];
    if (!realpath(mod->path, path))
        return REFUSE("%s", strerror(errno));
    if (!trust_file(path, why, MODULE_WHY))
        return false;
    mod->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!mod->handle)
        return REFUSE("%s", dlerror());
    const hb_module *from = dlsym(mod->handle, "hubbub_module");
    if (!from)
        return REFUSE("it exports no symbol 'hubbub_module': not a module of hubbub");
    return module_adopt(mod, from, why);
}
