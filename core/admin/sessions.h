/* Sessions as the admin endpoint shows and finds them. */
#ifndef ADMIN_SESSIONS_H
#define ADMIN_SESSIONS_H

#include "admin/page.h"
#include "session/session.h"

/* Those that have all that is given. */
struct session_filter {
    hb_str id, user, room, transport;
};

static inline size_t session_filter_size(const struct session_filter *f)
{
    return f->id.n + f->user.n + f->room.n + f->transport.n;
}
/* With strings of its own, in `bytes` of that size. */
struct session_filter session_filter_copy(const struct session_filter *f, char *bytes);

/* The session's worker: does it match? As JSON; `whole`: with all that is known. */
bool session_matches(const struct session *ss, const struct session_filter *f);
void session_put(struct buf *out, const struct session *ss, bool whole);

/* Answer the call with a page of sessions behind `head`, which opens the array; with filter->id: with
 * that one, or 404. */
void sessions_list(struct admin_call *call, const struct session_filter *filter,
    const struct page *page, hb_str head);

#endif
