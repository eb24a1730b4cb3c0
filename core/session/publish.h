/* Publishing as the server: from plugins and the admin API, on any thread. */
#ifndef SESSION_PUBLISH_H
#define SESSION_PUBLISH_H

#include "room/home.h"

struct publish_result {
    hb_code code;
    bool unknown;
    int64_t ts;
    char cursor[64];     /* "" in rooms without history */
};

/* `done` (may be NULL) is called on the thread of shard `back` (index; ignored without done) with a
 * borrowed result. room may be "@user". key may be absent. */
void publish_from_anywhere(struct hub *hub, hb_str room, hb_str event, hb_str data, hb_str key, int back,
    void (*done)(const struct publish_result *result, void *arg), void *arg);

#endif
