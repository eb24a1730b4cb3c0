#include "redis_model.h"
#include "../../plugins/redis/reply.h"
#include "../../plugins/redis/script.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STREAMS_MAX = 8, NAME_MAX_BYTES = 64, PART = 32 };

struct stored {
    hb_pos id, prev;
    hb_str bytes; /* owned */
};

struct stream {
    char name[NAME_MAX_BYTES]; /* of its last position's key */
    bool has_head, has_broken;
    hb_pos head, broken;
    struct stored *entries; /* owned, oldest first */
    size_t n;
};

struct known {
    char *name, *value; /* owned */
};

struct memory {
    struct stream streams[STREAMS_MAX];
    size_t n_streams;
    struct known *keys;
    size_t n_keys;
    hb_str *kept; /* owned, and so is each */
    size_t n_kept;
    uint64_t count; /* of those that were kept; 0: none */
};

static struct memory live, saved;
struct list model_links;

/* --- memory --------------------------------------------------------------------------------------- */

static void *copy_of(const void *bytes, size_t n)
{
    char *copy = malloc(n + 1);
    memcpy(copy, bytes, n);
    copy[n] = '\0';
    return copy;
}

static void drop_first(struct stream *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)s->entries[i].bytes.p);
    s->n -= n;
    if (s->n)
        memmove(s->entries, s->entries + n, s->n * sizeof(*s->entries));
}

static void forget(struct memory *m)
{
    for (size_t i = 0; i < m->n_streams; i++) {
        drop_first(&m->streams[i], m->streams[i].n);
        free(m->streams[i].entries);
    }
    for (size_t i = 0; i < m->n_keys; i++) {
        free(m->keys[i].name);
        free(m->keys[i].value);
    }
    for (size_t i = 0; i < m->n_kept; i++)
        free((void *)(uintptr_t)m->kept[i].p);
    free(m->kept);
    free(m->keys);
    *m = (struct memory){0};
}

static void copy_memory(struct memory *to, const struct memory *from)
{
    forget(to);
    *to = *from;
    for (size_t i = 0; i < to->n_streams; i++) {
        struct stream *s = &to->streams[i];
        s->entries = calloc(s->n + 1, sizeof(*s->entries));
        for (size_t k = 0; k < s->n; k++) {
            s->entries[k] = from->streams[i].entries[k];
            s->entries[k].bytes.p = copy_of(s->entries[k].bytes.p, s->entries[k].bytes.n);
        }
    }
    to->kept = calloc(to->n_kept + 1, sizeof(*to->kept));
    for (size_t i = 0; i < to->n_kept; i++)
        to->kept[i] = (hb_str){copy_of(from->kept[i].p, from->kept[i].n), from->kept[i].n};
    to->keys = calloc(to->n_keys + 1, sizeof(*to->keys));
    for (size_t i = 0; i < to->n_keys; i++) {
        to->keys[i].name = strdup(from->keys[i].name);
        to->keys[i].value = strdup(from->keys[i].value);
    }
}

void model_empty(void)
{
    forget(&live);
}

void model_save(void)
{
    copy_memory(&saved, &live);
}

void model_fail_over(void)
{
    copy_memory(&live, &saved);
}

static struct stream *stream_of(hb_str last_key)
{
    struct stream *s = live.streams;
    for (; s < live.streams + live.n_streams; s++)
        if (strlen(s->name) == last_key.n && memcmp(s->name, last_key.p, last_key.n) == 0)
            return s;
    CHECK(live.n_streams < STREAMS_MAX && last_key.n < NAME_MAX_BYTES);
    live.n_streams++;
    memcpy(s->name, last_key.p, last_key.n);
    return s;
}

static struct known *key_of(hb_str name)
{
    for (size_t i = 0; i < live.n_keys; i++)
        if (strlen(live.keys[i].name) == name.n && memcmp(live.keys[i].name, name.p, name.n) == 0)
            return &live.keys[i];
    return NULL;
}

static void remember_key(hb_str name, const char *value)
{
    live.keys = realloc(live.keys, (live.n_keys + 1) * sizeof(*live.keys));
    live.keys[live.n_keys++] = (struct known){copy_of(name.p, name.n), strdup(value)};
}

/* --- answers -------------------------------------------------------------------------------------- */

static void put(struct model_link *l, bool push, const char *bytes, size_t n)
{
    struct model_out *o = calloc(1, sizeof(*o) + n);
    o->push = push;
    o->n = n;
    memcpy(o->bytes, bytes, n);
    list_insert(&l->out, &o->link);
    l->n_out++;
}

static void answer(struct model_link *l, const char *line)
{
    put(l, false, line, strlen(line));
}

/* A growing answer of strings. */
struct text {
    char bytes[64 * 1024];
    size_t n;
};

static void add(struct text *t, hb_str s)
{
    CHECK(t->n + s.n + 32 < sizeof(t->bytes));
    t->n += (size_t)sprintf(t->bytes + t->n, "$%zu\r\n", s.n);
    if (s.n)
        memcpy(t->bytes + t->n, s.p, s.n);
    memcpy(t->bytes + t->n + s.n, "\r\n", 2);
    t->n += s.n + 2;
}

static void add_pos(struct text *t, hb_pos pos)
{
    char text[POS_TEXT_MAX];
    add(t, (hb_str){text, pos_text(pos, text)});
}

static void answer_string(struct model_link *l, hb_str s)
{
    struct text t = {.n = 0};
    add(&t, s);
    put(l, false, t.bytes, t.n);
}

static bool hears(const struct model_link *l, hb_str channel)
{
    for (size_t i = 0; i < l->n_channels; i++)
        if (strlen(l->channels[i]) == channel.n &&
            memcmp(l->channels[i], channel.p, channel.n) == 0)
            return true;
    return false;
}

static void push_to_all(hb_str channel, hb_str payload, bool is_message)
{
    for (struct list *at = model_links.next; at != &model_links; at = at->next) {
        struct model_link *l = list_entry(at, struct model_link, link);
        struct text t = {.n = 0};
        if (!hears(l, channel))
            continue;
        t.n = (size_t)sprintf(t.bytes, "*3\r\n");
        add(&t, HB_STR("message"));
        add(&t, channel);
        add(&t, payload);
        put(l, is_message, t.bytes, t.n);
    }
}

/* --- the scripts ---------------------------------------------------------------------------------- */

static hb_str word(const redisReply *command, size_t i)
{
    return reply_str(reply_at(command, i));
}

static uint64_t number(const redisReply *command, size_t i)
{
    return strtoull(word(command, i).p, NULL, 10);
}

/* Where its members are, into a Redis that does not know; or by the clock. */
static void begin_stream(struct stream *s, hb_str known)
{
    if (s->has_head)
        return;
    s->has_head = true;
    s->head = (hb_pos){redis_now, 0};
    if (pos_parse(known, &s->head)) {
        s->has_broken = true;
        s->broken = (hb_pos){0, 0};
    }
}

/* What is known of a key; false: nothing, and now this is. */
static bool is_known(hb_str key, const char *id, hb_str digest, hb_str token, char out[static 256])
{
    char of[64], first[64], by[64];
    const struct known *k = key_of(key);
    if (k && sscanf(k->value, "%63s %63s %63s", first, of, by) == 3) {
        bool same = strlen(of) == digest.n && memcmp(of, digest.p, digest.n) == 0;
        snprintf(out, 256, "%c %s %s", same ? '1' : '2', first, by);
        return true;
    }
    snprintf(out, 256, "%s %.*s %.*s", id, (int)digest.n, digest.p, (int)token.n, token.p);
    remember_key(key, out);
    return false;
}

static void append(struct stream *s, hb_pos id, hb_str bytes, size_t most)
{
    s->entries = realloc(s->entries, (s->n + 1) * sizeof(*s->entries));
    s->entries[s->n++] = (struct stored){id, s->head, {copy_of(bytes.p, bytes.n), bytes.n}};
    if (s->n > most)
        drop_first(s, s->n - most);
    s->head = id;
}

/* One publish of a call: its outcome; the entry's place is told in `s`. */
static bool publish_one(struct stream *s, hb_str head, hb_str call, hb_str entry, size_t most, char out[static 256])
{
    hb_str window, digest = HB_STR("-"), token = HB_STR("-");
    hb_pos prev = s->head,
           id = prev.hi >= redis_now ? (hb_pos){prev.hi, prev.lo + 1} : (hb_pos){redis_now, 0};
    char text[POS_TEXT_MAX], before[POS_TEXT_MAX];
    pos_text(id, text);
    pos_text(prev, before);
    if (head.n)
        CHECK(word_cut(&head, &window) && word_cut(&head, &digest) && word_cut(&head, &token));
    else
        head = call;
    if (head.n && is_known(head, text, digest, token, out))
        return false;
    append(s, id, entry, most);
    snprintf(out, 256, "0 %s %s", text, before);
    return true;
}

static void run_publish(struct model_link *l, const redisReply *c)
{
    static char answers[16 * 1024], payload[256 * 1024];
    char outcome[256];
    size_t n = 0, n_answers = 0;
    struct stream *s = stream_of(word(c, 4));
    bool several = c->elements > 14;
    const struct known *seen = several ? key_of(word(c, 5)) : NULL;
    if (seen) {
        answer_string(l, (hb_str){seen->value, strlen(seen->value)});
        return;
    }
    begin_stream(s, word(c, 11));
    for (size_t i = 12; i + 1 < c->elements; i += 2) {
        hb_str entry = word(c, i + 1), call = several ? (hb_str){NULL, 0} : word(c, 5);
        bool is_stored = publish_one(s, word(c, i), call, entry, number(c, 7), outcome);
        n_answers += (size_t)sprintf(answers + n_answers, "%s%s", n_answers ? " " : "", outcome);
        CHECK(n_answers + 256 < sizeof(answers) && n + entry.n + 256 < sizeof(payload));
        if (!is_stored)
            continue;
        if (n == 0)
            n = (size_t)sprintf(payload, "%s ", outcome + 2);
        memcpy(payload + n, entry.p, entry.n);
        n += entry.n;
    }
    if (n)
        push_to_all(word(c, 6), (hb_str){payload, n}, true);
    if (several)
        remember_key(word(c, 5), answers);
    answer_string(l, (hb_str){answers, n_answers});
}

/* The entries of a page: [*from, *to), by what is asked for. True: nothing more is behind them. */
static bool choose(const struct stream *s, const redisReply *c, size_t *from, size_t *to)
{
    hb_pos since, oldest = {redis_now > number(c, 8) ? redis_now - number(c, 8) : 0, 0};
    size_t limit = number(c, 6), bytes = number(c, 7), size = 0, n = 0, first = 0;
    bool back = !pos_parse(word(c, 5), &since);
    while (first < s->n &&
           (pos_compare(s->entries[first].id, oldest) < 0 ||
               (!back && since.hi >= oldest.hi && pos_compare(s->entries[first].id, since) <= 0)))
        first++;
    while (n < limit && first + n < s->n) {
        size += s->entries[back ? s->n - 1 - n : first + n].bytes.n;
        if (n > 0 && size > bytes)
            break;
        n++;
    }
    *from = back ? s->n - n : first;
    *to = *from + n;
    return n < limit && first + n == s->n;
}

static void run_read(struct model_link *l, const redisReply *c)
{
    static struct text t;
    struct stream *s = stream_of(word(c, 4));
    size_t from, to;
    begin_stream(s, word(c, 10));
    bool ended = choose(s, c, &from, &to);
    t.n = (size_t)sprintf(t.bytes, "*%zu\r\n", 2 + 3 * (to - from));
    add_pos(&t, s->head);
    t.n += (size_t)sprintf(t.bytes + t.n, ":%d\r\n", ended);
    for (; from < to; from++) {
        add_pos(&t, s->entries[from].id);
        add_pos(&t, s->entries[from].prev);
        add(&t, s->entries[from].bytes);
    }
    put(l, false, t.bytes, t.n);
}

static void answer_pos(struct model_link *l, hb_pos pos)
{
    char text[POS_TEXT_MAX];
    answer_string(l, (hb_str){text, pos_text(pos, text)});
}

static void run_break(struct model_link *l, const redisReply *c)
{
    struct stream *s = stream_of(word(c, 3));
    hb_pos since, known, to = {redis_now, 0};
    bool put_back = s->has_broken && s->broken.hi == 0;
    bool is_done = pos_parse(word(c, 4), &since)
                       ? s->has_broken && pos_compare(s->broken, since) > 0
                       : !put_back;
    if (s->has_head && is_done) {
        answer_pos(l, s->head);
        return;
    }
    if (s->has_head && pos_compare(s->head, to) >= 0)
        to = (hb_pos){s->head.hi, s->head.lo + 1};
    if (pos_parse(word(c, 6), &known) && pos_compare(known, to) >= 0)
        to = (hb_pos){known.hi, known.lo + 1};
    s->has_head = s->has_broken = true;
    s->head = s->broken = to;
    answer_pos(l, to);
}

/* What is cast and kept, all of it for good. */
static void run_keep(struct model_link *l, const redisReply *c)
{
    static struct text push;
    for (size_t i = 0; i < live.n_kept; i++)
        if (live.kept[i].n == word(c, 6).n && memcmp(live.kept[i].p, word(c, 6).p, word(c, 6).n) == 0) {
            answer(l, ":0\r\n");
            return;
        }
    live.kept = realloc(live.kept, (live.n_kept + 1) * sizeof(*live.kept));
    live.kept[live.n_kept++] = (hb_str){copy_of(word(c, 6).p, word(c, 6).n), word(c, 6).n};
    live.count = live.count ? live.count + 1 : redis_now * 1000;
    push.n = (size_t)sprintf(push.bytes, "%llu ", (unsigned long long)live.count);
    for (size_t i = 5; i < 7; i++) {
        memcpy(push.bytes + push.n, word(c, i).p, word(c, i).n);
        push.n += word(c, i).n;
    }
    push_to_all(HB_STR("p:x:new"), (hb_str){push.bytes, push.n}, true);
    answer(l, ":0\r\n");
}

static hb_str count_text(char out[static 24])
{
    return (hb_str){out, (size_t)sprintf(out, "%llu", (unsigned long long)live.count)};
}

static void run_kept(struct model_link *l, const redisReply *c)
{
    static struct text t;
    char count[24];
    size_t from = number(c, 4), n = live.n_kept > from ? live.n_kept - from : 0;
    if (n > number(c, 5))
        n = number(c, 5);
    t.n = (size_t)sprintf(t.bytes, "*%zu\r\n", 2 + n);
    add(&t, count_text(count));
    t.n += (size_t)sprintf(t.bytes + t.n, ":%zu\r\n", n);
    for (size_t i = from; i < from + n; i++)
        add(&t, live.kept[live.n_kept - 1 - i]);
    put(l, false, t.bytes, t.n);
}

static void run_script(struct model_link *l, const redisReply *c)
{
    hb_str sha = word(c, 1);
    if (memcmp(sha.p, script_sha(SCRIPT_PUBLISH), sha.n) == 0)
        run_publish(l, c);
    else if (memcmp(sha.p, script_sha(SCRIPT_READ), sha.n) == 0)
        run_read(l, c);
    else if (memcmp(sha.p, script_sha(SCRIPT_BREAK), sha.n) == 0)
        run_break(l, c);
    else if (memcmp(sha.p, script_sha(SCRIPT_KEEP), sha.n) == 0)
        run_keep(l, c);
    else if (memcmp(sha.p, script_sha(SCRIPT_KEPT), sha.n) == 0)
        run_kept(l, c);
    else
        answer(l, ":1\r\n");
}

/* --- other commands ------------------------------------------------------------------------------- */

static void run_mget(struct model_link *l, const redisReply *c)
{
    struct text t = {.n = 0};
    t.n = (size_t)sprintf(t.bytes, "*%zu\r\n", c->elements - 1);
    for (size_t i = 1; i < c->elements; i++) {
        hb_str key = word(c, i);
        const struct stream *s = memmem(key.p, key.n, ":l:", 3) ? stream_of(key) : NULL;
        if (s && s->has_head)
            add_pos(&t, s->head);
        else
            t.n += (size_t)sprintf(t.bytes + t.n, "$-1\r\n");
    }
    put(l, false, t.bytes, t.n);
}

static void run_subscribe(struct model_link *l, const redisReply *c, bool on)
{
    for (size_t i = 1; i < c->elements; i++) {
        struct text t = {.n = 0};
        hb_str channel = word(c, i);
        for (size_t k = 0; k < l->n_channels; k++)
            if (strlen(l->channels[k]) == channel.n &&
                memcmp(l->channels[k], channel.p, channel.n) == 0) {
                free(l->channels[k]);
                l->channels[k--] = l->channels[--l->n_channels];
            }
        CHECK(l->n_channels < sizeof(l->channels) / sizeof(l->channels[0]));
        if (on)
            l->channels[l->n_channels++] = copy_of(channel.p, channel.n);
        t.n = (size_t)sprintf(t.bytes, "*3\r\n");
        add(&t, on ? HB_STR("subscribe") : HB_STR("unsubscribe"));
        add(&t, channel);
        t.n += (size_t)sprintf(t.bytes + t.n, ":%zu\r\n", l->n_channels);
        put(l, false, t.bytes, t.n);
    }
}

static bool is(hb_str s, const char *name)
{
    return s.n == strlen(name) && memcmp(s.p, name, s.n) == 0;
}

static void run(struct model_link *l, const redisReply *c)
{
    hb_str name = word(c, 0);
    if (is(name, "EVALSHA"))
        run_script(l, c);
    else if (is(name, "MGET"))
        run_mget(l, c);
    else if (is(name, "SUBSCRIBE") || is(name, "UNSUBSCRIBE"))
        run_subscribe(l, c, is(name, "SUBSCRIBE"));
    else if (is(name, "GET")) { /* of what is kept */
        char count[24];
        answer_string(l, count_text(count));
    } else if (is(name, "PING"))
        answer(l, "+PONG\r\n");
    else if (is(name, "SCRIPT"))
        answer(l, "+OK\r\n");
    else if (is(name, "PEXPIRE"))
        answer(l, ":1\r\n");
    else if (is(name, "PUBLISH")) {
        push_to_all(word(c, 1), word(c, 2), false);
        answer(l, ":1\r\n");
    } else
        unit_fail(__FILE__, __LINE__, "the model knows no %.*s", (int)name.n, name.p);
}

/* --- connections ---------------------------------------------------------------------------------- */

static void on_connected(struct redis_node *node, int fd, bool pipe)
{
    struct model_link *l = calloc(1, sizeof(*l));
    *l = (struct model_link){.node = node, .pipe = pipe, .fd = fd, .in = replies_create()};
    list_init(&l->out);
    list_insert(&model_links, &l->link);
}

bool model_run(struct model_link *l)
{
    const redisReply *command = NULL;
    char bytes[16 * 1024];
    ssize_t n;
    while ((n = read(l->fd, bytes, sizeof(bytes))) > 0)
        CHECK(replies_feed(l->in, bytes, (size_t)n, 1 << 24));
    CHECK(replies_next(l->in, &command));
    if (command)
        run(l, command);
    return command != NULL;
}

bool model_write(struct model_link *l)
{
    if (list_empty(&l->out))
        return false;
    struct model_out *o = list_entry(l->out.next, struct model_out, link);
    ssize_t n = send(l->fd, o->bytes, o->n, MSG_NOSIGNAL);
    CHECK(n < 0 || (size_t)n == o->n);
    list_remove(&o->link);
    l->n_out--;
    free(o);
    return true;
}

void model_cut(struct model_link *l)
{
    list_for_each_safe(item, &l->out) free(list_entry(item, struct model_out, link));
    for (size_t i = 0; i < l->n_channels; i++)
        free(l->channels[i]);
    close(l->fd);
    replies_destroy(l->in);
    list_remove(&l->link);
    free(l);
}

void model_cut_all(void)
{
    while (!list_empty(&model_links))
        model_cut(list_entry(model_links.next, struct model_link, link));
}

void model_begin(void)
{
    list_init(&model_links);
    redis_listener.connected = on_connected;
}

void model_finish(void)
{
    model_cut_all();
    forget(&live);
    forget(&saved);
}
