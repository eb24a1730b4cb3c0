/*
 * What transports that speak plain HTTP share: which paths are theirs, what a request that opens a
 * session asks for, refusals. Linked into each of them. Owning worker's thread.
 */
#ifndef COMMON_HTTP_H
#define COMMON_HTTP_H

#include <hubbub/transport.h>

bool http_is_one_of(const hb_strings *paths, hb_str path);
/* For a module's `check`: each path begins with / and has no query. 0, or -1 with a sentence. */
int http_check_paths(const hb_strings *paths, char *error, size_t error_size);
bool http_method_is(const hb_request *req, hb_str method);
/* 405 with Allow, in the protocol's form. */
void http_refuse_method(const hb_net *net, hb_request *req, hb_str allow);

/* Rooms to join and where to go on from. The strings are the request's, or `owner`'s. */
struct opening {
    hb_str *rooms;
    size_t n_rooms, cap_rooms;
    hb_str *cursors; /* as given */
    size_t n_cursors, cap_cursors;
    hb_str cursor;   /* all of them as one; absent: none was given. After opening_settle. */
    hb_out *merged;
    void *owner;     /* of strings that are not the request's; the transport's to free */
};

/* NULL: out of memory. */
struct opening *opening_create(void);
void opening_destroy(const hb_net *net, struct opening *o); /* NULL is fine */
/* False: out of memory. */
bool opening_add_room(struct opening *o, hb_str room);
bool opening_add_cursor(struct opening *o, hb_str cursor);
/* The `room` and `cursor` parameters, as often as they come. False: out of memory. */
bool opening_add_query(const hb_net *net, hb_request *req, struct opening *o);
/* Makes `cursor` of `cursors`. */
void opening_settle(const hb_net *net, struct opening *o);

#endif
