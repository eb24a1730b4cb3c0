/*
 * The plugin ABI: what a shared object exports, the hooks it may answer, and the table through
 * which it reaches the host. A module links nothing of hubbub; it exports one symbol:
 *
 *     HB_EXPORT const hb_module hubbub_module = { HB_MODULE("greeter", "1.0"), .hooks = &hooks, … };
 *
 * Threads. A *worker* is one thread with one event loop; a session lives on one worker, and every
 * hook for it runs there. `self` is shared by all workers (read-only after init, or locked by its
 * owner); `local` is this worker's own. Control functions (init, reload, finish) run on the control
 * thread. Nothing may block a worker: what takes time answers HB_LATER and completes a ticket.
 *
 * ABI 1.0 is not frozen yet: structs grow at their end only, and `size` says how much is there.
 */
#ifndef HUBBUB_PLUGIN_H
#define HUBBUB_PLUGIN_H

#include <hubbub/options.h>
#include <hubbub/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HB_ABI_MAJOR 1
#define HB_ABI_MINOR 0
#define HB_ABI ((uint32_t)(HB_ABI_MAJOR << 16 | HB_ABI_MINOR))
#define HB_EXPORT __attribute__((visibility("default")))

/* Error codes of the protocol (protocol.md, "Error codes"). */
typedef enum hb_code {
    HB_OK,
    HB_BAD_REQUEST,
    HB_UNKNOWN_TYPE,
    HB_UNAUTHORIZED,
    HB_TOKEN_EXPIRED,
    HB_FORBIDDEN,
    HB_NOT_FOUND,
    HB_TOO_LARGE,
    HB_TOO_MANY_ROOMS,
    HB_ROOM_FULL,
    HB_RATE_LIMITED,
    HB_CONFLICT,
    HB_METHOD_NOT_ALLOWED,
    HB_UNSUPPORTED_MEDIA_TYPE,
    HB_UNAVAILABLE,
    HB_INTERNAL,
    HB_CODE_COUNT
} hb_code;

/* As the protocol writes them, in their order; HB_OK: "ok". */
static const char *const hb_code_names[HB_CODE_COUNT] __attribute__((unused)) = {
    "ok", "bad_request", "unknown_type", "unauthorized", "token_expired",
    "forbidden", "not_found", "too_large", "too_many_rooms", "room_full",
    "rate_limited", "conflict", "method_not_allowed", "unsupported_media_type", "unavailable",
    "internal",
};

/* The last second of the year 9999: a later time is a mistake, such as milliseconds. */
#define HB_SECONDS_MAX INT64_C(253402300799)

/* A session, for the length of a callback, on its own worker. To keep one, keep its hb_sid. */
typedef struct hb_session hb_session;
/* A session's name across threads and time: worker, slot, generation. 0 names none. Never reused
 * for another session within a process. */
typedef uint64_t hb_sid;
/* A late answer in waiting: completed exactly once, from any thread; harmless when its session is
 * gone. */
typedef struct hb_ticket hb_ticket;
typedef struct hb_host hb_host;
typedef struct hb_request hb_request; /* transport.h */
typedef struct hb_net hb_net;         /* transport.h */
typedef struct hb_store hb_store;     /* backend.h */
typedef struct hb_transport hb_transport; /* transport.h */
typedef struct hb_backend hb_backend; /* backend.h */

/* Handed to every call into a module. The one that init got lives until finish, those of worker_init
 * until worker_finish: a thread of the module's own may go on using the first for [any] functions. */
typedef struct hb_ctx {
    const hb_host *host;
    void *self;          /* what init returned */
    void *local;         /* what worker_init returned on this worker; NULL on the control thread */
    const void *options; /* this module's options struct, immutable; a reload gives a new one */
    int worker;          /* 0..n-1; -1 on the control thread */
} hb_ctx;

typedef enum hb_verdict {
    HB_NEXT,  /* no opinion */
    HB_ALLOW, /* allowed as far as I am concerned; later hooks are still asked */
    HB_DENY,  /* denied, and the chain ends; say why in `out` */
    HB_LATER  /* I took a ticket (host->later) and will complete it; a deadline denies */
} hb_verdict;

/* What a hook has to say besides its verdict. Zeroed by the host before each hook. Strings are
 * borrowed until the hook (or host->complete) returns. */
typedef struct hb_outcome {
    uint32_t size;           /* set by who makes one, for host->complete: what is not in it is absent */
    hb_code code;            /* with DENY; HB_OK means forbidden (unauthorized without a user) */
    hb_str message;          /* with DENY: a sentence for a person, no secrets */
    int64_t retry_after_ms;  /* with HB_RATE_LIMITED and HB_UNAVAILABLE; 0: none */
    /* connect and refresh: who this is */
    hb_str user;             /* absent: anonymous. 1 to 128 bytes of UTF-8 without control characters, not
                              * beginning with '@'; any other is denied as HB_INTERNAL and logged */
    hb_str rights;           /* the claim `hubbub` as JSON text: {"join":[…],"publish":[…]}; absent: none */
    int64_t expires_at;      /* seconds since 1970; 0, and past HB_SECONDS_MAX: never */
    int64_t issued_at;       /* seconds since 1970; 0: unknown */
    hb_str token_id;         /* jti; absent: none */
    /* publish: the data to use instead (JSON text), with NEXT too; call: the reply (JSON text) */
    hb_str data;
} hb_outcome;

typedef struct hb_connect {
    hb_session *session;
    hb_str credential;       /* a token; absent when none was brought */
    hb_str remote;           /* the client's IP address as text */
    hb_str transport;        /* its name */
    bool refresh;            /* the session is open: a new token, or (`request`) one brought again */
    hb_outcome out;
    hb_request *request;     /* that brought it, for net->header; NULL: it came by an op */
} hb_connect;

typedef struct hb_join {
    hb_session *session;
    hb_str room;
    hb_str data;             /* presence data as JSON text, or absent */
    hb_outcome out;
} hb_join;

typedef struct hb_publish {
    hb_session *session;
    hb_str room, event, data, key; /* data: JSON text; key absent when none */
    hb_outcome out;
} hb_publish;

typedef struct hb_call {
    hb_session *session;
    hb_str event, data;      /* data: JSON text */
    hb_outcome out;          /* ALLOW answers the call with out.data (absent: null) */
    hb_str space;            /* the part of the application that was called, where a transport has
                                such (a namespace); absent: the main one */
} hb_call;

/* The op `presence`. ALLOW answers it with who is present, after `data`, if any, were set. */
typedef struct hb_presence {
    hb_session *session;
    hb_str room;
    hb_str data;             /* its new presence data as JSON text; absent: it only reads */
    hb_outcome out;
    size_t limit;            /* with ALLOW: name at most so many users; all are counted */
} hb_presence;

typedef enum hb_presence_kind {
    HB_PRESENCE_JOIN,
    HB_PRESENCE_LEAVE,
    HB_PRESENCE_UPDATE,      /* of its data */
    HB_PRESENCE_SYNC,        /* all of them anew */
    HB_PRESENCE_COUNT        /* how many there are, instead of who */
} hb_presence_kind;

/* What is told about who is present in a room. A user is present from its first session's join until
 * its last session's leave and the grace after it. */
typedef struct hb_presence_event {
    uint32_t size;
    hb_presence_kind kind;
    hb_str room;
    hb_str user;             /* JOIN, LEAVE, UPDATE */
    hb_str session;          /* of these: the public id of the session that caused it */
    hb_str data;             /* JOIN, UPDATE: JSON text, or absent when none was given */
    hb_sid origin;           /* that session on this node; 0: it is gone, or another node's */
    int64_t count;           /* users present, after it; -1: unknown */
    hb_str users;            /* SYNC, to clients: a JSON array */
} hb_presence_event;

/* Why a session ended: a fixed set, used as a metric's label. */
typedef enum hb_end {
    HB_END_CLIENT,     /* the client closed or went away */
    HB_END_ERROR,      /* protocol fault */
    HB_END_HEARTBEAT,
    HB_END_SLOW,
    HB_END_EXPIRED,    /* token expired or revoked */
    HB_END_REFUSED,    /* credentials refused after opening */
    HB_END_KICKED,
    HB_END_RATE,
    HB_END_DRAIN,
    HB_END_COUNT
} hb_end;

/*
 * Hooks run in the configured order on the session's worker. A NULL entry has no opinion. connect
 * needs at least one ALLOW as soon as any loaded module has `auth` set; join and publish that
 * nobody answered (no ALLOW) follow the room's rules; a call that nobody answered is not_found.
 * The functions without a verdict are told afterwards.
 */
typedef struct hb_hooks {
    uint32_t size;
    bool auth; /* this module decides who may connect */
    hb_verdict (*connect)(const hb_ctx *ctx, hb_connect *ev);
    hb_verdict (*join)(const hb_ctx *ctx, hb_join *ev);
    hb_verdict (*publish)(const hb_ctx *ctx, hb_publish *ev);
    hb_verdict (*call)(const hb_ctx *ctx, hb_call *ev);
    void (*opened)(const hb_ctx *ctx, hb_session *session);
    void (*joined)(const hb_ctx *ctx, hb_session *session, hb_str room, hb_str data);
    /* `at_once`: by the client's wish or the server's order, so no grace for a reconnect */
    void (*left)(const hb_ctx *ctx, hb_session *session, hb_str room, bool at_once);
    void (*published)(const hb_ctx *ctx, hb_session *session, hb_str room, hb_str event, hb_str data);
    void (*closed)(const hb_ctx *ctx, hb_session *session, hb_end why);
    /* For rooms whose rule says `presence: true`; that nobody allowed is not_found. */
    hb_verdict (*presence)(const hb_ctx *ctx, hb_presence *ev);
    /* Told on the room's home worker, in order: the change has happened, its members know nothing
     * yet (presence_tell). COUNT: a session asked for a sync (presence_sync), and there are more
     * than it wants named. SYNC: changes may have been missed (a backend that was away). */
    void (*presence_changed)(const hb_ctx *ctx, const hb_presence_event *ev);
    /* The client entered a part of the application, on transports that have such (the main one
     * included: absent); `data` is what it brought, as JSON text: it may hold its credential. */
    void (*entered)(const hb_ctx *ctx, hb_session *session, hb_str space, hb_str data);
    /* Another credential of an open session is in force: the same user's by `refresh`, or an
     * anonymous session became a user's by `auth` (refresh false). session_info says whose it is and
     * until when. Not told: what was refused, and what a request merely brought along again. */
    void (*authenticated)(const hb_ctx *ctx, hb_session *session, bool refresh);
} hb_hooks;

/* Something to tell a client. */
typedef struct hb_send {
    uint32_t size;
    hb_str space;            /* absent: the main one; another reaches only clients that entered it */
    hb_str event, data;      /* event absent: "message"; data: JSON text; absent: null */
    /* NULL: no answer is wanted. Else called once, on the session's worker: HB_OK and the client's
     * answer as JSON text, HB_NOT_FOUND (no such session, or its transport carries no answers), or
     * HB_UNAVAILABLE (it left, or took longer). Not when the process ends. */
    void (*answered)(const hb_ctx *ctx, hb_code code, hb_str data, void *arg);
    void *arg;
    int64_t timeout_ms;      /* 0, and more than a day: 10 s */
    /* Who is meant, when it is not one session. Nothing of it is given: everybody. */
    hb_str room;             /* the members of a room (of a part of the application: with its prefix) */
    hb_sid except;           /* not this one */
    bool local;              /* those of this node only */
} hb_send;

/* A command line word that a module adds: `hubbub NAME …` runs it when the core knows no such word. */
typedef struct hb_command {
    const char *name;
    const char *usage; /* one or more lines for --help */
    /* Control thread, without init; ctx->options are the configured ones (ctx->self is NULL). argv[0]
     * is the name. The exit status. */
    int (*run)(const hb_ctx *ctx, int argc, char **argv);
} hb_command;

/* What a shared object exports, under the name `hubbub_module`. It and all that it points at live as
 * long as the object is loaded. A function that is NULL is not called. */
typedef struct hb_module {
    uint32_t abi;  /* HB_ABI */
    uint32_t size; /* sizeof(hb_module) */
    const char *name, *version, *description;
    const hb_option *options; /* NULL: takes none */
    size_t options_size;
    bool session_slot;        /* wants a pointer of its own on each session */
    const hb_hooks *hooks;
    const hb_transport *transport;
    const hb_backend *backend;
    const hb_command *commands; /* ends with a NULL name; NULL: none */
    /* Control thread, before any worker runs. Return 0, or -1 with a sentence in `error` (of
     * error_size bytes, NUL-terminated): the server does not start, finish is not called. */
    int (*init)(const hb_ctx *ctx, void **self, char *error, size_t error_size);
    /* Control thread: would these options do? 0, or -1 as above. Before init, before each reload,
     * and in `hubbub check`, where nothing else of the module is called. */
    int (*check)(const hb_host *host, const void *options, char *error, size_t error_size);
    void (*finish)(const hb_ctx *ctx); /* control thread, after all workers ended */
    /* Each worker's thread, before its first and after its last session. Return 0, or -1: the server
     * does not start, worker_finish is not called for this one. */
    int (*worker_init)(const hb_ctx *ctx, void **local);
    void (*worker_finish)(const hb_ctx *ctx);
    /* Each worker's thread: ctx->options is new from this call on. */
    void (*worker_reload)(const hb_ctx *ctx);
    /* Control thread, after every module's check of the new options passed and before any
     * worker_reload: ctx->options is new. It can't refuse any more: what fails here is logged. */
    void (*reload)(const hb_ctx *ctx);
} hb_module;

#define HB_MODULE(module_name, module_version) \
    .abi = HB_ABI, .size = sizeof(hb_module), .name = (module_name), .version = (module_version)

typedef enum hb_log_level { HB_LOG_DEBUG, HB_LOG_INFO, HB_LOG_WARN, HB_LOG_ERROR } hb_log_level;

/* A timer of a module, embedded in memory of its own, which must outlive it: cancel it first. Zero it
 * once before the first use. */
typedef struct hb_timer {
    void *reserved[4]; /* the host's */
    void (*fire)(const hb_ctx *ctx, struct hb_timer *t); /* once for each timer_set; may set it again */
    void *owner;       /* the module's */
} hb_timer;

typedef enum hb_watch { HB_WATCH_NONE = 0, HB_WATCH_READ = 1, HB_WATCH_WRITE = 2 } hb_watch;

/* Strings are borrowed until the next session_info on this thread, or the end of the callback. */
typedef struct hb_session_info {
    uint32_t size;    /* set by the caller: no more than that is filled in */
    hb_sid sid;
    hb_str id;        /* public id */
    hb_str user;      /* absent: anonymous */
    hb_str remote;    /* its IP address as text */
    hb_str transport; /* its name */
    hb_str token_id;  /* jti; absent: none */
    int64_t opened_ts; /* ms since 1970 */
    int64_t issued_at; /* of its token, seconds since 1970; 0: unknown */
    int64_t expires_at; /* of its token, likewise: when the session ends; 0: never */
} hb_session_info;

/*
 * What a module may call. Threads: [w] a worker's thread, from within a callback; [c] the control
 * thread; [any]. What is handed over is copied before the call returns. What acts on a session or a
 * room goes by mail and happens soon, in the order of the calls; a session that is gone by then, or
 * never was, is no fault.
 */
struct hb_host {
    uint32_t abi, size;
    const hb_net *net;     /* for transports */
    const hb_store *store; /* for backends */

    /* [any] One line in the log; `cause` a short fixed word; of one cause there are so many lines a
     * second, and then how many more there were. */
    void (*log)(const hb_ctx *ctx, hb_log_level level, const char *cause, const char *sentence);
    /* [any] The clocks. */
    uint64_t (*now_ms)(void);   /* monotonic */
    int64_t (*wall_ms)(void);   /* since 1970 */

    /* [w] Inside a hook, before returning HB_LATER; `ev` is the hook's event. NULL when the session
     * is being torn down: then deny. */
    hb_ticket *(*later)(const hb_ctx *ctx, void *ev);
    /* [any] Exactly once for each ticket; consumes it. verdict is NEXT, ALLOW or DENY; outcome NULL:
     * nothing to say besides. */
    void (*complete)(hb_ticket *ticket, hb_verdict verdict, const hb_outcome *outcome);

    /* [w] Fills in `out`, whose size the caller has set. */
    void (*session_info)(const hb_session *session, hb_session_info *out);
    hb_session *(*session_find)(const hb_ctx *ctx, hb_sid sid); /* NULL: gone, or not of this worker */
    /* The module's own pointer on it, NULL at first; itself NULL without hb_module.session_slot. */
    void **(*session_slot)(const hb_ctx *ctx, hb_session *session);
    bool (*session_is_member)(hb_session *session, hb_str room);
    /* [any] Send an event of one's own to one session: {"type":"message","room":null,…}. data: JSON
     * text, passed on unchecked; absent: null. */
    void (*session_emit)(const hb_ctx *ctx, hb_sid sid, hb_str event, hb_str data);
    /* [any] Close with `bye`; close code 4003 (KICKED), 4001 (EXPIRED), 4029 (RATE). */
    void (*session_kick)(const hb_ctx *ctx, hb_sid sid, hb_end why, hb_str reason);
    /* [any] Server-side join and leave: no hook with a verdict is asked, no rule of the room. */
    void (*session_join)(const hb_ctx *ctx, hb_sid sid, hb_str room);
    void (*session_leave)(const hb_ctx *ctx, hb_sid sid, hb_str room);
    /* [any] Publish as the server, to a room or "@user": no hook is asked. data: JSON text, passed on
     * unchecked; key may be absent. A message that the backend did not take is told in the log. */
    void (*publish)(const hb_ctx *ctx, hb_str room, hb_str event, hb_str data, hb_str key);

    /* [w,c] Timers of this thread. Setting again moves; cancelling an unset one is harmless. */
    void (*timer_set)(const hb_ctx *ctx, hb_timer *t, uint64_t after_ms);
    void (*timer_cancel)(const hb_ctx *ctx, hb_timer *t);
    /* [w,c] Watch a descriptor of one's own on this thread's loop, for `what` (enum hb_watch, ored),
     * until it is told otherwise; NONE forgets it (before close!). `ready` is called as long as it
     * is readable or writable. 0, or -1 with errno. */
    int (*watch)(const hb_ctx *ctx, int fd, int what,
        void (*ready)(const hb_ctx *ctx, int fd, int what, void *arg), void *arg);
    /* [any] Run fn on that worker's thread (-1: the control thread), in the order of the posts; `arg`
     * is owned by fn. Not run when the process ends first. */
    void (*post)(const hb_ctx *ctx, int worker, void (*fn)(const hb_ctx *ctx, void *arg), void *arg);
    int (*workers)(void); /* [any] how many: they are 0..n-1 */

    /* [c, in init] Metrics: name and help as in Prometheus, the name after "hubbub_" and the module's, so
     * that alert rules on it pass `hubbub check`; label is "name=\"value\"" or NULL. The
     * series' number; 0: refused (a bad name, another kind under that name, too many), and counting
     * it is harmless. */
    int (*metric)(const hb_ctx *ctx, const char *name, const char *help, const char *label, bool counter);
    /* [w,c] Add to a counter or gauge of this thread. */
    void (*count)(const hb_ctx *ctx, int metric, int64_t n);

    /* [c, in init and check] Walking an HB_OPT_NODE. */
    hb_str (*node_string)(const hb_node *node);                    /* absent: not a scalar */
    const hb_node *(*node_get)(const hb_node *map, const char *key);
    const hb_node *(*node_item)(const hb_node *list_or_map, size_t i, hb_str *key); /* NULL past the end */
    /* Report a fault at the node's place ("file:line:column: message"). */
    void (*node_error)(const hb_host *host, const hb_node *node, const char *message);

    /* [any] Somebody asked to let weak settings pass (`hubbub check --lenient`): a short secret. */
    bool (*lenient)(void);

    /* [w] Presence. Does the room's rule say `presence: true`? */
    bool (*presence_wanted)(const hb_ctx *ctx, hb_str room);
    /* [w] The session is there, from within `joined` on; again: with other data (JSON text, absent:
     * as they were). Where a module has the hook `presence` the host has done so with the join, before
     * it is answered, with the join's data. Harmless for one without a user. When it leaves, and nobody drops it, the host
     * does, without grace. */
    void (*presence_set)(const hb_ctx *ctx, hb_session *session, hb_str room, hb_str data);
    /* [w] It is not, within `left`; its user stays for `grace_ms`, unless another session comes. */
    void (*presence_drop)(const hb_ctx *ctx, hb_session *session, hb_str room, int64_t grace_ms);
    /* [w] Send it a SYNC of up to `limit` users, as soon as it hears the room: what is told later
     * continues it. When there are more: nothing, but presence_changed says COUNT at the home.
     * session NULL: to all members, from the room's home worker only. */
    void (*presence_sync)(const hb_ctx *ctx, hb_session *session, hb_str room, size_t limit);
    /* [w, the room's home] To this node's members; a JOIN not to its origin. */
    void (*presence_tell)(const hb_ctx *ctx, const hb_presence_event *what);

    /* [c, in init] By its options this module decides who may connect: as if its hooks said `auth`. */
    void (*require_auth)(const hb_ctx *ctx);

    /* [any] Tell one session, or (sid 0) many: those that what->room, except and local say, and entered
     * what->space. On other nodes at most once. Answers of many: what->answered is called once, on the
     * thread of ctx, with a JSON array of what clients answered (3 MiB at most), and HB_OK when all whose
     * transport carries answers did, also when there is none; HB_UNAVAILABLE when one did not in
     * time, or a node is away. It is no message of the room: no history, no cursor. */
    void (*session_send)(const hb_ctx *ctx, hb_sid sid, const hb_send *what);
    /* [any] Put the session (sid 0: everybody, on all nodes) out of one part of the application; absent:
     * the main one. */
    void (*session_exit)(const hb_ctx *ctx, hb_sid sid, hb_str space);

    /* [any] As post, but when fn is not run, as the process ends first, drop is: on some thread, without a
     * word to the host. */
    void (*post_owned)(const hb_ctx *ctx, int worker, void (*fn)(const hb_ctx *ctx, void *arg),
        void (*drop)(void *arg), void *arg);
};

#ifdef __cplusplus
}
#endif
#endif
