/* `hubbub plugins`: every module that is there, and what comes of it. */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include "plugin/load.h"
#include <stdio.h>

/* One line for each wanted module, then for each other file in the directories of `c`. */
void listing_print(const struct modules *m, const struct config *c, FILE *out);

#endif
