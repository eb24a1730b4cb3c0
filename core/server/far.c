/* The far half of a forwarded request: a copy of it, on the worker where its session is. */
#include "server/bridge.h"
#include "server/letter.h"
#include "server/stream.h"
#include "base/str.h"
#include "session/edge.h"
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = 256 * 1024, /* bytes to the client that are on their way to near */
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
    letter_send_step(f->arrival, f->near, step, count);
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
    struct letter *l = letter_create(STEP_RESPOND, status, headers, n, body);
    if (!l)
        l = letter_create(STEP_RESPOND, 503, NULL, 0, HB_STR(""));
    f->answered = f->sent_end = true;
    letter_send(f->arrival, f->near, l);
    far_free_if_ended(f);
}

void bridge_park(struct far *f, const hb_header *headers, size_t n)
{
    letter_send(f->arrival, f->near, letter_create(STEP_PARK, 200, headers, n, (hb_str){0}));
}

void bridge_take_over(struct far *f, int status, const hb_header *headers, size_t n,
    const hb_stream_events *events, void *owner)
{
    f->answered = true;
    f->events = events;
    f->owner = owner;
    letter_send(f->arrival, f->near,
        letter_create(STEP_TAKE_OVER, status, headers, n, (hb_str){0}));
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
    char *bytes;
    struct letter *l = taken ? letter_with_room(STEP_WRITE, taken, &bytes) : NULL;
    if (l) {
        copy_iov(bytes, iov, n, taken);
        f->in_flight += taken;
        letter_send(f->arrival, f->near, l);
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

void far_deliver(struct far *f, const struct letter *l)
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

struct far *far_create(const struct request *r, struct near *near, int module,
    const hb_claim *claim, bool *copied)
{
    hb_header *list = mem_alloc((r->tie->req->headers.size + 2) * sizeof *list);
    size_t n = list_headers(r, list);
    const hb_request *p = &r->pub;
    size_t size = letter_headers_size(list, n) + p->method.n + p->path.n + p->query.n + p->body.n
        + p->remote.n + claim->ticket.n + claim->credential.n;
    struct far *f = mem_zalloc(sizeof *f);
    f->copy = mem_try_alloc(size + 1);
    f->request.details = mem_zalloc(sizeof *f->request.details);
    if (f->copy) {
        f->headers = (hb_header *)f->copy;
        f->n_headers = n;
        char *to = (char *)(f->headers + n);
        letter_put_headers(f->headers, list, n, &to);
        f->request.pub = (hb_request){.method = letter_put(&to, p->method),
            .path = letter_put(&to, p->path), .query = letter_put(&to, p->query),
            .body = letter_put(&to, p->body), .remote = letter_put(&to, p->remote),
            .tls = p->tls, .http_minor = p->http_minor};
        f->claim = (hb_claim){.ticket = letter_put(&to, claim->ticket),
            .credential = letter_put(&to, claim->credential), .body_limit = claim->body_limit};
    }
    free(list);
    f->near = near;
    f->arrival = r->worker->shard.index;
    f->module = module;
    f->request.far = f;
    *copied = f->copy != NULL;
    return f;
}

void far_discard(struct far *f)
{
    f->sent_end = f->got_end = true;
    far_free_if_ended(f);
}
