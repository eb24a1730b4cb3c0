/*
 * What a client is asked, and its answer. Each is waited for by its number (slot and generation), so
 * that an answer that comes too late finds nobody. The session's worker.
 */
#ifndef SESSION_ASK_H
#define SESSION_ASK_H

#include "session/session.h"

struct asks;

/* Who gets the answer: called once, with HB_OK and JSON text, HB_NOT_FOUND (the transport carries no
 * answers) or HB_UNAVAILABLE (it left, took too long, or too many are waited for). Not when the
 * process ends. */
struct asker {
    void (*done)(struct shard *s, const struct asker *who, hb_code code, hb_str data);
    int module;
    void (*answered)(const hb_ctx *ctx, hb_code code, hb_str data, void *arg);
    void *arg;
    uint32_t node; /* or another node: a survey there (survey.h), on that shard */
    int32_t shard;
    uint64_t number;
};

int64_t ask_timeout(int64_t timeout_ms); /* 0: what is usual */

/* Asks by `ev`, whose `ask` is set here. False: it was not asked (HB_NOT_FOUND, who->done was called). */
bool ask_session(struct session *ss, hb_event *ev, const struct asker *who, int64_t timeout_ms);
/* hb_net; the contract is in transport.h. */
void net_answer(hb_session *session, uint64_t ask, hb_str data);
/* The session is over: nobody answers any more. */
void asks_abandon(struct session *ss);
void asks_destroy(struct asks *asks); /* NULL is fine */

#endif
