#include "base/mailbox.h"
#include "base/check.h"
#include "unit.h"
#include <stdatomic.h>
#include <stdlib.h>

struct letter {
    struct mail mail; /* first: freed through it */
    int from, number;
};

static atomic_int discarded;

static void on_discard(struct mail *m)
{
    atomic_fetch_add(&discarded, 1);
    free(m);
}

enum { PRODUCERS = 4, LETTERS = 5000 };

struct reader {
    int next[PRODUCERS]; /* the number each producer's next letter must have */
    bool in_order;
    struct mailbox *reply_to; /* posts there while delivering, when set */
};

static struct letter *letter_create(int from, int number);

static void on_deliver(struct mail *m, void *receiver)
{
    struct letter *l = container_of(m, struct letter, mail);
    struct reader *r = receiver;
    if (l->number != r->next[l->from]++)
        r->in_order = false;
    if (r->reply_to)
        mailbox_post(r->reply_to, &letter_create(l->from, l->number + 1)->mail);
    free(l);
}

static struct letter *letter_create(int from, int number)
{
    struct letter *l = mem_alloc(sizeof *l);
    *l = (struct letter){{NULL, on_deliver, on_discard}, from, number};
    return l;
}

static void on_count_wake(void *arg)
{
    ++*(int *)arg;
}

TEST(all_that_is_there_is_delivered_in_order)
{
    struct mailbox b;
    struct reader r = {.in_order = true};
    int wakes = 0;
    mailbox_init(&b, on_count_wake, &wakes);
    CHECK_INT(mailbox_drain(&b, &r), 0);
    for (int i = 0; i < 10; i++)
        mailbox_post(&b, &letter_create(0, i)->mail);
    CHECK_INT(b.count, 10);
    CHECK_INT(mailbox_drain(&b, &r), 10);
    CHECK(r.in_order);
    CHECK_INT(r.next[0], 10);
    CHECK_INT(b.count, 0);
    mailbox_finish(&b);
}

TEST(only_the_post_that_finds_the_box_empty_wakes)
{
    struct mailbox b;
    struct reader r = {.in_order = true};
    int wakes = 0;
    mailbox_init(&b, on_count_wake, &wakes);
    mailbox_post(&b, &letter_create(0, 0)->mail);
    mailbox_post(&b, &letter_create(0, 1)->mail);
    CHECK_INT(wakes, 1);
    mailbox_drain(&b, &r);
    mailbox_post(&b, &letter_create(0, 2)->mail);
    CHECK_INT(wakes, 2);
    mailbox_drain(&b, &r);
    mailbox_finish(&b);
}

TEST(what_is_posted_during_a_drain_waits_for_the_next_one)
{
    struct mailbox b;
    struct reader r = {.in_order = true, .reply_to = &b};
    int wakes = 0;
    mailbox_init(&b, on_count_wake, &wakes);
    mailbox_post(&b, &letter_create(0, 0)->mail);
    CHECK_INT(mailbox_drain(&b, &r), 1);
    CHECK_INT(wakes, 2);
    r.reply_to = NULL;
    CHECK_INT(mailbox_drain(&b, &r), 1);
    CHECK_INT(r.next[0], 2);
    mailbox_finish(&b);
}

TEST(a_closed_box_discards_posts_and_finishing_discards_the_rest)
{
    struct mailbox b;
    int wakes = 0;
    atomic_store(&discarded, 0);
    mailbox_init(&b, on_count_wake, &wakes);
    mailbox_post(&b, &letter_create(0, 0)->mail);
    mailbox_close(&b);
    mailbox_post(&b, &letter_create(0, 1)->mail);
    CHECK_INT(atomic_load(&discarded), 1);
    CHECK_INT(wakes, 1);
    mailbox_finish(&b);
    CHECK_INT(atomic_load(&discarded), 2);
}

/* A wake that a thread can wait for. */
struct bell {
    pthread_mutex_t lock;
    pthread_cond_t rung;
    bool ringing;
};

static void on_ring(void *arg)
{
    struct bell *bell = arg;
    pthread_mutex_lock(&bell->lock);
    bell->ringing = true;
    pthread_cond_signal(&bell->rung);
    pthread_mutex_unlock(&bell->lock);
}

static void await(struct bell *bell)
{
    pthread_mutex_lock(&bell->lock);
    while (!bell->ringing)
        pthread_cond_wait(&bell->rung, &bell->lock);
    bell->ringing = false;
    pthread_mutex_unlock(&bell->lock);
}

struct producer {
    pthread_t thread;
    struct mailbox *box;
    int number;
};

static void *produce(void *arg)
{
    struct producer *p = arg;
    for (int i = 0; i < LETTERS; i++)
        mailbox_post(p->box, &letter_create(p->number, i)->mail);
    return NULL;
}

TEST(many_producers_lose_nothing_and_keep_their_order_and_no_wake_is_missed)
{
    struct bell bell = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    struct mailbox b;
    struct reader r = {.in_order = true};
    struct producer producers[PRODUCERS];
    mailbox_init(&b, on_ring, &bell);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.box = &b, .number = i};
        CHECK_INT(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    for (size_t got = 0; got < PRODUCERS * LETTERS;) {
        await(&bell);
        got += mailbox_drain(&b, &r);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(producers[i].thread, NULL);
        CHECK_INT(r.next[i], LETTERS);
    }
    CHECK(r.in_order);
    mailbox_finish(&b);
}

TEST(closing_while_others_post_delivers_or_discards_each_letter)
{
    struct mailbox b;
    struct reader r = {.in_order = true};
    struct producer producers[PRODUCERS];
    atomic_store(&discarded, 0);
    mailbox_init(&b, NULL, NULL);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.box = &b, .number = i};
        CHECK_INT(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    size_t got = 0;
    while (got < LETTERS / 2)
        got += mailbox_drain(&b, &r);
    mailbox_close(&b);
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i].thread, NULL);
    got += mailbox_drain(&b, &r);
    mailbox_finish(&b);
    CHECK_INT(got + (size_t)atomic_load(&discarded), PRODUCERS * LETTERS);
    CHECK(r.in_order);
}
