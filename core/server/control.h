/*
 * What the control thread does while workers serve: signals, reload, drain, the watch over workers.
 */
#ifndef SERVER_CONTROL_H
#define SERVER_CONTROL_H

#include "server/state.h"

/* Serve until drained. */
void control_run(struct server *s);
/* reload.c. See server_reload; the keys that change are appended to `changed`. */
bool reload_begin(struct server *s, struct errors *errors, struct buf *changed);
/* drain.c: begin, and when it has begun leave at once. */
void drain_begin(struct server *s);
bool drain_done(const struct server *s);

#endif
