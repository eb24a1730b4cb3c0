#include "server/peers.h"

#include "base/check.h"
#include "base/rand.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct peers *peers_create(void)
{
    struct peers *p = mem_zalloc(sizeof *p);
    rand_bytes(p->key, sizeof p->key);
    return p;
}

void peers_destroy(struct peers *p)
{
    free(p);
}

/* What an address counts under: 4 bytes of IPv4 or 8 of IPv6. */
static hb_str significant(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return (hb_str){(const char *)&((const struct sockaddr_in *)address)->sin_addr, 4};
    if (address->ss_family != AF_INET6)
        return HB_STR("");
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(v6))
        return (hb_str){(const char *)v6->s6_addr + 12, 4};
    return (hb_str){(const char *)v6->s6_addr, 8};
}

bool peers_add(struct peers *p, const struct sockaddr_storage *address, int64_t limit,
    struct peer *out)
{
    uint64_t hash = hash_siphash13(significant(address), p->key);
    struct peer peer = {{(uint16_t)hash, (uint16_t)(hash >> 16)}};
    uint32_t least = UINT32_MAX;
    for (int i = 0; i < 2; i++) {
        uint32_t had = atomic_fetch_add_explicit(&p->counts[i][peer.slot[i]], 1,
            memory_order_relaxed);
        if (had < least)
            least = had;
    }
    if (limit && least >= limit) {
        peers_remove(p, &peer);
        return false;
    }
    *out = peer;
    return true;
}

void peers_remove(struct peers *p, const struct peer *peer)
{
    for (int i = 0; i < 2; i++)
        atomic_fetch_sub_explicit(&p->counts[i][peer->slot[i]], 1, memory_order_relaxed);
}
