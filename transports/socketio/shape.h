/*
 * The form of what applications see: which of an event's arguments are a message's fields, and how a
 * message of a room looks to a client. Rewrites text, never values. Pure.
 */
#ifndef SOCKETIO_SHAPE_H
#define SOCKETIO_SHAPE_H

#include "bytes.h"

/* Names, as configured. */
struct shape_names {
    hb_str room, user, ts, data; /* fields of a message that are the server's */
    hb_str key;                  /* the field that makes a publish idempotent; "" : none */
};

/*
 * Arguments and data. Natively an event has one value; here it has any number of arguments. One
 * argument that is no array is the value itself; anything else is the array of the arguments. So
 * nothing is lost in either direction.
 */
/* Appends the value for the arguments behind the first of a checked array (the event's name). */
void shape_value(hb_str packet, struct bytes *out);
/* The same for an array of arguments only (an ack's). */
void shape_answer(hb_str arguments, struct bytes *out);
/* Appends the arguments that a checked value stands for, without brackets; false: there are none. */
bool shape_arguments(hb_str value, struct bytes *out);

struct shape_publish {
    hb_str room, key; /* raw JSON values, absent where not given */
};
/* Appends a message's object without the fields that are the server's; those of use come in `p`. */
void shape_publish(const struct shape_names *names, hb_str object, struct shape_publish *p,
    struct bytes *out);

/* Appends {userId, ts, roomId, …the sender's other fields}, or with `data` where it is no object. */
void shape_message(const struct shape_names *names, hb_str user, int64_t ts, hb_str room, hb_str data,
    struct bytes *out);
/* Appends {userId, roomId}. */
void shape_member(const struct shape_names *names, hb_str user, hb_str room, struct bytes *out);

#endif
