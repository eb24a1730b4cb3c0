#include "base/log.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/utf8.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_MAX = 1000, CAUSE_MAX = 32, CAUSES = 128, WINDOW_MS = 1000 };

/* What one cause has written in its present second. */
struct cause {
    char name[CAUSE_MAX];
    uint64_t window_start_ms;
    unsigned written;
    uint64_t suppressed;
};

static const char *const LEVELS[] = {"debug", "info", "warn", "error"};
static const char ELLIPSIS[] = "\xe2\x80\xa6";

static _Atomic enum log_level threshold = LOG_INFO;
static _Atomic bool as_json;

/* The rest is guarded by the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cause causes[CAUSES];
static struct buf line = BUF_INIT; /* kept: no allocation per line */
static void (*capture)(const char *line, size_t n, void *arg);
static void *capture_arg;

void log_configure(enum log_level level, bool json)
{
    atomic_store(&threshold, level);
    atomic_store(&as_json, json);
}

enum log_level log_current_level(void)
{
    return atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_capture(void (*fn)(const char *, size_t, void *), void *arg)
{
    pthread_mutex_lock(&lock);
    capture = fn;
    capture_arg = arg;
    pthread_mutex_unlock(&lock);
}

/* The record of a cause. Causes are words of the code, so that the table never fills; if it did,
 * the last record is shared. */
static struct cause *cause_of(const char *name)
{
    size_t i = 0;
    while (i < CAUSES - 1 && causes[i].name[0] && strncmp(causes[i].name, name, CAUSE_MAX - 1) != 0)
        i++;
    if (!causes[i].name[0])
        snprintf(causes[i].name, CAUSE_MAX, "%s", name);
    return &causes[i];
}

/* May this cause write a line now? */
static bool admit(struct cause *c, uint64_t now_ms)
{
    if (now_ms - c->window_start_ms >= WINDOW_MS) {
        c->window_start_ms = now_ms;
        c->written = 0;
    }
    if (c->written >= LOG_BURST) {
        c->suppressed++;
        return false;
    }
    c->written++;
    return true;
}

static void put_time(struct buf *b)
{
    int64_t ms = clock_wall_ms();
    time_t seconds = (time_t)(ms / 1000);
    struct tm t;
    gmtime_r(&seconds, &t);
    buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
        t.tm_hour, t.tm_min, t.tm_sec, (int)(ms % 1000));
}

/* C0, DEL, and the C1 controls that some terminals obey. */
static bool is_control(const char *p, int n)
{
    unsigned char c = (unsigned char)p[0];
    return c < 0x20 || c == 0x7f || (n == 2 && c == 0xc2 && (unsigned char)p[1] < 0xa0);
}

/* Text with control characters and bytes that are no UTF-8 as \n, \r, \t or \xNN. */
static void put_escaped(struct buf *b, hb_str s)
{
    for (size_t i = 0; i < s.n;) {
        int n = utf8_next((hb_str){s.p + i, s.n - i});
        size_t width = (size_t)(n < 0 ? -n : n);
        if (n > 0 && !is_control(s.p + i, n)) {
            buf_append(b, s.p + i, width);
        } else if (s.p[i] == '\n' || s.p[i] == '\r' || s.p[i] == '\t') {
            buf_lit(b, s.p[i] == '\n' ? "\\n" : s.p[i] == '\r' ? "\\r" : "\\t");
        } else {
            for (size_t k = 0; k < width; k++)
                buf_printf(b, "\\x%02x", (unsigned char)s.p[i + k]);
        }
        i += width;
    }
}

static void put_text(struct buf *b, enum log_level level, hb_str cause, hb_str message,
    uint64_t suppressed)
{
    put_time(b);
    buf_printf(b, " %s ", LEVELS[level]);
    put_escaped(b, cause);
    if (message.n > 0)
        buf_char(b, ' ');
    put_escaped(b, message);
    if (suppressed > 0)
        buf_printf(b, " suppressed=%llu", (unsigned long long)suppressed);
}

static void put_json(struct buf *b, enum log_level level, hb_str cause, hb_str message,
    uint64_t suppressed)
{
    buf_lit(b, "{\"ts\":\"");
    put_time(b);
    buf_printf(b, "\",\"level\":\"%s\",\"event\":", LEVELS[level]);
    buf_json_str(b, cause);
    buf_lit(b, ",\"message\":");
    buf_json_str(b, message);
    if (suppressed > 0)
        buf_printf(b, ",\"suppressed\":%llu", (unsigned long long)suppressed);
    buf_char(b, '}');
}

/* Under the lock. A line that cannot be written is lost: there is nobody to tell. */
static void emit(void)
{
    if (line.failed)
        return;
    if (capture)
        capture(line.p, line.n, capture_arg);
    else if (write(STDERR_FILENO, line.p, line.n) < 0)
        return;
}

/* Format into `out` (MESSAGE_MAX bytes); what is longer ends in "…", between two characters. */
__attribute__((format(printf, 2, 0)))
static size_t format(char *out, const char *fmt, va_list ap)
{
    char text[MESSAGE_MAX + 1];
    int n = vsnprintf(text, sizeof text, fmt, ap);
    if (n < 0)
        return 0;
    if (n <= MESSAGE_MAX) {
        memcpy(out, text, (size_t)n);
        return (size_t)n;
    }
    size_t keep = MESSAGE_MAX - (sizeof ELLIPSIS - 1);
    for (int i = 0; i < 3 && (text[keep] & 0xc0) == 0x80; i++)
        keep--;
    memcpy(out, text, keep);
    memcpy(out + keep, ELLIPSIS, sizeof ELLIPSIS - 1);
    return keep + sizeof ELLIPSIS - 1;
}

void log_write(enum log_level level, const char *cause, const char *fmt, ...)
{
    if (level < log_current_level())
        return;
    char message[MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    size_t n = format(message, fmt, ap);
    va_end(ap);

    pthread_mutex_lock(&lock);
    struct cause *c = cause_of(cause);
    if (admit(c, clock_mono_ms())) {
        void (*put)(struct buf *, enum log_level, hb_str, hb_str, uint64_t) =
            atomic_load(&as_json) ? put_json : put_text;
        buf_clear(&line);
        put(&line, level, str_of(cause), (hb_str){message, n}, c->suppressed);
        buf_char(&line, '\n');
        c->suppressed = 0;
        emit();
    }
    pthread_mutex_unlock(&lock);
}

void log_value(struct buf *out, hb_str value)
{
    bool plain = value.n > 0 || !value.p;
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        plain &= c > ' ' && c != 0x7f && c != '"' && c != '=' && c != '\\';
    }
    if (plain)
        buf_str(out, value);
    else
        buf_json_str(out, value);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether a parameter's name, percent-decoded, is one whose value is secret. */
static bool is_secret(hb_str raw_name)
{
    static const char *const SECRETS[] = {"access_token", "ticket", "token", "sid", "cursor"};
    char name[16];
    size_t n = 0;
    for (size_t i = 0; i < raw_name.n; i++) {
        char c = raw_name.p[i];
        if (c == '%' && i + 2 < raw_name.n && hex_value(raw_name.p[i + 1]) >= 0 &&
            hex_value(raw_name.p[i + 2]) >= 0) {
            c = (char)(hex_value(raw_name.p[i + 1]) << 4 | hex_value(raw_name.p[i + 2]));
            i += 2;
        }
        if (n == sizeof name)
            return false;
        name[n++] = c;
    }
    for (size_t i = 0; i < sizeof SECRETS / sizeof *SECRETS; i++)
        if (str_eq_nocase((hb_str){name, n}, str_of(SECRETS[i])))
            return true;
    return false;
}

void log_redact_query(hb_str target, struct buf *out)
{
    hb_str path, rest = target, parameter;
    if (!str_split(&rest, '?', &path))
        return;
    put_escaped(out, path);
    char before = '?';
    while (str_split(&rest, '&', &parameter)) {
        hb_str value = parameter, name;
        str_split(&value, '=', &name);
        buf_char(out, before);
        before = '&';
        if (value.p && is_secret(name)) {
            put_escaped(out, name);
            buf_char(out, '=');
            buf_lit(out, ELLIPSIS);
        } else {
            put_escaped(out, parameter);
        }
    }
}
