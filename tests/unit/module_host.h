/*
 * A host for one plugin alone: one worker, which is the test's own thread; sessions that are a few
 * fields; options read from YAML by the module's own table. Time stands still until a test moves it
 * (module_host_advance), unless `real_time` is set: then module_host_run is an event loop.
 */
#ifndef TESTS_MODULE_HOST_H
#define TESTS_MODULE_HOST_H

#include <hubbub/plugin.h>

extern const hb_module hubbub_module;

struct hb_session {
    hb_sid sid;
    const char *user, *remote; /* user NULL: anonymous */
    void *slot;
    bool gone;
    int kicked;                /* enum hb_end of the last session_kick; -1: none */
    char emitted[256];         /* "event data" of the last session_emit */
};

/* What a hook or a ticket answered. Strings that were absent read "-". */
struct module_answer {
    bool given;
    hb_verdict verdict;
    hb_code code;
    int64_t retry_after_ms, expires_at;
    char message[256], user[256], rights[1024], data[4096];
    hb_ticket *ticket;         /* with HB_LATER */
};

struct hb_ticket {
    struct module_answer answer; /* given once it was completed */
};

struct module_host {
    hb_host host;
    hb_ctx control, worker;
    bool real_time;
    uint64_t now_ms;
    int64_t wall_ms;
    hb_session sessions[256];
    size_t n_sessions;
    hb_ticket tickets[512];
    size_t n_tickets;
    char logged[8192];
    char error[512];           /* of options, check or init */
};
extern struct module_host mh;

/* Options as the module's table reads them; NULL with mh.error. They live until the program ends.
 */
const void *module_host_options(const char *yaml);
/* module_host_options, check, init and worker_init; false with mh.error. */
bool module_host_start(const char *yaml);
/* The same with a clock that runs. */
bool module_host_start_real(const char *yaml);
void module_host_stop(void);
bool module_host_reload(const char *yaml);

hb_session *module_host_session(const char *user, const char *remote);
struct module_answer module_host_connect(hb_session *s, const char *token, bool refresh);
struct module_answer module_host_join(hb_session *s, const char *room, const char *data);
struct module_answer module_host_publish(
    hb_session *s, const char *room, const char *event, const char *data);
struct module_answer module_host_call(hb_session *s, const char *event, const char *data);
void module_host_close(hb_session *s, hb_end why);

/* Move both clocks on and fire what is due, in order. */
void module_host_advance(uint64_t ms);
/* Timers, descriptors and posts until `done` says so; false: not within 10 s. Real time only. */
bool module_host_run(bool (*done)(void *arg), void *arg);
/* The ticket's answer, when it comes within 10 s. */
struct module_answer module_host_wait(hb_ticket *ticket);
size_t module_host_timers(void);
/* The metric's value, or -1; `name` with its label: "x_total{reason=\"y\"}". */
int64_t module_host_metric(const char *name);

#endif
