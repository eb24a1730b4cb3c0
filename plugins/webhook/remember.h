/*
 * Credentials that the backend accepted a moment ago: each request of a long poll carries its token
 * again, and need not go to the backend each time. Bounded; by digest, so that no token stays in
 * memory. One worker's.
 */
#ifndef WEBHOOK_REMEMBER_H
#define WEBHOOK_REMEMBER_H

#include <hubbub/plugin.h>

enum { REMEMBER_ENTRIES = 1024, REMEMBER_BYTES = 4096 }; /* of one entry's strings */

struct remember;

struct remember *remember_create(void); /* NULL without memory */
void remember_destroy(struct remember *r); /* NULL is fine */
void remember_clear(struct remember *r);
/* Who the backend said it is; forgotten when it is too big, or another takes its place. */
void remember_put(struct remember *r, hb_str credential, const hb_outcome *who, uint64_t until_ms);
/* Borrowed until the next call; NULL: not known, or its time is over. */
const hb_outcome *remember_get(const struct remember *r, hb_str credential, uint64_t now_ms);

#endif
