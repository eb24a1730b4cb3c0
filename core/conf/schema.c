/*
 * Every key of the file. A new option: a field in config.h, a row here, a line in conf/README.md
 * and one in conf/full.yaml (a test compares the three).
 */
#include "conf/schema.h"

#define MINUTE 60e3
#define HOUR 3600e3
#define DAY 86400e3
#define MIB(n) ((n) * 1024.0 * 1024.0)

#define ROW(struct_, name, type_, field, ...) \
    {.key = (name), .type = HB_OPT_##type_, .offset = offsetof(struct struct_, field), __VA_ARGS__}
#define TOP(name, type_, field, ...) ROW(raw_config, name, type_, config.field, __VA_ARGS__)
#define RAW(name, type_, field, ...) ROW(raw_config, name, type_, field, __VA_ARGS__)
#define SUB(table, type) .sub = (table), .sub_size = sizeof(struct type)

static const hb_option listen_options[] = {
    ROW(config_listen, "address", STRING, address, .def = "0.0.0.0",
        .doc = "IP address to listen on, v4 or v6"),
    ROW(config_listen, "port", INT, port, .def = "3000", .min = 1, .max = 65535,
        .doc = "TCP port"),
    ROW(config_listen, "tls.certificate", PATH, tls.certificate,
        .doc = "PEM file with the certificate and its chain; with it the listener speaks TLS"),
    ROW(config_listen, "tls.key", PATH, tls.key, .doc = "PEM file with the private key"),
    ROW(config_listen, "proxy_protocol", BOOL, proxy_protocol, .def = "false",
        .doc = "expect the PROXY protocol (v1 or v2) from `trusted_proxies`"),
    ROW(config_listen, ".", NODE, node),
    {0}};

#define WHO "anyone|authenticated|members|claim|nobody"

static const hb_option room_options[] = {
    ROW(config_room, "match", STRING, match, .required = true,
        .doc = "pattern of room names, `*` matching any run of characters; the first that matches "
               "counts; one that begins with `@` speaks about the rooms of users"),
    ROW(config_room, "join", CHOICE, join, .def = "anyone", .choices = WHO,
        .doc = "who may join: `anyone`, `authenticated`, `claim` or `nobody`"),
    ROW(config_room, "publish", CHOICE, publish, .def = "members", .choices = WHO,
        .doc = "who may publish: the same, or `members`"),
    ROW(config_room, "presence", BOOL, presence, .def = "false",
        .doc = "tell members who comes and goes (needs the plugin `presence`)"),
    ROW(config_room, "history.messages", INT, history.messages, .def = "100", .max = 1000000,
        .doc = "how many messages a room keeps; without `history` it keeps none"),
    ROW(config_room, "history.age", DURATION, history.age_ms, .def = "5m", .min = 1,
        .max = 365 * DAY, .doc = "how long it keeps them"),
    ROW(config_room, "history.bytes", SIZE, history.bytes, .def = "16MiB", .min = 1024,
        .max = MIB(65536), .doc = "how much it keeps, at most"),
    ROW(config_room, ".", NODE, node),
    {0}};

static const hb_option notify_options[] = {
    ROW(config_notify, "webhook", STRING, webhook, .required = true,
        .doc = "URL that gets a POST when alerts change"),
    ROW(config_notify, "format", CHOICE, format, .def = "alertmanager",
        .choices = "alertmanager|json",
        .doc = "body: `alertmanager` (its API v2), or `json` (as `GET /alerts`)"),
    ROW(config_notify, ".", NODE, node),
    {0}};

static const hb_option alert_options[] = {
    ROW(config_alert, "alert", STRING, alert, .required = true, .doc = "name of the alert"),
    ROW(config_alert, "metric", STRING, metric, .required = true,
        .doc = "metric, the sum over its labels, or `name{label=\"value\"}`"),
    ROW(config_alert, "of", STRING, of,
        .doc = "divide by this metric: the ratio of the two, of their growth with `rate`"),
    ROW(config_alert, "of_min", NUMBER, of_min, .def = "0", .max = 1e15,
        .doc = "no ratio while what it is divided by is not above this"),
    ROW(config_alert, "above", NUMBER, above, .min = -1e15, .max = 1e15,
        .doc = "fires above this"),
    ROW(config_alert, "below", NUMBER, below, .min = -1e15, .max = 1e15,
        .doc = "fires below this"),
    ROW(config_alert, "rate", DURATION, rate_ms, .min = 1000, .max = DAY,
        .doc = "compare the growth per second over this window"),
    ROW(config_alert, "quantile", NUMBER, quantile, .max = 1,
        .doc = "compare this quantile of a histogram (0 to 1), with `over`"),
    ROW(config_alert, "over", DURATION, over_ms, .min = 1000, .max = DAY,
        .doc = "the window of `quantile`"),
    ROW(config_alert, "spike.factor", NUMBER, spike.factor, .def = "3", .min = 1, .max = 1e6,
        .doc = "fires above this many times the mean of the preceding window"),
    ROW(config_alert, "spike.over", DURATION, spike.over_ms, .def = "5m", .min = 1000,
        .max = DAY, .doc = "that window"),
    ROW(config_alert, "spike.floor", NUMBER, spike.floor, .def = "0", .max = 1e15,
        .doc = "and above this"),
    ROW(config_alert, "collapse.factor", NUMBER, collapse.factor, .def = "0.5", .max = 1,
        .doc = "fires below this part of the mean of the preceding window"),
    ROW(config_alert, "collapse.over", DURATION, collapse.over_ms, .def = "5m", .min = 1000,
        .max = DAY, .doc = "that window"),
    ROW(config_alert, "collapse.floor", NUMBER, collapse.floor, .def = "0", .max = 1e15,
        .doc = "if that mean was above this"),
    ROW(config_alert, "for", DURATION, for_ms, .def = "0", .max = DAY,
        .doc = "pending this long before it fires"),
    ROW(config_alert, "labels", NODE, labels, .doc = "labels of the alert, `name: value`"),
    ROW(config_alert, "annotations", NODE, annotations,
        .doc = "texts for people, `name: value`"),
    ROW(config_alert, ".", NODE, node),
    {0}};

const hb_option config_options[] = {
    TOP("node", STRING, node,
        .doc = "this node's name, of its own in a cluster; default: `$HOSTNAME`, or the machine's "
               "host name"),
    TOP("workers", INT, workers, .def = "auto", .min = 1, .max = 256, .choices = "auto",
        .doc = "threads that serve connections; `auto`: one per core"),
    TOP("base_path", STRING, base_path, .def = "/hub",
        .doc = "path under which the hub's own requests are found (`send`, `client.js`)"),
    TOP("listen", LIST, listen, .def = "[{address: 0.0.0.0, port: 3000}]",
        SUB(listen_options, config_listen), .doc = "where clients connect"),
    RAW("trusted_proxies", STRINGS, trusted_proxies,
        .doc = "addresses or blocks of the proxies in front, whose `X-Forwarded-For` and PROXY "
               "headers are believed"),
    TOP("static.path", STRING, static_files.path, .def = "/",
        .doc = "where static files are served"),
    TOP("static.directory", PATH, static_files.directory,
        .doc = "folder of static files; empty: none are served"),
    TOP("cors.origins", STRINGS, cors.origins,
        .doc = "origins of web pages that may connect, besides the listener's own; `*`: any"),
    TOP("cors.credentials", BOOL, cors.credentials, .def = "false",
        .doc = "let those pages send cookies (not with `*`)"),
    TOP("credentials.cookie", STRING, credentials.cookie,
        .doc = "name of the cookie that holds the token; empty: none"),
    TOP("credentials.query_token", BOOL, credentials.query_token, .def = "true",
        .doc = "accept the token as `access_token` in the query"),

    TOP("limits.connections", INT, limits.connections, .def = "10000", .min = 1, .max = 1e7,
        .doc = "connections of the whole process"),
    TOP("limits.connections_per_ip", INT, limits.connections_per_ip, .def = "1000", .max = 1e7,
        .doc = "connections of one address; 0: no limit"),
    TOP("limits.message_size", SIZE, limits.message_size, .def = "64KiB", .min = 1,
        .max = MIB(64), .doc = "largest message, frame or body from a client"),
    TOP("limits.inflated_size", SIZE, limits.inflated_size, .def = "1MiB", .min = 1,
        .max = MIB(256), .doc = "largest message once decompressed"),
    TOP("limits.outbox", SIZE, limits.outbox, .def = "1MiB", .min = 1, .max = MIB(1024),
        .doc = "what may wait to be sent to one session before it is closed as too slow"),
    TOP("limits.rooms_per_session", INT, limits.rooms_per_session, .def = "128", .min = 1,
        .max = 65536, .doc = "rooms that one session may be in"),
    TOP("limits.room_members", INT, limits.room_members, .def = "0", .max = 1e7,
        .doc = "sessions that one room may hold; 0: no limit"),
    TOP("limits.rooms", INT, limits.rooms, .def = "100000", .max = 1e8,
        .doc = "rooms that this node may hold at a time; 0: no limit"),
    TOP("limits.history_size", SIZE, limits.history_size, .def = "256MiB", .min = 1024,
        .max = MIB(1048576),
        .doc = "memory for the histories of all rooms; past it the oldest messages go first"),
    TOP("limits.header_time", DURATION, limits.header_time_ms, .def = "10s", .min = 10,
        .max = HOUR, .doc = "for the headers of a request, or the TLS handshake, to arrive"),
    TOP("limits.body_time", DURATION, limits.body_time_ms, .def = "30s", .min = 10, .max = HOUR,
        .doc = "for the body of a request to arrive"),
    TOP("limits.auth_time", DURATION, limits.auth_time_ms, .def = "10s", .min = 10, .max = HOUR,
        .doc = "for a connection that came without credentials to bring them"),
    TOP("limits.key_window", DURATION, limits.key_window_ms, .def = "5m", .min = 1,
        .max = DAY, .doc = "how long a publish's `key` is remembered"),
    TOP("limits.waiting_ops", INT, limits.waiting_ops, .def = "64", .min = 1, .max = 10000,
        .doc = "ops of one session that may wait while a plugin thinks about an earlier one"),
    TOP("limits.hook_time", DURATION, limits.hook_time_ms, .def = "5s", .min = 10, .max = HOUR,
        .doc = "for a plugin to answer; then the answer is no"),
    TOP("limits.hook_budget", DURATION, limits.hook_budget_ms, .def = "10ms", .min = 1,
        .max = MINUTE, .doc = "a plugin that keeps its worker longer is named in the log"),

    TOP("heartbeat.interval", DURATION, heartbeat.interval_ms, .def = "25s", .min = 10,
        .max = HOUR, .doc = "how often the server pings"),
    TOP("heartbeat.timeout", DURATION, heartbeat.timeout_ms, .def = "20s", .min = 10,
        .max = HOUR, .doc = "a client silent for interval + timeout is gone"),
    TOP("drain.timeout", DURATION, drain.timeout_ms, .def = "30s", .max = HOUR,
        .doc = "for a shutdown to finish"),
    TOP("drain.delay", DURATION, drain.delay_ms, .def = "0s", .max = HOUR,
        .doc = "`/readyz` says 503 this long before the listeners close"),
    TOP("drain.spread", DURATION, drain.spread_ms, .def = "5s", .max = HOUR,
        .doc = "clients are told to come back after 0 to this, each after another time"),

    RAW("transports", NODE, transports,
        .doc = "the transports that run, `name: options`; default: `" HB_DEFAULT_TRANSPORTS "`"),
    /* Any other key of that map is a transport, so config.c reads this one by hand. */
    TOP("transports.directories", PATHS, transport_directories,
        .doc = "where they are looked for; default: `transports` beside the executable in a build "
               "tree, else the installed ones"),
    TOP("plugins.directories", PATHS, plugin_directories,
        .doc = "where plugins are looked for; default: `plugins` beside the executable in a build "
               "tree, else the installed ones"),
    TOP("plugins.drop_in", PATHS, drop_in, .def = "[" HB_DROP_IN_DIRECTORY "]",
        .doc = "every `.so` here is loaded after the named ones, by file name; its options are in "
               "`NAME.yaml` beside it"),
    RAW("plugins.load", NODE, plugins,
        .doc = "plugins to load, `name: options`, in this order; their hooks run in this order"),
    TOP("rooms", LIST, rooms,
        .def = "[{match: \"*\", join: anyone, publish: members, "
               "history: {messages: 100, age: 5m}}]",
        SUB(room_options, config_room), .doc = "what rooms there may be, and who may do what"),

    TOP("admin.address", STRING, admin.address, .def = "127.0.0.1",
        .doc = "IP address of the admin listener; any but a loopback one needs a token"),
    TOP("admin.port", INT, admin.port, .def = "9100", .max = 65535,
        .doc = "its port; 0: no admin listener"),
    TOP("admin.token", STRING, admin.token,
        .doc = "what requests must bring as `Authorization: Bearer`"),
    TOP("log.level", CHOICE, log.level, .def = "info", .choices = "debug|info|warn|error",
        .doc = "`debug`, `info`, `warn` or `error`"),
    TOP("log.format", CHOICE, log.format, .def = "text", .choices = "text|json",
        .doc = "`text` or `json`"),
    TOP("alerts.defaults", BOOL, alert_defaults, .def = "true",
        .doc = "watch what the built-in rules watch, too; a rule of the same name replaces one"),
    TOP("alerts.notify", LIST, notify, SUB(notify_options, config_notify),
        .doc = "who is told"),
    TOP("alerts.rules", LIST, alerts, SUB(alert_options, config_alert),
        .doc = "what is watched, once a second"),
    {0}};
