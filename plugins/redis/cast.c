/* What nodes tell each other: one channel for all, one for each; the first worker of a node listens. */
#include "worker.h"
#include <stdio.h>
#include <string.h>

static void on_cast(struct command *c, const redisReply *reply)
{
    free(c);
}

hb_str worker_cast_channel(const struct worker *w, uint32_t node, char out[static KEY_MAX])
{
    char name[16];
    return worker_key(w, 'c', (hb_str){name, (size_t)snprintf(name, sizeof(name), "%08x", node)}, out);
}

/* Who sends it stands before it: one's own is not heard. */
void worker_cast(struct worker *w, uint32_t node, hb_str bytes)
{
    char channel[KEY_MAX], *payload = pipe_has_room(&w->pipe, bytes.n) ? malloc(bytes.n + 8) : NULL;
    if (!payload)
        return;
    memcpy(payload, &w->nonce, 8);
    memcpy(payload + 8, bytes.p, bytes.n);
    struct command *c = mem_zalloc(sizeof(*c));
    c->done = on_cast;
    c->once = true;
    pipe_send(&w->pipe, c, 3, (hb_str[]){HB_STR("PUBLISH"), worker_cast_channel(w, node, channel), {payload, bytes.n + 8}},
        ASK_MS);
    free(payload);
}

void worker_heard(struct worker *w, hb_str payload)
{
    if (payload.n > 8 && memcmp(payload.p, &w->nonce, 8) != 0)
        w->store->heard(w->ctx, (hb_str){payload.p + 8, payload.n - 8});
}
