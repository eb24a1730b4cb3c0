/*
 * What modules tell clients besides messages of rooms, and the clients' answers. An answer is waited
 * for by its number (slot and generation), so that one that comes too late finds nobody.
 */
#ifndef SESSION_SEND_H
#define SESSION_SEND_H

#include "session/session.h"

struct asks;

/* hb_host and hb_net; contracts are in plugin.h and transport.h. */
void host_session_send(const hb_ctx *ctx, hb_sid sid, const hb_send *what);
void host_session_exit(const hb_ctx *ctx, hb_sid sid, hb_str space);
void net_enter(hb_session *session, hb_str space, hb_str data);
void net_answer(hb_session *session, uint64_t ask, hb_str data);

/* Tell each session of all workers: an event of a message without a room. Any thread. */
void send_to_all(struct hub *hub, hb_str space, hb_str event, hb_str data);

/* The session is over: nobody answers any more. */
void asks_abandon(struct session *ss);
void asks_destroy(struct asks *asks); /* NULL is fine */

#endif
