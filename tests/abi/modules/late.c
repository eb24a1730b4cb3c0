/*
 * Modules that answer LATER, from a thread of their own. The build says which:
 *   late         completes its ticket after `delay`
 *   late-twice   completes it, and then once more with the opposite verdict
 *   late-gone    completes it only after the session is gone
 * `hook` says which hook they answer; `verdict` what they say.
 */
#include <hubbub/plugin.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HOOK_CALL, HOOK_CONNECT, HOOK_JOIN, HOOK_PUBLISH };

struct options {
    int hook, verdict;
    int64_t delay_ms;
};

static const hb_option options[] = {
    {.key = "hook", .type = HB_OPT_CHOICE, .offset = offsetof(struct options, hook), .def = "call",
        .choices = "call|connect|join|publish", .doc = "The hook that is answered late."},
    {.key = "verdict", .type = HB_OPT_CHOICE, .offset = offsetof(struct options, verdict),
        .def = "allow", .choices = "next|allow|deny", .doc = "What is answered."},
    {.key = "delay", .type = HB_OPT_DURATION, .offset = offsetof(struct options, delay_ms),
        .def = "20ms", .doc = "How late."},
    {0},
};

struct job {
    struct job *next;
    hb_ticket *ticket;
    hb_sid sid;
    bool due; /* late-gone: its session is gone */
};

struct self {
    const hb_ctx *ctx;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *first;
    bool stop;
};

static struct job *take_due(struct self *s)
{
    struct job **at = &s->first;
    while (*at && !(*at)->due)
        at = &(*at)->next;
    struct job *job = *at;
    if (job)
        *at = job->next;
    return job;
}

static void complete(struct self *s, struct job *job)
{
    const struct options *o = s->ctx->options;
    hb_outcome out = {.size = sizeof out, .data = HB_STR("\"late\""), .user = HB_STR("late"),
        .message = HB_STR("Denied late.")};
    struct timespec t = {o->delay_ms / 1000, o->delay_ms % 1000 * 1000000};
    while (nanosleep(&t, &t) != 0)
        continue;
    s->ctx->host->complete(job->ticket, (hb_verdict)o->verdict, &out);
#ifdef TWICE
    s->ctx->host->complete(job->ticket, o->verdict == HB_DENY ? HB_ALLOW : HB_DENY, &out);
#endif
    free(job);
}

static void *work(void *arg)
{
    struct self *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        struct job *job = take_due(s);
        if (!job) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        pthread_mutex_unlock(&s->lock);
        complete(s, job);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static hb_verdict answer(const hb_ctx *ctx, int hook, hb_session *session, void *ev)
{
    const struct options *o = ctx->options;
    struct self *s = ctx->self;
    if (o->hook != hook)
        return HB_NEXT;
    hb_session_info info = {.size = sizeof info};
    ctx->host->session_info(session, &info);
    hb_ticket *ticket = ctx->host->later(ctx, ev);
    if (!ticket)
        return HB_DENY;
    struct job *job = calloc(1, sizeof *job);
    job->ticket = ticket;
    job->sid = info.sid;
#ifndef GONE
    job->due = true;
#endif
    pthread_mutex_lock(&s->lock);
    job->next = s->first;
    s->first = job;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return HB_LATER;
}

static hb_verdict call(const hb_ctx *ctx, hb_call *ev)
{
    return answer(ctx, HOOK_CALL, ev->session, ev);
}

static hb_verdict opening(const hb_ctx *ctx, hb_connect *ev)
{
    return answer(ctx, HOOK_CONNECT, ev->session, ev);
}

static hb_verdict join(const hb_ctx *ctx, hb_join *ev)
{
    return answer(ctx, HOOK_JOIN, ev->session, ev);
}

static hb_verdict publish(const hb_ctx *ctx, hb_publish *ev)
{
    return answer(ctx, HOOK_PUBLISH, ev->session, ev);
}

static void closed(const hb_ctx *ctx, hb_session *session, hb_end why)
{
    struct self *s = ctx->self;
    hb_session_info info = {.size = sizeof info};
    ctx->host->session_info(session, &info);
    pthread_mutex_lock(&s->lock);
    for (struct job *job = s->first; job; job = job->next)
        job->due |= job->sid == info.sid;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static int init(const hb_ctx *ctx, void **self, char *error, size_t error_size)
{
    struct self *s = calloc(1, sizeof *s);
    s->ctx = ctx;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    *self = s;
    return pthread_create(&s->thread, NULL, work, s);
}

static void finish(const hb_ctx *ctx)
{
    struct self *s = ctx->self;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    for (struct job *job; (job = s->first);) {
        s->first = job->next;
        ctx->host->complete(job->ticket, HB_DENY, NULL);
        free(job);
    }
    free(s);
}

static const hb_hooks hooks = {.size = sizeof hooks, .call = call, .connect = opening, .join = join,
    .publish = publish, .closed = closed};

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {HB_MODULE(NAME, "1.0"), .options = options,
    .options_size = sizeof(struct options), .hooks = &hooks, .init = init, .finish = finish};
