/* The plugin's options, and what they come to on a worker. */
#ifndef WEBHOOK_SETUP_H
#define WEBHOOK_SETUP_H

#include "kinds.h"
#include "ledger.h"
#include "pool.h"
#include "sign.h"

enum failure { FAILURE_REFUSE, FAILURE_PASS, FAILURE_ALLOW };

/* Filled by the host; immutable. README.md says what each is for. */
struct options {
    const char *url, *events_url;
    hb_strings secret;
    bool plain_http;
    const char *ca_file;
    int64_t timeout_ms, concurrency, queue, response_size;
    hb_strings hooks, rooms, calls, headers;
    bool authenticate;
    int64_t remember_ms;
    int failure[KIND_COUNT]; /* enum failure */
    hb_strings events;
    int64_t grace_ms;
    struct {
        int64_t events, delay_ms, queue, attempts, retry_ms, retry_most_ms;
    } batch;
};

extern const hb_option setup_options[];

struct setup {
    bool asks[KIND_COUNT];
    unsigned told;           /* enum told */
    struct sign_keys keys;
};

const char *setup_kind(enum kind kind); /* "connect" … */
bool setup_is_lenient(const hb_host *host);
/* False with a sentence. */
bool setup_make(
    const struct options *o, bool lenient, struct setup *out, char *error, size_t error_size);
/* For one of so many workers. */
struct pool_settings setup_pool(const struct options *o, int workers);
struct ledger_settings setup_ledger(const struct options *o, const struct setup *s);

/* Does one of the patterns (`*` matching any run of characters) match? */
bool setup_matches(const hb_strings *patterns, hb_str text);

#endif
