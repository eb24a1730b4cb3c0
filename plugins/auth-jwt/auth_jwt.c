/*
 * auth-jwt: who a session is, by a JSON Web Token. The hook `connect` verifies (verify.c) with the
 * keys in force (ring.c, jwks.c); what it found is remembered for a moment (cache.c); sessions are
 * told before their token expires (warnings.c); `hubbub token` makes tokens (mint.c).
 *
 * A worker never waits: a token of an unknown key takes a ticket, and jwks.c's thread tells when it
 * has looked.
 */
#include "cache.h"
#include "jwks.h"
#include "mint.h"
#include "setup.h"
#include "waiting.h"
#include "warnings.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

enum { RETRY_AFTER_MS = 1000 };

struct auth {
    struct ring ring;
    struct jwks *jwks;     /* owned */
    const hb_ctx *control; /* of init: for the thread of jwks */
    int failures[VERIFY_COUNT];
};

struct local {
    struct keys *keys; /* owned reference: the ring's, at `version` */
    unsigned version;
    struct cache *cache; /* owned */
    struct claims *last; /* owned: of the last answer, when the cache did not take them */
    struct waiting waiting;
    struct warnings warnings;
};

/* ---- Judging a token. */

/* Keys or policy changed: what was good may be so no longer. */
static void follow_keys(const hb_ctx *ctx)
{
    struct auth *auth = ctx->self;
    struct local *local = ctx->local;
    if (local->keys && local->version == ring_version(&auth->ring))
        return;
    keys_unref(local->keys);
    local->keys = ring_take(&auth->ring, &local->version);
    cache_clear(local->cache);
}

static enum verify_result verify(const hb_ctx *ctx, hb_str token, const struct claims **out)
{
    struct local *local = ctx->local;
    struct verify_policy policy = setup_policy(ctx->options);
    int64_t wall_ms = ctx->host->wall_ms();
    struct claims *fresh;
    if (token.n > VERIFY_TOKEN_MAX)
        return VERIFY_MALFORMED;
    struct cache_key key = cache_key(token);
    *out = cache_get(local->cache, &key, ctx->host->now_ms());
    if (*out)
        return verify_times(*out, wall_ms);
    enum verify_result r = verify_token(token, local->keys, &policy, wall_ms, &fresh);
    if (r != VERIFY_OK)
        return r;
    if (!cache_put(local->cache, &key, fresh, ctx->host->now_ms())) {
        claims_free(local->last);
        local->last = fresh;
    }
    *out = fresh;
    return VERIFY_OK;
}

static hb_verdict refuse(const hb_ctx *ctx, enum verify_result why, hb_outcome *out)
{
    const struct auth *auth = ctx->self;
    ctx->host->count(ctx, auth->failures[why], 1);
    out->code = HB_UNAUTHORIZED;
    out->message = HB_STR("Invalid token");
    if (why == VERIFY_MISSING) {
        out->message = HB_STR("Authentication required");
    } else if (why == VERIFY_EXPIRED) {
        out->code = HB_TOKEN_EXPIRED;
        out->message = HB_STR("Token expired");
    } else if (why == VERIFY_UNAVAILABLE) {
        out->code = HB_UNAVAILABLE;
        out->message = HB_STR("Tokens can't be verified at the moment");
        out->retry_after_ms = RETRY_AFTER_MS;
    }
    return HB_DENY;
}

static hb_verdict admit(const struct claims *c, hb_outcome *out)
{
    int64_t expires_ms = c->expires_ms == INT64_MAX ? 0 : c->expires_ms;
    out->user = c->user;
    out->rights = c->rights;
    out->token_id = c->token_id;
    out->issued_at = c->issued_at;
    out->expires_at = expires_ms / 1000 + (expires_ms % 1000 > 0);
    return HB_ALLOW;
}

/* May other keys than those at hand change this result? Those of a URL that was never fetched may
 * change any that is about keys; else it takes a kid that nobody knows. */
static bool depends_on_keys(struct auth *auth, enum verify_result r)
{
    if (r == VERIFY_UNKNOWN_KEY)
        return true;
    return (r == VERIFY_ALGORITHM || r == VERIFY_SIGNATURE) && !jwks_has_fetched(auth->jwks);
}

/* Take a ticket and wait for the keys to be looked up again; false: not worth it, or no room. */
static bool put_off(const hb_ctx *ctx, hb_connect *ev)
{
    struct auth *auth = ctx->self;
    struct local *local = ctx->local;
    if (!waiting_fits(&local->waiting, ev->credential))
        return false;
    uint64_t turn = jwks_ask(auth->jwks);
    if (!turn)
        return false;
    struct wait *w = waiting_add(&local->waiting, ev->credential, turn);
    if (!w)
        return false;
    w->ticket = ctx->host->later(ctx, ev);
    if (!w->ticket)
        waiting_drop(&local->waiting, w);
    return w->ticket;
}

/* The keys were looked up, or can't be: a token of an unknown key is wrong, unless the keys it may
 * be of can't be had at the moment. */
static enum verify_result settle(struct auth *auth, enum verify_result r)
{
    return depends_on_keys(auth, r) && jwks_is_failing(auth->jwks) ? VERIFY_UNAVAILABLE : r;
}

static hb_verdict on_connect(const hb_ctx *ctx, hb_connect *ev)
{
    const struct setup *s = ctx->options;
    const struct claims *claims;
    if (!ev->credential.p)
        return s->anonymous && !ev->refresh ? HB_ALLOW : refuse(ctx, VERIFY_MISSING, &ev->out);
    follow_keys(ctx);
    enum verify_result r = verify(ctx, ev->credential, &claims);
    if (r == VERIFY_OK)
        return admit(claims, &ev->out);
    if (depends_on_keys(ctx->self, r) && put_off(ctx, ev))
        return HB_LATER;
    return refuse(ctx, settle(ctx->self, r), &ev->out);
}

/* The second and last look at a token that was put off. */
static void answer(const hb_ctx *ctx, const struct wait *w)
{
    hb_outcome out = {.size = sizeof(out)};
    const struct claims *claims;
    enum verify_result r = verify(ctx, (hb_str){w->token, w->n}, &claims);
    hb_verdict verdict =
        r == VERIFY_OK ? admit(claims, &out) : refuse(ctx, settle(ctx->self, r), &out);
    ctx->host->complete(w->ticket, verdict, &out);
}

static void answer_all(const hb_ctx *ctx, uint64_t turn)
{
    struct local *local = ctx->local;
    struct wait *next;
    follow_keys(ctx);
    for (struct wait *w = waiting_take(&local->waiting, turn); w; w = next) {
        next = w->next;
        answer(ctx, w);
        free(w);
    }
}

/* ---- Tokens in force. */

static void on_opened(const hb_ctx *ctx, hb_session *session)
{
    const struct setup *s = ctx->options;
    struct local *local = ctx->local;
    warnings_expect(ctx, &local->warnings, session, s->expiry_warning_ms);
}

static void on_authenticated(const hb_ctx *ctx, hb_session *session, bool refresh)
{
    on_opened(ctx, session);
}

/* ---- News from the thread of jwks. */

static void on_looked(const hb_ctx *ctx, void *arg)
{
    answer_all(ctx, (uint64_t)(uintptr_t)arg);
}

static void tell_workers(void *arg, uint64_t turn)
{
    const struct auth *auth = arg;
    const hb_host *host = auth->control->host;
    for (int i = 0; i < host->workers(); i++)
        host->post(auth->control, i, on_looked, (void *)(uintptr_t)turn);
}

static void say(void *arg, bool fault, const char *sentence)
{
    const struct auth *auth = arg;
    const hb_host *host = auth->control->host;
    host->log(
        auth->control, fault ? HB_LOG_WARN : HB_LOG_INFO, fault ? "jwks_fault" : "jwks", sentence);
}

/* ---- Life of the module. */

static int check(const hb_host *host, const void *options, char *error, size_t error_size)
{
    return setup_check(options, setup_is_lenient(host), error, error_size) ? 0 : -1;
}

static bool configure(struct auth *auth, const hb_ctx *ctx, char *error, size_t error_size)
{
    const struct setup *s = ctx->options;
    struct jwks_settings jwks = setup_jwks(s);
    struct keys *fixed, *file;
    if (!setup_keys(s, setup_is_lenient(ctx->host), &fixed, &file, error, error_size))
        return false;
    ring_put(&auth->ring, RING_FIXED, fixed);
    ring_put(&auth->ring, RING_FILE, file);
    jwks_configure(auth->jwks, &jwks);
    return true;
}

static void register_metrics(struct auth *auth, const hb_ctx *ctx)
{
    for (int i = VERIFY_OK + 1; i < VERIFY_COUNT; i++) {
        char label[64];
        snprintf(label, sizeof(label), "reason=\"%s\"", verify_reason((enum verify_result)i));
        auth->failures[i] = ctx->host->metric(ctx, "hubbub_auth_jwt_failures_total",
            "Tokens that were refused, by what is wrong with them.", label, true);
    }
}

static void destroy(struct auth *auth)
{
    jwks_destroy(auth->jwks);
    ring_finish(&auth->ring);
    free(auth);
}

static int init(const hb_ctx *ctx, void **self, char *error, size_t error_size)
{
    if (!setup_check(ctx->options, setup_is_lenient(ctx->host), error, error_size))
        return -1;
    struct auth *auth = calloc(1, sizeof(*auth));
    if (!auth || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        snprintf(error, error_size, "libcurl can't be initialised");
        free(auth);
        return -1;
    }
    struct jwks_events events = {tell_workers, say, auth};
    auth->control = ctx;
    ring_init(&auth->ring);
    auth->jwks = jwks_create(&auth->ring, &events);
    register_metrics(auth, ctx);
    if (!auth->jwks || !configure(auth, ctx, error, error_size)) {
        destroy(auth);
        curl_global_cleanup();
        return -1;
    }
    *self = auth;
    return 0;
}

static void reload(const hb_ctx *ctx)
{
    char error[512];
    if (!configure(ctx->self, ctx, error, sizeof(error)))
        ctx->host->log(ctx, HB_LOG_ERROR, "reload", error); /* a file changed since check */
}

static void finish(const hb_ctx *ctx)
{
    destroy(ctx->self);
    curl_global_cleanup();
}

static struct cache *create_cache(const struct setup *s)
{
    struct cache *c = cache_create((size_t)s->cache.entries, (uint64_t)s->cache.ttl_ms);
    if (!c)
        abort();
    return c;
}

static int worker_init(const hb_ctx *ctx, void **out)
{
    struct local *local = calloc(1, sizeof(*local));
    if (!local)
        return -1;
    local->cache = create_cache(ctx->options);
    warnings_init(&local->warnings);
    *out = local;
    return 0;
}

static void worker_reload(const hb_ctx *ctx)
{
    const struct setup *s = ctx->options;
    struct local *local = ctx->local;
    cache_destroy(local->cache);
    local->cache = create_cache(s);
    warnings_reload(ctx, &local->warnings, s->expiry_warning_ms);
    answer_all(ctx, UINT64_MAX); /* by the new options: their source of keys may be gone */
}

static void worker_finish(const hb_ctx *ctx)
{
    struct local *local = ctx->local;
    answer_all(ctx, UINT64_MAX);
    warnings_finish(ctx, &local->warnings);
    cache_destroy(local->cache);
    claims_free(local->last);
    keys_unref(local->keys);
    free(local);
}

static const hb_hooks hooks = {.size = sizeof(hb_hooks),
    .auth = true,
    .connect = on_connect,
    .opened = on_opened,
    .authenticated = on_authenticated};

static const hb_command commands[] = {{"token", MINT_USAGE, mint_run}, {NULL}};

HB_EXPORT extern const hb_module hubbub_module;
const hb_module hubbub_module = {
    HB_MODULE("auth-jwt", HB_VERSION),
    .description = "Users by JSON Web Token: HS, RS and ES, JWKS from a file or URL",
    .options = setup_options,
    .options_size = sizeof(struct setup),
    .session_slot = true,
    .hooks = &hooks,
    .commands = commands,
    .check = check,
    .init = init,
    .reload = reload,
    .finish = finish,
    .worker_init = worker_init,
    .worker_reload = worker_reload,
    .worker_finish = worker_finish,
};
