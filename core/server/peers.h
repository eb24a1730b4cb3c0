/*
 * How many connections an IP address has, on all workers together, without a lock: two arrays of
 * counters under two hashes; the lower of an address's two is what it has, or more where it shares
 * both with others. IPv6 counts by its /64, which is what one customer gets. Any thread.
 */
#ifndef SERVER_PEERS_H
#define SERVER_PEERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { PEERS_SLOTS = 65536 };

struct peers {
    uint8_t key[16];
    _Atomic uint32_t counts[2][PEERS_SLOTS];
};

/* What was counted, to be given back. */
struct peer {
    uint16_t slot[2];
};

struct peers *peers_create(void);
void peers_destroy(struct peers *p);
/* Count one more, unless the address has `limit` already (0: no limit): false, nothing counted. */
bool peers_add(struct peers *p, const struct sockaddr_storage *address, int64_t limit,
    struct peer *out);
void peers_remove(struct peers *p, const struct peer *peer);

#endif
