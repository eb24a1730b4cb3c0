#include "server/letter.h"

#include <stdlib.h>
#include <string.h>

static void deliver(struct mail *mail, void *receiver);

static void discard(struct mail *mail)
{
    struct letter *l = container_of(mail, struct letter, mail);
    free(l); /* only when the receiver's worker has ended; the sender ends soon too */
}

size_t letter_headers_size(const hb_header *headers, size_t n)
{
    size_t size = n * sizeof *headers;
    for (size_t i = 0; i < n; i++)
        size += headers[i].name.n + headers[i].value.n;
    return size;
}

hb_str letter_put(char **to, hb_str s)
{
    if (!s.p)
        return s;
    char *at = *to;
    if (s.n)
        memcpy(at, s.p, s.n);
    *to += s.n;
    return (hb_str){at, s.n};
}

void letter_put_headers(hb_header *out, const hb_header *headers, size_t n, char **to)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (hb_header){letter_put(to, headers[i].name), letter_put(to, headers[i].value)};
}

struct letter *letter_create(enum step step, int64_t n, const hb_header *headers, size_t n_headers,
    hb_str bytes)
{
    struct letter *l = mem_try_alloc(sizeof *l + letter_headers_size(headers, n_headers) + bytes.n);
    if (!l)
        return NULL;
    *l = (struct letter){.mail = {.deliver = deliver, .discard = discard}, .step = step, .n = n,
        .n_headers = n_headers, .headers = (hb_header *)(l + 1)};
    char *to = (char *)(l->headers + n_headers);
    letter_put_headers(l->headers, headers, n_headers, &to);
    l->bytes = letter_put(&to, bytes);
    return l;
}

void letter_send(int to_worker, void *to, struct letter *l)
{
    CHECK_INVARIANT(l);
    l->to = to;
    shard_post(&server.hub, to_worker, &l->mail);
}

void letter_send_step(int to_worker, void *to, enum step step, int64_t n)
{
    letter_send(to_worker, to, letter_create(step, n, NULL, 0, (hb_str){0}));
}

struct letter *letter_with_room(enum step step, size_t size, char **bytes)
{
    struct letter *l = mem_try_alloc(sizeof *l + size);
    if (!l)
        return NULL;
    *bytes = (char *)(l + 1);
    *l = (struct letter){.mail = {.deliver = deliver, .discard = discard}, .step = step,
        .bytes = {*bytes, size}};
    return l;
}

static void deliver(struct mail *mail, void *receiver)
{
    struct letter *l = container_of(mail, struct letter, mail);
    bool to_near = l->step == STEP_DONE ? l->n != 0 : l->step >= STEP_RESPOND;
    if (to_near)
        near_deliver(l->to, l);
    else
        far_deliver(l->to, l);
    free(l);
}
