#include "recover.h"
#include "note.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    BUCKETS = 4096,
    STORED_MAX = 20000, /* of a worker; then the oldest goes */
    SWEEP_MS = 5000,
    HOPS_MAX = 8,       /* after a socket that connections take from each other */
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct question {
    char pid[SOCKET_PID + 1];
    int worker;          /* that asks */
    hb_sid sid;
    uint32_t number;
    struct socket *found;
    hb_sid seen;         /* where it was looked for last; 0: nowhere yet */
    int hops;
    bool later;          /* nobody can say just now */
    struct question *next;
};

struct record {
    struct record *chain;           /* in its bucket */
    union {
        struct {
            struct record *older, *newer; /* of the stored ones, by time */
        };
        struct question *asking;    /* taking: who waits for the note */
    };
    struct socket *stored;          /* NULL: a connection has it, or is about to take it up */
    int worker;                     /* that one */
    hb_sid sid;
    char pid[SOCKET_PID + 1];
    bool noted;                     /* stored: and there is a note of it, or may be */
    bool taking;                    /* its note is asked for */
};

struct records {
    struct record *buckets[BUCKETS];
    struct record *oldest, *newest;
    size_t n_stored;
    hb_timer sweep;
    bool sweeping;
};

/* ---- names ---- */

/* Worker and 14 random bytes, 6 bits to a character. */
void recover_name(const struct worker *w, char pid[SOCKET_PID + 1])
{
    unsigned char raw[15];
    size_t used = 0;
    while (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
        ;
    raw[0] = (unsigned char)w->ctx->worker;
    for (size_t i = 0; i < sizeof(raw); i += 3) {
        uint32_t three = (uint32_t)raw[i] << 16 | (uint32_t)raw[i + 1] << 8 | raw[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            pid[used++] = digits[three >> shift & 63];
    }
    pid[used] = '\0';
}

static int digit_of(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* The worker that keeps its entry; -1: it is no pid. Other nodes may have more workers than this one. */
static int keeper_of(const struct worker *w, const char *pid)
{
    int high = digit_of(pid[0]), low = digit_of(pid[1]);
    return high < 0 || low < 0 ? -1 : (high << 2 | low >> 4) % w->ctx->host->workers();
}

static struct record **bucket(struct records *r, const char *pid)
{
    uint32_t hash = 0; /* pids are random: some of their characters are as good as a hash */
    for (int i = 4; i < 12; i++)
        hash = hash * 64 + (uint32_t)digit_of(pid[i]);
    return &r->buckets[hash % BUCKETS];
}

static struct record *look_up(struct records *r, const char *pid)
{
    struct record *e = *bucket(r, pid);
    while (e && strcmp(e->pid, pid) != 0)
        e = e->chain;
    return e;
}

/* ---- the table of this worker ---- */

struct records *records_create(void)
{
    return calloc(1, sizeof(struct records));
}

static void unqueue(struct records *r, struct record *e)
{
    if (!e->stored || e->taking)
        return;
    *(e->older ? &e->older->newer : &r->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &r->newest) = e->older;
    e->older = e->newer = NULL;
    r->n_stored--;
}

static void drop_question(void *arg)
{
    struct question *q = arg;
    socket_free(q->found);
    free(q);
}

static void destroy(struct records *r, struct record *e)
{
    struct record **at = bucket(r, e->pid);
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    unqueue(r, e);
    socket_free(e->stored);
    for (struct question *q = e->taking ? e->asking : NULL, *next; q; q = next) {
        next = q->next;
        drop_question(q);
    }
    free(e);
}

void records_destroy(struct records *r)
{
    for (size_t i = 0; r && i < BUCKETS; i++)
        while (r->buckets[i])
            destroy(r, r->buckets[i]);
    free(r);
}

static struct record *look_up_or_create(struct records *r, const char *pid)
{
    struct record *e = look_up(r, pid);
    if (e)
        return e;
    e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    struct record **at = bucket(r, pid);
    memcpy(e->pid, pid, sizeof(e->pid));
    e->chain = *at;
    *at = e;
    return e;
}

static void expire(struct worker *w)
{
    struct records *r = w->records;
    uint64_t now = w->ctx->host->now_ms();
    while (r->oldest && (r->oldest->stored->rest->expires_ms <= now || r->n_stored > STORED_MAX))
        destroy(r, r->oldest);
}

static void on_sweep(const hb_ctx *ctx, hb_timer *t)
{
    struct worker *w = t->owner;
    expire(w);
    w->records->sweeping = w->records->oldest != NULL;
    if (w->records->sweeping)
        ctx->host->timer_set(ctx, t, SWEEP_MS);
}

void records_stop(struct worker *w)
{
    if (w->records)
        w->ctx->host->timer_cancel(w->ctx, &w->records->sweep);
}

/* Into the line of the stored ones. */
static void queue(struct worker *w, struct record *e)
{
    struct records *r = w->records;
    e->stored->rest->expires_ms = w->ctx->host->now_ms() + (uint64_t)w->options->recovery;
    e->newer = NULL;
    e->older = r->newest;
    *(r->newest ? &r->newest->newer : &r->oldest) = e;
    r->newest = e;
    r->n_stored++;
    if (r->sweeping)
        return;
    r->sweeping = true;
    r->sweep.fire = on_sweep;
    r->sweep.owner = w;
    w->ctx->host->timer_set(w->ctx, &r->sweep, SWEEP_MS);
}

static struct worker *here(const hb_ctx *ctx)
{
    return ctx->local;
}

/* ---- between nodes ---- */

static void on_noted(const hb_ctx *ctx, const hb_note *note, void *arg)
{
    char *pid = arg;
    struct record *e = ctx->local ? look_up(here(ctx)->records, pid) : NULL;
    if (e && note->code != HB_OK && !note->unknown)
        e->noted = false;
    free(pid);
}

static char *copy_of(const char *pid)
{
    char *copy = malloc(SOCKET_PID + 1);
    return copy ? memcpy(copy, pid, SOCKET_PID + 1) : NULL;
}

/* What does not fit into a note is known to this node alone. */
static void put_note(struct worker *w, struct record *e)
{
    struct bytes text = BYTES_INIT;
    size_t most = w->net->note_max();
    char *pid = most > 0 ? copy_of(e->pid) : NULL;
    if (pid)
        note_write(e->stored, &text);
    e->noted = pid && !text.failed && text.n <= most;
    if (e->noted)
        w->net->note_put(w->ctx, str_of(pid), bytes_view(&text), w->options->recovery, on_noted, pid);
    else
        free(pid);
    bytes_finish(&text);
}

static void on_taken(const hb_ctx *ctx, const hb_note *note, void *arg);

/* Whoever comes for it, on whatever node, has to take its note first: so of two one gets it, and none
 * what another had since. More questions wait with the first one. */
static void take_note(struct worker *w, struct record *e, struct question *q)
{
    unqueue(w->records, e);
    q->next = NULL;
    e->asking = q;
    e->taking = true;
    w->net->note_take(w->ctx, str_of(e->pid), on_taken, e);
}

static void keep(struct worker *w, struct socket *s)
{
    struct records *r = w->records;
    struct record *e = look_up_or_create(r, s->pid);
    if (!e || e->taking) { /* taking: no connection has it, so this can't be */
        socket_free(s);
        return;
    }
    unqueue(r, e);
    socket_free(e->stored);
    e->stored = s;
    queue(w, e);
    put_note(w, e);
    expire(w);
}

/* ---- between workers ---- */

static void drop_socket(void *arg)
{
    socket_free(arg);
}

static void post(const hb_ctx *ctx, int worker, void (*fn)(const hb_ctx *ctx, void *arg), struct question *q)
{
    ctx->host->post_owned(ctx, worker, fn, drop_question, q);
}

static void on_store(const hb_ctx *ctx, void *arg)
{
    keep(here(ctx), arg);
}

void recover_store(struct worker *w, struct socket *s)
{
    int keeper = keeper_of(w, s->pid);
    if (keeper == w->ctx->worker)
        keep(w, s);
    else if (keeper >= 0)
        w->ctx->host->post_owned(w->ctx, keeper, on_store, drop_socket, s);
    else
        socket_free(s);
}

struct whereabouts {
    char pid[SOCKET_PID + 1];
    int worker; /* -1: it left for good */
    hb_sid sid;
};

static void on_whereabouts(const hb_ctx *ctx, void *arg)
{
    struct whereabouts *where = arg;
    struct records *r = here(ctx)->records;
    struct record *e = where->worker >= 0 ? look_up_or_create(r, where->pid) : look_up(r, where->pid);
    if (e && e->taking) {
        /* no connection has it, so this can't be */
    } else if (e && where->worker < 0) {
        destroy(r, e);
    } else if (e) {
        unqueue(r, e);
        socket_free(e->stored);
        e->stored = NULL;
        e->worker = where->worker;
        e->sid = where->sid;
    }
    free(where);
}

static void send_whereabouts(struct worker *w, const char *pid, int worker, hb_sid sid)
{
    struct whereabouts *where = malloc(sizeof(*where));
    int keeper = keeper_of(w, pid);
    if (!where || keeper < 0) {
        free(where);
        return;
    }
    *where = (struct whereabouts){.worker = worker, .sid = sid};
    memcpy(where->pid, pid, sizeof(where->pid));
    if (keeper == w->ctx->worker)
        on_whereabouts(w->ctx, where);
    else
        w->ctx->host->post_owned(w->ctx, keeper, on_whereabouts, free, where);
}

void recover_enter(struct worker *w, const char *pid, hb_sid sid)
{
    send_whereabouts(w, pid, w->ctx->worker, sid);
}

void recover_leave(struct worker *w, const char *pid)
{
    send_whereabouts(w, pid, -1, 0);
}

/* ---- questions ---- */

static void on_answer(const hb_ctx *ctx, void *arg)
{
    struct question *q = arg;
    if (!enter_found(ctx, q->sid, q->number, q->found, q->later) && q->found)
        recover_store(here(ctx), q->found);
    free(q);
}

static void on_question(const hb_ctx *ctx, void *arg);

/* On the worker whose connection has it. Back to the keeper, who by then has it if that one ended. */
static void on_give_up(const hb_ctx *ctx, void *arg)
{
    struct question *q = arg;
    q->found = socket_steal(ctx, q->seen, q->pid);
    struct worker *w = here(ctx);
    post(ctx, keeper_of(w, q->pid), on_question, q);
}

/* It is the asking connection's from now on: who asks next is sent there, be it that it has not even
 * heard the answer, or that the client has not. */
static void hand_over(struct worker *w, struct record *e, struct question *q)
{
    if (e->stored) {
        unqueue(w->records, e);
        q->found = e->stored;
        e->stored = NULL;
    }
    e->worker = q->worker;
    e->sid = q->sid;
}

/* What is known here of a socket that nobody has: its note may be with another node, or know better. */
static bool needs_note(const struct worker *w, const struct record *e)
{
    return e->stored ? e->noted : !e->sid && w->net->note_max() > 0;
}

/* What the note says takes the place of what is known here. Without one another node has taken it; but
 * where none was put, or nobody can say, it stays. */
static void settle(struct worker *w, struct record *e, const hb_note *note)
{
    struct socket *s = note->code == HB_OK ? note_read(note->bytes, e->pid) : NULL;
    bool stays = note->code == HB_UNAVAILABLE || (note->code == HB_NOT_FOUND && !e->noted);
    e->taking = false;
    if (!stays) {
        socket_free(e->stored);
        e->stored = s;
        e->noted = false;
    }
    if (e->stored)
        queue(w, e);
}

static void on_taken(const hb_ctx *ctx, const hb_note *note, void *arg)
{
    struct record *e = arg;
    struct worker *w = here(ctx);
    if (!w) /* it ended, and its records with it */
        return;
    struct question *q = e->asking;
    bool later = note->code == HB_UNAVAILABLE;
    settle(w, e, note);
    bool found = e->stored && !later;
    if (!e->stored)
        destroy(w->records, e);
    for (struct question *next; q; q = next) {
        next = q->next;
        q->later = later;
        if (found)
            on_question(ctx, q);
        else
            post(ctx, q->worker, on_answer, q);
    }
}

/* On the keeper's. */
static void on_question(const hb_ctx *ctx, void *arg)
{
    struct question *q = arg;
    struct worker *w = here(ctx);
    expire(w);
    struct record *e = look_up_or_create(w->records, q->pid);
    if (e && e->taking) {
        struct question **last = &e->asking;
        while (*last)
            last = &(*last)->next;
        q->next = NULL;
        *last = q;
        return;
    }
    if (e && !q->found && needs_note(w, e)) {
        take_note(w, e, q);
        return;
    }
    if (e && (q->found || e->stored)) {
        hand_over(w, e, q);
    } else if (e && !e->sid) {
        destroy(w->records, e);
    } else if (e && e->sid != q->seen && e->sid != q->sid && q->hops++ < HOPS_MAX) {
        q->seen = e->sid;
        post(ctx, e->worker, on_give_up, q);
        return;
    }
    post(ctx, q->worker, on_answer, q);
}

bool recover_ask(struct worker *w, hb_str pid, hb_sid sid, uint32_t number)
{
    struct question *q = pid.n == SOCKET_PID ? calloc(1, sizeof(*q)) : NULL;
    if (!q)
        return false;
    memcpy(q->pid, pid.p, SOCKET_PID);
    int keeper = keeper_of(w, q->pid);
    for (size_t i = 0; keeper >= 0 && i < SOCKET_PID; i++)
        keeper = digit_of(q->pid[i]) < 0 ? -1 : keeper;
    if (keeper < 0) {
        free(q);
        return false;
    }
    q->worker = w->ctx->worker;
    q->sid = sid;
    q->number = number;
    post(w->ctx, keeper, on_question, q);
    return true;
}
