/* Asking Sentinels where the master is: one after the other, until one knows. */
#ifndef REDIS_SENTINEL_H
#define REDIS_SENTINEL_H

#include "link.h"

struct sentinel;

/* For one link: sets link->look. NULL when none are configured. */
struct sentinel *sentinel_create(struct link *asker);
void sentinel_destroy(struct sentinel *s); /* NULL is fine */

#endif
