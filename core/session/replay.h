/*
 * Replay: a member that joined with `since` is sent the room's history page by page, each when the
 * one before is written, and becomes live with the last. Not counted against its outbox.
 */
#ifndef SESSION_REPLAY_H
#define SESSION_REPLAY_H

#include "session/session.h"

void replay_begin(struct session *ss, struct membership *m); /* from m->pos */
void replay_stop(struct session *ss, struct membership *m);  /* harmless when there is none */
/* What was queued is written: ask for the next pages. */
void replay_continue(struct session *ss);

#endif
