/* The options of the module, read and checked: what all workers share, immutable. */
#ifndef REDIS_SETTINGS_H
#define REDIS_SETTINGS_H

#include <hubbub/plugin.h>

enum durability { DURABILITY_MEMORY, DURABILITY_WAIT_REPLICA };

struct options {
    const char *url, *prefix, *node;
    int64_t timeout_ms, backoff_min_ms, backoff_max_ms;
    int64_t journal_ms, journal_bytes;
    int64_t check_ms, lease_ms, positions_ms, reply_bytes;
    int durability;
    int64_t replicas, replica_wait_ms;
    const char *sentinel_master, *sentinel_user, *sentinel_password;
    hb_strings sentinel_nodes;
};

/* Where a Redis is. */
struct place {
    char host[256];      /* a name or address; absent ("") with a path */
    char path[108];      /* of a Unix socket */
    int port;
};

struct login {
    char user[128], password[512]; /* "" when none */
    int db;
};

/* Of all workers, immutable after init. */
struct shared {
    struct place place;
    struct login login;
    const struct options *first; /* as they were at init: what no reload changes is read here */
    size_t n_prefix;
};

extern const hb_option settings_table[];

/* redis://[user[:password]@]host[:port][/db], redis+unix:///path or unix:///path with ?db=N; the
 * parts percent-decoded. NULL, or a sentence that says what is wrong (never with the URL in it). */
const char *url_parse(const char *url, struct place *place, struct login *login);
/* host[:port], [address]:port */
bool place_parse(const char *text, int default_port, struct place *place);

/* What of these differs and takes a restart: `url`, `prefix`, `durability`, `sentinel`; or NULL. */
const char *settings_fixed(const struct options *now, const struct options *next);
/* What is wrong with the options as a whole, or NULL. */
const char *settings_fault(const struct options *o);

#endif
