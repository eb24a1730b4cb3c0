#include "sentinel.h"
#include "mem.h"
#include <stdio.h>
#include <string.h>

struct sentinel {
    struct link link;      /* to a Sentinel; open only while it is asked */
    struct link *asker;
    size_t next;           /* which one to ask */
    hb_timer later;        /* set: tell the asker what was found */
    struct place found;
    bool found_ok;
};

static struct sentinel *of(struct link *l)
{
    return container_of(l, struct sentinel, link);
}

/* The asker's pause comes before the next attempt, at the next one of them. */
static void answer(struct sentinel *s, const struct place *place)
{
    link_finish(&s->link);
    if (place) {
        link_found(s->asker, place);
        return;
    }
    s->next++;
    link_fail(s->asker, "no Sentinel says where the master is");
}

/* Not reached at all: the asker's time runs out, and the next one is asked. */
static void on_up(struct link *l)
{
    const char *master = link_fixed(l)->sentinel_master;
    link_command(l, 3, (hb_str[]){HB_STR("SENTINEL"), HB_STR("get-master-addr-by-name"), {master, strlen(master)}});
}

static bool parse(const redisReply *reply, struct place *out)
{
    char text[320];
    hb_str host = reply_str(reply_at(reply, 0)), port = reply_str(reply_at(reply, 1));
    if (!host.n || !port.n || host.n > 255 || port.n > 5)
        return false;
    snprintf(text, sizeof(text), memchr(host.p, ':', host.n) ? "[%.*s]:%.*s" : "%.*s:%.*s", (int)host.n, host.p,
        (int)port.n, port.p);
    return place_parse(text, 6379, out);
}

/* Answered at the end of the turn: within its own reader the link can't be ended. */
static void on_reply(struct link *l, const redisReply *reply)
{
    struct sentinel *s = of(l);
    s->found_ok = parse(reply, &s->found);
    l->ctx->host->timer_set(l->ctx, &s->later, 0);
}

static void on_down(struct link *l)
{
    struct sentinel *s = of(l);
    s->found_ok = false;
    l->ctx->host->timer_set(l->ctx, &s->later, 0);
}

static void on_later(const hb_ctx *ctx, hb_timer *t)
{
    struct sentinel *s = t->owner;
    answer(s, s->found_ok ? &s->found : NULL);
}

static const struct link_ops ops = {.up = on_up, .down = on_down, .reply = on_reply};

static void look(struct link *asker)
{
    struct sentinel *s = asker->looker;
    const struct options *o = link_fixed(asker);
    if (s->link.state != LINK_DOWN || s->link.told) /* the last one did not answer */
        s->next++;
    link_finish(&s->link);
    link_init(&s->link, asker->ctx, &ops, "Sentinel");
    place_parse(o->sentinel_nodes.items[s->next % o->sentinel_nodes.n].p, 26379, &s->link.place);
    snprintf(s->link.login.user, sizeof(s->link.login.user), "%s", o->sentinel_user);
    snprintf(s->link.login.password, sizeof(s->link.login.password), "%s", o->sentinel_password);
    link_open(&s->link);
}

struct sentinel *sentinel_create(struct link *asker)
{
    if (!link_fixed(asker)->sentinel_master[0])
        return NULL;
    struct sentinel *s = mem_zalloc(sizeof(*s));
    s->asker = asker;
    s->later = (hb_timer){.fire = on_later, .owner = s};
    link_init(&s->link, asker->ctx, &ops, "Sentinel");
    asker->look = look;
    asker->looker = s;
    asker->check_role = true;
    return s;
}

void sentinel_destroy(struct sentinel *s)
{
    if (!s)
        return;
    s->asker->ctx->host->timer_cancel(s->asker->ctx, &s->later);
    link_finish(&s->link);
    free(s);
}
