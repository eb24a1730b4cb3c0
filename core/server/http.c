#include "server/http.h"

#include "base/rand.h"
#include "base/str.h"
#include "server/bridge.h"
#include "server/conn.h"
#include "server/cors.h"
#include "server/head.h"
#include "server/origin.h"
#include "server/proxy.h"
#include "server/remote.h"
#include "server/request.h"
#include "session/edge.h"

enum {
    BODY_MIN = 1024 * 1024,       /* what h2o reads at least, so that we say why it is too much */
    ADMIN_BODY_MAX = 8 * 1024 * 1024,
    FULL_RETRY_MS = 5000,
};

static void on_tie_gone(void *arg)
{
    struct tie *tie = arg;
    conn_request_done(tie->conn);
    if (tie->request)
        request_abandon(tie->request);
}

static void fail(struct request *r, hb_code code, const char *message)
{
    request_respond_error(&r->pub, code, str_of(message), 0);
}

/* Answer and close: what comes behind such a request on its connection can't be trusted. */
static void fail_and_close(struct request *r, hb_code code, const char *message, int64_t retry_ms)
{
    r->tie->req->http1_is_persistent = 0;
    request_respond_error(&r->pub, code, str_of(message), retry_ms);
}

/* ---- the door ---- */

static bool refuse_connection(struct request *r)
{
    hb_code code = r->tie->conn->refuse;
    if (code == HB_UNAVAILABLE)
        fail_and_close(r, code, "The server is at its limit of connections; try again later.",
            FULL_RETRY_MS + (int64_t)rand_below(FULL_RETRY_MS));
    else if (code)
        fail_and_close(r, code, "Too many connections from your address.", FULL_RETRY_MS);
    return code != HB_OK;
}

static bool refuse_head(struct request *r)
{
    const h2o_buffer_t *input = r->tie->conn->sock->input;
    enum head_verdict head = head_check((hb_str){input->bytes, input->size});
    if (head == HEAD_CHUNKED) /* h2o's chunks are lenient: nothing may come behind */
        r->tie->req->http1_is_persistent = 0;
    if (head == HEAD_OK || head == HEAD_CHUNKED)
        return false;
    fail_and_close(r, HB_BAD_REQUEST, head == HEAD_NO_HOST
        ? "A request of HTTP/1.1 needs the header Host."
        : "This request could be read in more than one way.", 0);
    return true;
}

static bool refuse_target(struct request *r)
{
    hb_str path = r->pub.path;
    if (!path.n || *path.p != '/')
        fail_and_close(r, HB_BAD_REQUEST, "The request's target must be a path.", 0);
    else if (r->tie->req->input.path.len > REQUEST_TARGET_MAX)
        fail_and_close(r, HB_BAD_REQUEST, "The request's target is too long.", 0);
    else
        return false;
    return true;
}

/* X-Forwarded-For, all lines of it as one. */
static hb_str forwarded_for(h2o_req_t *h)
{
    const h2o_token_t *name = H2O_TOKEN_X_FORWARDED_FOR;
    h2o_iovec_t all = {NULL, 0};
    for (ssize_t at = -1; (at = h2o_find_header(&h->headers, name, at)) >= 0;) {
        h2o_iovec_t line = h->headers.entries[at].value;
        all = all.base ? h2o_concat(&h->pool, all, h2o_iovec_init(H2O_STRLIT(",")), line) : line;
    }
    return (hb_str){all.base, all.len};
}

/* Who asks; behind a trusted proxy that is known only now, and counted now. */
static bool refuse_client(struct request *r)
{
    struct conn *c = r->tie->conn;
    const struct config *config = r->worker->shard.config;
    struct sockaddr_storage peer, client;
    conn_peer(c, &peer);
    client = proxy_client(config, &peer, forwarded_for(r->tie->req));
    proxy_text(&client, r->details->remote);
    r->pub.remote = str_of(r->details->remote);
    if (c->listener->index < 0 || !config_trusts_proxy(config, (struct sockaddr *)&peer))
        return false;
    if (conn_charge_request(c, &client))
        return false;
    metrics_inc(r->worker->shard.metrics, METRIC_REJECTED + REJECTED_PER_IP);
    request_respond_error(&r->pub, HB_RATE_LIMITED,
        HB_STR("Too many connections from your address."), FULL_RETRY_MS);
    return true;
}

/* ---- whose ---- */

/* In the protocol's order; *cookie: that is where it was. */
static hb_str find_credential(struct request *r, hb_str transports, bool *cookie)
{
    const struct config *config = r->worker->shard.config;
    hb_str found = origin_bearer(request_header(&r->pub, HB_STR("authorization")));
    *cookie = false;
    if (found.p)
        return found;
    if (transports.p)
        return transports;
    if (config->credentials.query_token)
        found = request_query(&r->pub, HB_STR("access_token"), 0);
    if (found.p || !config->credentials.cookie[0])
        return found;
    found = origin_cookie(request_header(&r->pub, HB_STR("cookie")),
        str_of(config->credentials.cookie));
    *cookie = found.p != NULL;
    return found;
}

static bool refuse_origin(struct request *r, bool cookie)
{
    enum origin origin = origin_check(r->worker->shard.config,
        request_header(&r->pub, HB_STR("origin")), request_header(&r->pub, HB_STR("host")));
    hb_str site = request_header(&r->pub, HB_STR("sec-fetch-site"));
    bool forged = origin == ORIGIN_NONE && cookie && str_eq_nocase(site, HB_STR("cross-site"));
    if (origin != ORIGIN_REFUSED && !forged)
        return false;
    metrics_inc(r->worker->shard.metrics, METRIC_REJECTED + REJECTED_ORIGIN);
    fail(r, HB_FORBIDDEN, "Pages of this origin may not use this server.");
    return true;
}

static bool refuse_body(struct request *r, const hb_claim *claim)
{
    int64_t most = claim->body_limit ? claim->body_limit
                                     : r->worker->shard.config->limits.message_size;
    size_t known = atomic_load_explicit(&server.body_max, memory_order_relaxed);
    while (claim->body_limit > (int64_t)known
        && !atomic_compare_exchange_weak(&server.body_max, &known, (size_t)claim->body_limit))
        ;
    if ((int64_t)r->pub.body.n <= most)
        return false;
    fail(r, HB_TOO_LARGE, "The body is larger than this server takes.");
    return true;
}

static bool refuse_draining(struct request *r, const hb_claim *claim)
{
    if (server_state() < SERVER_DRAINING)
        return false;
    r->tie->req->http1_is_persistent = 0;
    if (claim->ticket.n)
        return false;
    metrics_inc(r->worker->shard.metrics, METRIC_REJECTED + REJECTED_DRAINING);
    fail(r, HB_UNAVAILABLE, "The server is shutting down; connect again.");
    return true;
}

static void dispatch(struct request *r, int module, hb_claim *claim)
{
    struct shard *shard = &r->worker->shard;
    if (module == EDGE_SEND && claim->ticket.n && remote_forward(r, claim))
        return;
    int owner = claim->ticket.n ? edge_worker(shard->hub, claim->ticket) : -1;
    if (owner >= 0 && owner != shard->index)
        bridge_forward(r, owner, module, claim);
    else
        edge_dispatch(shard, &r->pub, module, claim);
}

static void handle(struct request *r)
{
    hb_claim claim = {0};
    bool cookie;
    int module = edge_claim(&r->worker->shard, &r->pub, &claim);
    if (module == EDGE_NOBODY) {
        if (!site_answer(r->worker->site, r))
            fail(r, HB_NOT_FOUND, "There is nothing here.");
        return;
    }
    claim.credential = find_credential(r, claim.credential, &cookie);
    if (refuse_origin(r, cookie))
        return;
    if (str_eq(r->pub.method, HB_STR("OPTIONS")))
        cors_preflight(&r->pub);
    else if (!refuse_body(r, &claim) && !refuse_draining(r, &claim))
        dispatch(r, module, &claim);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    struct worker *w = worker_self;
    struct tie *tie = h2o_mem_alloc_shared(&req->pool, sizeof *tie, on_tie_gone);
    *tie = (struct tie){.req = req, .conn = conn_of_request(req)};
    conn_request(tie->conn, tie);
    if (tie->conn->listener->index >= 0)
        metrics_add(w->shard.metrics, METRIC_RECEIVED_BYTES, (int64_t)req->entity.len);
    struct request *r = request_create(w, tie);
    if (refuse_connection(r) || refuse_head(r) || refuse_target(r) || refuse_client(r))
        return 0;
    if (tie->conn->listener->index < 0 && !tie->conn->trusted)
        req->http1_is_persistent = 0; /* gate.c looks at first requests only */
    if (tie->conn->listener->index < 0 && server.admin)
        server.admin(&w->shard, &r->pub);
    else if (tie->conn->listener->index < 0)
        fail(r, HB_NOT_FOUND, "There is nothing here.");
    else
        handle(r);
    return 0;
}

/* ---- h2o's configuration ---- */

void http_configure(struct worker *w)
{
    const struct config *config = w->shard.config;
    size_t body = atomic_load_explicit(&server.body_max, memory_order_relaxed);
    if (body < BODY_MIN)
        body = BODY_MIN;
    if (body < (size_t)config->limits.message_size)
        body = (size_t)config->limits.message_size;
    if (w->shard.index == w->server->n_workers)
        body = ADMIN_BODY_MAX;
    w->conf.max_request_entity_size = body + 1; /* of chunks h2o takes less than that */
}

void http_register(struct worker *w)
{
    const struct config *config = w->shard.config;
    h2o_config_init(&w->conf);
    w->conf.server_name = h2o_iovec_init(H2O_STRLIT(""));
    w->conf.http1.upgrade_to_http2 = 0;
    /* The real limits are conn.c's, on the monotonic clock; h2o's own only stand behind them. */
    w->conf.http1.req_timeout = (uint64_t)(2 * config->limits.header_time_ms
        + 2 * config->limits.body_time_ms) + 3600 * 1000;
    w->conf.handshake_timeout = (uint64_t)config->limits.header_time_ms + 1000;
    w->host = h2o_config_register_host(&w->conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(w->host, "/", 0);
    cors_register_filter(path);
    cors_register_filter(&w->host->fallback_path);
    w->handler = h2o_create_handler(path, sizeof *w->handler);
    w->handler->on_req = on_request;
    http_configure(w);
}
