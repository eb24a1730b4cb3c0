#include "out/frame.h"
#include "base/check.h"
#include "out/msg.h"
#include <stdlib.h>

struct frame *frame_create(size_t n)
{
    if (n > UINT32_MAX)
        return NULL;
    struct frame *f = mem_try_alloc(sizeof(*f) + n);
    if (!f)
        return NULL;
    *f = (struct frame){.refs = 1, .n = (uint32_t)n};
    return f;
}

void frame_unref(struct frame *f)
{
    if (!f || --f->refs > 0)
        return;
    msg_unref(f->message);
    free(f);
}
