/*
 * The core's pipeline without sockets: shards in one thread, a recording transport whose streams
 * are buffers, and a clock that the test turns. Workers run one after the other, so a test sees the
 * same order each time.
 */
#ifndef TESTS_PIPELINE_H
#define TESTS_PIPELINE_H

#include "session/session.h"
#include <hubbub/transport.h>

struct pipeline; /* one at a time */

/* `yaml` is the configuration; `hooks` (may be NULL) those of a module named "probe". */
struct pipeline *pipeline_start(const char *yaml, const hb_hooks *hooks);
void pipeline_stop(struct pipeline *p);
/* Let everything that is to happen now happen, on all workers. */
void pipeline_settle(struct pipeline *p);
void pipeline_advance(struct pipeline *p, uint64_t ms); /* the clock, then settle */
struct shard *pipeline_shard(struct pipeline *p, int worker);
/* The first room name PREFIX0, PREFIX1, … whose home is that worker. */
const char *pipeline_room(struct pipeline *p, const char *prefix, int home);

/* hb_host->later and ->complete, for hooks of the test. */
hb_ticket *pipeline_later(void *ev);
void pipeline_complete(hb_ticket *ticket, hb_verdict verdict);
void pipeline_answer(hb_ticket *ticket, hb_verdict verdict, const hb_outcome *outcome);
void pipeline_session_info(const hb_session *session, hb_session_info *info);
int pipeline_workers(struct pipeline *p);

/* A client: pushes by a stream, or pulls. */
struct client {
    struct pipeline *p;
    struct session *session; /* NULL once `ended` was called */
    hb_stream *stream;
    hb_code refused;         /* why it was not let in */
    bool opened, closed, blocked, ready;
    int close_code;
    struct buf got;          /* all that was written or taken, a line per event */
    size_t seen;             /* how far client_next has read */
    char line[4096];
    void (*writable)(void *);
    void (*gone)(void *);
    void *owner;
    hb_code started;
    bool start_answered;
    size_t room_for;         /* bytes that a blocked stream still takes */
};

struct client *client_open(struct pipeline *p, int worker, const char *credential, bool pull);
struct client *client_open_rooms(struct pipeline *p, int worker, const hb_str *rooms, size_t n, hb_str cursor);
void client_send(struct client *c, const char *json); /* then settle */
void client_send_quietly(struct client *c, const char *json);
/* The next line that was not read yet, or "" . */
const char *client_next(struct client *c);
/* The next line that contains `part`; "" when there is none. Skips what is before it. */
const char *client_find(struct client *c, const char *part);
void client_take(struct client *c); /* pull: what waits */
void client_gone(struct client *c); /* the connection breaks */
void client_block(struct client *c, size_t room_for); /* the stream takes no more than that */
void client_unblock(struct client *c);
/* The string value of "name" in the last line read, in a buffer of the client's own. */
const char *client_field(const char *line, const char *name);

#endif
