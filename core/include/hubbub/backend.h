/*
 * The backend role: where a room's stream lives. The in-process default implements it, and so does
 * every module that spreads rooms over machines.
 *
 * All calls come on the room's *home* worker; for one room they come in order. Every call that has a
 * `done` completes it exactly once, on the same worker, before or after it returned. Positions are
 * the backend's: the host stores, compares and hands back, never computes. Of two that one stream gave
 * out the later one is the larger, by hi, then lo.
 */
#ifndef HUBBUB_BACKEND_H
#define HUBBUB_BACKEND_H

#include <hubbub/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A place in one room's stream; {0,0} is none. In-process: hi the room's life, lo its sequence. */
typedef struct hb_pos {
    uint64_t hi, lo;
} hb_pos;

/* A message: immutable once it has its position, shared by counting (store->ref, unref). */
typedef struct hb_message {
    hb_str room, event, data, user; /* data: JSON text; user absent: anonymous or the server */
    hb_str cursor;                  /* as clients see it; absent in rooms without history */
    hb_pos pos;
    int64_t ts;                     /* ms since 1970 */
    hb_sid origin;                  /* the session that sent it; 0: the server, or another node's */
    uint64_t received_us;           /* when this node got it, monotonic */
    bool no_echo;                   /* not for its own origin while live */
    bool server;                    /* sent by the server, a plugin or the admin API */
} hb_message;

/* The home of a room: the host's side of a room that the backend holds state for. */
typedef struct hb_room hb_room;

typedef struct hb_keep {
    int64_t messages, bytes, age_ms; /* history bounds; messages 0: keep none */
} hb_keep;

typedef struct hb_key {
    hb_str room;
    hb_str scope;      /* the user, or the ticket's digest of a session without one */
    hb_str key;
    uint64_t digest;   /* of event and data: another digest under the same key is a conflict */
    int64_t window_ms;
} hb_key;

/* A user who is present in a room. */
typedef struct hb_present {
    hb_str user;
    hb_str data;       /* JSON text, what one of its sessions gave last; absent when none gave any */
    int64_t sessions;  /* 0: all of them left, the grace lasts */
    int64_t since;     /* ms since 1970, when the first of them came */
} hb_present;

typedef struct hb_result {
    hb_code code;      /* HB_OK, HB_CONFLICT (key), HB_NOT_FOUND (lookup), HB_UNAVAILABLE, HB_BAD_REQUEST */
    bool unknown;      /* UNAVAILABLE: it may have happened */
    bool duplicate;    /* the key was known: pos and ts are the first one's */
    bool delivered;    /* publish: it went by store->deliver already, or will go */
    hb_pos pos;        /* publish: the message's; position, read: see there */
    int64_t ts;
    bool recovered;    /* read: `since` is still part of the stream */
    bool more;         /* read: the limit ended the page, not the stream */
    hb_message *const *messages; /* read: in stream order, borrowed for the completion */
    size_t n;
    const hb_present *present; /* presence_list: who came first stands first, borrowed likewise */
    size_t n_present;
    int64_t count;     /* presence_list: all that there are */
    hb_str note;       /* note_take: its bytes, borrowed likewise */
} hb_result;

/* The longest note, and the longest name of one. */
enum { HB_NOTE_MAX = 65536, HB_NOTE_NAME_MAX = 128 };

typedef struct hb_done {
    void (*fn)(struct hb_done *done, const hb_result *result);
} hb_done;

struct hb_backend {
    uint32_t size;
    /* The room gets a home. The state handed back goes into every other call. Never fails: a backend
     * that is away answers unavailable later. */
    void *(*room_open)(const hb_ctx *ctx, hb_room *room, hb_str name, const hb_keep *keep);
    /* No members, and what idle_ms said has passed since the last call; or the worker ends: then what is
     * under way is completed first, as HB_UNAVAILABLE. The state may go. */
    void (*room_close)(const hb_ctx *ctx, void *state);
    /* How long an idle room is to be held open after its last use; 0: close at once. */
    int64_t (*idle_ms)(const hb_ctx *ctx, void *state);
    /* The room has members on this node from now on, or none any more. */
    void (*interest)(const hb_ctx *ctx, void *state, bool members);
    /* Give the message its place: fills in pos and ts, keeps it in the history. With a key (may be
     * NULL) known within its window nothing is stored: `duplicate`, or HB_CONFLICT. What other nodes
     * publish comes by store->deliver. */
    void (*publish)(const hb_ctx *ctx, void *state, hb_message *message, const hb_key *key, hb_done *done);
    /* Is the key known within its window? HB_OK with pos and ts, HB_CONFLICT, or HB_NOT_FOUND. */
    void (*lookup)(const hb_ctx *ctx, void *state, const hb_key *key, hb_done *done);
    /* The room's position now: after all that was delivered. */
    void (*position)(const hb_ctx *ctx, void *state, hb_done *done);
    /* Messages after `since`, oldest first; since NULL: the newest `limit`, oldest first. At most
     * max_bytes of data (at least one message). result.pos: after the last one given (or the room's position when none was). */
    void (*read)(const hb_ctx *ctx, void *state, const hb_pos *since, size_t limit, size_t max_bytes,
        hb_done *done);
    /*
     * Presence: who is in the room, on all nodes, as users; each has one or more sessions, named by
     * their public ids. A backend without these three keeps none. Each change is told by
     * store->presence on every node that has interest in the room, in the order in which the
     * backend made them: JOIN when a user's first session comes, LEAVE when it was without one for
     * its grace, UPDATE when its data changed, byte for byte.
     */
    /* A session is there, known already or not; that ends its user's grace. data absent: they stay
     * as they are. `origin` is told in the event, on this node. HB_UNAVAILABLE when there is no
     * room for the data: the session counts all the same. */
    void (*presence_set)(const hb_ctx *ctx, void *state, hb_str user, hb_str session, hb_sid origin,
        hb_str data, hb_done *done);
    /* It is not: unknown ones are fine. Its user stays for `grace_ms`, if no session is left and
     * none comes, and not shorter than what is left of the grace of one dropped before. */
    void (*presence_drop)(const hb_ctx *ctx, void *state, hb_str user, hb_str session,
        int64_t grace_ms, hb_done *done);
    /* The first `limit` users, and how many there are. Holds at least what was told before `done`:
     * a change told later may be in it already. */
    void (*presence_list)(const hb_ctx *ctx, void *state, size_t limit, hb_done *done);
    /* Bytes for the other nodes (node 0), or for one of them: store->heard there, soon, at most once.
     * What can't be sent now is dropped. Any worker. NULL: there are no other nodes. */
    void (*cast)(const hb_ctx *ctx, uint32_t node, hb_str bytes);
    /* A reload changed the room's bounds: of what it holds and what comes, before the next call about
     * the room. NULL: an open room keeps those that it was opened with. */
    void (*room_keep)(const hb_ctx *ctx, void *state, const hb_keep *keep);
    /* As `cast` to all nodes, and remembered until `until_ms` (since 1970; 0: for good): each node hears it
     * too whenever it comes into touch, so that it may be heard again, and late. No more than 2048 bytes;
     * past a bound (100,000) what ends soonest goes first. store->kept goes with it. NULL: `cast` has to do. */
    void (*cast_kept)(const hb_ctx *ctx, hb_str bytes, int64_t until_ms);
    /*
     * Notes: named bytes that all nodes see, for ttl_ms or until the first of them takes it: who takes
     * it has it alone. A backend without these two keeps none. Any worker. What one worker asks about one
     * name is done and completed in that order, within seconds, and never tried again: a note that was
     * taken must not come back.
     */
    /* In place of what stands under that name. HB_OK; HB_UNAVAILABLE, maybe `unknown`. */
    void (*note_put)(const hb_ctx *ctx, hb_str name, hb_str bytes, int64_t ttl_ms, hb_done *done);
    /* HB_OK with `note`, HB_NOT_FOUND; HB_UNAVAILABLE: where it is `unknown` the note may be gone. */
    void (*note_take)(const hb_ctx *ctx, hb_str name, hb_done *done);
};

struct hb_store {
    uint32_t size;
    /* [any] Counting of messages. */
    void (*ref)(hb_message *message);
    void (*unref)(hb_message *message);
    /* [w] A new message, owned by the caller (one reference), without a position. */
    hb_message *(*message)(hb_str room, hb_str event, hb_str data, hb_str user);
    /* [w] Its place is known: sets pos, ts and cursor. Before anybody else sees the message. */
    void (*place)(hb_message *message, hb_pos pos, int64_t ts, bool with_cursor);
    /* [w] A message of another node, in stream order: goes to this node's members. */
    void (*deliver)(hb_room *room, hb_message *message);
    /* [w] Who is present has changed; `room` of the event is filled in by the host. SYNC: what
     * happened is not known any more (`count` may be -1), members are to be told all anew. */
    void (*presence)(hb_room *room, const hb_presence_event *ev);
    /* [w] What came before the messages delivered from now on can't be delivered any more: the
     * room's members come back, to be told by their cursors. */
    void (*lost)(hb_room *room);
    /* [w] Can this worker use the backend? Up from the start. And: a call to it took that long. */
    void (*up)(const hb_ctx *ctx, bool up);
    void (*took)(const hb_ctx *ctx, uint64_t ns);
    /* [w] What another node cast; checked by the host. [any] The number of this node. */
    void (*heard)(const hb_ctx *ctx, hb_str bytes);
    uint32_t (*node)(void);
    /* [w] All that is kept (cast_kept) is told by `heard` from here on; `whole`: it has been. What this
     * node knows and has not heard in between, the backend has lost: the host casts it again. */
    void (*kept)(const hb_ctx *ctx, bool whole);
};

#ifdef __cplusplus
}
#endif
#endif
