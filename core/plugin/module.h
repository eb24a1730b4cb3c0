/*
 * A module: one shared object that was opened and found fit. Its descriptors are copied to the full
 * size of this host's structs, zeroes behind what an older module knows, so that nobody after this
 * file has to ask how old a module is. Control thread; after modules_load read-only but where said.
 */
#ifndef PLUGIN_MODULE_H
#define PLUGIN_MODULE_H

#include <hubbub/backend.h>
#include <hubbub/plugin.h>
#include <hubbub/transport.h>

enum module_kind { MODULE_TRANSPORT, MODULE_PLUGIN, MODULE_DROP_IN };

enum module_role { /* bits */
    ROLE_HOOKS = 1,
    ROLE_TRANSPORT = 2,
    ROLE_BACKEND = 4,
    ROLE_COMMANDS = 8,
};

enum { MODULE_WHY = 512 };

struct module {
    char *name, *path;      /* owned; path as it was found */
    enum module_kind kind;  /* where it was named */
    const hb_module *m;     /* NULL: not opened, see `status` */
    unsigned roles;         /* enum module_role */
    const hb_node *node;    /* its options as they stand in the configuration */
    const void *options;    /* as read; a reload replaces it */
    void *self;             /* what init returned */
    char *status;           /* owned: "loaded", or a sentence that says why not */

    void *handle;           /* owned; of dlopen */
    bool started;           /* init was called and did not fail */
    hb_module desc;         /* what m, and the pointers in it, point to */
    hb_hooks hooks;
    hb_transport transport;
    hb_backend backend;
};

struct module *module_create(const char *name, const char *path, enum module_kind kind);
/* Take the code out of the process, unless init ran: its libraries' threads and exit handlers may
 * still need it. NULL is fine. */
void module_destroy(struct module *mod);
/* Open the file and check what it says of itself. False with a sentence in `why`. */
bool module_open(struct module *mod, char why[static MODULE_WHY]);
/* The part of module_open after dlopen: fill mod->desc and what hangs on it from a descriptor of
 * any age. False with a sentence. */
bool module_adopt(struct module *mod, const hb_module *from, char why[static MODULE_WHY]);
void module_set_status(struct module *mod, const char *sentence);

#endif
