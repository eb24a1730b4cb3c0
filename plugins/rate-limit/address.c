#include "address.h"
#include <arpa/inet.h>
#include <string.h>

static void clear_host(unsigned char *bytes, int size, int bits)
{
    for (int i = 0; i < size; i++) {
        int keep = bits - 8 * i;
        if (keep < 8)
            bytes[i] &= keep <= 0 ? 0 : (unsigned char)(0xff << (8 - keep));
    }
}

static void put(struct address *a, unsigned char family, const void *bytes, int size, int bits)
{
    a->bytes[0] = family;
    memcpy(a->bytes + 1, bytes, (size_t)size);
    clear_host(a->bytes + 1, size, bits);
    a->n = 1 + (size_t)size;
}

struct address address_network(hb_str text, int v4_bits, int v6_bits)
{
    struct address a = {.n = text.n < sizeof(a.bytes) - 1 ? text.n : sizeof(a.bytes) - 1};
    struct in_addr v4;
    struct in6_addr v6;
    char copy[sizeof(a.bytes)] = "";
    if (a.n)
        memcpy(copy, text.p, a.n);
    if (inet_pton(AF_INET, copy, &v4) == 1)
        put(&a, 4, &v4, 4, v4_bits);
    else if (inet_pton(AF_INET6, copy, &v6) != 1)
        memcpy(a.bytes, copy, a.n);
    else if (IN6_IS_ADDR_V4MAPPED(&v6))
        put(&a, 4, v6.s6_addr + 12, 4, v4_bits);
    else
        put(&a, 6, &v6, 16, v6_bits);
    return a;
}
