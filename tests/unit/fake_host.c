#include "fake_host.h"
#include "base/check.h"
#include "base/list.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

struct fake_host fake;

static const hb_str absent = {NULL, 0};

static void *create(size_t size)
{
    void *p = calloc(1, size);
    CHECK_INVARIANT(p);
    return p;
}

static struct fake_request *of(const hb_request *req)
{
    return container_of((hb_request *)(uintptr_t)req, struct fake_request, req);
}

/* ---- requests ---- */

struct fake_request *fake_request(const char *method, const char *target)
{
    struct fake_request *r = create(sizeof(*r));
    const char *mark = strchr(target, '?');
    r->req.method = str_of(method);
    r->req.path = (hb_str){target, mark ? (size_t)(mark - target) : strlen(target)};
    r->req.query = str_of(mark ? mark + 1 : NULL);
    r->req.remote = HB_STR("192.0.2.1");
    r->req.http_minor = 1;
    r->next = fake.requests;
    fake.requests = r;
    return r;
}

void fake_request_header(struct fake_request *r, const char *name, const char *value)
{
    CHECK_INVARIANT(r->n_headers < FAKE_HEADERS);
    r->headers[r->n_headers++] = (hb_header){str_of(name), str_of(value)};
}

bool fake_request_send_for(struct fake_request *r, void *conn)
{
    const hb_transport *t = fake.module->transport;
    r->claim = (hb_claim){0};
    if (!t->claim(&fake.ctx, &r->req, &r->claim))
        return false;
    t->request(&fake.ctx, &r->req, conn, &r->claim);
    return true;
}

bool fake_request_send(struct fake_request *r)
{
    return fake_request_send_for(r, NULL);
}

static void end(hb_session *s, hb_end why, bool at_once);

void fake_request_leave(struct fake_request *r)
{
    if (fake.opening_request == r) {
        fake.opening_request = NULL;
        fake.module->transport->ended(&fake.ctx, fake.opening.conn);
    } else {
        r->req.gone(&r->req);
    }
}

static hb_str header(const hb_request *req, hb_str name)
{
    const struct fake_request *r = of(req);
    for (size_t i = 0; i < r->n_headers; i++)
        if (str_eq(r->headers[i].name, name))
            return r->headers[i].value;
    return absent;
}

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, c | 0x20);
    return at && c ? (int)(at - digits) : -1;
}

static void decode(hb_str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        bool coded = s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0;
        buf_char(out, coded ? (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2])) :
            s.p[i] == '+' ? ' ' : s.p[i]);
        i += coded ? 2 : 0;
    }
}

/* All values asked for stay valid: they are kept one behind the other, room for them made at once. */
static hb_str query(hb_request *req, hb_str key, size_t nth)
{
    struct fake_request *r = of(req);
    hb_str rest = req->query, field, name;
    CHECK_INVARIANT(r->value.cap || buf_reserve(&r->value, 1u << 16));
    while (str_split(&rest, '&', &field)) {
        hb_str value = field;
        if (!str_split(&value, '=', &name) || !str_eq(name, key) || nth-- > 0)
            continue;
        size_t at = r->value.n;
        decode(value, &r->value);
        CHECK_INVARIANT(r->value.n < 1u << 16);
        return (hb_str){r->value.p + at, r->value.n - at};
    }
    return absent;
}

static void record(struct fake_request *r, int status, const hb_header *headers, size_t n)
{
    CHECK_INVARIANT(r->status == 0); /* a request is answered once */
    r->status = status;
    for (size_t i = 0; i < n; i++) {
        buf_str(&r->head, headers[i].name);
        buf_lit(&r->head, ": ");
        buf_str(&r->head, headers[i].value);
        buf_char(&r->head, '\n');
    }
}

static void respond(hb_request *req, int status, const hb_header *headers, size_t n, hb_str body)
{
    if (of(req)->parked)
        of(req)->status = 0;
    record(of(req), of(req)->parked ? 200 : status, headers, of(req)->parked ? 0 : n);
    buf_str(&of(req)->body, body);
}

static void respond_error(hb_request *req, hb_code code, hb_str message, int64_t retry_after_ms)
{
    record(of(req), -1, NULL, 0);
    of(req)->code = code;
    buf_str(&of(req)->body, message);
}

static void park(hb_request *req, const hb_header *headers, size_t n)
{
    record(of(req), 200, headers, n);
    of(req)->parked = true;
}

static void take_over(hb_request *req, int status, const hb_header *headers, size_t n,
    const hb_stream_events *events, void *owner)
{
    record(of(req), status, headers, n);
    of(req)->events = events;
    of(req)->owner = owner;
}

/* ---- streams ---- */

hb_stream *fake_stream_open(struct fake_request *r)
{
    CHECK_INVARIANT(r->events);
    hb_stream *s = create(sizeof(*s));
    s->events = r->events;
    s->owner = r->owner;
    s->next = fake.streams;
    fake.streams = s;
    r->events->open(r->owner, s);
    return s;
}

void fake_stream_vanish(struct fake_request *r)
{
    CHECK_INVARIANT(r->events);
    r->events->open(r->owner, NULL);
}

/* As one piece in memory of its own, so that a read past its end is seen. */
static size_t offer(hb_stream *s)
{
    char *piece = create(s->in.n);
    memcpy(piece, s->in.p, s->in.n);
    size_t used = s->events->data(s->owner, piece, s->in.n);
    free(piece);
    return used;
}

void fake_stream_data(hb_stream *s, const void *bytes, size_t n)
{
    if (s->closed)
        return;
    buf_append(&s->in, bytes, n);
    size_t used = offer(s);
    CHECK_INVARIANT(used <= s->in.n);
    buf_consume(&s->in, used);
}

void fake_stream_disconnect(hb_stream *s)
{
    if (s->closed)
        return;
    s->closed = true;
    if (s->session)
        s->session->stream = NULL;
    s->events->closed(s->owner);
}

static void pause_stream(hb_stream *s, bool paused)
{
    s->paused = paused;
}

static void stream_close(hb_stream *s)
{
    CHECK_INVARIANT(!s->closed && !s->session);
    s->closed = true;
}

static size_t stream_write(hb_stream *s, const void *bytes, size_t n)
{
    CHECK_INVARIANT(!s->closed);
    if (fake.stream_limit && s->out.n + n > fake.stream_limit)
        return 0;
    buf_append(&s->out, bytes, n);
    return n;
}

/* ---- sessions ---- */

static void answer_open(struct fake_request *r, const hb_open *how)
{
    hb_session *s = NULL;
    if (fake.open_code == HB_OK) {
        s = create(sizeof(*s));
        s->conn = how->conn;
        s->variant = how->variant;
        s->next = fake.sessions;
        fake.sessions = s;
    }
    fake.opening_request = NULL;
    r->session = s;
    how->opened(&fake.ctx, how->conn, &r->req, s, fake.open_code,
        fake.open_code ? HB_STR("Refused.") : absent, 0);
}

static void open_session(const hb_ctx *ctx, hb_request *req, const hb_open *how)
{
    fake.opening = *how;
    size_t n = how->credential.n < sizeof(fake.credential) ? how->credential.n : 0;
    memcpy(fake.credential, n ? how->credential.p : "", n);
    fake.credential[n] = '\0';
    fake.opening_request = of(req);
    if (!fake.open_later)
        answer_open(of(req), how);
}

void fake_open_answer(void)
{
    answer_open(fake.opening_request, &fake.opening);
}

/* The frame's bytes with what `fill` says in its slots; without a session they stay empty. */
static void put_frame(const struct fake_frame *f, hb_session *s, struct buf *to)
{
    size_t at = 0;
    for (size_t i = 0; i < f->n_slots; i++) {
        hb_out one = {.bytes = BUF_INIT};
        buf_append(to, f->bytes.p + at, f->slot_at[i] - at);
        at = f->slot_at[i];
        if (s)
            fake.module->transport->fill(&fake.ctx, s->conn, f->slot[i], &one);
        buf_str(to, buf_view(&one.bytes));
        buf_finish(&one.bytes);
    }
    buf_append(to, f->bytes.p + at, f->bytes.n - at);
}

static void flush(hb_session *s)
{
    if (!s->stream)
        return;
    for (size_t i = 0; i < s->n_frames; i++) {
        put_frame(&s->frames[i], s, &s->stream->out);
        buf_finish(&s->frames[i].bytes);
    }
    s->n_frames = 0;
}

static struct fake_frame *queue(hb_session *s)
{
    CHECK_INVARIANT(!s->ended && s->n_frames < FAKE_FRAMES);
    s->frames[s->n_frames] = (struct fake_frame){.bytes = BUF_INIT};
    return &s->frames[s->n_frames++];
}

static void attach(hb_session *s, hb_stream *stream)
{
    s->stream = stream;
    stream->session = s;
    flush(s);
}

void fake_session_started(hb_session *s)
{
    s->started = fake.start_code == HB_OK;
    if (s->when_started)
        s->when_started(&fake.ctx, s->conn, fake.start_code,
            fake.start_code ? HB_STR("No room.") : absent);
}

static void start(hb_session *s, const hb_str *rooms, size_t n, hb_str since,
    void (*when_started)(const hb_ctx *ctx, void *conn, hb_code code, hb_str message))
{
    CHECK_INVARIANT(!s->started && !s->ended);
    for (size_t i = 0; i < n; i++) {
        buf_str(&s->rooms, rooms[i]);
        buf_char(&s->rooms, '\n');
    }
    buf_str(&s->since, since);
    s->when_started = when_started;
    if (!fake.start_later)
        fake_session_started(s);
}

static void input(hb_session *s, hb_str json)
{
    CHECK_INVARIANT(!s->ended);
    buf_str(&s->input, json);
    buf_char(&s->input, '\n');
    if (fake.on_input)
        fake.on_input(s, json);
}

static void op(hb_session *s, const hb_op *given)
{
    CHECK_INVARIANT(!s->ended && s->n_ops < FAKE_FRAMES);
    s->ops[s->n_ops++] = *given;
}

static void push(hb_session *s, const void *bytes, size_t n)
{
    buf_append(&queue(s)->bytes, bytes, n);
    flush(s);
}

static size_t take(hb_session *s, size_t max_bytes, hb_str separator, hb_out *out)
{
    size_t taken = 0;
    for (size_t bytes = 0; taken < s->n_frames; taken++) {
        bytes += s->frames[taken].bytes.n;
        if (taken > 0 && bytes > max_bytes)
            break;
        if (taken > 0)
            buf_str(&out->bytes, separator);
        put_frame(&s->frames[taken], s, &out->bytes);
        buf_finish(&s->frames[taken].bytes);
    }
    memmove(s->frames, s->frames + taken, (s->n_frames - taken) * sizeof(s->frames[0]));
    memset(s->frames + s->n_frames - taken, 0, taken * sizeof(s->frames[0]));
    s->n_frames -= taken;
    return taken;
}

static void touch(hb_session *s)
{
    s->touched++;
}

static void cursor(hb_session *s, hb_out *out)
{
    buf_lit(&out->bytes, fake.cursor ? fake.cursor : "");
    if (fake.module->transport->ready)
        buf_printf(&out->bytes, "-%u", ++s->answers);
}

/* "a" and "b" make "a+b"; a cursor is what does not begin with '!'. */
static size_t cursor_merge(const hb_str *cursors, size_t n, hb_out *out)
{
    size_t merged = 0;
    for (size_t i = 0; i < n; i++) {
        if (cursors[i].n == 0 || cursors[i].p[0] == '!')
            continue;
        if (merged++ > 0)
            buf_char(&out->bytes, '+');
        buf_str(&out->bytes, cursors[i]);
    }
    return merged;
}

static void end(hb_session *s, hb_end why, bool at_once)
{
    if (s->ended)
        return;
    s->ended = true;
    s->why = why;
    s->at_once = at_once;
    if (s->stream)
        s->stream->closed = true;
    fake.module->transport->ended(&fake.ctx, s->conn);
}

static void close_session(hb_session *s, int code, hb_str reason, hb_end why)
{
    s->close_code = code;
    s->why = why;
    fake.module->transport->close(&fake.ctx, s->conn, code, reason);
}

void fake_session_close(hb_session *s, int code, const char *reason)
{
    close_session(s, code, str_of(reason), HB_END_KICKED);
}

void fake_session_end(hb_session *s)
{
    end(s, HB_END_KICKED, true);
}

void fake_session_heartbeat(hb_session *s)
{
    fake.module->transport->heartbeat(&fake.ctx, s->conn);
}

static hb_str ticket(hb_session *s)
{
    return HB_STR("a-ticket");
}

/* ---- output ---- */

static void out(hb_out *o, const void *bytes, size_t n)
{
    buf_append(&o->bytes, bytes, n);
}

/* The kind and the data are enough here; the real form is the core's. */
static void out_json(hb_out *o, const hb_event *ev)
{
    static const char *const kinds[] = {[HB_EV_WELCOME] = "welcome", [HB_EV_JOINED] = "joined",
        [HB_EV_REPLY] = "reply", [HB_EV_ERROR] = "error", [HB_EV_MESSAGE] = "message",
        [HB_EV_PRESENCE] = "presence", [HB_EV_BYE] = "bye"};
    if (ev->kind == HB_EV_MEMBER)
        return;
    buf_printf(&o->bytes, "{\"type\":\"%s\"", kinds[ev->kind]);
    if (ev->data.p) {
        buf_lit(&o->bytes, ",\"data\":");
        buf_str(&o->bytes, ev->data);
    }
    buf_char(&o->bytes, '}');
}

static void out_slot(hb_out *o, unsigned slot)
{
    CHECK_INVARIANT(o->n_slots < FAKE_SLOTS);
    o->slot_at[o->n_slots] = o->bytes.n;
    o->slot[o->n_slots++] = slot;
}

static size_t out_size(const hb_out *o)
{
    return o->bytes.n;
}

static hb_str out_view(const hb_out *o)
{
    return buf_view(&o->bytes);
}

static void out_insert(hb_out *o, size_t at, const void *bytes, size_t n)
{
    CHECK_INVARIANT(o->n_slots == 0 && at <= o->bytes.n && buf_reserve(&o->bytes, n));
    memmove(o->bytes.p + at + n, o->bytes.p + at, o->bytes.n - at);
    memcpy(o->bytes.p + at, bytes, n);
    o->bytes.n += n;
}

static void out_truncate(hb_out *o, size_t n)
{
    CHECK_INVARIANT(n <= o->bytes.n);
    o->bytes.n = n;
}

static hb_out *out_create(void)
{
    return create(sizeof(hb_out));
}

static void out_destroy(hb_out *o)
{
    if (o)
        buf_finish(&o->bytes);
    free(o);
}

static bool out_failed(const hb_out *o)
{
    return o->bytes.failed;
}

static struct fake_frame encode(unsigned variant, const hb_event *ev)
{
    hb_out o = {.bytes = BUF_INIT};
    fake.module->transport->encode(&fake.ctx, variant, ev, &o);
    struct fake_frame f = {.bytes = o.bytes, .n_slots = o.n_slots};
    memcpy(f.slot, o.slot, sizeof(f.slot));
    memcpy(f.slot_at, o.slot_at, sizeof(f.slot_at));
    return f;
}

void fake_encode(unsigned variant, const hb_event *ev, struct buf *to)
{
    struct fake_frame f = encode(variant, ev);
    put_frame(&f, NULL, to);
    buf_finish(&f.bytes);
}

void fake_session_tell(hb_session *s, const hb_event *ev)
{
    struct fake_frame frame = encode(s->variant, ev);
    if (frame.bytes.n == 0) {
        buf_finish(&frame.bytes);
        return;
    }
    *queue(s) = frame;
    flush(s);
    if (!s->stream && fake.module->transport->ready)
        fake.module->transport->ready(&fake.ctx, s->conn);
}

hb_event fake_event(hb_event_kind kind)
{
    return (hb_event){.size = sizeof(hb_event), .kind = kind, .ts = -1, .members = -1, .count = -1,
        .retry_after_ms = -1, .heartbeat_ms = -1, .delay_ms = -1, .recovered = -1, .more = -1};
}

/* ---- the host ---- */

static void ignore_log(const hb_ctx *ctx, hb_log_level level, const char *cause, const char *sentence)
{
}

static uint64_t now_ms(void)
{
    return fake.now_ms;
}

static int64_t wall_ms(void)
{
    return 1700000000000 + (int64_t)fake.now_ms;
}

static void timer_cancel(const hb_ctx *ctx, hb_timer *t)
{
    for (size_t i = 0; i < FAKE_TIMERS; i++)
        if (fake.timers[i] == t)
            fake.timers[i] = NULL;
}

static void timer_set(const hb_ctx *ctx, hb_timer *t, uint64_t after_ms)
{
    size_t i = 0;
    timer_cancel(ctx, t);
    while (fake.timers[i])
        CHECK_INVARIANT(++i < FAKE_TIMERS);
    fake.timers[i] = t;
    fake.due_ms[i] = fake.now_ms + after_ms;
}

/* The set timer that is due first, by `until_ms`; -1: none. */
static int next_due(uint64_t until_ms)
{
    int next = -1;
    for (int i = 0; i < FAKE_TIMERS; i++)
        if (fake.timers[i] && fake.due_ms[i] <= until_ms && (next < 0 || fake.due_ms[i] < fake.due_ms[next]))
            next = i;
    return next;
}

void fake_advance(uint64_t ms)
{
    uint64_t until_ms = fake.now_ms + ms;
    for (int i; (i = next_due(until_ms)) >= 0;) {
        hb_timer *t = fake.timers[i];
        fake.now_ms = fake.due_ms[i];
        fake.timers[i] = NULL;
        t->fire(&fake.ctx, t);
    }
    fake.now_ms = until_ms;
}

static void session_info(const hb_session *session, hb_session_info *info)
{
    *info = (hb_session_info){.size = sizeof(*info), .id = HB_STR("an-id")};
}

static int workers(void)
{
    return 1;
}

static int64_t limit(hb_limit which)
{
    return fake.limits[which];
}

static const hb_net net_table = {
    .size = sizeof(hb_net), .header = header, .query = query, .respond = respond,
    .respond_error = respond_error, .park = park, .take_over = take_over, .pause = pause_stream,
    .stream_close = stream_close, .open = open_session, .attach = attach, .start = start,
    .input = input, .op = op, .push = push, .take = take, .touch = touch, .cursor = cursor,
    .end = end, .close = close_session, .ticket = ticket, .out = out, .out_json = out_json,
    .out_slot = out_slot, .out_size = out_size, .out_view = out_view, .out_insert = out_insert,
    .out_truncate = out_truncate, .stream_write = stream_write, .limit = limit,
    .out_create = out_create, .out_destroy = out_destroy, .out_failed = out_failed,
    .cursor_merge = cursor_merge,
};

void fake_start(const hb_module *module, const void *options)
{
    char error[256];
    fake = (struct fake_host){
        .host = {.abi = HB_ABI, .size = sizeof(hb_host), .net = &fake.net, .log = ignore_log,
            .now_ms = now_ms, .wall_ms = wall_ms, .session_info = session_info,
            .timer_set = timer_set, .timer_cancel = timer_cancel, .workers = workers},
        .net = net_table,
        .ctx = {.host = &fake.host, .options = options},
        .module = module,
        .limits = {[HB_LIMIT_MESSAGE_SIZE] = 64 << 10, [HB_LIMIT_INFLATED_SIZE] = 1 << 20},
    };
    if (module->init)
        CHECK_INVARIANT(module->init(&fake.ctx, &fake.ctx.self, error, sizeof(error)) == 0);
    if (module->worker_init)
        CHECK_INVARIANT(module->worker_init(&fake.ctx, &fake.ctx.local) == 0);
}

static void free_request(struct fake_request *r)
{
    buf_finish(&r->head);
    buf_finish(&r->body);
    buf_finish(&r->value);
    free(r);
}

static void free_session(hb_session *s)
{
    for (size_t i = 0; i < s->n_frames; i++)
        buf_finish(&s->frames[i].bytes);
    buf_finish(&s->rooms);
    buf_finish(&s->since);
    buf_finish(&s->input);
    free(s);
}

static void free_stream(hb_stream *s)
{
    buf_finish(&s->out);
    buf_finish(&s->in);
    free(s);
}

void fake_stop(void)
{
    for (hb_session *s = fake.sessions; s; s = s->next)
        end(s, HB_END_DRAIN, true);
    for (hb_stream *s = fake.streams; s; s = s->next)
        fake_stream_disconnect(s);
    if (fake.module->worker_finish)
        fake.module->worker_finish(&fake.ctx);
    if (fake.module->finish)
        fake.module->finish(&fake.ctx);
    for (struct fake_request *r = fake.requests, *next; r; r = next) {
        next = r->next;
        free_request(r);
    }
    for (hb_session *s = fake.sessions, *next; s; s = next) {
        next = s->next;
        free_session(s);
    }
    for (hb_stream *s = fake.streams, *next; s; s = next) {
        next = s->next;
        free_stream(s);
    }
    fake.module = NULL;
}
