/*
 * What stands in Redis under a socket's pid is anything: a socket that can be taken up, written again
 * as the same, or none.
 */
#include "fuzz.h"
#include "socketio/note.h"
#include "socketio/space.h"
#include <string.h>

static const char pid[SOCKET_PID + 1] = "AAAAAAAAAAAAAAAAAAAA";

static void check(const struct socket *s)
{
    size_t rooms = 0;
    HOLDS(s->state == SOCKET_CONNECTED && !s->next && s->rest && strcmp(s->pid, pid) == 0);
    HOLDS(s->n_space >= 1 && s->n_space <= SPACE_MAX && s->space[0] == '/');
    HOLDS(strnlen(s->sid, sizeof(s->sid)) >= 1 && strnlen(s->sid, sizeof(s->sid)) <= SOCKET_SID);
    for (const struct place *p = s->places; p; p = p->next, rooms++)
        HOLDS(p->n_room > 0);
    HOLDS(rooms <= 1024);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes once = BYTES_INIT, twice = BYTES_INIT, thrice = BYTES_INIT;
    struct socket *s = note_read((hb_str){(const char *)data, size}, pid);
    if (!s)
        return 0;
    check(s);
    note_write(s, &once);
    struct socket *again = note_read(bytes_view(&once), pid);
    HOLDS(again);
    note_write(again, &twice);
    struct socket *last = note_read(bytes_view(&twice), pid);
    HOLDS(last);
    note_write(last, &thrice); /* a passage turns the rooms' order around */
    HOLDS(once.n == twice.n && str_same(bytes_view(&once), bytes_view(&thrice)));
    socket_free(s);
    socket_free(again);
    socket_free(last);
    bytes_finish(&once);
    bytes_finish(&twice);
    bytes_finish(&thrice);
    return 0;
}
