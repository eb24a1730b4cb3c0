/*
 * The server as main and the admin endpoint see it: run it, ask how it is, reload, drain.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "out/shard.h"
#include "plugin/load.h"

/* Read the configuration and serve until told to stop: the process's exit status. Messages about a
 * configuration that won't do go to standard error, all others to the log. Main thread, once. */
int server_run(const char *config_path);

/* What answers the admin listener's requests; set before server_run. `req` is borrowed until
 * answered, as for transports; `control` is the control thread's shard, on its thread. */
typedef void server_admin_fn(struct shard *control, hb_request *req);
/* May who sends this head use the admin endpoint? HB_OK, or the error with its sentence in *why
 * (static). Asked before a body is read; absent headers are NULL. */
struct server_asker {
    hb_str method, host, origin, authorization, content_type;
};
typedef hb_code server_judge_fn(const struct config *config, const struct server_asker *who,
    const char **why);
void server_set_admin(server_admin_fn *answer, server_judge_fn *judge);
/* Called on the control thread when it is up, when the configuration was replaced (`first` false),
 * and before it ends (`config` NULL): for what lives there, such as alerts. */
typedef void server_lifecycle_fn(struct shard *control, const struct config *config, bool first);
void server_set_lifecycle(server_lifecycle_fn *changed);

/* For the admin endpoint; control thread. */
enum server_state {
    SERVER_STARTING,
    SERVER_RUNNING,
    SERVER_LEAVING,  /* draining, but still taking sessions (drain.delay) */
    SERVER_DRAINING, /* listeners closed, sessions on their way out */
    SERVER_STOPPING,
};
struct server_status {
    enum server_state state;
    int n_workers;
    uint64_t stuck_workers;      /* bit per worker that has not come back for a while */
    size_t connections;          /* of clients, idle ones included */
    uint64_t started_ms;         /* monotonic */
    const struct config *config;
    const struct modules *modules;
    struct metrics *metrics;
};
void server_status(struct server_status *out);
/* As SIGTERM. */
void server_drain(void);
/* As SIGHUP. True: the keys that change are appended to `out`, with ", " between. False: what is wrong,
 * a line each, and nothing was changed. */
bool server_reload(struct buf *out);

#endif
