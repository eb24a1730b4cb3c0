/*
 * Notes of transports: named bytes that the backend keeps for all nodes, until the first of them takes
 * them. Each transport has names of its own. Contracts: transport.h, backend.h.
 */
#ifndef SESSION_NOTE_H
#define SESSION_NOTE_H

#include "out/shard.h"

/* How many are being put or taken. Any thread. */
int64_t note_under_way(void);

/* hb_net */
size_t net_note_max(void);
void net_note_put(const hb_ctx *ctx, hb_str name, hb_str bytes, int64_t ttl_ms, hb_note_fn *done, void *arg);
void net_note_take(const hb_ctx *ctx, hb_str name, hb_note_fn *done, void *arg);

#endif
