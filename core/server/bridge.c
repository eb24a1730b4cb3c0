#include "server/bridge.h"

#include "base/str.h"
#include "server/conn.h"
#include "session/edge.h"
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = 256 * 1024,     /* bytes to the client that are on their way between the workers */
    UNUSED_MAX = 64 * 1024,  /* bytes from the client that the owner has not used, beyond a message */
};

enum step {
    /* to far */
    STEP_REQUEST,
    STEP_OPENED,
    STEP_DATA,
    STEP_WRITTEN, /* n bytes of WRITE left */
    STEP_GONE,    /* end: the client went, in whatever state */
    /* to near */
    STEP_RESPOND, /* end */
    STEP_PARK,
    STEP_TAKE_OVER,
    STEP_WRITE,
    STEP_USED,    /* n bytes of DATA were */
    STEP_CLOSE,   /* end */
    /* to either */
    STEP_DONE,    /* end, in answer to the other's; n is 1 when it goes to near */
};

/* One mail. What a step needs beyond n stands behind: headers, then bytes. */
struct letter {
    struct mail mail;
    void *to; /* struct near or far */
    enum step step;
    int64_t n;
    size_t n_headers;
    hb_header *headers;
    hb_str bytes;
};

struct near {
    struct worker *worker;
    int owner;
    struct far *far;
    struct request *request; /* until answered, gone or taken over */
    hb_stream *stream;       /* taken over */
    size_t unused;           /* DATA sent, not yet USED */
    struct buf out;          /* WRITE that the stream did not take yet; far keeps to its window */
    bool paused, sent_end, got_end;
};

struct far {
    struct request request;
    hb_stream stream;
    struct worker *worker;
    int arrival;             /* where near is */
    struct near *near;
    int module;
    hb_claim claim;
    hb_header *headers;      /* into `copy` */
    size_t n_headers;
    char *copy;              /* owned: all strings of the request */
    struct buf input;        /* DATA not used yet */
    size_t in_flight;        /* WRITE not yet WRITTEN */
    const hb_stream_events *events; /* waiting for OPENED */
    void *owner;
    bool answered;           /* request.pub is the transport's no more */
    bool opened, sent_end, got_end, using;
    struct mail again;       /* posted to ourselves to go on after a pause */
    bool again_posted;
};

/* ---- mail ---- */

static void deliver(struct mail *mail, void *receiver);

static void discard(struct mail *mail)
{
    struct letter *l = container_of(mail, struct letter, mail);
    free(l); /* only when the receiver's worker has ended; the sender ends soon too */
}

static size_t headers_size(const hb_header *headers, size_t n)
{
    size_t size = n * sizeof *headers;
    for (size_t i = 0; i < n; i++)
        size += headers[i].name.n + headers[i].value.n;
    return size;
}

static hb_str put(char **to, hb_str s)
{
    if (!s.p)
        return s;
    char *at = *to;
    if (s.n)
        memcpy(at, s.p, s.n);
    *to += s.n;
    return (hb_str){at, s.n};
}

static void put_headers(hb_header *out, const hb_header *headers, size_t n, char **to)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (hb_header){put(to, headers[i].name), put(to, headers[i].value)};
}

/* NULL when memory is out. */
static struct letter *letter(enum step step, int64_t n, const hb_header *headers, size_t n_headers,
    hb_str bytes)
{
    struct letter *l = mem_try_alloc(sizeof *l + headers_size(headers, n_headers) + bytes.n);
    if (!l)
        return NULL;
    *l = (struct letter){.mail = {.deliver = deliver, .discard = discard}, .step = step, .n = n,
        .n_headers = n_headers, .headers = (hb_header *)(l + 1)};
    char *to = (char *)(l->headers + n_headers);
    put_headers(l->headers, headers, n_headers, &to);
    l->bytes = put(&to, bytes);
    return l;
}

static void send_letter(int to_worker, void *to, struct letter *l)
{
    CHECK_INVARIANT(l);
    l->to = to;
    shard_post(&server.hub, to_worker, &l->mail);
}

static void send_step(int to_worker, void *to, enum step step, int64_t n)
{
    send_letter(to_worker, to, letter(step, n, NULL, 0, (hb_str){0}));
}

/* ---- near: where the client is ---- */

static void near_free_if_ended(struct near *n)
{
    if (!n->sent_end || !n->got_end)
        return;
    buf_finish(&n->out);
    free(n);
}

static void near_tell(struct near *n, enum step step, int64_t count)
{
    send_step(n->owner, n->far, step, count);
}

/* The client went: the last thing far hears from here, unless it has heard that already. */
static void near_gone(struct near *n)
{
    n->request = NULL;
    n->stream = NULL;
    if (!n->sent_end) {
        n->sent_end = true;
        near_tell(n, STEP_GONE, 0);
    }
    near_free_if_ended(n);
}

static void on_request_gone(hb_request *req)
{
    near_gone(req->owner);
}

/* Hand on what waits, and tell far how much of its window is free again. */
static void near_flush(void *owner)
{
    struct near *n = owner;
    struct iovec iov = {n->out.p, n->out.n};
    size_t sent = n->out.n ? stream_writev(n->stream, &iov, 1) : 0;
    if (!sent)
        return;
    buf_consume(&n->out, sent);
    if (!n->out.n)
        buf_finish(&n->out);
    near_tell(n, STEP_WRITTEN, (int64_t)sent);
}

static void on_open(void *owner, hb_stream *stream)
{
    struct near *n = owner;
    if (!stream) {
        near_gone(n);
        return;
    }
    n->stream = stream;
    stream_bind(stream, near_flush, NULL, n);
    near_tell(n, STEP_OPENED, 0);
}

static size_t on_data(void *owner, const char *bytes, size_t size)
{
    struct near *n = owner;
    struct letter *l = letter(STEP_DATA, 0, NULL, 0, (hb_str){bytes, size});
    size_t most = UNUSED_MAX + (size_t)n->worker->shard.config->limits.message_size;
    if (!l)
        return 0;
    send_letter(n->owner, n->far, l);
    n->unused += size;
    if (n->unused > most && !n->paused) {
        n->paused = true;
        stream_pause(n->stream, true);
    }
    return size;
}

static void on_closed(void *owner)
{
    near_gone(owner);
}

static const hb_stream_events near_events = {sizeof near_events, on_open, on_data, on_closed};

static void near_write(struct near *n, hb_str bytes)
{
    if (!n->stream)
        return;
    buf_str(&n->out, bytes);
    near_flush(n);
}

static void near_used(struct near *n, size_t count)
{
    n->unused -= count;
    if (n->paused && n->stream && n->unused <= UNUSED_MAX / 2) {
        n->paused = false;
        stream_pause(n->stream, false);
    }
}

static void near_end(struct near *n, const struct letter *l)
{
    struct request *r = n->request;
    hb_stream *s = n->stream;
    n->got_end = true;
    n->request = NULL;
    n->stream = NULL;
    if (!n->sent_end) {
        n->sent_end = true;
        near_tell(n, STEP_DONE, 0);
    }
    if (r && l->step == STEP_RESPOND) {
        r->pub.gone = NULL;
        request_respond(&r->pub, (int)l->n, l->headers, l->n_headers, l->bytes);
    }
    if (s) {
        stream_write(s, n->out.p, n->out.n); /* at most the window: the tail has room */
        stream_close(s);
    }
    near_free_if_ended(n);
}

static void near_deliver(struct near *n, const struct letter *l)
{
    struct request *r = n->request;
    switch (l->step) {
    case STEP_PARK:
        if (r)
            request_park(&r->pub, l->headers, l->n_headers);
        break;
    case STEP_TAKE_OVER:
        n->request = NULL;
        if (r)
            request_take_over(&r->pub, (int)l->n, l->headers, l->n_headers, &near_events, n);
        break;
    case STEP_WRITE:
        near_write(n, l->bytes);
        break;
    case STEP_USED:
        near_used(n, (size_t)l->n);
        break;
    default:
        near_end(n, l);
    }
}

/* ---- far: where the session is ---- */

static void far_free_if_ended(struct far *f)
{
    if (!f->sent_end || !f->got_end || f->using || f->again_posted)
        return;
    stream_release(&f->stream);
    buf_finish(&f->input);
    if (f->request.details)
        free(f->request.details->query);
    free(f->request.details);
    free(f->copy);
    free(f);
}

static void far_tell(struct far *f, enum step step, int64_t count)
{
    send_step(f->arrival, f->near, step, count);
}

hb_str bridge_header(const struct far *f, hb_str name)
{
    for (size_t i = 0; i < f->n_headers; i++)
        if (str_eq(f->headers[i].name, name))
            return f->headers[i].value.n ? f->headers[i].value : HB_STR("");
    return (hb_str){0};
}

void bridge_respond(struct far *f, int status, const hb_header *headers, size_t n, hb_str body)
{
    struct letter *l = letter(STEP_RESPOND, status, headers, n, body);
    if (!l)
        l = letter(STEP_RESPOND, 503, NULL, 0, HB_STR(""));
    f->answered = f->sent_end = true;
    send_letter(f->arrival, f->near, l);
    far_free_if_ended(f);
}

void bridge_park(struct far *f, const hb_header *headers, size_t n)
{
    send_letter(f->arrival, f->near, letter(STEP_PARK, 200, headers, n, (hb_str){0}));
}

void bridge_take_over(struct far *f, int status, const hb_header *headers, size_t n,
    const hb_stream_events *events, void *owner)
{
    f->answered = true;
    f->events = events;
    f->owner = owner;
    send_letter(f->arrival, f->near, letter(STEP_TAKE_OVER, status, headers, n, (hb_str){0}));
}

/* -- its stream -- */

static struct far *far_of(hb_stream *s)
{
    return container_of(s, struct far, stream);
}

static size_t copy_iov(char *to, const struct iovec *iov, int n, size_t most)
{
    size_t done = 0;
    for (int i = 0; i < n && done < most; i++) {
        size_t part = iov[i].iov_len < most - done ? iov[i].iov_len : most - done;
        memcpy(to + done, iov[i].iov_base, part);
        done += part;
    }
    return done;
}

static size_t write_far(hb_stream *s, const struct iovec *iov, int n)
{
    struct far *f = far_of(s);
    size_t window = (size_t)f->worker->shard.config->limits.outbox;
    if (window > WINDOW)
        window = WINDOW;
    size_t total = 0, room = window > f->in_flight ? window - f->in_flight : 0;
    for (int i = 0; i < n; i++)
        total += iov[i].iov_len;
    size_t taken = total < room ? total : room;
    struct letter *l = taken ? mem_try_alloc(sizeof *l + taken) : NULL;
    if (l) {
        char *bytes = (char *)(l + 1);
        *l = (struct letter){.mail = {.deliver = deliver, .discard = discard}, .step = STEP_WRITE,
            .bytes = {bytes, copy_iov(bytes, iov, n, taken)}};
        f->in_flight += taken;
        send_letter(f->arrival, f->near, l);
    } else {
        taken = 0;
    }
    if (taken < total)
        s->blocked = true;
    return taken;
}

static void use_far_input(struct far *f)
{
    hb_stream *s = &f->stream;
    size_t all = 0;
    f->using = true;
    while (f->input.n && !s->paused && !s->closing && s->events) {
        size_t used = s->events->data(s->owner, f->input.p, f->input.n);
        if (!used)
            break;
        buf_consume(&f->input, used);
        all += used;
    }
    f->using = false;
    if (all && !f->sent_end)
        far_tell(f, STEP_USED, (int64_t)all);
    if (!f->input.n)
        buf_finish(&f->input);
    far_free_if_ended(f);
}

static void go_on(struct mail *mail, void *receiver)
{
    struct far *f = container_of(mail, struct far, again);
    f->again_posted = false;
    use_far_input(f);
}

static void drop_go_on(struct mail *mail)
{
    container_of(mail, struct far, again)->again_posted = false;
}

static void pause_far(hb_stream *s, bool paused)
{
    struct far *f = far_of(s);
    if (paused || !f->input.n || f->again_posted)
        return;
    f->again_posted = true;
    f->again = (struct mail){.deliver = go_on, .discard = drop_go_on};
    shard_post(&server.hub, f->worker->shard.index, &f->again);
}

static bool busy_far(hb_stream *s)
{
    return false; /* near closes after what it got is out */
}

static void finish_far(hb_stream *s)
{
    struct far *f = far_of(s);
    s->closing = true;
    s->events = NULL;
    if (!f->sent_end) {
        f->sent_end = true;
        far_tell(f, STEP_CLOSE, 0);
    }
    far_free_if_ended(f);
}

static const struct stream_ops far_ops = {write_far, pause_far, busy_far, finish_far};

/* -- what near says -- */

static void far_opened(struct far *f)
{
    f->opened = true;
    stream_init(&f->stream, &far_ops, f->events, f->owner);
    f->using = true;
    f->events->open(f->owner, &f->stream);
    f->using = false;
    far_free_if_ended(f);
}

static void far_data(struct far *f, hb_str bytes)
{
    if (f->sent_end)
        return;
    buf_str(&f->input, bytes);
    use_far_input(f);
}

static void far_written(struct far *f, size_t count)
{
    f->in_flight -= count;
    if (!f->stream.blocked || f->sent_end)
        return;
    f->using = true;
    stream_unblocked(&f->stream);
    f->using = false;
    far_free_if_ended(f);
}

static void far_end(struct far *f)
{
    f->got_end = true;
    f->using = true;
    if (!f->sent_end) {
        f->sent_end = true;
        far_tell(f, STEP_DONE, 1);
        if (f->opened)
            stream_ended(&f->stream);
        else if (f->answered)
            f->events->open(f->owner, NULL);
        else if (f->request.pub.gone)
            f->request.pub.gone(&f->request.pub);
    }
    f->using = false;
    far_free_if_ended(f);
}

static void far_deliver(struct far *f, const struct letter *l)
{
    switch (l->step) {
    case STEP_REQUEST:
        f->worker = worker_self;
        f->request.worker = worker_self;
        edge_dispatch(&worker_self->shard, &f->request.pub, f->module, &f->claim);
        break;
    case STEP_OPENED:
        if (!f->sent_end)
            far_opened(f);
        break;
    case STEP_DATA:
        far_data(f, l->bytes);
        break;
    case STEP_WRITTEN:
        far_written(f, (size_t)l->n);
        break;
    default:
        far_end(f);
    }
}

static void deliver(struct mail *mail, void *receiver)
{
    struct letter *l = container_of(mail, struct letter, mail);
    bool to_near = (l->step >= STEP_RESPOND && l->step != STEP_DONE) || (l->step == STEP_DONE && l->n);
    if (to_near)
        near_deliver(l->to, l);
    else
        far_deliver(l->to, l);
    free(l);
}

/* ---- the copy ---- */

/* Every header but those that the HTTP library took out, and the two that transports ask for. */
static size_t list_headers(const struct request *r, hb_header *out)
{
    const h2o_req_t *h = r->tie->req;
    size_t n = 0;
    for (size_t i = 0; i < h->headers.size; i++) {
        const h2o_header_t *from = &h->headers.entries[i];
        out[n++] = (hb_header){{from->name->base, from->name->len},
            {from->value.base, from->value.len}};
    }
    static const hb_str apart[] = {HB_STR("host"), HB_STR("upgrade")};
    for (size_t i = 0; i < 2; i++) {
        hb_str value = request_header(&r->pub, apart[i]);
        if (value.p)
            out[n++] = (hb_header){apart[i], value};
    }
    return n;
}

static struct far *copy_request(const struct request *r, const hb_claim *claim)
{
    hb_header *list = mem_alloc((r->tie->req->headers.size + 2) * sizeof *list);
    size_t n = list_headers(r, list);
    const hb_request *p = &r->pub;
    size_t size = headers_size(list, n) + p->method.n + p->path.n + p->query.n + p->body.n
        + p->remote.n + claim->ticket.n + claim->credential.n;
    struct far *f = mem_zalloc(sizeof *f);
    f->copy = mem_try_alloc(size + 1);
    f->request.details = mem_zalloc(sizeof *f->request.details);
    if (f->copy) {
        f->headers = (hb_header *)f->copy;
        f->n_headers = n;
        char *to = (char *)(f->headers + n);
        put_headers(f->headers, list, n, &to);
        f->request.pub = (hb_request){.method = put(&to, p->method), .path = put(&to, p->path),
            .query = put(&to, p->query), .body = put(&to, p->body), .remote = put(&to, p->remote),
            .tls = p->tls, .http_minor = p->http_minor};
        f->claim = (hb_claim){.ticket = put(&to, claim->ticket),
            .credential = put(&to, claim->credential), .body_limit = claim->body_limit};
    }
    free(list);
    return f;
}

void bridge_forward(struct request *r, int owner, int module, const hb_claim *claim)
{
    struct far *f = copy_request(r, claim);
    if (!f->copy) {
        f->sent_end = f->got_end = true;
        far_free_if_ended(f);
        request_respond_error(&r->pub, HB_UNAVAILABLE, HB_STR("Out of memory."), 0);
        return;
    }
    struct near *n = mem_zalloc(sizeof *n);
    *n = (struct near){.worker = r->worker, .owner = owner, .far = f, .request = r};
    f->near = n;
    f->arrival = r->worker->shard.index;
    f->module = module;
    f->request.far = f;
    r->pub.owner = n;
    r->pub.gone = on_request_gone;
    send_step(owner, f, STEP_REQUEST, 0);
}
