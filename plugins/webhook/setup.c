#include "setup.h"
#include "../common/pattern.h"
#include <stdio.h>
#include <string.h>

#define FIELD(f) offsetof(struct options, f)
#define FAILURE(kind)                                                                              \
    FIELD(failure) + (kind) * sizeof(int), "refuse", .choices = "refuse|pass|allow"

const hb_option setup_options[] = {
    {"url", HB_OPT_STRING, FIELD(url), .required = true,
        .doc = "where the backend answers; https, or http on this machine"},
    {"secret", HB_OPT_STRINGS, FIELD(secret), .required = true,
        .doc = "signs what is sent; 24 bytes or more, or whsec_ and base64; a list to change it"},
    {"plain_http", HB_OPT_BOOL, FIELD(plain_http), .doc = "allow http to other machines"},
    {"ca_file", HB_OPT_PATH, FIELD(ca_file), .doc = "authorities for the backend's certificate"},
    {"timeout", HB_OPT_DURATION, FIELD(timeout_ms), "3s", 100, 60e3,
        .doc = "for an answer, waiting for a connection included; keep it below limits.hook_time"},
    {"concurrency", HB_OPT_INT, FIELD(concurrency), "64", 1, 4096,
        .doc = "questions under way at once, over all workers"},
    {"queue", HB_OPT_INT, FIELD(queue), "1000", 0, 1e6, .doc = "questions that wait beyond those"},
    {"response_size", HB_OPT_SIZE, FIELD(response_size), "256KiB", 1024, 64e6,
        .doc = "bound of an answer"},
    {"hooks", HB_OPT_STRINGS, FIELD(hooks), .doc = "what is asked: connect, join, publish, call"},
    {"rooms", HB_OPT_STRINGS, FIELD(rooms), "[\"*\"]",
        .doc = "joins and publishes of these rooms are asked"},
    {"calls", HB_OPT_STRINGS, FIELD(calls), "[\"*\"]", .doc = "calls of these events are asked"},
    {"headers", HB_OPT_STRINGS, FIELD(headers),
        .doc = "headers of the request that are passed on by connect"},
    {"authenticate", HB_OPT_BOOL, FIELD(authenticate),
        .doc = "the answer to connect says who it is; a change takes a restart"},
    {"remember", HB_OPT_DURATION, FIELD(remember_ms), "30s", 0, 3600e3,
        .doc = "a session's credential is not asked again for so long"},
    {"failure.connect", HB_OPT_CHOICE, FAILURE(KIND_CONNECT),
        .doc = "without an answer: refuse, pass or allow"},
    {"failure.join", HB_OPT_CHOICE, FAILURE(KIND_JOIN),
        .doc = "likewise; pass: as if it had not been asked"},
    {"failure.publish", HB_OPT_CHOICE, FAILURE(KIND_PUBLISH), .doc = "likewise"},
    {"failure.call", HB_OPT_CHOICE, FAILURE(KIND_CALL), .doc = "likewise"},
    {"events", HB_OPT_STRINGS, FIELD(events),
        .doc = "what is told afterwards: sessions, rooms, users"},
    {"events_url", HB_OPT_STRING, FIELD(events_url), .doc = "where it is told; empty: `url`"},
    {"grace", HB_OPT_DURATION, FIELD(grace_ms), "5s", 0, 3600e3,
        .doc = "a room is vacated and a user offline only after so long"},
    {"batch.events", HB_OPT_INT, FIELD(batch.events), "100", 1, 10000,
        .doc = "events in one request, at most"},
    {"batch.delay", HB_OPT_DURATION, FIELD(batch.delay_ms), "100ms", 0, 60e3,
        .doc = "how long a batch fills"},
    {"batch.queue", HB_OPT_INT, FIELD(batch.queue), "10000", 1, 1e7,
        .doc = "events that wait for the backend; later ones are lost, and it is told how many"},
    {"batch.attempts", HB_OPT_INT, FIELD(batch.attempts), "15", 1, 1000,
        .doc = "then a batch is given up"},
    {"batch.retry", HB_OPT_DURATION, FIELD(batch.retry_ms), "500ms", 10, 3600e3,
        .doc = "before the second attempt; each further wait is twice as long"},
    {"batch.retry_max", HB_OPT_DURATION, FIELD(batch.retry_most_ms), "60s", 10, 3600e3,
        .doc = "the longest wait"},
    {NULL},
};

const char *setup_kind(enum kind kind)
{
    static const char *const names[KIND_COUNT] = {"connect", "join", "publish", "call"};
    return names[kind];
}

bool setup_is_lenient(const hb_host *host)
{
    return host->size >= offsetof(hb_host, lenient) + sizeof(host->lenient) && host->lenient();
}

static bool read_hooks(const hb_strings *hooks, struct setup *out)
{
    for (size_t i = 0; i < hooks->n; i++) {
        int kind = 0;
        while (kind < KIND_COUNT && strcmp(hooks->items[i].p, setup_kind((enum kind)kind)) != 0)
            kind++;
        if (kind == KIND_COUNT)
            return false;
        out->asks[kind] = true;
    }
    return true;
}

static bool read_events(const hb_strings *events, struct setup *out)
{
    static const char *const names[] = {"sessions", "rooms", "users"};
    for (size_t i = 0; i < events->n; i++) {
        unsigned bit = 0;
        for (unsigned k = 0; k < 3; k++)
            if (strcmp(events->items[i].p, names[k]) == 0)
                bit = 1u << k;
        if (!bit)
            return false;
        out->told |= bit;
    }
    return true;
}

static const char *fault_of(const struct options *o, struct setup *out)
{
    if (!read_hooks(&o->hooks, out))
        return "hooks: takes connect, join, publish and call";
    if (!read_events(&o->events, out))
        return "events: takes sessions, rooms and users";
    if (!o->hooks.n && !o->events.n)
        return "nothing to do: set hooks or events";
    if (o->authenticate && !out->asks[KIND_CONNECT])
        return "authenticate: takes the hook connect";
    if (o->authenticate && o->failure[KIND_CONNECT] != FAILURE_REFUSE)
        return "failure.connect: has to be refuse where the backend authenticates";
    if (o->failure[KIND_CALL] == FAILURE_ALLOW)
        return "failure.call: there is nothing to answer a call with";
    return NULL;
}

static bool check_url(
    const char *what, const char *url, bool plain_http, char *error, size_t error_size)
{
    char why[200];
    if (pool_allows(url, plain_http, why, sizeof(why)))
        return true;
    snprintf(error, error_size, "%s: %s", what, why);
    return false;
}

bool setup_make(
    const struct options *o, bool lenient, struct setup *out, char *error, size_t error_size)
{
    memset(out, 0, sizeof(*out));
    const char *fault = fault_of(o, out);
    if (fault) {
        snprintf(error, error_size, "%s", fault);
        return false;
    }
    if (!check_url("url", o->url, o->plain_http, error, error_size) ||
        (*o->events_url &&
            !check_url("events_url", o->events_url, o->plain_http, error, error_size)))
        return false;
    return sign_read(&o->secret, lenient, &out->keys, error, error_size);
}

struct pool_settings setup_pool(const struct options *o, int workers)
{
    int64_t each = o->concurrency / workers, wait = o->queue / workers;
    return (struct pool_settings){.concurrency = each ? (size_t)each : 1,
        .queue = wait || !o->queue ? (size_t)wait : 1,
        .response_size = o->response_size,
        .ca_file = o->ca_file};
}

struct ledger_settings setup_ledger(const struct options *o, const struct setup *s)
{
    return (struct ledger_settings){.told = s->told, .queue = (size_t)o->batch.queue,
        .grace_ms = (uint64_t)o->grace_ms};
}

bool setup_matches(const hb_strings *patterns, hb_str text)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (pattern_matches(patterns->items[i].p, text))
            return true;
    return false;
}
