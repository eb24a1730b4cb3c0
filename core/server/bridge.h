/*
 * A request whose session lives on another worker stays where it arrived as plain I/O, `near`; on
 * the owner's worker a copy of it, `far`, is handed to its transport; answers, bytes and ends go to
 * and fro by mail.
 *
 * Who may free what: each side sends the other exactly one last mail (`end`) and frees itself when
 * it has sent its own and got the other's. Mail between two workers keeps its order, so after the
 * last one nothing comes that could meet freed memory, whichever side ends first.
 */
#ifndef SERVER_BRIDGE_H
#define SERVER_BRIDGE_H

#include "server/request.h"

/* Where it arrived: takes the request over; `claim` is copied. */
void bridge_forward(struct request *r, int owner, int module, const hb_claim *claim);

/* On the owner's worker, for request.c. */
hb_str bridge_header(const struct far *f, hb_str name);
void bridge_respond(struct far *f, int status, const hb_header *headers, size_t n, hb_str body);
void bridge_park(struct far *f, const hb_header *headers, size_t n);
void bridge_take_over(struct far *f, int status, const hb_header *headers, size_t n,
    const hb_stream_events *events, void *owner);

#endif
