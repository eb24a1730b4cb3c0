/*
 * A host for the module auth-jwt alone: one worker, which is the test's own thread, sessions that
 * are a few fields, a clock that stands still. What other threads post waits until auth_host_run.
 */
#ifndef TESTS_AUTH_HOST_H
#define TESTS_AUTH_HOST_H

#include "../../plugins/auth-jwt/setup.h"
#include <hubbub/plugin.h>

extern const hb_module hubbub_module;

struct hb_session {
    hb_sid sid;
    void *slot;
    bool gone;
    char emitted[256]; /* "event data" of the last session_emit */
    int n_emitted;
    int64_t issued_at, expires_at; /* of the token in force */
    char token_id[300];
};

/* What a hook or a ticket answered. */
struct auth_answer {
    bool given;
    hb_verdict verdict;
    hb_code code;
    char message[128], user[256], rights[1024], token_id[300];
    int64_t expires_at, issued_at, retry_after_ms;
};

struct hb_ticket {
    struct auth_answer answer; /* given once it was completed */
};

struct auth_host {
    hb_host host;
    hb_ctx control, worker;
    int64_t wall_ms;
    uint64_t now_ms;
    bool lenient;
    hb_session sessions[64];
    size_t n_sessions;
    hb_ticket tickets[2048];
    size_t n_tickets;
    hb_timer *timer; /* set */
    uint64_t timer_ms;
    char error[512]; /* of init or check */
};
extern struct auth_host auth;

/* Options as the table's defaults have them. */
struct setup auth_host_defaults(void);
/* init and worker_init; false: init refused, see auth.error. `options` outlives it. */
bool auth_host_start(const struct setup *options);
void auth_host_stop(void);
void auth_host_reload(const struct setup *options);

hb_session *auth_host_session(void);
/* The hook connect; NULL token: none was brought. With LATER the answer is auth.tickets' last. */
struct auth_answer auth_host_connect(hb_session *session, const char *token, bool refresh);
/* The same for a request of an open session that brings its token along. */
struct auth_answer auth_host_bring(hb_session *session, const char *token);
/* Run what was posted until tickets up to n have been answered; false: not within 10 s. */
bool auth_host_run(size_t n_tickets_answered);
/* Wait for a line in the log that holds `word`; false: not within 10 s. */
bool auth_host_wait_log(const char *word);
int auth_host_failures(const char *reason);

#endif
