/* Bodies of requests: one JSON object with the fields that a route knows, and no others. */
#ifndef ADMIN_BODY_H
#define ADMIN_BODY_H

#include "admin/admin.h"

enum body_type {
    BODY_NAME,   /* a string of 1 to `max` bytes without control characters, decoded */
    BODY_INT,
    BODY_JSON,   /* whatever it is, as text borrowed from the request */
};

struct body_field {
    const char *key;
    enum body_type type;
    size_t max;       /* NAME */
    bool given;
    struct buf name;  /* NAME; body_finish */
    int64_t number;   /* INT */
    hb_str json;      /* JSON */
};

/* Fill the fields in. False: it has been answered with 400. body_finish either way. */
bool body_read(struct admin_call *call, struct body_field *fields, size_t n);
void body_finish(struct body_field *fields, size_t n);

/* A name from the path: 1 to 128 bytes without control characters. False: answered with 400. */
bool body_path_name(struct admin_call *call, hb_str name, const char *what);

#endif
