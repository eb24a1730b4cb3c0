/* The scripts that run in Redis: each is one atomic step. */
#ifndef REDIS_SCRIPT_H
#define REDIS_SCRIPT_H

enum script { SCRIPT_PUBLISH, SCRIPT_READ, SCRIPT_BREAK, SCRIPT_PRESENT, SCRIPT_ABSENT, SCRIPT_WHO,
    SCRIPT_TICK, SCRIPT_KEEP, SCRIPT_KEPT, SCRIPT_COUNT };

enum { SCRIPT_SHA = 41 };

/* script_presence.c, kept.c */
extern const char script_present[], script_absent[], script_who[], script_tick[], script_keep[], script_kept[];

const char *script_text(enum script which);
/* 40 hexadecimal digits, NUL-terminated; made at the first call (script_init). */
const char *script_sha(enum script which);
void script_init(void); /* before any thread asks */

#endif
