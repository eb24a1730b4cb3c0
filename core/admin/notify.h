/*
 * Telling others of alerts, by HTTP, from a thread of its own: nobody waits for them. Each target
 * gets its messages in order; one that does not take them is tried again and again, ever more
 * rarely. What waits for it meanwhile is the newest of each kind, and a bounded number. Started
 * with the first message.
 */
#ifndef ADMIN_NOTIFY_H
#define ADMIN_NOTIFY_H

#include "base/buf.h"

/* POST this JSON there. One of the same kind that still waits for that target is left out. Control
 * thread. Everything is copied. */
void notify_send(hb_str url, hb_str kind, hb_str body);
/* Try what still waits once more, for at most some seconds, and end the thread. */
void notify_finish(void);

#endif
