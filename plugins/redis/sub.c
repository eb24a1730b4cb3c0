#include "room.h"
#include <stdio.h>
#include <string.h>

enum { CHANNELS_AT_ONCE = 256 };

/* Asked, not yet confirmed. */
struct confirmation {
    struct list link;
    struct room *room;     /* NULL: it is gone */
    bool wanted;
};

static struct sub *of(struct link *l)
{
    return container_of(l, struct sub, link);
}

static hb_str own_channel(const struct sub *s, char out[static KEY_MAX])
{
    char nonce[24];
    hb_str name = {nonce, (size_t)snprintf(nonce, sizeof(nonce), "%016llx", (unsigned long long)s->w->nonce)};
    return worker_key(s->w, 'n', name, out);
}

/* --- asking -------------------------------------------------------------------------------------- */

static void expect(struct sub *s, struct room *r, bool wanted)
{
    struct confirmation *c = mem_zalloc(sizeof(*c));
    *c = (struct confirmation){.room = r, .wanted = wanted};
    list_insert(&s->unconfirmed, &c->link);
    r->unconfirmed++;
}

static void ask(struct sub *s, struct room *r, bool wanted)
{
    char channel[KEY_MAX];
    if (!sub_is_up(s))
        return;
    expect(s, r, wanted);
    link_command(&s->link, 2, (hb_str[]){wanted ? HB_STR("SUBSCRIBE") : HB_STR("UNSUBSCRIBE"),
        worker_key(s->w, 'r', room_name(r), channel)});
}

void sub_want(struct sub *s, struct room *r)
{
    ask(s, r, true);
}

void sub_unwant(struct sub *s, struct room *r)
{
    ask(s, r, false);
}

void sub_forget(struct sub *s, struct room *r)
{
    for (struct list *at = s->unconfirmed.next; r->unconfirmed > 0 && at != &s->unconfirmed; at = at->next) {
        struct confirmation *c = list_entry(at, struct confirmation, link);
        if (c->room == r) {
            c->room = NULL;
            r->unconfirmed--;
        }
    }
}

static void forget_all(struct sub *s)
{
    while (!list_empty(&s->unconfirmed)) {
        struct confirmation *c = list_entry(s->unconfirmed.next, struct confirmation, link);
        list_remove(&c->link);
        free(c);
    }
}

/* --- pushes --------------------------------------------------------------------------------------- */

static bool is(hb_str s, const char *word)
{
    return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

static void on_confirmed(struct sub *s)
{
    struct confirmation *c = list_entry(s->unconfirmed.next, struct confirmation, link);
    if (list_empty(&s->unconfirmed)) {
        link_fail(&s->link, "a confirmation that nobody asked for");
        return;
    }
    struct room *r = c->room;
    bool wanted = c->wanted;
    list_remove(&c->link);
    free(c);
    if (r && --r->unconfirmed == 0 && wanted && r->interested)
        room_confirmed(r);
}

/* "<prefix>:r:<room>" */
static struct room *room_of(const struct sub *s, hb_str channel)
{
    size_t n = worker_shared(s->w)->n_prefix + 3;
    if (channel.n <= n || channel.p[n - 2] != 'r')
        return NULL;
    return room_find(s->w, (hb_str){channel.p + n, channel.n - n});
}

static void on_message(struct sub *s, hb_str channel, hb_str payload)
{
    size_t n = worker_shared(s->w)->n_prefix;
    struct room *r = room_of(s, channel);
    if (r && r->interested)
        room_push(r, payload);
    else if (channel.n > n + 2 && channel.p[n + 1] == 'n')
        s->heard_ms = s->w->ctx->host->now_ms();
    else if (channel.n > n + 2 && channel.p[n + 1] == 'c')
        worker_heard(s->w, payload);
    else if (channel.n > n + 2 && channel.p[n + 1] == 'x')
        kept_push(s->w, payload);
}

static void on_reply(struct link *l, const redisReply *reply)
{
    struct sub *s = of(l);
    hb_str kind = reply_str(reply_at(reply, 0)), channel = reply_str(reply_at(reply, 1));
    hb_str payload = reply_str(reply_at(reply, 2));
    if (is(kind, "message") && channel.p && payload.p)
        on_message(s, channel, payload);
    else if ((is(kind, "subscribe") || is(kind, "unsubscribe")) && channel.p)
        on_confirmed(s);
    else
        link_fail(l, reply_is_error(reply) ? reply->str : "a push that is none");
}

/* --- the connection -------------------------------------------------------------------------------- */

static void on_greet(struct link *l)
{
    char own[KEY_MAX];
    const struct worker *w = of(l)->w;
    link_greet(l, 2, (hb_str[]){HB_STR("SUBSCRIBE"), own_channel(of(l), own)});
    if (w->ctx->worker != 0)
        return;
    link_greet(l, 2, (hb_str[]){HB_STR("SUBSCRIBE"), worker_cast_channel(w, 0, own)});
    link_greet(l, 2, (hb_str[]){HB_STR("SUBSCRIBE"), worker_cast_channel(w, w->store->node(), own)});
    link_greet(l, 2, (hb_str[]){HB_STR("SUBSCRIBE"), kept_channel(w, own)});
}

static void subscribe_many(struct sub *s, struct room *const *rooms, int n)
{
    static _Thread_local char channels[CHANNELS_AT_ONCE][KEY_MAX];
    hb_str words[CHANNELS_AT_ONCE + 1] = {HB_STR("SUBSCRIBE")};
    for (int i = 0; i < n; i++) {
        words[i + 1] = worker_key(s->w, 'r', room_name(rooms[i]), channels[i]);
        expect(s, rooms[i], true);
    }
    if (n > 0)
        link_command(&s->link, n + 1, words);
}

static void on_up(struct link *l)
{
    struct sub *s = of(l);
    struct room *some[CHANNELS_AT_ONCE], *r;
    size_t at = 0;
    int n = 0;
    s->heard_ms = s->w->ctx->host->now_ms();
    while ((r = table_next(&s->w->rooms, &at))) {
        if (!r->interested)
            continue;
        some[n++] = r;
        if (n == CHANNELS_AT_ONCE) {
            subscribe_many(s, some, n);
            n = 0;
        }
    }
    subscribe_many(s, some, n);
    kept_want(s->w);
}

static void on_down(struct link *l)
{
    struct sub *s = of(l);
    struct room *r;
    size_t at = 0;
    forget_all(s);
    while ((r = table_next(&s->w->rooms, &at)))
        room_silent(r);
}

static const struct link_ops ops = {.greet = on_greet, .up = on_up, .down = on_down, .reply = on_reply};

void sub_init(struct sub *s, struct worker *w)
{
    s->w = w;
    list_init(&s->unconfirmed);
    link_init(&s->link, w->ctx, &ops, "subscriber");
}

void sub_finish(struct sub *s)
{
    forget_all(s);
    link_finish(&s->link);
}

/* --- the beat ------------------------------------------------------------------------------------- */

static void on_beat(struct command *c, const redisReply *reply)
{
    free(c);
}

void sub_tick(struct sub *s)
{
    char own[KEY_MAX];
    uint64_t silence = s->w->ctx->host->now_ms() - s->heard_ms;
    if (!sub_is_up(s) || !pipe_is_up(&s->w->pipe)) {
        s->heard_ms = s->w->ctx->host->now_ms();
        return;
    }
    if (silence > (uint64_t)worker_options(s->w)->timeout_ms) {
        link_fail(&s->link, "nothing is heard any more");
        return;
    }
    if (silence < (uint64_t)worker_options(s->w)->timeout_ms / 4)
        return;
    struct command *c = mem_zalloc(sizeof(*c));
    c->done = on_beat;
    c->once = true;
    pipe_send(&s->w->pipe, c, 3, (hb_str[]){HB_STR("PUBLISH"), own_channel(s, own), HB_STR("beat")}, ASK_MS);
}
