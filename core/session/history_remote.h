/* A room's history and how it is, asked as the server, from any thread. */
#ifndef SESSION_HISTORY_REMOTE_H
#define SESSION_HISTORY_REMOTE_H

#include "room/home.h"

struct history_result {
    hb_code code;        /* HB_NOT_FOUND: there is no such room on this node; HB_BAD_REQUEST: no cursor */
    int64_t members;     /* sessions on this node */
    hb_str messages;     /* a JSON array */
    hb_str cursor;       /* after the last one; absent in rooms without history */
    bool more, recovered;
};

/* `since` absent: the newest `limit`. `done` is called on the thread of shard `back` with a borrowed
 * result. */
void history_from_anywhere(struct hub *hub, hb_str room, hb_str since, size_t limit, int back,
    void (*done)(const struct history_result *result, void *arg), void *arg);

#endif
