/*
 * A room whose home is this worker: what it knows of the room's stream in Redis, and the order in
 * which messages go to its members. Whatever a message comes from (a push, the answer to one's own
 * publish, a page that was read back), it is delivered when it continues the last one delivered, else
 * held until what is missing has come; what does not come is fetched.
 */
#ifndef REDIS_ROOM_H
#define REDIS_ROOM_H

#include "worker.h"

struct fill;
struct call;

struct room {
    struct worker *w;
    hb_room *home;
    hb_keep keep;
    bool interested;       /* has members on this node */
    bool subscribed;       /* and Redis has confirmed that it pushes */
    bool has_last;         /* `last` is where the members are */
    uint16_t unconfirmed;  /* of its (un)subscriptions */
    hb_pos last;
    hb_pos acked;          /* the newest of its own publishes that Redis confirmed */
    uint64_t acked_ms;     /* when, by worker->uptime_ms + 1; 0: none */
    hb_pos doubt;          /* confirmed, and is it still there? {0,0}: none */
    hb_pos broken;         /* the stream is to be broken off, as it lost what stood behind this; {0,0}: no */
    bool unsettled;        /* a publish was given up with its outcome unknown */
    bool verifying, reverifying, breaking; /* it is asked now; before all else, over a new connection */
    uint64_t gap_due_ms;   /* then what is missing is fetched; 0: nothing is */
    uint64_t refreshed_ms;
    struct list held;      /* struct held, by id */
    unsigned n_held;
    struct list publishes; /* struct publish: no answer yet, or no push in rooms without history */
    struct call *open;     /* publishes: what goes out at the end of this turn, and may get more */
    struct list lookups;   /* struct lookup */
    struct list present;   /* struct present: this node's sessions */
    struct list sayings;   /* struct saying: about presence, under way */
    uint64_t version;      /* of its presence, as members were told; 0: nothing told */
    uint64_t suspect;      /* the version that Redis had at the last check, when it was another */
    struct list asks;      /* struct ask: reads of this room, under way or waiting for has_last */
    struct list recent;    /* struct recent: delivered since the first of `asks` was sent */
    unsigned n_recent;
    struct fill *fill;     /* reading what is missing; NULL: not now */
    uint16_t n_name;
    char name[];
};

static inline hb_str room_name(const struct room *r)
{
    return (hb_str){r->name, r->n_name};
}
static inline bool room_keeps(const struct room *r)
{
    return r->keep.messages > 0;
}

/* room.c: life */
/* The newest position that this node knows of, as text; "" when it knows none. */
hb_str room_known(const struct room *r, char out[static POS_TEXT_MAX]);
struct room *room_open(struct worker *w, hb_room *home, hb_str name, const hb_keep *keep);
void room_close(struct room *r);
void room_interest(struct room *r, bool members);
struct room *room_find(struct worker *w, hb_str name);
void room_confirmed(struct room *r);       /* its channel is subscribed */
void room_silent(struct room *r);          /* the connection that pushes is gone */
void room_tick(struct room *r, uint64_t now_ms);
void room_push(struct room *r, hb_str payload);

/* order.c: the one way to the members */
/* A message has its place. prev {0,0}: not known. `pushed`: pushes come in order, so that one that
 * does not fit shows a loss at once. Takes no ownership. */
void order_take(struct room *r, hb_pos id, hb_pos prev, hb_message *m, bool pushed);
/* An entry that was read back; the message is made when it is not held. False: it does not continue
 * what came last. */
bool order_take_read(struct room *r, const struct entry *e);
/* After a page that began behind `last`: deliver what is held and fits. */
void order_drain(struct room *r);
/* The room has its first position: what is held and not behind it is not for its members. */
void order_begin(struct room *r, hb_pos at);
/* Members can't be told what is missing: they come back. From here on they are at `last`. */
void order_lose(struct room *r, hb_pos last);
void order_forget(struct room *r);         /* drop what is held */
hb_message *order_message(struct room *r, const struct entry *e);

/* fill.c: reading what is missing */
void fill_start(struct room *r);           /* harmless while one runs */
void fill_forget(struct room *r);

/* lost.c: what Redis confirmed and has no more is told on all nodes */
/* The stream has lost what stood behind `since`: no node's position continues, wherever it is. Done
 * even if Redis goes away in between. */
void lost_break(struct room *r, hb_pos since);
/* The newest that it confirmed to us may be lost: look, and break off if so. */
void lost_suspect(struct room *r);
void lost_check(struct room *r);           /* now and then: go on with these */
/* Commands can be sent again, and none of those that wait was: what has to be asked before them. */
void lost_reconnected(struct worker *w);

/* ask.c: reads for the host */
void ask_read(struct room *r, const hb_pos *since, size_t limit, size_t max_bytes, hb_done *done);
void ask_position(struct room *r, hb_done *done);
void ask_run_waiting(struct room *r);      /* has_last is true from now on, or never will be */
void ask_tick(struct room *r, uint64_t now_ms);
void ask_forget(struct room *r);           /* answers all with unavailable */
void ask_delivered(struct room *r, hb_message *m);

/* publish.c */
void publish_send(struct room *r, hb_message *m, const hb_key *key, hb_done *done);
void publish_lookup(struct room *r, const hb_key *key, hb_done *done);
/* The push of a publish of ours. True: it is dealt with. */
bool publish_pushed(struct room *r, const struct entry *e);
void publish_silent(struct room *r);       /* no more pushes: deliver what waits for one */
void publish_tick(struct room *r, uint64_t now_ms);
/* The message of a publish of ours that has no answer yet, with its place; NULL: it is none. */
hb_message *publish_own(struct room *r, const struct entry *e);
/* Was one sent that has no answer yet? */
bool publish_is_unknown(const struct room *r);
void publish_forget(struct room *r);
void publish_forget_lookups(struct room *r);

/* check.c: do members have all that there is? */
void check_rooms(struct worker *w);

/* page.c: a page of a stream, as the script gives it */
struct page {
    hb_pos head;           /* the room's last position */
    bool ended;            /* nothing is behind the last of these */
    size_t n;
    const redisReply *reply;
};
void page_ask(struct room *r, struct command *c, const hb_pos *since, bool newest, size_t limit, size_t max_bytes);
bool page_parse(const redisReply *reply, struct page *out);
/* Entry i; false: damaged. */
bool page_entry(const struct page *p, size_t i, struct entry *out);

#endif
