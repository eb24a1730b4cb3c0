#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct file_id id_of(const struct stat *st)
{
    return (struct file_id){st->st_dev, st->st_ino, st->st_size, st->st_mtim};
}

struct file_id file_identify(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? id_of(&st) : (struct file_id){0};
}

bool file_same(const struct file_id *a, const struct file_id *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

static bool read_all(int fd, char *buf, size_t max, size_t *n)
{
    *n = 0;
    while (*n < max) {
        ssize_t got = read(fd, buf + *n, max - *n);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return false;
        *n += got > 0 ? (size_t)got : 0;
    }
    return true;
}

char *file_read(const char *path, size_t *n, struct file_id *id, char *error, size_t error_size)
{
    struct stat st;
    char *buf = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        snprintf(error, error_size, "%s: not a regular file", path);
    } else if (st.st_size > FILE_BYTES_MAX) {
        snprintf(error, error_size, "%s: larger than %d bytes", path, FILE_BYTES_MAX);
    } else if (!(buf = malloc(FILE_BYTES_MAX + 1)) || !read_all(fd, buf, FILE_BYTES_MAX, n)) {
        snprintf(error, error_size, "%s: can't be read", path);
        free(buf);
        buf = NULL;
    } else {
        buf[*n] = 0;
        if (id)
            *id = id_of(&st);
    }
    if (fd >= 0)
        close(fd);
    return buf;
}
