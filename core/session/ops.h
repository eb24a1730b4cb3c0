/*
 * Running a session's ops. One at a time, in order, except that publishes may be under way together:
 * an op that is not a publish waits for those before it, and all wait for it. What waits is bounded;
 * past the bound the connection is not read from.
 */
#ifndef SESSION_OPS_H
#define SESSION_OPS_H

#include "session/session.h"

/* An op from the client; borrowed, copied if it has to wait. */
void ops_input(struct session *ss, const hb_op *f, enum op_origin origin, struct batch *batch);
/* An op that could not be decoded: an error reply (or error), counted against the client. */
void ops_bad(struct session *ss, const hb_op *f, hb_code code, hb_str sentence, struct batch *batch);
/* Run what waits and may run now. */
void ops_continue(struct session *ss);
/* The session is over: drop what waits. */
void ops_abandon(struct session *ss);

/* --- for the files that run single ops ---------------------------------------------------------- */

/* Answer an op: fill in its id, tag and type, then queue it, collect it, or tell `joined`. */
void op_reply(struct session *ss, struct op *op, hb_event *ev);
void op_fail(struct session *ss, struct op *op, hb_code code, hb_str text, int64_t retry_after_ms);
/* The op is over: frees it and lets the next one run. `ss` NULL: its session is gone. */
void op_done(struct session *ss, struct op *op);
/* The session of an op that came back, or NULL when it ended meanwhile. */
struct session *op_session(const struct op *op);
/* The reply that a hook's DENY makes. */
void op_denied(struct session *ss, struct op *op);
/* unauthorized without a user, else forbidden */
hb_code op_refusal(const struct session *ss);

/* op_auth.c */
void op_run_auth(struct session *ss, struct op *op);
void op_run_refresh(struct session *ss, struct op *op);
/* op_room.c */
void op_run_join(struct session *ss, struct op *op);
void op_run_leave(struct session *ss, struct op *op);
void op_run_history(struct session *ss, struct op *op);
/* presence.c */
void op_run_presence(struct session *ss, struct op *op);
/* op_send.c */
void op_run_publish(struct session *ss, struct op *op);
void op_run_call(struct session *ss, struct op *op);

#endif
