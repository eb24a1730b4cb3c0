/*
 * What proxies in front say about their clients: the PROXY protocol, versions 1 and 2, and
 * X-Forwarded-For. Pure; any thread.
 */
#ifndef SERVER_PROXY_H
#define SERVER_PROXY_H

#include "conf/config.h"
#include <sys/socket.h>

enum {
    PROXY_INCOMPLETE = 0,
    PROXY_BAD = -1,
    PROXY_HEADER_MAX = 16 + 2048, /* version 2 with its extensions; more is bad */
    PROXY_HOPS_MAX = 32,          /* entries of X-Forwarded-For that are followed back */
};

/* The length of the header at the head of `bytes`, or one of the above. *client is set when the
 * header names one (not for UNKNOWN, LOCAL and families other than TCP over IP: AF_UNSPEC then). */
int proxy_parse(hb_str bytes, struct sockaddr_storage *client);

/* The client's address: `peer`, or, where that is a trusted proxy, the last address in the
 * X-Forwarded-For line (absent: none) that is not a trusted proxy's. */
struct sockaddr_storage proxy_client(const struct config *config,
    const struct sockaddr_storage *peer, hb_str forwarded_for);

/* The address in digits, without its port; IPv4 that came over IPv6 as IPv4. */
void proxy_text(const struct sockaddr_storage *address, char out[static 46]);

#endif
