/* What is asked of the backend, as JSON (README.md, "Questions"). A worker's thread, in a hook. */
#ifndef WEBHOOK_QUESTION_H
#define WEBHOOK_QUESTION_H

#include "text.h"
#include <hubbub/plugin.h>

/* `headers`: names that may be passed on, in any case. Owned by the caller: text_finish. */
struct text question_connect(const hb_ctx *ctx, const hb_connect *ev, const hb_strings *headers);
struct text question_join(const hb_ctx *ctx, const hb_join *ev);
struct text question_publish(const hb_ctx *ctx, const hb_publish *ev);
struct text question_call(const hb_ctx *ctx, const hb_call *ev);

#endif
