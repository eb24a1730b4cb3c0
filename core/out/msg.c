#include "out/msg.h"
#include "base/check.h"
#include "base/str.h"
#include "out/cursor.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct msg {
    hb_message m;
    atomic_uint refs;
    uint32_t size;
    char cursor[CURSOR_TEXT_MAX];
    char bytes[];
};

hb_message *msg_create(hb_str room, hb_str event, hb_str data, hb_str user)
{
    size_t n = room.n + event.n + data.n + user.n + 4;
    struct msg *m = mem_try_alloc(sizeof(*m) + n);
    if (!m)
        return NULL;
    memset(m, 0, sizeof(*m));
    atomic_init(&m->refs, 1);
    m->size = (uint32_t)(sizeof(*m) + n);
    char *at = m->bytes;
    m->m.room = str_put_z(&at, room);
    m->m.event = str_put_z(&at, event);
    m->m.data = str_put_z(&at, data);
    m->m.user = str_put_z(&at, user);
    return &m->m;
}

static struct msg *of(hb_message *m)
{
    return container_of(m, struct msg, m);
}

void msg_ref(hb_message *m)
{
    atomic_fetch_add_explicit(&of(m)->refs, 1, memory_order_relaxed);
}

void msg_unref(hb_message *m)
{
    if (m && atomic_fetch_sub_explicit(&of(m)->refs, 1, memory_order_acq_rel) == 1)
        free(of(m));
}

void msg_place(hb_message *m, hb_pos pos, int64_t ts, bool with_cursor)
{
    struct msg *full = of(m);
    m->pos = pos;
    m->ts = ts;
    if (with_cursor) {
        size_t n = cursor_write_one(m->room, pos, full->cursor, sizeof(full->cursor));
        m->cursor = (hb_str){full->cursor, n};
    }
}

size_t msg_size(const hb_message *m)
{
    return of((hb_message *)(uintptr_t)m)->size;
}

void event_init(hb_event *ev, hb_event_kind kind)
{
    memset(ev, 0, sizeof(*ev));
    ev->size = sizeof(*ev);
    ev->kind = kind;
    ev->ts = ev->members = ev->count = ev->retry_after_ms = ev->delay_ms = -1;
    ev->recovered = ev->more = -1;
}

void msg_event(const hb_message *m, hb_event *ev)
{
    event_init(ev, HB_EV_MESSAGE);
    ev->room = m->room;
    ev->event = m->event;
    ev->data = m->data;
    ev->user = m->user;
    ev->ts = m->ts;
    ev->cursor = m->cursor;
    ev->server = m->server;
}
