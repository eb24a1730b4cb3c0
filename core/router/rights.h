/*
 * Rights: the claim `hubbub` compiled into a compact list of patterns, shared by all sessions that
 * bring the same claim. Worker's thread, counted without atomics.
 */
#ifndef ROUTER_RIGHTS_H
#define ROUTER_RIGHTS_H

#include "conf/config.h"

enum rights_kind { RIGHTS_JOIN = 'j', RIGHTS_PUBLISH = 'p' };

struct rights;

/* From JSON text {"join":[…],"publish":[…]}; NULL for an absent or empty claim, or one that is not
 * of that shape (which gives no rights). One reference. */
struct rights *rights_create(hb_str claim);
void rights_unref(struct rights *r); /* NULL is fine */
bool rights_allow(const struct rights *r, enum rights_kind kind, hb_str room);

/* May a session do this under the room's rule? `rule` NULL: nothing matches, no. */
bool rule_allows_join(const struct config_room *rule, bool has_user, const struct rights *r, hb_str room);
bool rule_allows_publish(const struct config_room *rule, bool has_user, bool member,
    const struct rights *r, hb_str room);

#endif
