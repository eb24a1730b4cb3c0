/* GET /api/v1/sessions and /sessions/{id}: who is connected. */
#include "admin/later.h"
#include "admin/page.h"
#include "admin/sessions.h"
#include "base/check.h"
#include "base/str.h"
#include "session/registry.h"
#include <stdlib.h>
#include <string.h>

struct listing {
    struct tour tour;
    struct later later;
    struct session_filter filter;
    bool whole;           /* one session, with all that is known of it */
    size_t limit, found;
    struct buf out;
    char bytes[];         /* of the filter */
};

/* --- one of them --------------------------------------------------------------------------------- */

static void put_name(struct buf *out, const char *key, hb_str value)
{
    buf_printf(out, ",\"%s\":", key);
    if (value.p)
        buf_json_str(out, value);
    else
        buf_lit(out, "null");
}

static void put_rooms(struct buf *out, const struct session *ss)
{
    bool first = true;
    buf_lit(out, ",\"room_names\":[");
    list_for_each(item, &ss->rooms) {
        const struct membership *m = list_entry(item, struct membership, in_session);
        if (!m->joined)
            continue;
        buf_lit(out, first ? "" : ",");
        buf_json_str(out, members_name(m->room));
        first = false;
    }
    buf_char(out, ']');
}

static void put_time(struct buf *out, const char *key, int64_t seconds)
{
    buf_printf(out, ",\"%s\":", key);
    if (seconds)
        buf_i64(out, seconds);
    else
        buf_lit(out, "null");
}

static void put_token(struct buf *out, const struct session_auth *auth)
{
    put_name(out, "token_id", str_of(auth ? auth->token_id : NULL));
    put_time(out, "issued_at", auth ? auth->issued_at : 0);
    put_time(out, "expires_at", auth ? auth->expires_at : 0);
}

void session_put(struct buf *out, const struct session *ss, bool whole)
{
    char id[SESSION_TICKET_MAX], remote[64];
    buf_lit(out, "{\"id\":");
    buf_json_str(out, session_public_id(ss, id));
    put_name(out, "user", session_user(ss));
    put_name(out, "transport", str_of(ss->s->hub->modules[ss->module].desc->name));
    put_name(out, "remote", session_remote(ss, remote));
    buf_printf(out, ",\"opened\":%lld,\"rooms\":%u,\"outbox_bytes\":%u", (long long)ss->opened_ts,
        (unsigned)ss->n_rooms, ss->out.bytes);
    if (whole) {
        buf_printf(out, ",\"worker\":%d", ss->s->index);
        put_token(out, ss->auth);
        put_rooms(out, ss);
    }
    buf_char(out, '}');
}

bool session_matches(const struct session *ss, const struct session_filter *f)
{
    char id[SESSION_TICKET_MAX];
    if (ss->state != SESSION_OPEN || !ss->announced)
        return false;
    if (f->user.p && !(ss->user && str_eq(session_user(ss), f->user)))
        return false;
    if (f->id.p && !str_eq(session_public_id(ss, id), f->id))
        return false;
    if (f->transport.p && !str_eq(str_of(ss->s->hub->modules[ss->module].desc->name), f->transport))
        return false;
    const struct membership *m = f->room.p ? session_membership(ss, f->room) : NULL;
    return !f->room.p || (m && m->joined);
}

static hb_str keep(char **at, hb_str s)
{
    if (!s.p)
        return s;
    char *p = memcpy(*at, s.p, s.n);
    *at += s.n;
    return (hb_str){p, s.n};
}

struct session_filter session_filter_copy(const struct session_filter *f, char *bytes)
{
    return (struct session_filter){.id = keep(&bytes, f->id), .user = keep(&bytes, f->user),
        .room = keep(&bytes, f->room), .transport = keep(&bytes, f->transport)};
}

/* --- lists --------------------------------------------------------------------------------------- */

static bool list_one(struct session *ss, void *arg)
{
    struct listing *l = arg;
    if (!session_matches(ss, &l->filter))
        return true;
    if (!l->whole)
        buf_lit(&l->out, l->found > 0 ? "," : "");
    session_put(&l->out, ss, l->whole);
    return ++l->found < l->limit;
}

static enum tour_step visit(struct tour *t, struct shard *s)
{
    struct listing *l = container_of(t, struct listing, tour);
    bool last = registry_some(s, &t->at, list_one, l);
    if (l->found >= l->limit && !(last && t->worker + 1 < t->hub->n_workers))
        return last ? TOUR_NEXT : TOUR_BACK;
    if (l->found >= l->limit) { /* full, and this worker has no more: the next page begins there */
        t->worker++;
        t->at = 0;
        return TOUR_BACK;
    }
    return last ? TOUR_NEXT : TOUR_AGAIN;
}

static void destroy(struct listing *l)
{
    buf_finish(&l->out);
    free(l);
}

static void on_lost(struct tour *t)
{
    destroy(container_of(t, struct listing, tour));
}

static void on_back(struct tour *t)
{
    struct listing *l = container_of(t, struct listing, tour);
    struct admin_call call;
    if (!later_take(&l->later, &call)) {
        destroy(l);
        return;
    }
    if (!l->whole)
        page_end(&l->out, t->worker < t->hub->n_workers && !t->cut_short, t->worker, t->at);
    if (l->out.failed)
        admin_error(&call, HB_UNAVAILABLE, "out of memory");
    else if (l->whole && l->found == 0)
        admin_error(&call, HB_NOT_FOUND, "there is no such session on this node");
    else
        admin_json(&call, 200, buf_view(&l->out));
    destroy(l);
}

void sessions_list(struct admin_call *call, const struct session_filter *filter,
    const struct page *page, hb_str head)
{
    struct listing *l = mem_zalloc(sizeof(*l) + session_filter_size(filter));
    l->filter = session_filter_copy(filter, l->bytes);
    l->whole = filter->id.p != NULL;
    l->limit = page->limit;
    l->tour = later_tour(call, page->worker, visit, on_back, on_lost);
    l->tour.at = page->at;
    buf_str(&l->out, head);
    later_hold(&l->later, call);
    tour_begin(&l->tour);
}

void admin_sessions(struct admin_call *call)
{
    struct page page;
    const struct session_filter filter = {.user = page_query(call, "user"),
        .room = page_query(call, "room"), .transport = page_query(call, "transport")};
    if (page_read(call, &page))
        sessions_list(call, &filter, &page, HB_STR("{\"items\":["));
}

void admin_session(struct admin_call *call)
{
    const struct session_filter filter = {.id = call->segment[0]};
    const struct page page = {.limit = 1};
    sessions_list(call, &filter, &page, HB_STR(""));
}
