#include "pipe.h"
#include "script.h"
#include "wire.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { AHEAD_BYTES = 1024 * 1024 }; /* handed to the connection before it has written them */

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct pipe *of(struct link *l)
{
    return container_of(l, struct pipe, link);
}

static struct command *first(struct list *l)
{
    return list_entry(l->next, struct command, link);
}

static void finish(struct pipe *p, struct command *c, const redisReply *reply)
{
    bool over = c->over;
    list_remove(&c->link);
    p->bytes -= c->n + c->beside;
    free(c->bytes);
    c->bytes = NULL;
    if (over)
        free(c);
    else
        c->done(c, reply);
}

/* Its outcome is told as unknown, but its place in the line of answers stays. */
static void give_up(struct pipe *p, struct command *c)
{
    struct command *stub = mem_zalloc(sizeof(*stub));
    *stub = (struct command){.bytes = c->bytes, .n = c->n, .sent_us = c->sent_us, .over = true, .once = true};
    list_insert(&c->link, &stub->link);
    list_remove(&c->link);
    p->bytes -= c->beside;
    c->bytes = NULL;
    c->done(c, NULL);
}

/* --- sending ------------------------------------------------------------------------------------ */

static bool durable(const struct pipe *p)
{
    return link_fixed((struct link *)(uintptr_t)&p->link)->durability == DURABILITY_WAIT_REPLICA;
}

static void format(struct command *c, int n, const hb_str *words)
{
    c->n = command_size(n, words);
    c->cap = c->n + c->grows;
    c->bytes = mem_need(malloc(c->cap));
    command_write(n, words, c->bytes);
}

/* One WAIT behind all that is sent in this turn. */
static void ask_replicas(struct pipe *p)
{
    char replicas[24], ms[24];
    const struct options *o = link_options(&p->link);
    hb_str words[] = {HB_STR("WAIT"), {replicas, 0}, {ms, 0}};
    words[1].n = (size_t)snprintf(replicas, sizeof(replicas), "%lld", (long long)o->replicas);
    words[2].n = (size_t)snprintf(ms, sizeof(ms), "%lld", (long long)o->replica_wait_ms);
    struct command *c = mem_zalloc(sizeof(*c));
    format(c, 3, words);
    c->once = true;
    c->sent_us = now_us();
    p->bytes += c->n;
    list_insert(&p->sent, &c->link);
    link_put(&p->link, c->bytes, c->n);
}

static void send_waiting(struct pipe *p)
{
    bool any_durable = false;
    uint64_t now = 0;
    p->turn++;
    if (!pipe_is_up(p))
        return;
    while (!list_empty(&p->waiting) && link_waiting(&p->link) < AHEAD_BYTES) {
        struct command *c = first(&p->waiting);
        if (!now)
            now = now_us();
        list_remove(&c->link);
        list_insert(&p->sent, &c->link);
        c->sent_us = now;
        any_durable |= c->durable;
        link_put(&p->link, c->bytes, c->n);
    }
    if (any_durable && durable(p))
        ask_replicas(p);
}

static void send_later(struct pipe *p)
{
    if (!p->is_later)
        p->link.ctx->host->timer_set(p->link.ctx, &p->later, 0);
    p->is_later = true;
}

static void on_later(const hb_ctx *ctx, hb_timer *t)
{
    struct pipe *p = t->owner;
    p->is_later = false;
    send_waiting(p);
    link_flush(&p->link);
}

void pipe_send(struct pipe *p, struct command *c, int n, const hb_str *words, int64_t for_ms)
{
    format(c, n, words);
    c->turn = c->grows ? p->turn : 0;
    p->turn += !c->grows;
    c->due_ms = p->link.ctx->host->now_ms() + (uint64_t)for_ms;
    p->bytes += c->n;
    list_insert(c->first ? p->waiting.next : &p->waiting, &c->link);
    if (!c->first)
        send_later(p);
}

char *pipe_grow(struct pipe *p, struct command *c, size_t n)
{
    size_t more = word_size(n);
    if (c->n + more > c->cap) {
        c->cap = (c->n + more) * 2;
        c->bytes = mem_need(realloc(c->bytes, c->cap));
    }
    char *at = command_add(c->bytes, c->n, n);
    c->n += more;
    p->bytes += more;
    return at;
}

bool pipe_has_room(const struct pipe *p, size_t n)
{
    return p->bytes + n <= (size_t)link_options((struct link *)(uintptr_t)&p->link)->journal_bytes;
}

/* --- answers ------------------------------------------------------------------------------------ */

static void release_unsure(struct pipe *p, const redisReply *answer)
{
    const struct options *o = link_options(&p->link);
    bool enough = answer && answer->type == REDIS_REPLY_INTEGER && answer->integer >= o->replicas;
    while (!list_empty(&p->unsure)) {
        struct command *c = first(&p->unsure);
        redisReply *held = (redisReply *)(uintptr_t)c->held;
        c->held = NULL;
        finish(p, c, enough ? held : NULL);
        freeReplyObject(held);
    }
}

/* A copy of a one-line answer, which is what durable commands have. */
static const redisReply *copy_of(const redisReply *r)
{
    redisReply *copy = mem_zalloc(sizeof(*copy));
    *copy = *r;
    copy->elements = 0;
    copy->element = NULL;
    if (r->str) {
        copy->str = mem_need(malloc((size_t)r->len + 1));
        memcpy(copy->str, r->str, (size_t)r->len);
        copy->str[r->len] = '\0';
    }
    return copy;
}

static void on_reply(struct link *l, const redisReply *r)
{
    struct pipe *p = of(l);
    if (list_empty(&p->sent)) {
        link_fail(l, "an answer that nobody asked for");
        return;
    }
    if (reply_is_away(r)) { /* all that is sent is repeated, in order */
        link_fail(l, r->str);
        return;
    }
    struct command *c = first(&p->sent);
    if (c->fits && !reply_is_error(r) && !c->fits(r)) {
        link_fail(l, "an answer to something else");
        return;
    }
    l->ctx->host->store->took(l->ctx, (now_us() - c->sent_us) * 1000);
    if (!c->done && !c->over) { /* WAIT */
        list_remove(&c->link);
        p->bytes -= c->n;
        free(c->bytes);
        free(c);
        release_unsure(p, r);
    } else if (c->durable && durable(p) && !c->over) {
        list_remove(&c->link);
        list_insert(&p->unsure, &c->link);
        c->held = copy_of(r);
    } else {
        finish(p, c, r);
    }
    if (!list_empty(&p->waiting))
        send_later(p);
}

static void on_greet(struct link *l)
{
    for (int i = 0; i < SCRIPT_COUNT; i++) {
        const char *text = script_text((enum script)i);
        link_greet(l, 3, (hb_str[]){HB_STR("SCRIPT"), HB_STR("LOAD"), {text, strlen(text)}});
    }
}

static void on_up(struct link *l)
{
    struct pipe *p = of(l);
    p->changed(p, true);
    send_waiting(p);
}

/* What may not be repeated is over; the rest waits again, before what waits already. */
static void on_down(struct link *l)
{
    struct pipe *p = of(l);
    struct list again, lost;
    list_init(&again);
    list_init(&lost);
    release_unsure(p, NULL);
    list_for_each_safe(item, &p->sent) {
        struct command *c = list_entry(item, struct command, link);
        list_remove(item);
        list_insert(c->once ? &lost : &again, item);
    }
    list_prepend_all(&p->waiting, &again);
    while (!list_empty(&lost)) {
        struct command *c = first(&lost);
        if (c->done || c->over) {
            finish(p, c, NULL);
            continue;
        }
        list_remove(&c->link); /* WAIT */
        p->bytes -= c->n;
        free(c->bytes);
        free(c);
    }
    p->changed(p, false);
}

static const struct link_ops ops = {.greet = on_greet, .up = on_up, .down = on_down, .reply = on_reply};

void pipe_init(struct pipe *p, const hb_ctx *ctx, void (*changed)(struct pipe *p, bool up), void *owner)
{
    list_init(&p->sent);
    list_init(&p->waiting);
    list_init(&p->unsure);
    p->changed = changed;
    p->owner = owner;
    p->is_later = false;
    p->turn = 1;
    p->later = (hb_timer){.fire = on_later, .owner = p};
    link_init(&p->link, ctx, &ops, "command");
}

void pipe_finish(struct pipe *p)
{
    release_unsure(p, NULL);
    list_prepend_all(&p->waiting, &p->sent);
    while (!list_empty(&p->waiting)) {
        struct command *c = first(&p->waiting);
        if (c->done || c->over) {
            finish(p, c, NULL);
            continue;
        }
        list_remove(&c->link);
        free(c->bytes);
        free(c);
    }
    p->link.ctx->host->timer_cancel(p->link.ctx, &p->later);
    link_finish(&p->link);
}

/* --- time --------------------------------------------------------------------------------------- */

/* Nothing may be put into these lists by `done`, so each is looked at once. */
static void give_up_due(struct pipe *p, struct list *l, uint64_t now, bool in_line)
{
    struct list due;
    list_init(&due);
    list_for_each_safe(item, l) {
        struct command *c = list_entry(item, struct command, link);
        if (c->over || !c->done || c->due_ms > now)
            continue;
        if (in_line) {
            give_up(p, c);
            continue;
        }
        list_remove(item);
        list_insert(&due, item);
    }
    while (!list_empty(&due))
        finish(p, first(&due), NULL);
}

void pipe_tick(struct pipe *p)
{
    const hb_host *host = p->link.ctx->host;
    uint64_t now = host->now_ms(), timeout_us = (uint64_t)link_options(&p->link)->timeout_ms * 1000;
    if (pipe_is_up(p) && !list_empty(&p->sent) && now_us() - first(&p->sent)->sent_us > timeout_us)
        link_fail(&p->link, "no answer in time");
    give_up_due(p, &p->sent, now, true);
    give_up_due(p, &p->waiting, now, false);
    send_waiting(p);
}
