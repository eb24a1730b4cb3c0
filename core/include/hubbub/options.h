/*
 * Option tables: one table says each key, its type, default, bounds and meaning; the host reads the
 * YAML with it, so that a module parses nothing and every mistake is reported with file, line,
 * column and the nearest right key. The core's own configuration uses the same tables.
 */
#ifndef HUBBUB_OPTIONS_H
#define HUBBUB_OPTIONS_H

#include <hubbub/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A place in a configuration tree. Opaque; lives as long as the configuration it is part of. */
typedef struct hb_node hb_node;

typedef enum hb_option_type {
    HB_OPT_BOOL,     /* bool */
    HB_OPT_INT,      /* int64_t, min..max */
    HB_OPT_NUMBER,   /* double, min..max */
    HB_OPT_STRING,   /* const char *, NUL-terminated, never NULL ("" when def is NULL) */
    HB_OPT_PATH,     /* a STRING made absolute from the configuration file's folder; "" stays "" */
    HB_OPT_DURATION, /* int64_t milliseconds ("25s", "5m", "100ms", "1h", "2d"; 0 needs no unit) */
    HB_OPT_SIZE,     /* int64_t bytes ("64KiB", "1MB", plain number) */
    HB_OPT_RATE,     /* double per second ("50/s", "100/m", "1000/h"; 0 needs no unit) */
    HB_OPT_CHOICE,   /* int: index into `choices`, "text|json" */
    HB_OPT_STRINGS,  /* hb_strings: a list of strings; a lone string is a list of one */
    HB_OPT_PATHS,    /* hb_strings, each made absolute like a PATH */
    HB_OPT_LIST,     /* hb_list: a list of maps, each read by `sub`; a lone map is a list of one */
    HB_OPT_NODE      /* const hb_node *: whatever stands there, NULL when absent; walked by hand */
} hb_option_type;

typedef struct hb_strings {
    const hb_str *items; /* each NUL-terminated behind its bytes */
    size_t n;
} hb_strings;

typedef struct hb_list {
    const void *items; /* n structs of sub_size bytes */
    size_t n;
} hb_list;

/* One row. A table ends with a row whose key is NULL. */
typedef struct hb_option {
    const char *key;      /* "window"; "messages.rate" for a key inside a map; NODE only: "." for
                             the map itself, to tell the place of a mistake */
    hb_option_type type;
    size_t offset;        /* offsetof the field in the options struct */
    const char *def;      /* default, written as in YAML ("25s", "[a, b]"), not held against the
                             bounds; NULL: zero, "", empty or absent */
    double min, max;      /* bounds of INT, NUMBER, DURATION (ms), SIZE, RATE (per second);
                             both 0: >= 0 and no upper bound */
    const char *choices;  /* CHOICE: "text|json"; INT: a word that stands for 0 ("auto"), or NULL */
    const struct hb_option *sub; /* LIST only */
    size_t sub_size;
    const char *doc;      /* one line for people */
    bool required;        /* an error when absent */
} hb_option;

#ifdef __cplusplus
}
#endif
#endif
