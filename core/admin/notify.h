/*
 * Telling others of alerts, by HTTP, from a thread of its own: nobody waits for them. Each target
 * gets its messages in order; one that does not take them is tried again and again, ever more rarely,
 * while a bounded number waits for it. Started with the first message.
 */
#ifndef ADMIN_NOTIFY_H
#define ADMIN_NOTIFY_H

#include "base/buf.h"

/* POST this JSON there. Control thread. Everything is copied. */
void notify_send(hb_str url, hb_str body);
/* Try what still waits once more, for at most some seconds, and end the thread. */
void notify_finish(void);

#endif
