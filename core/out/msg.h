/*
 * Messages: the core's side of hb_message. One allocation, counted atomically, immutable once placed.
 */
#ifndef OUT_MSG_H
#define OUT_MSG_H

#include <hubbub/backend.h>
#include <hubbub/transport.h>

enum { CURSOR_TEXT_MAX = 48 }; /* one room: 1 + 8 + 2 varints, in base64url */

/* A copy of everything; NULL when memory is out (data's size is a client's choice). */
hb_message *msg_create(hb_str room, hb_str event, hb_str data, hb_str user);
void msg_ref(hb_message *m);
void msg_unref(hb_message *m); /* NULL is fine; any thread */
void msg_place(hb_message *m, hb_pos pos, int64_t ts, bool with_cursor);
size_t msg_size(const hb_message *m); /* bytes it holds, for bounds */
/* Zero an event and set its "absent" values. */
void event_init(hb_event *ev, hb_event_kind kind);
/* The event that tells members of it; borrows from m. */
void msg_event(const hb_message *m, hb_event *ev);

#endif
