/*
 * What modules and the admin API tell clients besides messages of rooms: one session, or many, on this
 * node or all. The clients' answers: ask.h, and survey.h for those of many.
 */
#ifndef SESSION_SEND_H
#define SESSION_SEND_H

#include "session/session.h"

/* hb_host and hb_net; contracts are in plugin.h and transport.h. */
void host_session_send(const hb_ctx *ctx, hb_sid sid, const hb_send *what);
void host_session_exit(const hb_ctx *ctx, hb_sid sid, hb_str space);
void net_enter(hb_session *session, hb_str space, hb_str data);

/* As host_session_send with sid 0, for an event that wants no answer; without an event: as
 * host_session_exit with sid 0. Any thread. */
void send_to_all(struct hub *hub, const hb_send *what);

#endif
