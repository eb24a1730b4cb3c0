/*
 * Mail between the two halves of a forwarded request (bridge.h). Any worker's thread; a letter
 * belongs to its mailbox once sent.
 */
#ifndef SERVER_LETTER_H
#define SERVER_LETTER_H

#include "server/request.h"

struct near;
struct far;

enum step {
    /* to far */
    STEP_REQUEST,
    STEP_OPENED,
    STEP_DATA,
    STEP_WRITTEN, /* n bytes of WRITE left */
    STEP_GONE,    /* end: the client went, in whatever state */
    /* to near */
    STEP_RESPOND, /* end */
    STEP_PARK,
    STEP_TAKE_OVER,
    STEP_WRITE,
    STEP_USED,    /* n bytes of DATA were */
    STEP_CLOSE,   /* end */
    /* to either */
    STEP_DONE,    /* end, in answer to the other's; n is 1 when it goes to near */
};

/* One mail. What a step needs beyond n stands behind: headers, then bytes. */
struct letter {
    struct mail mail;
    void *to; /* struct near or far */
    enum step step;
    int64_t n;
    size_t n_headers;
    hb_header *headers;
    hb_str bytes;
};

/* NULL when memory is out. */
struct letter *letter_create(enum step step, int64_t n, const hb_header *headers, size_t n_headers,
    hb_str bytes);
/* The same with room for `size` bytes, to be filled in by the caller. */
struct letter *letter_with_room(enum step step, size_t size, char **bytes);
void letter_send(int to_worker, void *to, struct letter *l);
/* One of a number only. */
void letter_send_step(int to_worker, void *to, enum step step, int64_t n);

/* Copy strings into memory that moves on; headers_size says how much they take. */
hb_str letter_put(char **to, hb_str s);
void letter_put_headers(hb_header *out, const hb_header *headers, size_t n, char **to);
size_t letter_headers_size(const hb_header *headers, size_t n);

/* What arrives: near.c and far.c. */
void near_deliver(struct near *n, const struct letter *l);
void far_deliver(struct far *f, const struct letter *l);
/* A far half for a request, on its way to its worker; `copied` false: memory was out. */
struct far *far_create(const struct request *r, struct near *near, int module,
    const hb_claim *claim, bool *copied);
void far_discard(struct far *f); /* one that was not sent */

#endif
