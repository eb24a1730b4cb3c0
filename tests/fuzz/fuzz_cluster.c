/*
 * What other nodes say: any bytes on the channels between nodes, against a pipeline with two workers and
 * clients that have a user and a room. Clients get JSON only, what is answered to other nodes can be
 * taken apart again, and afterwards all goes on.
 *
 * Input: records of two bytes how long, and so many bytes; an empty one lets a second pass.
 */
#include "../unit/pipeline.h"
#include "base/json.h"
#include "base/str.h"
#include "fuzz.h"
#include "server/remote.h"
#include "session/cluster.h"
#include <hubbub/backend.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 4 };

static struct pipeline *p;
static struct shard *first;
static int depth;

/* --- what goes to other nodes ------------------------------------------------------------------- */

static bool is_fields(hb_str rest)
{
    uint32_t n;
    for (; rest.n >= 4; rest = str_sub(rest, n == UINT32_MAX ? 4 : 4 + (size_t)n, SIZE_MAX)) {
        memcpy(&n, rest.p, 4);
        if (n != UINT32_MAX && n > rest.n - 4)
            return false;
    }
    return rest.n == 0;
}

/* Heard by itself too, as if another had said it; not without end. */
static void on_cast(const hb_ctx *ctx, uint32_t node, hb_str bytes)
{
    HOLDS(bytes.n > 0 && (unsigned char)bytes.p[0] < CLUSTER_KINDS);
    HOLDS(is_fields(str_sub(bytes, 1, SIZE_MAX)));
    if (depth++ < 8)
        cluster_heard(first, bytes);
}

static const hb_backend backend = {.size = sizeof(backend), .cast = on_cast};
static const hb_transport knows_members = {.size = sizeof(knows_members), .members = true};
static const hb_module between = {.name = "between", .backend = &backend, .transport = &knows_members};

/* --- requests from other nodes ------------------------------------------------------------------- */

static hb_str on_header(const hb_request *req, hb_str name)
{
    const struct request *r = request_of((hb_request *)(uintptr_t)req);
    return r->remote ? remote_header(r->remote, name) : (hb_str){NULL, 0};
}

static void on_respond(hb_request *req, int status, const hb_header *headers, size_t n, hb_str body)
{
    HOLDS(status == 200 || status == 204 || (status >= 400 && status <= 503));
    HOLDS(status == 204 || json_check(body, JSON_DEPTH_MAX, NULL) == JSON_OK);
    remote_respond(request_of(req)->remote, status, body);
}

static void on_error(hb_request *req, hb_code code, hb_str message, int64_t retry_after_ms)
{
    struct buf body = BUF_INIT;
    request_error_body(&body, code, message);
    on_respond(req, request_status(code), NULL, 0, buf_view(&body));
    buf_finish(&body);
}

/* ------------------------------------------------------------------------------------------------- */

static hb_verdict say_who(const hb_ctx *ctx, hb_connect *ev)
{
    ev->out.user = ev->out.token_id = ev->credential;
    ev->out.issued_at = 1;
    return HB_ALLOW;
}

static void check_told(struct client *c)
{
    const char *line;
    while (*(line = client_next(c)))
        HOLDS(json_check(str_of(line), JSON_DEPTH_MAX, NULL) == JSON_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const hb_hooks hooks = {.size = sizeof(hooks), .connect = say_who};
    struct client *clients[CLIENTS];
    p = pipeline_start("workers: 2\nrooms: [{match: '*', join: anyone, publish: members, presence: true, "
                       "history: {messages: 5, age: 1m}}]\nlog: {level: error}\n", &hooks);
    struct hub *hub = pipeline_shard(p, 0)->hub;
    struct io_ops io = *hub->io;
    io.header = on_header;
    io.respond = on_respond;
    io.respond_error = on_error;
    hub->io = &io;
    first = pipeline_shard(p, 0);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = client_open(p, i % 2, i < 2 ? "alice" : "bob", i == 3);
        client_send(clients[i], "{\"type\":\"join\",\"room\":\"lobby\"}");
    }
    hub->modules[hub->n_modules].desc = &between; /* rooms stay as they are, in the process */
    hub->backend = (int)hub->n_modules++;
    remote_register();
    for (size_t at = 0, n; at + 2 <= size; at += 2 + n) {
        n = data[at] | (size_t)data[at + 1] << 8;
        n = n < size - at - 2 ? n : size - at - 2;
        depth = 0;
        if (n > 0) {
            char *copy = memcpy(malloc(n), data + at + 2, n);
            cluster_heard(first, (hb_str){copy, n});
            free(copy);
        }
        pipeline_advance(p, n > 0 ? 0 : 1000);
    }
    pipeline_advance(p, 60 * 1000);
    for (int i = 0; i < CLIENTS; i++)
        check_told(clients[i]);
    struct client *late = client_open(p, 1, "carol", false);
    client_send(late, "{\"type\":\"ping\",\"id\":77}");
    HOLDS(late->closed || late->refused || *client_find(late, "77"));
    pipeline_stop(p);
    return 0;
}
