/* Numbers with units, from and to text. Pure; any thread. */
#ifndef CONF_UNITS_H
#define CONF_UNITS_H

#include <hubbub/types.h>

/* All take the whole of `s` or nothing; no spaces; numbers past 2^53 are refused. */
bool units_int(hb_str s, int64_t *out);      /* "-12" */
bool units_number(hb_str s, double *out);    /* "0.25", "1e3" */
bool units_duration(hb_str s, int64_t *ms);  /* "1.5s", "5m", "0" */
bool units_size(hb_str s, int64_t *bytes);   /* "64KiB", "1.5MB", "100" */
bool units_rate(hb_str s, double *per_second); /* "50/s", "0" */
/* The shortest exact form: 60000 → "1m", 65536 → "64KiB". */
void units_show_duration(int64_t ms, char out[static 32]);
void units_show_size(int64_t bytes, char out[static 32]);

#endif
