/*
 * Alerts: the rules of the configuration and the built-in ones, looked at once a second on the
 * control thread. What changes is logged and told to whom the configuration names.
 */
#ifndef ADMIN_ALERTS_H
#define ADMIN_ALERTS_H

#include "admin/rule.h"
#include "out/shard.h"

/* A configuration is in force: begin, or go on with what its rules share with the former ones. */
void alerts_use(struct shard *control, const struct config *config);
void alerts_finish(void);

/* How many are in that state. */
size_t alerts_count(enum rule_state state);
/* The alerts that are pending or firing, as a JSON array. */
void alerts_json(struct buf *out);

/* alerts_text.c. One alert in Prometheus' shape, and in Alertmanager's (API v2). */
void alerts_text_state(struct buf *out, const struct rule *r, const char *node);
void alerts_text_manager(struct buf *out, const struct rule *r, const struct config *config, int64_t now_ms);
/* The text with {{value}} replaced. */
void alerts_text_fill(struct buf *out, hb_str text, double value);

/* alerts_default.c. The built-in rules as a configuration, in the file's own words; the caller owns
 * it. `of` says what they depend on. */
struct config *alerts_default(const struct config *of);

#endif
