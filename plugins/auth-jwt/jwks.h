/*
 * Keys that change while the server runs: a JWK Set in a file (read again when the file changes)
 * and one at a URL (fetched again from time to time, and when a token names a key nobody knows). A
 * thread of its own reads and fetches, and puts the results into the ring; it exists from the first
 * configuration that names a source. Keys that can't be renewed stay in force.
 */
#ifndef AUTH_JWT_JWKS_H
#define AUTH_JWT_JWKS_H

#include "ring.h"

struct jwks;

/* Strings are copied; "" means none. */
struct jwks_settings {
    const char *file;
    const char *url;
    const char *ca_file;
    int64_t check_ms;   /* between two looks at the file */
    int64_t refresh_ms; /* between two fetches */
    int64_t
        refetch_ms; /* a fetch for an unknown kid is earned in this time, a few can be saved up */
    int64_t timeout_ms; /* of a fetch */
    int64_t size_max;   /* bytes of an answer */
};

/* Called on the thread, never under a lock. */
struct jwks_events {
    /* The turns up to this one are over (see jwks_ask), successful or not. */
    void (*finished)(void *arg, uint64_t turn);
    /* A sentence for the log. */
    void (*say)(void *arg, bool fault, const char *sentence);
    void *arg;
};

/* `ring` and what events.arg points at outlive it. */
struct jwks *jwks_create(struct ring *ring, const struct jwks_events *events);
void jwks_destroy(struct jwks *j); /* joins the thread; NULL is fine */
/* Control thread. Keys of a URL that is no longer configured go at once; a file's are the caller's
 * to read (RING_FILE) at that moment, the thread looks for changes from then on. */
void jwks_configure(struct jwks *j, const struct jwks_settings *settings);

/* Any thread: a token names a key that nobody knows. The turn (a look at the file, a fetch) that
 * has to be over before it can be judged; 0: no use waiting, there is no source or it was asked too
 * often. */
uint64_t jwks_ask(struct jwks *j);
/* Any thread: is the URL's last fetch a failure, or none over yet? False without a URL. */
bool jwks_is_failing(struct jwks *j);
/* Any thread: did a fetch of the URL ever succeed? True without a URL. */
bool jwks_has_fetched(struct jwks *j);

#endif
