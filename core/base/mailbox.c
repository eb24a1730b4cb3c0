#include "base/mailbox.h"

static void discard_all(struct mail *m)
{
    while (m) {
        struct mail *next = m->next;
        m->discard(m);
        m = next;
    }
}

/* Detach the whole chain. */
static struct mail *take_all(struct mailbox *b)
{
    pthread_mutex_lock(&b->lock);
    struct mail *all = b->head;
    b->head = NULL;
    b->tail = &b->head;
    b->count = 0;
    pthread_mutex_unlock(&b->lock);
    return all;
}

void mailbox_init(struct mailbox *b, void (*wake)(void *), void *wake_arg)
{
    *b = (struct mailbox){.wake = wake, .wake_arg = wake_arg};
    b->tail = &b->head;
    pthread_mutex_init(&b->lock, NULL);
}

void mailbox_finish(struct mailbox *b)
{
    mailbox_close(b);
    discard_all(take_all(b));
    pthread_mutex_destroy(&b->lock);
}

void mailbox_post(struct mailbox *b, struct mail *m)
{
    m->next = NULL;
    pthread_mutex_lock(&b->lock);
    bool closed = b->closed;
    bool was_empty = b->head == NULL;
    if (!closed) {
        *b->tail = m;
        b->tail = &m->next;
        b->count++;
    }
    pthread_mutex_unlock(&b->lock);
    if (closed)
        m->discard(m);
    else if (was_empty && b->wake)
        b->wake(b->wake_arg);
}

size_t mailbox_drain(struct mailbox *b, void *receiver)
{
    size_t n = 0;
    for (struct mail *m = take_all(b), *next; m; m = next, n++) {
        next = m->next;
        m->deliver(m, receiver);
    }
    return n;
}

void mailbox_close(struct mailbox *b)
{
    pthread_mutex_lock(&b->lock);
    b->closed = true;
    pthread_mutex_unlock(&b->lock);
}
