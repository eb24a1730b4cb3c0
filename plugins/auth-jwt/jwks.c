#include "jwks.h"
#include "fetch.h"
#include "file.h"
#include "jwk.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SAVED_MAX = 5,       /* fetches for unknown kids that may follow each other at once */
    TURN_GAP_MS = 20,    /* between two turns, so that a flood of unknown kids costs little */
    RETRY_MIN_MS = 1000, /* after a failed fetch, doubled each time */
    RETRY_MAX_MS = 60000
};

/* A copy of the settings, of one owner at a time. */
struct source {
    struct jwks_settings s;
    char strings[];
};

struct jwks {
    struct ring *ring;
    struct jwks_events events;
    pthread_t thread;
    bool running;          /* control thread's */
    atomic_bool interrupt; /* ends a fetch that nobody wants any more */

    pthread_mutex_t lock; /* for all from here to the next comment */
    pthread_cond_t wake;
    bool stop;
    struct source *next; /* owned: to be adopted by the thread */
    bool has_file, has_url, failing, fetched;
    char *url;                /* owned: the one configured */
    uint64_t wanted, started; /* turns */
    int64_t refetch_ms;
    unsigned saved;
    uint64_t earned_at_ms;

    /* The thread's own. */
    struct source *source; /* owned; NULL: none yet */
    struct file_id file;
    uint64_t turn_at_ms, file_at_ms, url_at_ms, retry_ms;
};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static struct source *copy(const struct jwks_settings *s)
{
    size_t file = strlen(s->file) + 1, url = strlen(s->url) + 1, ca = strlen(s->ca_file) + 1;
    struct source *c = malloc(sizeof(*c) + file + url + ca);
    if (!c)
        abort();
    c->s = *s;
    c->s.file = memcpy(c->strings, s->file, file);
    c->s.url = memcpy(c->strings + file, s->url, url);
    c->s.ca_file = memcpy(c->strings + file + url, s->ca_file, ca);
    return c;
}

__attribute__((format(printf, 3, 4))) static void say(
    struct jwks *j, bool fault, const char *fmt, ...)
{
    char sentence[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, ap);
    va_end(ap);
    j->events.say(j->events.arg, fault, sentence);
}

/* What came from there: keys, adopted, or NULL for a fault, which leaves the old ones in force.
 * False when they are not in force now; a configuration that came meanwhile wins. */
static bool install(struct jwks *j, enum ring_part part, struct keys *keys)
{
    pthread_mutex_lock(&j->lock);
    bool ok = keys && !j->next && !j->stop;
    if (ok)
        ring_put(j->ring, part, keys);
    if (part == RING_URL) {
        j->failing = !ok;
        j->fetched = j->fetched || ok;
    }
    pthread_mutex_unlock(&j->lock);
    if (!ok)
        keys_unref(keys);
    return ok;
}

static bool read_set(struct jwks *j, enum ring_part part, const char *from, hb_str text)
{
    char error[160];
    struct jwk_report report;
    struct keys *keys = jwk_read_set(text, part == RING_FILE, &report, error, sizeof(error));
    bool ok = install(j, part, keys);
    if (!keys)
        say(j, true, "%s: %s; the keys from before stay in force", from, error);
    else if (ok && report.skipped)
        say(j, !report.used, "%s: %zu keys, %zu skipped (the last one: %s)", from, report.used,
            report.skipped, report.why);
    else if (ok)
        say(j, !report.used, "%s: %zu keys", from, report.used);
    return ok;
}

static void look_at_file(struct jwks *j)
{
    const char *path = j->source->s.file;
    struct file_id id = file_identify(path);
    j->file_at_ms = now_ms() + (uint64_t)j->source->s.check_ms;
    if (file_same(&id, &j->file))
        return;
    char error[512];
    size_t n = 0;
    char *text = file_read(path, &n, &id, error, sizeof(error));
    j->file = id; /* a fault is told once for each state of the file */
    if (text)
        read_set(j, RING_FILE, path, (hb_str){text, n});
    else
        say(j, true, "%s; the keys from before stay in force", error);
    free(text);
}

static void fetch(struct jwks *j)
{
    const struct jwks_settings *s = &j->source->s;
    struct fetch_limits limits = {s->timeout_ms, s->size_max, s->ca_file, &j->interrupt};
    char error[256];
    size_t n = 0;
    char *body = fetch_get(s->url, &limits, &n, error, sizeof(error));
    bool ok = body ? read_set(j, RING_URL, s->url, (hb_str){body, n}) : install(j, RING_URL, NULL);
    if (!body && !atomic_load(&j->interrupt))
        say(j, true, "%s: %s; the keys from before stay in force", s->url, error);
    free(body);
    uint64_t pause = (uint64_t)s->refresh_ms;
    if (!ok)
        pause = earlier(pause, j->retry_ms);
    j->retry_ms = ok ? RETRY_MIN_MS : earlier(2 * j->retry_ms, RETRY_MAX_MS);
    j->url_at_ms = now_ms() + pause;
}

/* Under the lock. When there is something to do next; UINT64_MAX: not by the clock. */
static uint64_t due_at(const struct jwks *j)
{
    uint64_t at = UINT64_MAX;
    if (j->next)
        return 0;
    if (j->wanted > j->started)
        at = j->turn_at_ms;
    if (j->source && *j->source->s.file)
        at = earlier(at, j->file_at_ms);
    if (j->source && *j->source->s.url)
        at = earlier(at, j->url_at_ms);
    return at;
}

static void wait_until(struct jwks *j, uint64_t at_ms)
{
    struct timespec t = {(time_t)(at_ms / 1000), (long)(at_ms % 1000) * 1000000};
    if (at_ms == UINT64_MAX)
        pthread_cond_wait(&j->wake, &j->lock);
    else
        pthread_cond_timedwait(&j->wake, &j->lock, &t);
}

/* Under the lock. */
static void adopt_next(struct jwks *j)
{
    free(j->source);
    j->source = j->next;
    j->next = NULL;
    j->file = (struct file_id){0};
    j->file_at_ms = j->url_at_ms = 0;
    j->retry_ms = RETRY_MIN_MS;
    atomic_store(&j->interrupt, false);
}

/* Not under the lock: look, fetch, tell. */
static void take_turn(struct jwks *j, uint64_t turn, bool asked)
{
    uint64_t now = now_ms();
    if (j->source && *j->source->s.file && (asked || now >= j->file_at_ms))
        look_at_file(j);
    if (j->source && *j->source->s.url && (asked || now >= j->url_at_ms))
        fetch(j);
    j->turn_at_ms = now_ms() + TURN_GAP_MS;
    if (asked)
        j->events.finished(j->events.arg, turn);
}

static void *run(void *arg)
{
    struct jwks *j = arg;
    pthread_mutex_lock(&j->lock);
    while (!j->stop) {
        uint64_t at = due_at(j);
        if (at > now_ms()) {
            wait_until(j, at);
            continue;
        }
        if (j->next)
            adopt_next(j);
        bool asked = j->wanted > j->started;
        uint64_t turn = j->started = asked ? j->started + 1 : j->started;
        pthread_mutex_unlock(&j->lock);
        take_turn(j, turn, asked);
        pthread_mutex_lock(&j->lock);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

struct jwks *jwks_create(struct ring *ring, const struct jwks_events *events)
{
    pthread_condattr_t attr;
    struct jwks *j = calloc(1, sizeof(*j));
    if (!j)
        return NULL;
    j->ring = ring;
    j->events = *events;
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->wake, &attr);
    pthread_condattr_destroy(&attr);
    return j;
}

void jwks_destroy(struct jwks *j)
{
    if (!j)
        return;
    if (j->running) {
        pthread_mutex_lock(&j->lock);
        j->stop = true;
        atomic_store(&j->interrupt, true);
        pthread_cond_signal(&j->wake);
        pthread_mutex_unlock(&j->lock);
        pthread_join(j->thread, NULL);
    }
    free(j->source);
    free(j->next);
    free(j->url);
    pthread_cond_destroy(&j->wake);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

/* Signals are the control thread's. */
static void start(struct jwks *j)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    j->running = pthread_create(&j->thread, NULL, run, j) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!j->running)
        say(j, true, "no thread for fetching keys could be started");
}

void jwks_configure(struct jwks *j, const struct jwks_settings *s)
{
    struct source *next = copy(s);
    bool any = *s->file || *s->url;
    pthread_mutex_lock(&j->lock);
    bool moved = !j->url || strcmp(j->url, s->url) != 0;
    free(j->next);
    j->next = next;
    j->has_file = *s->file;
    j->has_url = *s->url;
    j->failing = moved ? j->has_url : j->failing;
    j->fetched = moved ? !j->has_url : j->fetched;
    j->refetch_ms = s->refetch_ms;
    j->saved = SAVED_MAX;
    j->earned_at_ms = now_ms();
    if (moved) {
        free(j->url);
        j->url = strdup(s->url);
        ring_put(j->ring, RING_URL, NULL);
    }
    atomic_store(&j->interrupt, true);
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    if (any && !j->running)
        start(j);
}

/* Under the lock: pay for one more fetch. */
static bool spend(struct jwks *j)
{
    uint64_t now = now_ms(), price = (uint64_t)(j->refetch_ms > 0 ? j->refetch_ms : 1);
    uint64_t earned = (now - j->earned_at_ms) / price;
    j->earned_at_ms += earned * price;
    j->saved = j->saved + earned > SAVED_MAX ? SAVED_MAX : j->saved + (unsigned)earned;
    if (!j->saved)
        return false;
    j->saved--;
    return true;
}

uint64_t jwks_ask(struct jwks *j)
{
    uint64_t turn = 0;
    pthread_mutex_lock(&j->lock);
    /* A turn that has begun may have read before the key came to be: only the next one counts. */
    if (j->wanted > j->started)
        turn = j->wanted;
    else if (j->has_url ? spend(j) : j->has_file)
        turn = ++j->wanted;
    if (turn)
        pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    return turn;
}

bool jwks_is_failing(struct jwks *j)
{
    pthread_mutex_lock(&j->lock);
    bool failing = j->failing;
    pthread_mutex_unlock(&j->lock);
    return failing;
}

bool jwks_has_fetched(struct jwks *j)
{
    pthread_mutex_lock(&j->lock);
    bool fetched = j->fetched;
    pthread_mutex_unlock(&j->lock);
    return fetched;
}
