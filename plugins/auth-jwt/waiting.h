/*
 * Tokens of one worker that wait for keys to be looked up again, each with its ticket. Bounded in
 * number and in bytes.
 */
#ifndef AUTH_JWT_WAITING_H
#define AUTH_JWT_WAITING_H

#include <hubbub/plugin.h>

enum { WAITING_MAX = 1024, WAITING_BYTES_MAX = 1024 * 1024 };

struct wait {
    struct wait *next;
    hb_ticket *ticket;
    uint64_t turn; /* of jwks_ask */
    size_t n;
    char token[];
};

struct waiting {
    struct wait *first; /* owned, the newest first */
    size_t n, bytes;
};

bool waiting_fits(const struct waiting *w, hb_str token);
/* A copy with its ticket yet to be set; NULL when it doesn't fit. */
struct wait *waiting_add(struct waiting *w, hb_str token, uint64_t turn);
/* Those whose turn is over, taken out: a list for the caller to complete and free. */
struct wait *waiting_take(struct waiting *w, uint64_t turn);
void waiting_drop(struct waiting *w, struct wait *added_last);

#endif
