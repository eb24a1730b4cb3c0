/*
 * What the backend is told afterwards: rooms and users as they come and go on this node, and the
 * events that wait to be sent, in order and bounded. Any thread; a lock is held for a moment.
 *
 * Events leave in batches. A batch keeps its id until it is settled, so that the backend can tell
 * one that comes twice.
 */
#ifndef WEBHOOK_LEDGER_H
#define WEBHOOK_LEDGER_H

#include "sign.h"
#include <hubbub/plugin.h>

enum told { TELL_SESSIONS = 1, TELL_ROOMS = 2, TELL_USERS = 4, TELL_SERVER = 8 }; /* bits */

struct ledger_settings {
    unsigned told;        /* enum told */
    size_t queue;         /* events that may wait */
    uint64_t grace_ms;
};

struct ledger;

struct ledger *ledger_create(const struct ledger_settings *settings); /* NULL without memory */
void ledger_destroy(struct ledger *l); /* NULL is fine */
void ledger_configure(struct ledger *l, const struct ledger_settings *settings);

/* What happened. All return true when somebody has to look (ledger_tick, ledger_batch): something
 * waits, or will, that did not before. */
bool ledger_server(struct ledger *l, int64_t ts, const char *type);
bool ledger_session(
    struct ledger *l, int64_t ts, const char *type, const hb_session_info *who, const char *reason);
bool ledger_room(
    struct ledger *l, int64_t ts, uint64_t now_ms, hb_str room, bool joined, bool at_once);
bool ledger_user(struct ledger *l, int64_t ts, uint64_t now_ms, hb_str user, bool opened);

/* Tell of those whose grace is over. When the next one's is, or UINT64_MAX. */
uint64_t ledger_tick(struct ledger *l, int64_t ts, uint64_t now_ms);
/* All have left, and no grace is waited for: the end. */
void ledger_vacate(struct ledger *l, int64_t ts);

struct batch {
    char id[SIGN_ID_MAX];
    char *body;           /* owned by who took it; NULL: nothing waits, or no memory */
    size_t n, events;
};
/* The batch that is to be sent next: up to `max` events, the same again until it is settled. */
struct batch ledger_batch(struct ledger *l, size_t max);
/* It was taken, or given up. */
void ledger_settle(struct ledger *l, bool taken);
size_t ledger_waiting(struct ledger *l);
/* Events that were lost since the last call: no room. */
uint64_t ledger_overflowed(struct ledger *l);

#endif
