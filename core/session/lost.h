/* Sessions of a room whose stream has a hole. */
#ifndef SESSION_LOST_H
#define SESSION_LOST_H

#include "out/shard.h"

/* Close this worker's members of the room with a bye that lets them come back: their cursors are of
 * before the hole, and recovering from them tells of it. */
void lost_room(struct shard *s, hb_str room);

#endif
