/*
 * A mailbox: many producers, one consumer. Posting takes the item over; the consumer takes all at
 * once, in the order of posting (per producer and in all). `wake` is called by a producer that
 * found the box empty, outside the lock. The only lock of the core besides the log's.
 */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Embedded first in what is posted; whoever consumes frees. */
struct mail {
    struct mail *next;
    void (*deliver)(struct mail *m, void *receiver); /* called on the consumer's thread; owns m */
    void (*discard)(struct mail *m);                 /* called instead when the box is closed */
};

struct mailbox {
    pthread_mutex_t lock;
    struct mail *head, **tail;
    size_t count;
    bool closed;
    void (*wake)(void *arg);
    void *wake_arg;
};

void mailbox_init(struct mailbox *b, void (*wake)(void *), void *wake_arg);
void mailbox_finish(struct mailbox *b);              /* discards what is left */
/* Any thread. After mailbox_close the item is discarded at once. */
void mailbox_post(struct mailbox *b, struct mail *m);
/* Consumer only: deliver all that was there when called, in order; returns how many. */
size_t mailbox_drain(struct mailbox *b, void *receiver);
void mailbox_close(struct mailbox *b);               /* later posts are discarded */

#endif
