#include "conf/cidr.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool parse_address(const char *text, uint8_t out[16], unsigned *width)
{
    if (inet_pton(AF_INET6, text, out) == 1) {
        *width = 128;
        return true;
    }
    memcpy(out, v4_prefix, sizeof(v4_prefix));
    *width = 32;
    return inet_pton(AF_INET, text, out + sizeof(v4_prefix)) == 1;
}

static uint8_t mask_of(unsigned bits, size_t byte)
{
    unsigned before = (unsigned)byte * 8;
    if (bits <= before)
        return 0;
    return bits - before >= 8 ? 0xff : (uint8_t)(0xff00 >> (bits - before));
}

bool cidr_parse(const char *text, struct cidr *out)
{
    hb_str rest = str_of(text), address;
    char digits[INET6_ADDRSTRLEN];
    uint64_t bits;
    unsigned width;
    struct cidr c;
    if (!str_split(&rest, '/', &address) || address.n >= sizeof(digits))
        return false;
    snprintf(digits, sizeof(digits), "%.*s", (int)address.n, address.p);
    if (!parse_address(digits, c.address, &width))
        return false;
    bits = width;
    if (rest.p && (!str_u64(rest, &bits) || bits > width))
        return false;
    c.bits = 128 - width + (unsigned)bits;
    for (size_t i = 0; i < 16; i++)
        c.address[i] &= mask_of(c.bits, i);
    *out = c;
    return true;
}

bool cidr_match(const struct cidr *c, const struct sockaddr *address)
{
    uint8_t bytes[16];
    if (address->sa_family == AF_INET) {
        memcpy(bytes, v4_prefix, sizeof(v4_prefix));
        memcpy(bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    } else {
        return false;
    }
    for (size_t i = 0; i < 16; i++)
        if ((bytes[i] & mask_of(c->bits, i)) != c->address[i])
            return false;
    return true;
}

bool cidr_text_is_loopback(const char *address)
{
    struct cidr c, v4, v6;
    bool ok = cidr_parse("127.0.0.0/8", &v4) && cidr_parse("::1", &v6) && cidr_parse(address, &c);
    return ok && (memcmp(c.address, v4.address, 13) == 0 || memcmp(c.address, v6.address, 16) == 0);
}
