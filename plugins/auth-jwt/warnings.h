/*
 * Sessions are told before their token expires: once for each token, by the event `token-expiring`.
 * One worker's. A session's slot holds the mark of the token that is in force, so that one which it
 * brings again, in whatever way, is no news.
 */
#ifndef AUTH_JWT_WARNINGS_H
#define AUTH_JWT_WARNINGS_H

#include "expiry.h"

struct warnings {
    struct expiry expiry;
    hb_timer timer; /* of the first in it */
};

void warnings_init(struct warnings *w);
void warnings_finish(const hb_ctx *ctx, struct warnings *w);
/* A token is in force: the session was opened, or got another one. warning_ms before its end the
 * session is told; 0: it is not, unless a reload says so in time. */
void warnings_expect(
    const hb_ctx *ctx, struct warnings *w, hb_session *session, int64_t warning_ms);
/* Another warning_ms counts, for those who are not told yet. */
void warnings_reload(const hb_ctx *ctx, struct warnings *w, int64_t warning_ms);

#endif
