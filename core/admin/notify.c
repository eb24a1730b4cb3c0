#include "admin/notify.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/str.h"
#include "conf/config.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAITING_MAX = 512,            /* messages of one target: two for each rule that there may be */
    TARGETS_MAX = 2 * NOTIFY_MAX, /* those of the configuration before, too */
    TIMEOUT_MS = 10000,
    RETRY_MS = 500,
    RETRY_MAX_MS = 30000,
    LAST_MS = 2000, /* for what waits when the process ends */
    POLL_MS = 1000,
    ANSWER_MAX = 64 * 1024,
};

/* A message; as mail on its way to the thread, then in its target's list. */
struct message {
    struct mail mail;
    struct list link;
    bool last;        /* none: end */
    char *url, *kind; /* behind the body */
    size_t n_body;
    char body[];
};

struct target {
    char *url;           /* owned */
    char shown[128];     /* scheme and host: what comes behind them may be a secret */
    struct list waiting; /* struct message */
    size_t n_waiting;
    CURL *curl;
    bool busy, failing;
    uint64_t next_ms, pause_ms;
    size_t n_answer;
    char error[CURL_ERROR_SIZE];
};

static struct {
    bool started;
    pthread_t thread;
    struct mailbox box;
    CURLM *multi;
    struct curl_slist *headers;
    struct target targets[TARGETS_MAX];
    int n_targets;
    uint64_t end_ms; /* 0: not ending */
} notify;

/* --- the thread: targets -------------------------------------------------------------------------- */

static size_t on_answer(char *bytes, size_t size, size_t n, void *arg)
{
    struct target *t = arg;
    t->n_answer += size * n;
    return t->n_answer > ANSWER_MAX ? 0 : size * n; /* nobody reads it */
}

static void prepare(struct target *t)
{
    curl_easy_setopt(t->curl, CURLOPT_URL, t->url);
    curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, notify.headers);
    curl_easy_setopt(t->curl, CURLOPT_USERAGENT, "hubbub/" HB_VERSION);
    curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(t->curl, CURLOPT_PRIVATE, t);
}

/* "https://hooks.example.com" of "https://user:key@hooks.example.com/T0/secret". */
static void show(const char *url, char out[static 128])
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    int scheme = (int)(host - url), n = (int)strcspn(host, "/?#");
    for (int i = n - 1; i >= 0; i--)
        if (host[i] == '@') {
            host += i + 1;
            n -= i + 1;
            break;
        }
    snprintf(out, 128, "%.*s%.*s", scheme, url, n, host);
}

/* Room for one more target: the place of one for which nothing waits, when all are taken. */
static struct target *new_target(void)
{
    if (notify.n_targets < TARGETS_MAX)
        return &notify.targets[notify.n_targets++];
    for (int i = 0; i < TARGETS_MAX; i++)
        if (list_empty(&notify.targets[i].waiting)) {
            curl_easy_cleanup(notify.targets[i].curl);
            free(notify.targets[i].url);
            return &notify.targets[i];
        }
    return NULL;
}

static struct target *target_of(const char *url)
{
    for (int i = 0; i < notify.n_targets; i++)
        if (strcmp(notify.targets[i].url, url) == 0)
            return &notify.targets[i];
    struct target *t = new_target();
    if (!t)
        return NULL;
    *t = (struct target){.url = mem_strndup(url, strlen(url)), .curl = curl_easy_init()};
    CHECK_INVARIANT(t->curl);
    list_init(&t->waiting);
    show(url, t->shown);
    prepare(t);
    return t;
}

static struct message *first(const struct target *t)
{
    return list_entry(t->waiting.next, struct message, link);
}

static void drop(struct target *t, struct message *m)
{
    list_remove(&m->link);
    t->n_waiting--;
    free(m);
}

/* The other one of its kind that waits for this target, or NULL. What is on its way stays. */
static struct message *same_kind(struct target *t, const struct message *m)
{
    list_for_each(item, &t->waiting)
    {
        struct message *other = list_entry(item, struct message, link);
        if (other != m && strcmp(other->kind, m->kind) == 0 && !(t->busy && other == first(t)))
            return other;
    }
    return NULL;
}

static void begin(struct target *t)
{
    const struct message *m = first(t);
    t->busy = true;
    t->n_answer = 0;
    t->error[0] = '\0';
    curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE, (long)m->n_body);
    curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, (const char *)m->body);
    curl_multi_add_handle(notify.multi, t->curl);
}

static void retry_later(struct target *t, const char *why)
{
    t->pause_ms = t->pause_ms ? t->pause_ms * 2 : RETRY_MS;
    if (t->pause_ms > RETRY_MAX_MS)
        t->pause_ms = RETRY_MAX_MS;
    t->next_ms = clock_mono_ms() + t->pause_ms;
    if (!t->failing)
        log_write(LOG_WARN, "notify", "%s: %s; it is tried again", t->shown, why);
    t->failing = true;
}

static void end(struct target *t, CURLcode rc)
{
    char why[48];
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(notify.multi, t->curl);
    t->busy = false;
    snprintf(why, sizeof(why), "status %ld", status);
    bool answered = rc == CURLE_OK || (rc == CURLE_WRITE_ERROR && status);
    if (!answered || status >= 500 || status == 429 || status == 408) {
        retry_later(t, answered ? why : t->error[0] ? t->error : curl_easy_strerror(rc));
        if (same_kind(t, first(t)))
            drop(t, first(t));
        return;
    }
    if (status >= 300)
        log_write(LOG_ERROR, "notify", "%s: %s; this message is dropped", t->shown, why);
    else if (t->failing)
        log_write(LOG_INFO, "notify", "%s takes messages again", t->shown);
    t->failing = false;
    t->pause_ms = t->next_ms = 0;
    drop(t, first(t));
}

/* --- the thread: its loop ------------------------------------------------------------------------- */

static void on_mail(struct mail *mail, void *receiver)
{
    struct message *m = container_of(mail, struct message, mail);
    struct target *t = m->last ? NULL : target_of(m->url);
    if (m->last)
        notify.end_ms = clock_mono_ms() + LAST_MS;
    else if (!t)
        log_write(LOG_ERROR, "notify", "more than %d targets", TARGETS_MAX);
    if (!t) {
        free(m);
        return;
    }
    struct message *before = same_kind(t, m);
    if (before)
        drop(t, before);
    if (t->n_waiting == WAITING_MAX) {
        log_write(LOG_ERROR, "notify", "%s: more than %d messages wait; one is dropped", t->shown,
            WAITING_MAX);
        drop(t, t->busy ? list_entry(first(t)->link.next, struct message, link) : first(t));
    }
    list_push_back(&t->waiting, &m->link);
    t->n_waiting++;
}

static void discard(struct mail *mail)
{
    free(container_of(mail, struct message, mail));
}

static void read_ends(void)
{
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(notify.multi, &left))) {
        struct target *t = NULL;
        CURLcode rc = msg->data.result;
        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        end(t, rc);
    }
}

/* False when there is nothing left to wait for. */
static bool go_on(void)
{
    uint64_t now = clock_mono_ms();
    bool waiting = false;
    for (int i = 0; i < notify.n_targets; i++) {
        struct target *t = &notify.targets[i];
        if (!t->busy && !list_empty(&t->waiting) && now >= t->next_ms)
            begin(t);
        waiting |= !list_empty(&t->waiting);
    }
    return !notify.end_ms || (waiting && now < notify.end_ms);
}

static void *run(void *arg)
{
    int running;
    pthread_setname_np(pthread_self(), "notify");
    while (mailbox_drain(&notify.box, NULL), go_on()) {
        curl_multi_perform(notify.multi, &running);
        read_ends();
        curl_multi_poll(notify.multi, NULL, 0,
            notify.end_ms ? 50
            : running     ? POLL_MS
                          : RETRY_MS,
            NULL);
    }
    return NULL;
}

/* --- the control thread --------------------------------------------------------------------------- */

static void wake(void *arg)
{
    curl_multi_wakeup(notify.multi);
}

static bool start(void)
{
    if (notify.started)
        return true;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    notify.multi = curl_multi_init();
    CHECK_INVARIANT(notify.multi);
    notify.headers = curl_slist_append(NULL, "Content-Type: application/json");
    notify.headers = curl_slist_append(notify.headers, "Expect:");
    mailbox_init(&notify.box, wake, NULL);
    int rc = pthread_create(&notify.thread, NULL, run, NULL);
    if (rc != 0) {
        log_write(LOG_ERROR, "notify", "can't start a thread: %s", strerror(rc));
        return false;
    }
    notify.started = true;
    return true;
}

static void post(hb_str url, hb_str kind, hb_str body, bool last)
{
    struct message *m = mem_alloc(sizeof(*m) + body.n + url.n + 1 + kind.n + 1);
    memset(m, 0, sizeof(*m));
    list_init(&m->link);
    m->mail = (struct mail){.deliver = on_mail, .discard = discard};
    m->last = last;
    m->n_body = body.n;
    m->url = m->body + body.n;
    memcpy(m->body, body.p ? body.p : "", body.n);
    memcpy(m->url, url.p ? url.p : "", url.n);
    m->url[url.n] = '\0';
    m->kind = m->url + url.n + 1;
    memcpy(m->kind, kind.p ? kind.p : "", kind.n);
    m->kind[kind.n] = '\0';
    mailbox_post(&notify.box, &m->mail);
}

void notify_send(hb_str url, hb_str kind, hb_str body)
{
    if (start())
        post(url, kind, body, false);
}

static void destroy(struct target *t)
{
    if (t->busy)
        curl_multi_remove_handle(notify.multi, t->curl);
    curl_easy_cleanup(t->curl);
    while (!list_empty(&t->waiting))
        drop(t, first(t));
    free(t->url);
}

void notify_finish(void)
{
    if (!notify.started)
        return;
    post(HB_STR(""), HB_STR(""), HB_STR(""), true);
    pthread_join(notify.thread, NULL);
    mailbox_finish(&notify.box);
    for (int i = 0; i < notify.n_targets; i++)
        destroy(&notify.targets[i]);
    curl_multi_cleanup(notify.multi);
    curl_slist_free_all(notify.headers);
    memset(&notify, 0, sizeof(notify));
}
