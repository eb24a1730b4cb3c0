/*
 * Tokens that were revoked, by their id (jti) or by user and time of issue. Each worker has the whole
 * list and asks it when somebody connects or brings a new token; it is kept to the end of the
 * process (an entry may say how long its tokens live at most), the oldest going first past a bound.
 * A backend that keeps what is cast (hb_backend->cast_kept) has it too; what that one has lost, the
 * first worker tells it again.
 */
#ifndef SESSION_REVOKED_H
#define SESSION_REVOKED_H

#include "router/hooks.h"

enum { REVOKED_MAX = 100000 };

struct revoked;

struct revocation {
    hb_str token_id;          /* or */
    hb_str user;
    int64_t issued_before_ms; /* with `user`: tokens issued before this, since 1970; those that do not
                                 say when they were issued, too */
    int64_t until_ms;         /* forgotten then, since 1970; 0: never */
};

/* Any thread: from now on, on each worker of this node; then their open sessions are closed, a few
 * in a turn. `done` (may be NULL) is called on the thread of shard `back` with how many were. This is
 * what a backend calls for what another node revoked. */
void revoked_add(struct hub *hub, const struct revocation *what, int back,
    void (*done)(size_t closed, void *arg), void *arg);

/* Is it known already? Then there is nothing to do. The first worker. */
bool revoked_again(struct shard *s, const struct revocation *what);
/* hb_store->kept: what was not heard between these two calls is told the other nodes again. */
void revoked_kept(struct shard *s, bool whole);

/* What a connect chain found, with what was revoked taken into account: HB_DENY and the reason in
 * c->out when it is. The session's worker. */
hb_verdict revoked_verdict(struct chain *c, hb_verdict verdict);

void revoked_destroy(struct revoked *r); /* NULL is fine */

#endif
