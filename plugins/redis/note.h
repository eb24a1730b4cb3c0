/* Notes: bytes under a name, for a while, until one node takes them. */
#ifndef REDIS_NOTE_H
#define REDIS_NOTE_H

#include "worker.h"

/* hb_backend.note_put and note_take */
void note_put(struct worker *w, hb_str name, hb_str bytes, int64_t ttl_ms, hb_done *done);
void note_take(struct worker *w, hb_str name, hb_done *done);

#endif
