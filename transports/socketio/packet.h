/*
 * Socket.IO packets (protocol 5): `<type>[<n>-][<namespace>,][<id>][<json>]`, as strict as the
 * reference. Pure; strings borrow from the text.
 */
#ifndef SOCKETIO_PACKET_H
#define SOCKETIO_PACKET_H

#include "bytes.h"

enum packet_type {
    PACKET_CONNECT,
    PACKET_DISCONNECT,
    PACKET_EVENT,
    PACKET_ACK,
    PACKET_CONNECT_ERROR,
    PACKET_BINARY_EVENT,
    PACKET_BINARY_ACK
};

enum { PACKET_ATTACHMENTS_MAX = 10, PACKET_DEPTH_MAX = 65 /* 64 in data, and the array around it */ };

struct packet {
    enum packet_type type;
    unsigned attachments; /* that follow */
    hb_str space;         /* the namespace, "/" when none is named */
    bool has_id;          /* acks without one answer nothing */
    uint64_t id;
    hb_str data;          /* checked JSON text; absent: none */
    hb_str name;          /* events: the name as JSON text, a string or a number */
    bool refused;         /* well formed, but nested too deep */
    bool halves;          /* there is half a surrogate pair in `data`: jtext_mend */
};

/* `text` is UTF-8, without Engine.IO's digit. False: a violation that closes the connection. */
bool packet_parse(hb_str text, struct packet *out);

/* A name that clients keep for themselves: an event so named makes them close the connection. */
bool packet_is_reserved(hb_str event);

/* The head of a packet to send: type, attachments, namespace, id (NULL: none). */
void packet_head(struct bytes *out, enum packet_type type, unsigned attachments, hb_str space,
    const uint64_t *id);

#endif
