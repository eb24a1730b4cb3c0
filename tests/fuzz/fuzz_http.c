/*
 * What server/ reads of HTTP by itself: PROXY headers, heads, queries, forwarded addresses, origins
 * and cookies. The first byte chooses. Results stay inside the input, beginnings of something whole
 * are incomplete, and what is decoded never grows.
 */
#include "base/str.h"
#include "fuzz.h"
#include "server/head.h"
#include "server/origin.h"
#include "server/proxy.h"
#include "server/query.h"
#include <stdlib.h>
#include <string.h>

static void within(hb_str part, hb_str whole)
{
    if (part.n)
        HOLDS(part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void try_proxy(hb_str in)
{
    struct sockaddr_storage client, again;
    int n = proxy_parse(in, &client);
    HOLDS(n >= PROXY_BAD && n <= (int)in.n && n <= PROXY_HEADER_MAX);
    for (int i = 0; i < n; i++)
        HOLDS(proxy_parse((hb_str){in.p, (size_t)i}, &again) == PROXY_INCOMPLETE);
    if (n == PROXY_INCOMPLETE)
        HOLDS(in.n < PROXY_HEADER_MAX);
}

static void try_head(hb_str in)
{
    enum head_verdict v = head_check(in);
    if (v == HEAD_OK || v == HEAD_CHUNKED || v == HEAD_NO_HOST)
        HOLDS(head_complete(in));
    if (!head_complete(in))
        HOLDS(v == HEAD_INCOMPLETE || v == HEAD_BAD);
}

static void try_query(hb_str in)
{
    struct query *q = query_parse(in);
    size_t total = 0;
    HOLDS(q && q->n <= QUERY_PARAMS_MAX);
    for (size_t i = 0; i < q->n; i++) {
        total += q->params[i].key.n + q->params[i].value.n;
        HOLDS(query_get(q, q->params[i].key, 0).p);
    }
    HOLDS(total <= in.n);
    free(q);
}

static void try_forwarded(hb_str in)
{
    static struct cidr any[2];
    struct config c = {0};
    struct sockaddr_storage peer = {.ss_family = AF_INET};
    char text[46];
    HOLDS(cidr_parse("0.0.0.0/0", &any[0]) && cidr_parse("::/0", &any[1]));
    c.trusted_proxies.items = any;
    c.trusted_proxies.n = 2;
    struct sockaddr_storage client = proxy_client(&c, &peer, in);
    proxy_text(&client, text);
    HOLDS(strlen(text) < sizeof text && strcmp(text, "unknown"));
}

static void try_origin(hb_str in)
{
    struct config c = {0};
    hb_str host = in, origin = {0};
    str_split(&host, '\n', &origin);
    origin_check(&c, origin, host);
    within(origin_cookie(in, HB_STR("tok")), in);
    within(origin_bearer(in), in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(hb_str) = {try_proxy, try_head, try_query, try_forwarded,
        try_origin};
    if (size < 1)
        return 0;
    tries[data[0] % 5]((hb_str){(const char *)data + 1, size - 1});
    return 0;
}
