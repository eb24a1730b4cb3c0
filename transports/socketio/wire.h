/*
 * Events of rooms as Socket.IO's, in the transport's wire forms.
 *
 * Where a connection may be recovered each event carries as its last argument an offset: the cursor of
 * where its client is, in all its rooms, once it has seen this event. It stands in a slot, or, where the
 * client is in one room only, it is the message's own and shared by all.
 */
#ifndef SOCKETIO_WIRE_H
#define SOCKETIO_WIRE_H

#include "worker.h"

enum {
    FORM_WEBSOCKET = 1,
    FORM_SLOT = 0,  /* offsets of each client's own */
    FORM_LONE = 2,  /* offsets shared by clients in one room */
    FORM_PLAIN = 4, /* no offsets */
    FORM_KIND = 6,
    FORMS = 6
};

/* What an event is called here: its name, or `message` for one that clients keep for themselves. */
hb_str wire_name(hb_str event);

/* hb_transport's encode and fill. A slot holds the offset and the packet's end; over a WebSocket that
 * is a second fragment of the message, so that the first is shared. */
void wire_encode(const hb_ctx *ctx, unsigned form, const hb_event *ev, hb_out *out);
void wire_fill(const hb_ctx *ctx, void *conn, unsigned slot, hb_out *out);

#endif
