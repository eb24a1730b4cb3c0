/* The tables of the configuration, and what only its loading needs. Private to core/conf. */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "conf/config.h"

/* What is not in struct config as the file has it. */
struct raw_config {
    struct config config;         /* first: offsets are the same */
    hb_strings trusted_proxies;
    const hb_node *transports;
    const hb_node *plugins;       /* plugins.load */
};

/* The checks that span several keys or look outside the file, and what follows from them: resolved
 * defaults, parsed addresses, normal forms. conf/verify.c */
void verify(struct raw_config *raw, struct errors *errors);

#endif
