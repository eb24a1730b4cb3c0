/*
 * The admin listener's door. The HTTP library reads a request's whole body before it asks us: here
 * the first head of a connection is judged before that, and who may not use the endpoint gets no
 * large body read and one request. What all of its connections hold together is bounded, and when
 * they are too many, the one that has kept silent longest makes room. Control thread.
 */
#ifndef SERVER_GATE_H
#define SERVER_GATE_H

#include "server/conn.h"

/* A connection of the admin listener, nothing read yet. */
void gate_begin(struct conn *c);
/* Is there room for one more? Makes some where it can. */
bool gate_room(struct worker *w);
/* Once a turn: keep to the bound of bytes. */
void gate_turn(struct worker *w);

#endif
