/* The session's part of hb_net and hb_host: contracts are in transport.h and plugin.h. */
#ifndef SESSION_NET_H
#define SESSION_NET_H

#include "out/shard.h"

/* Free what decoding keeps for this thread. */
void net_finish(void);

/* hb_net */
void net_open(const hb_ctx *ctx, hb_request *req, const hb_open *how);
void net_attach(hb_session *session, hb_stream *stream);
void net_start(hb_session *session, const hb_str *rooms, size_t n_rooms, hb_str cursor,
    void (*started)(const hb_ctx *ctx, void *conn, hb_code code, hb_str message));
void net_resume(hb_session *session, const hb_str *rooms, size_t n_rooms, size_t n_granted, hb_str cursor,
    void (*started)(const hb_ctx *ctx, void *conn, hb_code code, hb_str message));
void net_leave(hb_session *session, const hb_str *rooms, size_t n);
void net_input(hb_session *session, hb_str json);
void net_op(hb_session *session, const hb_op *op);
void net_push(hb_session *session, const void *bytes, size_t n);
size_t net_take(hb_session *session, size_t max_bytes, hb_str separator, hb_out *out);
void net_touch(hb_session *session);
void net_cursor(hb_session *session, hb_out *out);
void net_variant(hb_session *session, unsigned variant);
size_t net_cursor_merge(const hb_str *cursors, size_t n, hb_out *out);
size_t net_cursor_latest(const hb_str *cursors, size_t n, hb_out *out);
void net_end(hb_session *session, hb_end why, bool at_once);
void net_close(hb_session *session, int close_code, hb_str reason, hb_end why);
hb_str net_ticket(hb_session *session);
/* hb_out is out/encode.h's: out_bytes, out_slot, out_size, out_view, out_insert, out_truncate */

void net_out_json(hb_out *out, const hb_event *ev);

/* hb_host */
hb_ticket *host_later(const hb_ctx *ctx, void *ev);
void host_complete(hb_ticket *ticket, hb_verdict verdict, const hb_outcome *outcome);
void host_session_info(const hb_session *session, hb_session_info *out);
hb_session *host_session_find(const hb_ctx *ctx, hb_sid sid);
void **host_session_slot(const hb_ctx *ctx, hb_session *session);
bool host_session_is_member(hb_session *session, hb_str room);
void host_session_emit(const hb_ctx *ctx, hb_sid sid, hb_str event, hb_str data);
void host_session_kick(const hb_ctx *ctx, hb_sid sid, hb_end why, hb_str reason);
void host_session_join(const hb_ctx *ctx, hb_sid sid, hb_str room);
void host_session_leave(const hb_ctx *ctx, hb_sid sid, hb_str room);
void host_publish(const hb_ctx *ctx, hb_str room, hb_str event, hb_str data, hb_str key);

#endif
