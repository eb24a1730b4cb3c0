/* hubbub's own JSON: text to ops, events to text (protocol.md). Pure. */
#ifndef SESSION_NATIVE_H
#define SESSION_NATIVE_H

#include "base/buf.h"
#include <hubbub/transport.h>

enum { NATIVE_DEPTH_MAX = 64 };

/* Memory of decoded strings that had escapes; reused from op to op. */
struct native_scratch {
    struct buf text;
};

/* Decode one op. Strings are borrowed from `json` or from `scratch`. On failure the code, a sentence,
 * and `op->id` if one could be read. */
hb_code native_decode(hb_str json, struct native_scratch *scratch, hb_op *op, const char **sentence);
/* The same for a value that json_check passed with NATIVE_DEPTH_MAX (an item of a batch). */
hb_code native_decode_checked(hb_str json, struct native_scratch *scratch, hb_op *op, const char **sentence);

/* Append the event as JSON text; nothing for events that have no native form. */
void native_encode(const hb_event *ev, struct buf *out);

#endif
