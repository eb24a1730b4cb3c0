/*
 * May code be loaded from this file? Whoever can write to it, or swap it or a directory above it,
 * runs code as this process. So the file and every directory above it must belong to root or to us
 * and be writable by nobody else. A sticky directory such as /tmp does: there nobody but the owner
 * replaces what stands in it. So does the private group of a user without fellow members, which
 * some systems make together with the user.
 */
#ifndef PLUGIN_TRUST_H
#define PLUGIN_TRUST_H

#include <stdbool.h>
#include <stddef.h>

/* `path` as realpath(3) gives it: absolute, no links in it. False with a sentence in `why`. */
bool trust_file(const char *path, char *why, size_t why_size);

#endif
