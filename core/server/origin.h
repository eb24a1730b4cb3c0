/*
 * Who may ask from a browser (protocol.md, "Origin"), and where credentials are. Pure; any thread.
 */
#ifndef SERVER_ORIGIN_H
#define SERVER_ORIGIN_H

#include "conf/config.h"

enum origin {
    ORIGIN_NONE,    /* the request names none: no browser, or one on its own pages */
    ORIGIN_OWN,     /* same host and port as the request was sent to */
    ORIGIN_ALLOWED, /* configured */
    ORIGIN_REFUSED,
};

/* `origin` and `host` as the headers say; absent when not there. A Host without a port has the
 * port that the origin's scheme implies: a proxy in front may end TLS. */
enum origin origin_check(const struct config *config, hb_str origin, hb_str host);

/* The token of "Authorization: Bearer TOKEN"; absent for other schemes. */
hb_str origin_bearer(hb_str authorization);
/* The value of a cookie, absent when it is not there. */
hb_str origin_cookie(hb_str cookies, hb_str name);

#endif
