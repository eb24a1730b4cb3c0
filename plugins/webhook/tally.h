/*
 * Who is there, by counting: a name is there from its first `add` until its last `remove` and the
 * grace after it; coming back within the grace is as if it had never left. Bounded by what is
 * there. The caller's lock; time in milliseconds of one clock.
 */
#ifndef WEBHOOK_TALLY_H
#define WEBHOOK_TALLY_H

#include <hubbub/types.h>

struct tally;

struct tally *tally_create(void); /* NULL without memory */
void tally_destroy(struct tally *t); /* NULL is fine */
/* True: the name is there now and was not before. Without memory it is not counted. */
bool tally_add(struct tally *t, hb_str name);
/* One less; what is not there is ignored. When it was the last, the name goes after grace_ms. */
void tally_remove(struct tally *t, hb_str name, uint64_t now_ms, uint64_t grace_ms);
/* When the next one goes, or UINT64_MAX. */
uint64_t tally_due(const struct tally *t);
/* One name whose time is over, which is gone with that; false: none. Borrowed until the next call.
 */
bool tally_expire(struct tally *t, uint64_t now_ms, hb_str *name);
size_t tally_count(const struct tally *t);

#endif
