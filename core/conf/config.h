/*
 * The configuration: one file read, checked and typed. Immutable once loaded; any thread may read
 * it. Everything in it, nodes included, lives until config_free. Fields mirror the keys of the YAML
 * (conf/README.md has them all); durations are milliseconds, sizes bytes.
 */
#ifndef CONF_CONFIG_H
#define CONF_CONFIG_H

#include "conf/arena.h"
#include "conf/cidr.h"
#include "conf/errors.h"
#include <hubbub/options.h>

struct config_listen {
    const char *address;     /* in digits, v4 or v6 */
    int64_t port;            /* 1..65535 */
    struct {
        const char *certificate, *key; /* absolute paths, readable; both "" without TLS */
    } tls;
    bool proxy_protocol;     /* from trusted_proxies only */
    const hb_node *node;
};

/* A transport or plugin to load, and its options. */
struct config_module {
    const char *name;        /* letters, digits, '-', '_': safe in a file name */
    const hb_node *node;     /* its options: always a map, at least an empty one */
    bool is_default;         /* nobody named it: that it is not built is no error */
};

struct config_modules {
    struct config_module *items;
    size_t n;
};

enum config_who {            /* in the order of the choices in schema.c */
    WHO_ANYONE,
    WHO_AUTHENTICATED,
    WHO_MEMBERS,             /* publish only */
    WHO_CLAIM,
    WHO_NOBODY,
};

struct config_history {
    int64_t messages;        /* 0: keep none */
    int64_t age_ms;
    int64_t bytes;
};

struct config_room {
    const char *match;       /* a pattern for str_glob */
    int join, publish;       /* enum config_who */
    bool presence;
    struct config_history history;
    const hb_node *node;
};

enum config_log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum config_notify_format { NOTIFY_ALERTMANAGER, NOTIFY_JSON };

struct config_notify {
    const char *webhook;     /* an http or https URL */
    int format;              /* enum config_notify_format */
    const hb_node *node;
};

enum { NOTIFY_MAX = 16, ALERTS_MAX = 240 };

enum config_alert_kind {
    ALERT_VALUE,             /* the metric itself */
    ALERT_RATE,              /* its growth per second over rate_ms */
    ALERT_QUANTILE,          /* that quantile of what a histogram took in during over_ms */
    ALERT_SPIKE,             /* against its own mean of the preceding spike.over_ms */
    ALERT_COLLAPSE,          /* the other way */
};

struct config_alert {
    const char *alert;       /* its name */
    const char *metric;      /* "name" or "name{label=\"value\"}" */
    int kind;                /* enum config_alert_kind, from what is given */
    const char *of;          /* a metric to divide by; "": none */
    double of_min;           /* below that the ratio is not looked at */
    bool has_above, has_below; /* one of them, but for ALERT_SPIKE and ALERT_COLLAPSE */
    double above, below;
    int64_t rate_ms;         /* 0: the metric as it is; of ALERT_SPIKE and ALERT_COLLAPSE too */
    double quantile;
    int64_t over_ms;
    struct config_change {
        double factor;
        int64_t over_ms;
        double floor;
    } spike, collapse;
    int64_t for_ms;
    const hb_node *labels, *annotations; /* maps of scalars, or NULL */
    const hb_node *node;
};

struct config {
    const char *node;        /* this node's name: never empty */
    int64_t workers;         /* resolved: at least 1 */
    const char *base_path;   /* "/hub": no slash at the end; "" for the root */

    struct { struct config_listen *items; size_t n; } listen;       /* at least 1 */
    struct { struct cidr *items; size_t n; } trusted_proxies;

    struct {
        const char *path;      /* where the files are served */
        const char *directory; /* absolute; "": no static files */
    } static_files;
    struct {
        hb_strings origins;  /* as a browser sends them, lower case; see any */
        bool any;            /* "*" is among them */
        bool credentials;
    } cors;
    struct {
        const char *cookie;  /* "": none */
        bool query_token;
    } credentials;
    struct {
        int64_t connections;
        int64_t connections_per_ip; /* 0: no limit */
        int64_t message_size;
        int64_t inflated_size;
        int64_t outbox;
        int64_t rooms_per_session;
        int64_t room_members; /* 0: no limit */
        int64_t rooms;        /* 0: no limit */
        int64_t history_size; /* all rooms of the node together */
        int64_t header_time_ms;
        int64_t body_time_ms;
        int64_t auth_time_ms;
        int64_t key_window_ms;
        int64_t waiting_ops;  /* of one session, behind a hook that answers LATER */
        int64_t hook_time_ms; /* a hook that has not answered by then: denied */
        int64_t hook_budget_ms; /* a hook that blocks its worker longer is named in the log */
    } limits;
    struct {
        int64_t interval_ms;
        int64_t timeout_ms;
    } heartbeat;
    struct {
        int64_t timeout_ms;
        int64_t delay_ms;
        int64_t spread_ms;   /* clients are told to come back after 0..spread, each another time */
    } drain;

    hb_strings transport_directories; /* absolute; none: the built-in places */
    struct config_modules transports; /* in the order of the file; at least the default ones */
    hb_strings plugin_directories;    /* likewise */
    hb_strings drop_in;               /* absolute */
    struct config_modules plugins;    /* in order */

    struct { struct config_room *items; size_t n; } rooms;
    struct config_room user_rooms;    /* for @USER rooms that no rule names */

    struct {
        const char *address;
        int64_t port;        /* 0: no admin listener */
        const char *token;   /* "": none, and then the address is loopback */
    } admin;
    struct {
        int level;           /* enum log_level */
        int format;          /* enum config_log_format */
    } log;
    struct { struct config_notify *items; size_t n; } notify;
    struct { struct config_alert *items; size_t n; } alerts;
    bool alert_defaults;     /* the rules that come with the server, too */

    const char *file;        /* as given */
    const hb_node *root;     /* the whole tree: node_get(root, HB_STR("alerts")) */
    struct arena arena;      /* holds all of the above; the loading thread may add to it */
};

/* Read and check a file. NULL when it has errors, all of which are in `errors`; warnings are there
 * too, and do not make it NULL. The caller owns the result. */
struct config *config_load(const char *path, struct errors *errors);
/* As config_load, but one with errors is given too, for its modules to be looked at: NULL only when
 * there is no tree. What is wrong has its default. */
struct config *config_draft(const char *path, struct errors *errors);
/* As config_load for text in memory; `file` names it in messages and gives the folder of its
 * paths. */
struct config *config_parse(const char *file, hb_str text, struct errors *errors);
void config_free(struct config *c);  /* NULL is fine */

/* The options of a drop-in plugin: NAME.yaml beside NAME.so, or an empty map where there is none.
 * NULL with errors when the file is wrong. Lives as long as the configuration; loading thread. */
const hb_node *config_drop_in(struct config *c, const char *so_path, struct errors *errors);

/* The first rule that matches the room's name, or NULL: it can't be used then. For @USER rooms the
 * rules whose pattern begins with '@' are asked, then user_rooms: never NULL. */
const struct config_room *config_room_rule(const struct config *c, hb_str room);
bool config_trusts_proxy(const struct config *c, const struct sockaddr *peer);

/* All keys of the file but the options of modules: for documents and their test. */
extern const hb_option config_options[];

#endif
