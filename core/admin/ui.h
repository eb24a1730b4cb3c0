/* The dashboard's files, made from ui/ when the server is built. */
#ifndef ADMIN_UI_H
#define ADMIN_UI_H

#include <stddef.h>

extern const struct ui_file {
    const char *name;
    const unsigned char *bytes;
    size_t n;
} ui_files[];
extern const size_t ui_files_n;

#endif
