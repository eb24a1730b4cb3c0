/* Patterns of rooms and events: `*` matches any run of characters, the rest itself. Pure. */
#ifndef PLUGINS_PATTERN_H
#define PLUGINS_PATTERN_H

#include <hubbub/types.h>

/* At most |pattern| × |text| steps. */
bool pattern_matches(const char *pattern, hb_str text);

#endif
