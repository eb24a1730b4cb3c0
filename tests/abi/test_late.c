/* The modules that answer late do what tests of the hook chain will count on. */
#include "unit.h"
#include "plugin/check_host.h"
#include "plugin/run.h"
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { DEADLINE_SECONDS = 20, SEEN_MAX = 4 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static hb_verdict seen[SEEN_MAX];
static int n_seen;
static char the_ticket, the_session;

static hb_ticket *later(const hb_ctx *ctx, void *ev)
{
    return (hb_ticket *)&the_ticket;
}

static void complete(hb_ticket *ticket, hb_verdict verdict, const hb_outcome *outcome)
{
    pthread_mutex_lock(&lock);
    if (ticket == (hb_ticket *)&the_ticket && n_seen < SEEN_MAX)
        seen[n_seen++] = verdict;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void session_info(const hb_session *session, hb_session_info *out)
{
    out->sid = 7;
}

static int completions(int wanted)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += DEADLINE_SECONDS;
    pthread_mutex_lock(&lock);
    while (n_seen < wanted && pthread_cond_timedwait(&changed, &lock, &deadline) == 0)
        continue;
    int n = n_seen;
    pthread_mutex_unlock(&lock);
    return n;
}

/* One module, running on a host of three functions. */
struct running {
    struct config *config;
    struct modules *modules;
    struct errors errors;
    struct check_host host;
    hb_ctx control[MODULES_MAX], worker[MODULES_MAX];
};

static struct running *start(const char *plugin)
{
    static struct running r;
    char text[1024];
    int n = snprintf(text, sizeof text, "transports: {directories: [\"%s\"]}\nplugins: "
        "{directories: [\"%s\"], drop_in: [], load: [%s]}\n", ABI_DIR, ABI_DIR, plugin);
    errors_init(&r.errors);
    r.config = config_parse("test.yaml", (hb_str){text, (size_t)n}, &r.errors);
    CHECK(r.config != NULL);
    r.modules = modules_load(r.config, &r.errors);
    CHECK_INT(r.errors.fatal, 0);
    check_host_init(&r.host, &r.errors);
    r.host.host.later = later;
    r.host.host.complete = complete;
    r.host.host.session_info = session_info;
    n_seen = 0;
    CHECK(modules_init(r.modules, &r.host.host, r.control, &r.errors));
    CHECK(modules_worker_init(r.modules, &r.host.host, 0, r.worker));
    return &r;
}

static void stop(struct running *r)
{
    modules_worker_finish(r->modules, r->worker);
    modules_finish(r->modules, r->control);
    modules_free(r->modules);
    config_free(r->config);
    errors_finish(&r->errors);
}

static hb_verdict call(struct running *r)
{
    hb_call ev = {.session = (hb_session *)&the_session, .event = HB_STR("x")};
    return r->modules->items[0]->m->hooks->call(&r->worker[0], &ev);
}

TEST(late_completes_once_from_another_thread)
{
    struct running *r = start("late");
    CHECK_INT(call(r), HB_LATER);
    CHECK_INT(completions(1), 1);
    CHECK_INT(seen[0], HB_ALLOW);
    stop(r);
    CHECK_INT(n_seen, 1);
}

TEST(late_answers_the_configured_hook_only)
{
    struct running *r = start("{late: {hook: join}}");
    CHECK_INT(call(r), HB_NEXT);
    stop(r);
    CHECK_INT(n_seen, 0);
}

TEST(late_twice_completes_again_with_the_opposite)
{
    struct running *r = start("{late-twice: {delay: 0}}");
    CHECK_INT(call(r), HB_LATER);
    CHECK_INT(completions(2), 2);
    CHECK_INT(seen[0], HB_ALLOW);
    CHECK_INT(seen[1], HB_DENY);
    stop(r);
}

TEST(late_gone_completes_after_the_session_is_closed)
{
    struct running *r = start("{late-gone: {delay: 0}}");
    CHECK_INT(call(r), HB_LATER);
    pthread_mutex_lock(&lock);
    CHECK_INT(n_seen, 0);
    pthread_mutex_unlock(&lock);
    r->modules->items[0]->m->hooks->closed(&r->worker[0], (hb_session *)&the_session,
        HB_END_CLIENT);
    CHECK_INT(completions(1), 1);
    stop(r);
}

TEST(what_still_waits_at_the_end_is_denied)
{
    struct running *r = start("late-gone");
    CHECK_INT(call(r), HB_LATER);
    stop(r);
    CHECK_INT(n_seen, 1);
    CHECK_INT(seen[0], HB_DENY);
}
