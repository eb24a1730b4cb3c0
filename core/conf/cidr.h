/* Blocks of IP addresses, "10.0.0.0/8" or "::1". Pure; any thread. */
#ifndef CONF_CIDR_H
#define CONF_CIDR_H

#include <hubbub/types.h>
#include <sys/socket.h>

struct cidr {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;       /* of the 128 */
};

/* "a.b.c.d", "a.b.c.d/n", "v6", "v6/n"; bits past the mask are cleared. False for all else. */
bool cidr_parse(const char *text, struct cidr *out);
/* An IPv4 address that came over an IPv6 socket matches IPv4 blocks. Other families: false. */
bool cidr_match(const struct cidr *c, const struct sockaddr *address);
/* 127.0.0.0/8 and ::1; `address` in digits. */
bool cidr_text_is_loopback(const char *address);

#endif
