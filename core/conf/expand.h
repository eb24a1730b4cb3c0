/*
 * Variables of the environment in a value: ${NAME}, or ${NAME:-default} which also stands for a
 * variable that is empty. "$${" is a "${" that is meant as such; any other '$' stays.
 */
#ifndef CONF_EXPAND_H
#define CONF_EXPAND_H

#include "base/buf.h"

/* Append `raw` with its variables put in. False when one is unset and has no default, or the syntax
 * is wrong: `why` says so in a sentence. Names nothing but the variable. Loading thread (getenv). */
bool expand(hb_str raw, struct buf *out, char *why, size_t why_size);

#endif
