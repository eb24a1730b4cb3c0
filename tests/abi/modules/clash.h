#ifndef ABI_CLASH_H
#define ABI_CLASH_H

__attribute__((visibility("default"))) const char *buf_append(void);

#endif
