/* Host names to addresses without blocking a worker: numbers at once, names on a thread. */
#ifndef REDIS_RESOLVE_H
#define REDIS_RESOLVE_H

#include <hubbub/plugin.h>
#include <sys/socket.h>

typedef void resolve_done(void *owner, const struct sockaddr *to, socklen_t n);

/* `done` is called on this worker, before or after this returns, with NULL when there is none; not
 * after resolve_forget. */
void resolve(const hb_ctx *ctx, const char *host, int port, resolve_done *done, void *owner);
/* Wait for the threads that are under way: before the module goes. Control thread. */
void resolve_finish(void);

#endif
