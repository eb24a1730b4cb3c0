/*
 * Engine.IO (protocol 4): packet types, and the bodies of polling requests, which are packets joined
 * by 0x1e. Pure.
 */
#ifndef SOCKETIO_PAYLOAD_H
#define SOCKETIO_PAYLOAD_H

#include "bytes.h"

enum engine_type {
    ENGINE_OPEN,
    ENGINE_CLOSE,
    ENGINE_PING,
    ENGINE_PONG,
    ENGINE_MESSAGE,
    ENGINE_UPGRADE,
    ENGINE_NOOP,
    ENGINE_BASE64, /* a message of bytes, as text */
    ENGINE_FAULT   /* no packet */
};

#define PAYLOAD_SEPARATOR "\x1e"

struct engine_packet {
    enum engine_type type;
    hb_str data;
};

/* One packet of text: a digit, or `b` before base64, and what follows it. */
struct engine_packet payload_packet(hb_str text);
/* The next packet of a body; false when none is left. A body without any byte is one fault. */
bool payload_next(hb_str *rest, struct engine_packet *out);

#endif
