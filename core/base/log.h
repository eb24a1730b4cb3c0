/*
 * The log: one line an event, text or JSON, to standard error. Any thread. Lines of one `cause` are
 * limited to LOG_BURST a second; what was held back is counted and told in the next line of that
 * cause ("suppressed": n). Values are escaped, so that no peer can forge a line; secrets never
 * reach this file: whoever logs a URL redacts it first with log_redact_query.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum { LOG_BURST = 20 };

void log_configure(enum log_level level, bool json);  /* any time; takes effect at the next line */
enum log_level log_current_level(void);
/* log_write(LOG_INFO, "listening", "address=%s port=%u", …): `cause` is a fixed short word of the
 * code, the rest is a sentence made by printf (at most 1,000 bytes; longer is cut with "…"). In text:
 *   2026-11-23T17:54:32.123Z info listening address=0.0.0.0 port=3000
 * in JSON: {"ts":"…","level":"info","event":"listening","message":"address=0.0.0.0 port=3000"} */
void log_write(enum log_level level, const char *cause, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Append a value that a peer chose, to stand behind "key=": as it is, or as a JSON string where it is empty or
 * holds spaces, quotes, "=" or control characters and so could look like more fields. Absent: nothing. */
void log_value(struct buf *out, hb_str value);
/* Tests and the watchdog may take the lines instead of standard error: fn(line, n, arg), line with
 * its newline; NULL restores. fn is called under the log's lock: it must not log. */
void log_capture(void (*fn)(const char *line, size_t n, void *arg), void *arg);
/* Append a request target with the values of access_token, ticket, token, sid and cursor replaced
 * by "…", control bytes escaped. */
void log_redact_query(hb_str target, struct buf *out);

#endif
