/* One HTTP GET by libcurl, bounded in time and size, without redirects. Blocks: own thread only. */
#ifndef AUTH_JWT_FETCH_H
#define AUTH_JWT_FETCH_H

#include <hubbub/types.h>
#include <stdatomic.h>

struct fetch_limits {
    int64_t timeout_ms;           /* for all of it */
    int64_t size_max;             /* bytes of body */
    const char *ca_file;          /* "": the system's authorities */
    const atomic_bool *interrupt; /* set it and a fetch ends within about a second */
};

/* Is it https, or http to a loopback address (for tests, or a proxy on this machine)? */
bool fetch_allows(const char *url, char *error, size_t error_size);
/* The body of a 200 answer, for free(); NULL with a sentence otherwise. */
char *fetch_get(
    const char *url, const struct fetch_limits *limits, size_t *n, char *error, size_t error_size);

#endif
