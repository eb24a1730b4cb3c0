/*
 * Where requests meet sessions: which transport claims a request, on which worker its session lives,
 * and /hub/send, which belongs to no transport. The server calls this; no HTTP library here.
 */
#ifndef SESSION_EDGE_H
#define SESSION_EDGE_H

#include "out/shard.h"

enum { EDGE_NOBODY = -1, EDGE_SEND = -2 };

/* Per worker, on its thread: make and end the state of all stages of this shard (members, homes,
 * registry, hooks). `hub` is complete by then. */
void edge_init(struct shard *shard);
void edge_finish(struct shard *shard);
/* shard->config was replaced. */
void edge_reload(struct shard *shard);
/* At the end of each turn of the loop: deliver and write all that was queued in it. */
void edge_flush(struct shard *shard);

/* The module that claims the request, EDGE_SEND, or EDGE_NOBODY. Arriving worker's thread. */
int edge_claim(struct shard *shard, const hb_request *req, hb_claim *claim);
/* The worker named by a ticket, or -1 when it is none of ours. */
int edge_worker(const struct hub *hub, hb_str ticket);
/* On the owner's worker (where it arrived, without a ticket): hand the request to its transport. The
 * request's credential has been put into claim->credential by the server if the transport found none. */
void edge_dispatch(struct shard *shard, hb_request *req, int module, const hb_claim *claim);

/* Close this shard's sessions for a drain, paced over
 * spread_ms. Returns how many there are. */
size_t edge_drain(struct shard *shard, int64_t spread_ms);
size_t edge_sessions(const struct shard *shard);

#endif
