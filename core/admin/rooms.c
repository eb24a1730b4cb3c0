/* GET /api/v1/rooms, /rooms/{room}, /rooms/{room}/presence and /rooms/{room}/history. */
#include "admin/body.h"
#include "admin/later.h"
#include "admin/sessions.h"
#include "base/check.h"
#include "base/str.h"
#include "room/home.h"
#include "session/history_remote.h"
#include "session/presence.h"
#include <stdlib.h>
#include <string.h>

/* --- the list ------------------------------------------------------------------------------------- */

struct listing {
    struct tour tour;
    struct later later;
    size_t limit, found;
    struct buf out;
};

static void list_one(hb_str room, int64_t members, void *arg)
{
    struct listing *l = arg;
    buf_lit(&l->out, l->found++ > 0 ? ",{\"room\":" : "{\"room\":");
    buf_json_str(&l->out, room);
    buf_printf(&l->out, ",\"members\":%lld}", (long long)members);
}

static enum tour_step visit(struct tour *t, struct shard *s)
{
    struct listing *l = container_of(t, struct listing, tour);
    if (l->found >= l->limit) /* it ended with the worker before */
        return TOUR_BACK;
    t->at = homes_page(s, t->at, l->limit - l->found, list_one, l);
    return t->at ? TOUR_BACK : TOUR_NEXT;
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

static void on_listed(struct tour *t)
{
    struct listing *l = container_of(t, struct listing, tour);
    struct admin_call call;
    if (later_take(&l->later, &call)) {
        page_end(&l->out, t->worker < t->hub->n_workers && !t->cut_short, t->worker, t->at);
        admin_json(&call, 200, buf_view(&l->out));
    }
    destroy(l);
}

void admin_rooms(struct admin_call *call)
{
    struct page page;
    if (!page_read(call, &page))
        return;
    struct listing *l = mem_zalloc(sizeof(*l));
    l->limit = page.limit;
    l->tour = later_tour(call, page.worker, visit, on_listed, on_lost);
    l->tour.at = page.at;
    buf_lit(&l->out, "{\"items\":[");
    later_hold(&l->later, call);
    tour_begin(&l->tour);
}

/* --- one room ------------------------------------------------------------------------------------- */

/* A question about a room: its request, held. */
struct asking {
    struct later later;
    struct page page;
    size_t n_room;
    char room[];
};

static struct asking *ask(struct admin_call *call,
    bool (*read)(struct admin_call *call, struct page *out))
{
    hb_str room = call->segment[0];
    struct page page;
    if (!body_path_name(call, room, "room") || !read(call, &page))
        return NULL;
    struct asking *a = mem_zalloc(sizeof(*a) + room.n);
    a->page = page;
    a->n_room = room.n;
    memcpy(a->room, room.p, room.n);
    later_hold(&a->later, call);
    return a;
}

static void refuse(struct admin_call *call, hb_code code)
{
    if (code == HB_NOT_FOUND)
        admin_error(call, code, "there is no such room on this node");
    else if (code == HB_BAD_REQUEST)
        admin_error(call, code, "since is no cursor of this room");
    else
        admin_error(call, code, "the room can't be asked now");
}

static void put_head(struct buf *out, const struct asking *a, const struct history_result *r,
    const struct config_room *rule)
{
    buf_lit(out, "{\"room\":");
    buf_json_str(out, (hb_str){a->room, a->n_room});
    buf_printf(out, ",\"members\":%lld,\"cursor\":", (long long)r->members);
    if (r->cursor.p)
        buf_json_str(out, r->cursor);
    else
        buf_lit(out, "null");
    buf_printf(out, ",\"presence\":%s,\"history\":{\"messages\":%lld,\"age_ms\":%lld},\"items\":[",
        rule->presence ? "true" : "false", (long long)rule->history.messages,
        (long long)rule->history.age_ms);
}

/* How it is; then the sessions in it, as a list. */
static void on_known(const struct history_result *r, void *arg)
{
    struct asking *a = arg;
    struct admin_call call;
    struct buf head = BUF_INIT;
    hb_str room = {a->room, a->n_room};
    const struct config_room *rule = config_room_rule(a->later.control->config, room);
    if (later_take(&a->later, &call)) {
        if (r->code != HB_OK || !rule) {
            refuse(&call, rule ? r->code : HB_NOT_FOUND);
        } else {
            put_head(&head, a, r, rule);
            sessions_list(&call, &(struct session_filter){.room = room}, &a->page, buf_view(&head));
        }
    }
    buf_finish(&head);
    free(a);
}

void admin_room(struct admin_call *call)
{
    struct asking *a = ask(call, page_read);
    if (a)
        history_from_anywhere(call->control->hub, (hb_str){a->room, a->n_room}, (hb_str){NULL, 0}, 1,
            call->control->index, on_known, a);
}

static void on_history(const struct history_result *r, void *arg)
{
    struct asking *a = arg;
    struct admin_call call;
    struct buf out = BUF_INIT;
    if (later_take(&a->later, &call)) {
        if (r->code != HB_OK) {
            refuse(&call, r->code);
        } else {
            buf_lit(&out, "{\"messages\":");
            buf_str(&out, r->messages);
            buf_lit(&out, ",\"cursor\":");
            if (r->cursor.p)
                buf_json_str(&out, r->cursor);
            else
                buf_lit(&out, "null");
            buf_printf(&out, ",\"more\":%s,\"recovered\":%s}\n", r->more ? "true" : "false",
                r->recovered ? "true" : "false");
            admin_json(&call, 200, buf_view(&out));
        }
    }
    buf_finish(&out);
    free(a);
}

void admin_room_history(struct admin_call *call)
{
    hb_str since = page_query(call, "since");
    struct asking *a = NULL;
    if (!since.p)
        since = page_query(call, "cursor");
    if ((a = ask(call, page_read_limit))) /* when not, the request is answered and gone */
        history_from_anywhere(call->control->hub, (hb_str){a->room, a->n_room}, since, a->page.limit,
            call->control->index, on_history, a);
}

static void on_presence(const struct presence_result *r, void *arg)
{
    struct asking *a = arg;
    struct admin_call call;
    struct buf out = BUF_INIT;
    if (later_take(&a->later, &call)) {
        if (r->code == HB_NOT_FOUND) {
            admin_error(&call, r->code, "there is no such room on this node, or it keeps no presence");
        } else if (r->code != HB_OK) {
            refuse(&call, r->code);
        } else {
            buf_printf(&out, "{\"count\":%lld,\"users\":", (long long)r->count);
            buf_str(&out, r->users);
            buf_lit(&out, "}\n");
            admin_json(&call, 200, buf_view(&out));
        }
    }
    buf_finish(&out);
    free(a);
}

void admin_room_presence(struct admin_call *call)
{
    struct asking *a = ask(call, page_read_limit);
    if (a)
        presence_from_anywhere(call->control->hub, (hb_str){a->room, a->n_room}, a->page.limit,
            call->control->index, on_presence, a);
}
