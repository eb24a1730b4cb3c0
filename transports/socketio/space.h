/*
 * Namespaces: which there are, and which rooms are whose. Room `r` of namespace /x is `x:r` inside
 * hubbub; all other rooms are of the main one. Pure.
 */
#ifndef SOCKETIO_SPACE_H
#define SOCKETIO_SPACE_H

#include "worker.h"

enum { SPACE_MAX = 64 };

/* Is it a name that a configuration may have (or a pattern with `*`)? 0, or -1 with a sentence. */
int space_check(const hb_strings *namespaces, char *error, size_t error_size);
bool space_exists(const struct options *o, hb_str space);

/* Whose room it is, by its full name, and what clients there call it. */
struct space_room {
    hb_str space, room;
    char text[SPACE_MAX + 1];
};
void space_of(const struct options *o, hb_str full, struct space_room *out);
/* Appends the full name. False: clients of this namespace may not have such a room. */
bool space_full(const struct options *o, hb_str space, hb_str room, struct bytes *out);
/* As the host names it: absent for the main one. */
hb_str space_for_host(hb_str space);
/* And back. */
hb_str space_of_host(hb_str space);

#endif
