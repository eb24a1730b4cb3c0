/* What all connections of a worker share, and the module's options. */
#ifndef SOCKETIO_WORKER_H
#define SOCKETIO_WORKER_H

#include "alarm.h"
#include "bytes.h"
#include "shape.h"
#include <hubbub/transport.h>

#define SCRATCH_BYTES (64u << 10)

struct options {
    hb_strings paths;
    int64_t ping_interval, ping_timeout, max_payload, connect_timeout, upgrade_timeout, recovery;
    hb_strings namespaces;
    const char *join, *leave, *joined, *left; /* events; "" switches one off */
    hb_strings publish;
    const char *room, *user, *ts, *data, *key, *token; /* fields */
    const char *echo;
};

struct records; /* recover.c */

struct worker {
    const hb_ctx *ctx;
    const hb_net *net;
    const struct options *options;
    struct shape_names names;
    hb_out *out;          /* for answers to polls */
    struct bytes text;    /* scratch, for one packet at a time */
    struct bytes parts;
    struct records *records;
    struct alarms alarms; /* of connections */
    uint64_t began_ms;
    char scratch[SCRATCH_BYTES]; /* frames are unmasked here */
};

static inline hb_str str_of(const char *text)
{
    return (hb_str){text, __builtin_strlen(text)};
}

/* Scratch is given back when a long message made it grow. */
static inline void worker_trim(struct bytes *scratch)
{
    if (scratch->cap > SCRATCH_BYTES)
        bytes_finish(scratch);
    else
        bytes_clear(scratch);
}

#endif
