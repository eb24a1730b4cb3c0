#include "session/session.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "out/cursor.h"
#include "out/msg.h"
#include "session/batch.h"
#include "session/lost.h"
#include "session/member.h"
#include "session/ops.h"
#include "session/presence.h"
#include "session/registry.h"
#include "session/replay.h"
#include "session/ask.h"
#include "session/start.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* --- texts ------------------------------------------------------------------------------------ */

const hb_transport *session_transport(const struct session *ss)
{
    return ss->s->hub->modules[ss->module].desc->transport;
}

const hb_ctx *session_ctx(const struct session *ss)
{
    return &ss->s->ctx[ss->module];
}

static const struct metrics_transport *counters(const struct session *ss)
{
    return &ss->s->hub->modules[ss->module].metrics;
}

hb_str session_user(const struct session *ss)
{
    return str_of(ss->user);
}

hb_str session_remote(const struct session *ss, char *buf)
{
    static const uint8_t v4[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (memcmp(ss->remote.b, v4, sizeof(v4)) == 0)
        inet_ntop(AF_INET, ss->remote.b + 12, buf, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, ss->remote.b, buf, INET6_ADDRSTRLEN);
    return str_of(buf);
}

static void parse_remote(struct session *ss, hb_str remote)
{
    char text[INET6_ADDRSTRLEN];
    if (remote.n >= sizeof(text))
        return;
    memcpy(text, remote.p ? remote.p : "", remote.n);
    text[remote.n] = '\0';
    if (inet_pton(AF_INET, text, ss->remote.b + 12) == 1)
        ss->remote.b[10] = ss->remote.b[11] = 0xff;
    else
        inet_pton(AF_INET6, text, ss->remote.b);
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_timer(struct timer *t);

unsigned session_wire(const struct session *ss, unsigned variant)
{
    const struct wire *wires = ss->s->hub->wires;
    unsigned wire = 0;
    while (wires[wire].module != ss->module || wires[wire].variant != variant)
        wire++;
    return wire;
}

struct session *session_create(struct shard *s, unsigned module, unsigned variant, void *conn, hb_str remote)
{
    struct session *ss = mem_zalloc(sizeof(*ss) + s->hub->n_slots * sizeof(void *));
    ss->s = s;
    ss->module = (uint8_t)module;
    outbox_init(s, &ss->out, session_wire(ss, variant));
    ss->conn = conn;
    ss->state = SESSION_CONNECTING;
    list_init(&ss->rooms);
    list_init(&ss->waiting);
    list_init(&ss->batches);
    timer_init(&ss->timer, on_timer);
    rand_bytes(ss->id, sizeof(ss->id));
    rand_bytes(ss->secret, sizeof(ss->secret));
    parse_remote(ss, remote);
    ss->opened_ts = clock_wall_ms();
    ss->last_seen_ms = (uint32_t)s->wheel.now_ms;
    registry_add(s->registry, ss, s->index);
    return ss;
}

static void on_expiry(struct timer *t)
{
    struct session *ss = container_of(t, struct session_auth, expiry)->session;
    if (ss->state != SESSION_OPEN)
        return;
    session_error(ss, HB_TOKEN_EXPIRED, HB_STR("the token has expired"));
    metrics_inc(ss->s->metrics, METRIC_AUTH_FAILURES + AUTH_EXPIRED);
    session_close(ss, 4001, HB_STR("token expired"), HB_END_EXPIRED);
}

static void drop_auth(struct session *ss)
{
    if (!ss->auth)
        return;
    timer_cancel(&ss->s->wheel, &ss->auth->expiry);
    rights_unref(ss->auth->rights);
    free(ss->auth->token_id);
    free(ss->auth);
    ss->auth = NULL;
}

static void set_expiry(struct session *ss)
{
    int64_t left_ms = ss->auth->expires_at * 1000 - clock_wall_ms();
    if (ss->auth->expires_at > 0)
        timer_set(&ss->s->wheel, &ss->auth->expiry, clock_mono_ms() + (uint64_t)(left_ms > 0 ? left_ms : 0));
}

/* What a module says: past the year 9999 is never, before 1970 has been. */
static int64_t expiry_of(const hb_outcome *who)
{
    if (who->expires_at > HB_SECONDS_MAX)
        return 0;
    return who->expires_at < 0 ? 1 : who->expires_at;
}

static void make_auth(struct session *ss, const hb_outcome *who)
{
    struct rights *rights = rights_create(who->rights);
    if (!rights && !who->expires_at && !who->issued_at && !who->token_id.p)
        return;
    ss->auth = mem_zalloc(sizeof(*ss->auth));
    *ss->auth = (struct session_auth){.session = ss, .expires_at = expiry_of(who),
        .issued_at = who->issued_at, .rights = rights};
    if (who->token_id.p)
        ss->auth->token_id = mem_strndup(who->token_id.p, who->token_id.n);
    timer_init(&ss->auth->expiry, on_expiry);
    set_expiry(ss);
}

void session_accept(struct session *ss, const hb_outcome *who)
{
    bool refresh = ss->user;
    drop_auth(ss);
    free(ss->user);
    ss->user = who->user.p ? mem_strndup(who->user.p, who->user.n) : NULL;
    make_auth(ss, who);
    if (ss->announced)
        hooks_authenticated(ss->s, (hb_session *)ss, refresh);
}

void session_count_cursors(struct session *ss, int more)
{
    const hb_transport *t = session_transport(ss);
    unsigned variant = ss->s->hub->wires[ss->out.wire].variant;
    ss->n_cursors = (uint16_t)(ss->n_cursors + more);
    if (variant >= 2 * t->lone)
        return;
    unsigned wanted = variant % t->lone + (ss->n_cursors == 1 ? t->lone : 0);
    if (variant != wanted)
        outbox_vary(ss->s, &ss->out, session_wire(ss, wanted));
}

/* Out of the room. The membership stays: it knows the position for what is queued still. */
static void leave(struct session *ss, struct membership *m, bool at_once)
{
    hb_str room = members_name(m->room);
    if (m->joined && room.p[0] != '@') {
        hooks_left(ss->s, (hb_session *)ss, room, at_once);
        presence_left(ss, m);
        metrics_add(ss->s->metrics, METRIC_ROOM_MEMBERSHIPS, -1);
        ss->n_rooms--;
    }
    if (m->joined)
        home_leave(ss->s, room);
    replay_stop(ss, m);
    members_remove(m->room, m);
    if (m->joined && m->keeps)
        session_count_cursors(ss, -1);
    if (m->joined)
        member_tell(ss, room, HB_STR("leave"));
}

static void forget(struct session *ss, struct membership *m)
{
    list_remove(&m->in_session);
    members_release(ss->s, m->room);
    free(m);
}

static void free_session(struct session *ss)
{
    if (ss->out.stream) {
        ss->s->hub->io->close(ss->out.stream);
        outbox_detach(ss->s, &ss->out);
    }
    if (ss->conn)
        session_transport(ss)->ended(session_ctx(ss), ss->conn);
    batches_abandon(ss);
    timer_cancel(&ss->s->wheel, &ss->timer);
    drop_auth(ss);
    outbox_abandon(ss->s, &ss->out);
    outbox_finish(ss->s, &ss->out);
    while (!list_empty(&ss->rooms))
        forget(ss, list_entry(ss->rooms.next, struct membership, in_session));
    start_free(ss);
    free(ss->user);
    registry_remove(ss->s->registry, ss);
    free(ss);
}

/* Not before the end of the turn: callers up the stack may still look at it. */
static void die(struct session *ss)
{
    if (ss->state == SESSION_DEAD)
        return;
    ss->state = SESSION_DEAD;
    list_remove(&ss->out.dirty); /* nothing is written any more: the link serves for the way out */
    list_push_back(&ss->s->registry->dead, &ss->out.dirty);
}

void sessions_reap(struct shard *s)
{
    struct list *dead = &s->registry->dead;
    while (!list_empty(dead)) {
        struct session *ss = list_entry(dead->next, struct session, out.dirty);
        list_remove(&ss->out.dirty);
        free_session(ss);
    }
}

void session_open(struct session *ss)
{
    uint64_t interval = (uint64_t)ss->s->config->heartbeat.interval_ms;
    ss->state = SESSION_OPEN;
    session_touch(ss);
    timer_set(&ss->s->wheel, &ss->timer, clock_mono_ms() + interval - rand_below(interval / 4 + 1));
}

void session_wait_for_auth(struct session *ss, int64_t time_ms)
{
    ss->state = SESSION_WAITING;
    timer_set(&ss->s->wheel, &ss->timer, clock_mono_ms() + (uint64_t)time_ms);
}

void session_announce(struct session *ss)
{
    if (ss->announced)
        return;
    ss->announced = true;
    metrics_add(ss->s->metrics, METRIC_SESSIONS, 1);
    hooks_opened(ss->s, (hb_session *)ss);
}

/* Leave everything: rooms, queues, what other stages know of it. Once. */
static void leave_all(struct session *ss, hb_end why, bool at_once)
{
    if (ss->rooms_left)
        return;
    ss->rooms_left = true;
    ss->why = (uint8_t)why;
    list_for_each(item, &ss->rooms)
        leave(ss, list_entry(item, struct membership, in_session), at_once);
    ops_abandon(ss);
    asks_abandon(ss);
    if (ss->announced) {
        hooks_closed(ss->s, (hb_session *)ss, why);
        metrics_add(ss->s->metrics, METRIC_SESSIONS, -1);
    }
    if (ss->state == SESSION_OPEN || ss->state == SESSION_WAITING) {
        metrics_add(ss->s->metrics, counters(ss)->connections, -1);
        metrics_inc(ss->s->metrics, counters(ss)->closed + why);
    }
}

static bool tells_bye(int code)
{
    return code != 4008 && code != 1002 && code != 1003 && code != 1007 && code != 1009;
}

static void close_with(struct session *ss, int code, hb_str reason, hb_end why, bool reconnect, int64_t delay_ms)
{
    if (ss->state >= SESSION_CLOSING || ss->state == SESSION_CONNECTING)
        return;
    leave_all(ss, why, why != HB_END_HEARTBEAT && why != HB_END_SLOW && why != HB_END_DRAIN);
    ss->state = SESSION_CLOSING;
    if (tells_bye(code)) {
        hb_event ev;
        event_init(&ev, HB_EV_BYE);
        ev.close_code = code;
        ev.text = reason;
        ev.reconnect = reconnect;
        ev.delay_ms = delay_ms;
        session_event(ss, &ev);
    }
    session_transport(ss)->close(session_ctx(ss), ss->conn, code, reason);
    outbox_close(ss->s, &ss->out);
    if (ss->out.stream)
        timer_set(&ss->s->wheel, &ss->timer, clock_mono_ms() + SESSION_CLOSE_MS);
    else
        timer_cancel(&ss->s->wheel, &ss->timer);
}

void session_close(struct session *ss, int code, hb_str reason, hb_end why)
{
    bool reconnect = why != HB_END_KICKED && why != HB_END_REFUSED && why != HB_END_EXPIRED;
    close_with(ss, code, reason, why, reconnect, -1);
}

void session_close_later(struct session *ss, int code, hb_str reason, hb_end why, int64_t delay_ms)
{
    close_with(ss, code, reason, why, true, delay_ms);
}

void session_end(struct session *ss, hb_end why, bool at_once)
{
    if (ss->state == SESSION_DEAD)
        return;
    leave_all(ss, why, at_once);
    ss->state = SESSION_CLOSING;
    outbox_close(ss->s, &ss->out);
    if (!ss->out.stream || (outbox_idle(&ss->out))) {
        die(ss);
        return;
    }
    timer_set(&ss->s->wheel, &ss->timer, clock_mono_ms() + SESSION_CLOSE_MS);
    outbox_tell_when_flushed(ss->s, &ss->out);
}

/* --- time ------------------------------------------------------------------------------------- */

static void beat(struct session *ss)
{
    uint64_t now = clock_mono_ms(), interval = (uint64_t)ss->s->config->heartbeat.interval_ms;
    uint64_t silence = (uint32_t)now - ss->last_seen_ms, next = interval;
    if (!session_transport(ss)->one_way && silence >= interval) { /* the ping before was not answered */
        uint64_t timeout = (uint64_t)ss->s->config->heartbeat.timeout_ms;
        if (silence >= interval + timeout) {
            session_close(ss, 4009, HB_STR("heartbeat missed"), HB_END_HEARTBEAT);
            return;
        }
        next = interval + timeout - silence < interval ? interval + timeout - silence : interval;
    }
    if (session_transport(ss)->heartbeat)
        session_transport(ss)->heartbeat(session_ctx(ss), ss->conn);
    timer_set(&ss->s->wheel, &ss->timer, now + next);
}

static void on_timer(struct timer *t)
{
    struct session *ss = container_of(t, struct session, timer);
    if (ss->state == SESSION_OPEN) {
        beat(ss);
    } else if (ss->state == SESSION_WAITING) {
        metrics_inc(ss->s->metrics, METRIC_AUTH_FAILURES + AUTH_TIMEOUT);
        session_close(ss, 4001, HB_STR("no credentials in time"), HB_END_REFUSED);
    } else if (ss->state == SESSION_CLOSING) {
        die(ss);
    }
}

/* The wheel's time would be that of before the loop went to sleep. */
void session_touch(struct session *ss)
{
    ss->last_seen_ms = (uint32_t)clock_mono_ms();
}

/* --- rooms ------------------------------------------------------------------------------------ */

struct membership *session_membership(const struct session *ss, hb_str room)
{
    list_for_each(item, &ss->rooms) {
        struct membership *m = list_entry(item, struct membership, in_session);
        if (str_eq(members_name(m->room), room))
            return m;
    }
    return NULL;
}

/* One that is still being joined is left by op_room.c when the home's answer comes. */
void session_leave_room(struct session *ss, struct membership *m, bool at_once)
{
    leave(ss, m, at_once);
    forget(ss, m);
}

const struct rights *session_rights(const struct session *ss)
{
    return ss->auth ? ss->auth->rights : NULL;
}

bool session_may_join(const struct session *ss, hb_str room)
{
    if (room.n > 0 && room.p[0] == '@')
        return ss->user && str_eq((hb_str){room.p + 1, room.n - 1}, session_user(ss));
    return rule_allows_join(config_room_rule(ss->s->config, room), ss->user != NULL, session_rights(ss), room);
}

bool session_may_publish(const struct session *ss, hb_str room)
{
    if (room.n > 0 && room.p[0] == '@')
        return false;
    const struct membership *m = session_membership(ss, room);
    return rule_allows_publish(config_room_rule(ss->s->config, room), ss->user != NULL, m && m->joined,
        session_rights(ss), room);
}

/* --- sending ---------------------------------------------------------------------------------- */

void session_event(struct session *ss, const hb_event *ev)
{
    const hb_transport *t = session_transport(ss);
    if (ss->state == SESSION_DEAD || (t->event && ss->conn && t->event(session_ctx(ss), ss->conn, ev)))
        return;
    outbox_event(ss->s, &ss->out, ev);
}

void session_error(struct session *ss, hb_code code, hb_str text)
{
    hb_event ev;
    event_init(&ev, HB_EV_ERROR);
    ev.code = code;
    ev.text = text;
    metrics_error(ss->s->metrics, code);
    session_event(ss, &ev);
}

void session_welcome(struct session *ss)
{
    char id[SESSION_TICKET_MAX], ticket[SESSION_TICKET_MAX];
    hb_event ev;
    event_init(&ev, HB_EV_WELCOME);
    ev.session = session_public_id(ss, id);
    ev.ticket = session_ticket(ss, ticket);
    ev.user = session_user(ss);
    ev.node = str_of(ss->s->config->node);
    ev.heartbeat_ms = ss->s->config->heartbeat.interval_ms;
    session_event(ss, &ev);
}

/* --- what the lower stages call ------------------------------------------------------------------ */

static struct session *owner(struct outbox *out)
{
    return container_of(out, struct session, out);
}

/* In the middle of a fan-out: only remember it; sessions_close_slow does the rest. */
static void on_overflow(struct shard *s, struct outbox *out)
{
    struct session *ss = owner(out);
    if (ss->doomed)
        return;
    ss->doomed = true;
    registry_doom(s->registry, ss->sid);
}

static void on_flushed(struct shard *s, struct outbox *out)
{
    struct session *ss = owner(out);
    if (ss->state == SESSION_CLOSING && out->stream)
        die(ss);
    else if (ss->n_replays > 0)
        replay_continue(ss);
}

static void on_ready(struct shard *s, struct outbox *out)
{
    struct session *ss = owner(out);
    if (ss->state != SESSION_DEAD && session_transport(ss)->ready)
        session_transport(ss)->ready(session_ctx(ss), ss->conn);
}

static void on_advance(struct outbox *out, const hb_message *m)
{
    struct membership *membership = session_membership(owner(out), m->room);
    if (membership && m->cursor.p)
        membership->pos = m->pos;
}

static void on_fill(struct shard *s, struct outbox *out, unsigned slot, hb_out *to)
{
    struct session *ss = owner(out);
    session_transport(ss)->fill(session_ctx(ss), ss->conn, slot, to);
}

static struct outbox *outbox_of(struct shard *s, hb_sid sid)
{
    struct session *ss = sid ? session_find(s, sid) : NULL;
    return ss ? &ss->out : NULL;
}

const struct session_ops session_ops = {
    .overflow = on_overflow,
    .flushed = on_flushed,
    .ready = on_ready,
    .advance = on_advance,
    .fill = on_fill,
    .outbox_of = outbox_of,
    .presence = hooks_presence_changed,
    .lost = lost_room,
};

void sessions_close_slow(struct shard *s)
{
    hb_sid sid;
    while ((sid = registry_doomed(s->registry))) {
        struct session *ss = session_find(s, sid);
        if (!ss || ss->state >= SESSION_CLOSING)
            continue;
        metrics_inc(s->metrics, METRIC_SLOW_CONSUMERS);
        metrics_add(s->metrics, METRIC_DROPPED + DROPPED_SLOW, ss->out.count);
        outbox_drop(s, &ss->out);
        outbox_reopen(s, &ss->out);
        session_close(ss, 4008, HB_STR("slow consumer"), HB_END_SLOW);
    }
}
