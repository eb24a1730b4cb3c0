/*
 * The parameters of a query, percent-decoded once. Owned by the request that asked; one thread.
 */
#ifndef SERVER_QUERY_H
#define SERVER_QUERY_H

#include <hubbub/types.h>

enum { QUERY_PARAMS_MAX = 1024 }; /* what comes after is not seen */

struct query {
    size_t n;
    struct query_param {
        hb_str key, value;
    } params[]; /* and the bytes behind them */
};

/* NULL when memory is out. '+' is a space; a '%' without two hex digits stands for itself. */
struct query *query_parse(hb_str text);
/* The nth value of a key, absent past the last. */
hb_str query_get(const struct query *q, hb_str key, size_t nth);

#endif
