/* Events of rooms as Socket.IO's, in the transport's four wire forms. */
#ifndef SOCKETIO_WIRE_H
#define SOCKETIO_WIRE_H

#include "worker.h"

/* hb_transport's encode and fill. The forms with offsets have one slot: the offset and the packet's
 * end; over a WebSocket that is a second fragment of the message, so that the first is shared. */
void wire_encode(const hb_ctx *ctx, unsigned form, const hb_event *ev, hb_out *out);
void wire_fill(const hb_ctx *ctx, void *conn, unsigned slot, hb_out *out);

#endif
