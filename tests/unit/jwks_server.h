/* A small HTTP server on loopback that serves one JWK Set, and misbehaves on demand. Any thread. */
#ifndef TESTS_JWKS_SERVER_H
#define TESTS_JWKS_SERVER_H

#include <stdbool.h>

void jwks_server_start(void);
void jwks_server_stop(void);
const char *jwks_server_url(void);                     /* after the start; static */
void jwks_server_answer(int status, const char *body); /* copied; from the next request on */
void jwks_server_hold(bool held);                      /* requests wait until released */
int jwks_server_hits(void);
bool jwks_server_wait_hits(int n); /* false: not within 10 s */

#endif
