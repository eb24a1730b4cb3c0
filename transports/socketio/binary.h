/*
 * Bytes inside JSON: Socket.IO's placeholders with attachments beside the text, and hubbub's
 * {"$binary":"<base64>"} within it. Text in, text out, all else byte for byte. Pure.
 */
#ifndef SOCKETIO_BINARY_H
#define SOCKETIO_BINARY_H

#include "packet.h"

/* Appends checked JSON with its placeholders filled from `attachments` (base64 text each). False: one
 * names an attachment that is not there. */
bool binary_join(hb_str json, const hb_str *attachments, size_t n, struct bytes *out);

struct binary_parts {
    size_t n;                            /* attachments; 0: `json` may be sent as it is */
    hb_str base64[PACKET_ATTACHMENTS_MAX]; /* in the order of the text, borrowed from it: see binary_bytes */
};

/* Finds the bytes in checked JSON and appends it with placeholders in their stead. Those past what a
 * client bears stay as they are, and so do all of them beside an object that a client would take for
 * a placeholder: nobody can make other clients fail. Nothing is appended when n is 0. */
void binary_split(hb_str json, struct bytes *out, struct binary_parts *parts);
/* Appends the bytes of a part. */
void binary_bytes(hb_str part, struct bytes *out);

#endif
