/*
 * A question to many sessions, its answers in one list. Each worker puts together what its own sessions
 * answer (a portion); the shard that asks puts together the portions of the workers and of other
 * nodes, which ask theirs in the same way.
 */
#ifndef SESSION_SURVEY_H
#define SESSION_SURVEY_H

#include "session/ask.h"

/* --- the shard that asks: its thread ------------------------------------------------------------- */

/* Waits for a portion of each worker here and, with all_nodes, of each node that is known. Its number;
 * 0: there are too many. who->done is called once, with HB_OK or HB_UNAVAILABLE (somebody did not answer
 * in time) and a JSON array; not when the process ends. timeout_ms 0: that of one ask. */
uint64_t survey_open(struct shard *s, const struct asker *who, int64_t timeout_ms, bool all_nodes);
/* A portion is there: JSON values with commas between them. Any thread; node 0: of a worker here. */
void survey_add(struct hub *hub, int shard, uint64_t number, uint32_t node, bool complete, hb_str values);
void surveys_destroy(struct shard *s);

/* --- a worker that is asked: its thread ----------------------------------------------------------- */

struct portion;

struct portion *portion_open(struct shard *s, int shard, uint64_t number);
/* False: this session was not asked, as its transport carries no answers. `ev` is not changed. */
bool portion_ask(struct portion *p, struct session *ss, const hb_event *ev, int64_t timeout_ms);
/* All are asked: it is sent as soon as all of them answered. */
void portion_close(struct portion *p);

#endif
