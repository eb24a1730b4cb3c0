/*
 * The admin endpoint: routes on a listener of its own, answered on the control thread. Rules of
 * access are in access.c, one file for each family of routes. A handler answers its request once,
 * now or later; what needs a worker goes there by mail and comes back.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "base/buf.h"
#include "server/server.h"

/* A request on its way through the routes; strings live as long as `req`. */
struct admin_call {
    struct shard *control;
    hb_request *req;
    hb_str segment[2]; /* what the route's `*` stood for, percent-decoded, in order */
    struct buf decoded; /* memory of the segments */
};

/* For server_set_admin. */
void admin_request(struct shard *control, hb_request *req);

hb_code admin_judge(const struct config *config, const struct server_asker *who, const char **why);

/* For server_set_lifecycle. */
void admin_lifecycle(struct shard *control, const struct config *config, bool first);

/* Answers, for the handlers. */
void admin_json(struct admin_call *call, int status, hb_str body);
void admin_text(struct admin_call *call, int status, const char *content_type, hb_str body);
void admin_error(struct admin_call *call, hb_code code, const char *sentence);

/* stats.c: tell the other nodes who this one is. */
void admin_beacon(struct shard *control);

/* access.c: may this request come in? Answers it when not. `open`: needs no token. */
bool admin_access(struct admin_call *call, bool open);

/* The routes. */
void admin_healthz(struct admin_call *call);
void admin_readyz(struct admin_call *call);
void admin_metrics(struct admin_call *call);
void admin_alerts(struct admin_call *call);
void admin_ui(struct admin_call *call);
void admin_stats(struct admin_call *call);
void admin_nodes(struct admin_call *call);
void admin_plugins(struct admin_call *call);
void admin_rooms(struct admin_call *call);
void admin_room(struct admin_call *call);
void admin_room_presence(struct admin_call *call);
void admin_room_history(struct admin_call *call);
void admin_members_add(struct admin_call *call);
void admin_members_remove(struct admin_call *call);
void admin_sessions(struct admin_call *call);
void admin_session(struct admin_call *call);
void admin_session_end(struct admin_call *call);
void admin_user_end(struct admin_call *call);
void admin_publish(struct admin_call *call);
void admin_broadcast(struct admin_call *call);
void admin_revoke(struct admin_call *call);
void admin_reload(struct admin_call *call);
void admin_drain(struct admin_call *call);

#endif
