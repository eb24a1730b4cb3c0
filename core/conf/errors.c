#include "conf/errors.h"
#include "base/check.h"
#include "conf/parse.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_BYTES = 512 };

void errors_init(struct errors *e)
{
    memset(e, 0, sizeof(*e));
}

void errors_finish(struct errors *e)
{
    for (size_t i = 0; i < e->n; i++) {
        free(e->items[i].file);
        free(e->items[i].message);
    }
    errors_init(e);
}

/* Whatever the file holds, a message stays one line of printable bytes. */
static void clean(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

__attribute__((format(printf, 3, 0)))
static void add(struct errors *e, struct error at, const char *fmt, va_list ap)
{
    char text[MESSAGE_BYTES];
    e->fatal += !at.warning;
    if (e->n == ERRORS_MAX) {
        e->left_out++;
        return;
    }
    vsnprintf(text, sizeof(text), fmt, ap);
    clean(text);
    at.file = mem_strndup(at.file, strlen(at.file));
    at.message = mem_strndup(text, strlen(text));
    e->items[e->n++] = at;
}

static struct error place(const hb_node *where, bool warning)
{
    return (struct error){(char *)(uintptr_t)where->doc->file, where->line, where->column,
        warning, NULL};
}

void errors_at(struct errors *e, const hb_node *where, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(e, place(where, false), fmt, ap);
    va_end(ap);
}

void errors_warn(struct errors *e, const hb_node *where, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(e, place(where, true), fmt, ap);
    va_end(ap);
}

void errors_add(struct errors *e, const char *file, unsigned line, unsigned column,
    const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(e, (struct error){(char *)(uintptr_t)file, line, column, false, NULL}, fmt, ap);
    va_end(ap);
}

static int by_place(const void *a, const void *b)
{
    const struct error *x = a, *y = b;
    int files = strcmp(x->file, y->file);
    if (files)
        return files;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return strcmp(x->message, y->message);
}

void errors_print(struct errors *e, FILE *out)
{
    qsort(e->items, e->n, sizeof(e->items[0]), by_place);
    for (size_t i = 0; i < e->n; i++) {
        const struct error *it = &e->items[i];
        fputs(it->file, out);
        if (it->line)
            fprintf(out, ":%u:%u", it->line, it->column);
        fprintf(out, ": %s%s\n", it->warning ? "warning: " : "", it->message);
    }
    if (e->left_out)
        fprintf(out, "and %zu more\n", e->left_out);
}
