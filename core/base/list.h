/* Intrusive doubly linked lists with a sentinel. One thread. Header-only. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/check.h"
#include <stdbool.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert_before(struct list *where, struct list *item)
{
    item->prev = where->prev;
    item->next = where;
    where->prev->next = item;
    where->prev = item;
}

static inline void list_push_back(struct list *head, struct list *item)
{
    list_insert_before(head, item);
}

static inline void list_push_front(struct list *head, struct list *item)
{
    list_insert_before(head->next, item);
}

/* Harmless on an item that is initialised and in no list. */
static inline void list_remove(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

#define list_entry(item, type, member) container_of(item, type, member)
#define list_for_each(item, head) \
    for (struct list *item = (head)->next; item != (head); item = item->next)
/* As above, and `item` may be removed or freed by the body. */
#define list_for_each_safe(item, head) \
    for (struct list *item = (head)->next, *item##_next = item->next; item != (head); \
         item = item##_next, item##_next = item->next)

#endif
