/*
 * What changes sessions: DELETE /api/v1/sessions/{id} and /users/{user}/sessions, POST and DELETE
 * /api/v1/rooms/{room}/members. One tour finds those meant and does it there.
 */
#include "admin/body.h"
#include "admin/later.h"
#include "admin/sessions.h"
#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "session/cluster.h"
#include "session/ops.h"
#include "session/registry.h"
#include <stdlib.h>
#include <string.h>

enum what { KICK, JOIN, LEAVE };

struct order {
    struct tour tour;
    struct later later;
    enum what what;
    struct session_filter filter; /* id or user; `room` is not asked for but joined or left */
    hb_str room;
    size_t found;
    char bytes[];
};

static bool carry_out(struct session *ss, void *arg)
{
    struct order *o = arg;
    hb_op op = {.type = o->what == LEAVE ? HB_OP_LEAVE : HB_OP_JOIN, .room = o->room};
    if (!session_matches(ss, &o->filter))
        return true;
    o->found++;
    if (o->what == KICK)
        session_close(ss, 4003, HB_STR("disconnected by the server"), HB_END_KICKED);
    else
        ops_input(ss, &op, OP_SERVER, NULL);
    return !o->filter.id.p;
}

static enum tour_step visit(struct tour *t, struct shard *s)
{
    struct order *o = container_of(t, struct order, tour);
    bool last = registry_some(s, &t->at, carry_out, o);
    if (o->filter.id.p && o->found > 0)
        return TOUR_BACK;
    return last ? TOUR_NEXT : TOUR_AGAIN;
}

static void on_lost(struct tour *t)
{
    free(container_of(t, struct order, tour));
}

static void tell_log(const struct order *o)
{
    static const char *const words[] = {[KICK] = "disconnected", [JOIN] = "joined", [LEAVE] = "left"};
    hb_str who = o->filter.id.p ? o->filter.id : o->filter.user;
    struct buf fields = BUF_INIT;
    log_value(&fields, who);
    buf_lit(&fields, " room=");
    log_value(&fields, o->room);
    log_write(LOG_INFO, "admin", "%s %s=%.*s sessions=%zu", words[o->what], o->filter.id.p ? "session" : "user",
        (int)fields.n, fields.p, o->found);
    buf_finish(&fields);
}

static void on_back(struct tour *t)
{
    struct order *o = container_of(t, struct order, tour);
    struct admin_call call;
    struct buf out = BUF_INIT;
    if (o->found > 0)
        tell_log(o);
    if (later_take(&o->later, &call)) {
        buf_printf(&out, "{\"sessions\":%zu}\n", o->found);
        if (o->filter.id.p && o->found == 0 && !cluster_is(o->tour.hub)) /* else it may be elsewhere */
            admin_error(&call, HB_NOT_FOUND, "there is no such session on this node");
        else
            admin_json(&call, 200, buf_view(&out));
    }
    buf_finish(&out);
    free(o);
}

static void give_order(struct admin_call *call, enum what what, const struct session_filter *who, hb_str room)
{
    size_t size = session_filter_size(who);
    struct order *o = mem_zalloc(sizeof(*o) + size + room.n);
    o->what = what;
    o->filter = session_filter_copy(who, o->bytes);
    if (room.n)
        o->room = (hb_str){memcpy(o->bytes + size, room.p, room.n), room.n};
    o->tour = later_tour(call, 0, visit, on_back, on_lost);
    later_hold(&o->later, call);
    cluster_order(call->control->hub, (enum cluster_what)what, who->id, who->user, room);
    tour_begin(&o->tour);
}

void admin_session_end(struct admin_call *call)
{
    give_order(call, KICK, &(struct session_filter){.id = call->segment[0]}, (hb_str){NULL, 0});
}

void admin_user_end(struct admin_call *call)
{
    if (body_path_name(call, call->segment[0], "user"))
        give_order(call, KICK, &(struct session_filter){.user = call->segment[0]}, (hb_str){NULL, 0});
}

/* Some clients send no body with DELETE: the query will do. */
static void read_who(struct admin_call *call, struct body_field who[2], struct session_filter *out)
{
    if (!str_trim(call->req->body).n && str_eq(call->req->method, HB_STR("DELETE"))) {
        out->id = page_query(call, "session");
        out->user = page_query(call, "user");
    } else if (body_read(call, who, 2)) {
        out->id = who[0].given ? buf_view(&who[0].name) : (hb_str){NULL, 0};
        out->user = who[1].given ? buf_view(&who[1].name) : (hb_str){NULL, 0};
    } else {
        return;
    }
    if (!out->id.p == !out->user.p) {
        *out = (struct session_filter){.id = {NULL, 0}};
        admin_error(call, HB_BAD_REQUEST, "name either a session or a user");
    }
}

static bool may_use_room(struct admin_call *call)
{
    hb_str room = call->segment[0];
    if (!body_path_name(call, room, "room"))
        return false;
    if (room.p[0] == '@')
        admin_error(call, HB_FORBIDDEN, "a user's own room has that user's sessions, always");
    else if (!config_room_rule(call->control->config, room))
        admin_error(call, HB_BAD_REQUEST, "no rule of the configuration matches this room");
    else
        return true;
    return false;
}

static void change_members(struct admin_call *call, enum what what)
{
    struct body_field who[2] = {{.key = "session", .max = 64}, {.key = "user", .max = 128}};
    struct session_filter filter = {.id = {NULL, 0}};
    if (!may_use_room(call))
        return;
    read_who(call, who, &filter);
    if (filter.id.p || filter.user.p)
        give_order(call, what, &filter, call->segment[0]);
    body_finish(who, 2);
}

void admin_members_add(struct admin_call *call)
{
    change_members(call, JOIN);
}

void admin_members_remove(struct admin_call *call)
{
    change_members(call, LEAVE);
}
