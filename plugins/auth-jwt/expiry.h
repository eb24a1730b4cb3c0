/*
 * Which sessions have to be told that their token is about to expire, the next one first. One
 * worker's, 24 bytes each; a session that ended stays in until its time, or until there are many
 * such. Pure but for memory.
 */
#ifndef AUTH_JWT_EXPIRY_H
#define AUTH_JWT_EXPIRY_H

#include <hubbub/plugin.h>

struct expiry_entry {
    int64_t warn_ms; /* since 1970 */
    hb_sid sid;
    uint32_t mark; /* of its token: another one in its place, and this entry is dead */
};

struct expiry {
    struct expiry_entry *items; /* owned; a heap by warn_ms */
    size_t n, room;
    size_t sweep_at; /* entries before the dead ones are looked for */
};

void expiry_finish(struct expiry *e); /* a zeroed one is empty */

/* When its token expires, in ms since 1970; 0: the session is gone, or has another token. */
typedef int64_t expiry_end(void *arg, const struct expiry_entry *entry);
/* False without memory: that session gets no warning. Every now and then asks `end` about all. */
bool expiry_push(struct expiry *e, struct expiry_entry entry, expiry_end *end, void *arg);
const struct expiry_entry *expiry_first(const struct expiry *e); /* NULL: none */
void expiry_pop(struct expiry *e);                               /* there is one */

/* All that are in are to be told so long before their end. */
void expiry_rewarn(
    struct expiry *e, int64_t now_ms, int64_t warning_ms, expiry_end *end, void *arg);

/* When to warn: that long before the end, but not in the first half of what is left. INT64_MAX
 * (never) without a warning. */
int64_t expiry_warn_at(int64_t now_ms, int64_t expires_ms, int64_t warning_ms);

#endif
