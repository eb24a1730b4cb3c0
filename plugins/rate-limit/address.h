/* What counts as one address: an IPv4 address or an IPv6 network, of whatever length. Pure. */
#ifndef RATE_LIMIT_ADDRESS_H
#define RATE_LIMIT_ADDRESS_H

#include <hubbub/types.h>

struct address {
    unsigned char bytes[64]; /* the family, and the network; the text itself if it is none */
    size_t n;
};

/* The network of `text` by its first v4_bits or v6_bits. An IPv4 address that is written as IPv6
 * (::ffff:192.0.2.1) is that IPv4 address. */
struct address address_network(hb_str text, int v4_bits, int v6_bits);

#endif
