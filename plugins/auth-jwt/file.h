/* Small files, read whole. May block: not on a worker. */
#ifndef AUTH_JWT_FILE_H
#define AUTH_JWT_FILE_H

#include <hubbub/types.h>
#include <sys/types.h>
#include <time.h>

enum { FILE_BYTES_MAX = 256 * 1024 };

/* Which file it is, in which state: another one in its place, or other contents, differ. */
struct file_id {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
};

/* Its bytes with a NUL behind them, for free(); NULL with a sentence when there is no such regular
 * file, it can't be read or is over FILE_BYTES_MAX. *id (may be NULL) is what was read. */
char *file_read(const char *path, size_t *n, struct file_id *id, char *error, size_t error_size);
/* All zero when there is none. */
struct file_id file_identify(const char *path);
bool file_same(const struct file_id *a, const struct file_id *b);

#endif
