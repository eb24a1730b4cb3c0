/* What a reload changes, by the names of the keys; never their values, which may be secrets. */
#ifndef CONF_CHANGES_H
#define CONF_CHANGES_H

#include "base/buf.h"
#include "conf/config.h"

/* Append the keys whose values differ, dotted ("limits.message_size", three levels at most; a list
 * counts as one), with ", " between. Keys of maps in another order are no difference. */
void config_changes(const struct config *before, const struct config *after, struct buf *out);

#endif
