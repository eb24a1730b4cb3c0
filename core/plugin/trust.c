#include "plugin/trust.h"
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECORD_BYTES = 16 * 1024 }; /* of the user and group databases */

/* The user's primary group, named like the user, and nobody else is in it. */
static bool is_private_group(gid_t gid)
{
    char user_text[RECORD_BYTES], group_text[RECORD_BYTES];
    struct passwd user, *u = NULL;
    struct group group, *g = NULL;
    uid_t uid = geteuid();
    if (uid == 0 || getpwuid_r(uid, &user, user_text, sizeof user_text, &u) != 0 || !u ||
        getgrgid_r(gid, &group, group_text, sizeof group_text, &g) != 0 || !g)
        return false;
    if (u->pw_gid != gid || strcmp(u->pw_name, g->gr_name) != 0)
        return false;
    for (char **member = g->gr_mem; *member; member++)
        if (strcmp(*member, u->pw_name) != 0)
            return false;
    return true;
}

static bool check_entry(const char *path, const struct stat *st, char *why, size_t why_size)
{
    bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX);
    if (st->st_uid != 0 && st->st_uid != geteuid())
        snprintf(why, why_size, "'%s' belongs to user %u, neither to root nor to the user that "
            "runs this", path, (unsigned)st->st_uid);
    else if ((st->st_mode & S_IWOTH) && !sticky)
        snprintf(why, why_size, "'%s' may be written to by anybody (mode %04o)", path,
            st->st_mode & 07777u);
    else if ((st->st_mode & S_IWGRP) && !sticky && !is_private_group(st->st_gid))
        snprintf(why, why_size, "'%s' may be written to by group %u (mode %04o)", path,
            (unsigned)st->st_gid, st->st_mode & 07777u);
    else
        return true;
    return false;
}

static bool check_path(const char *path, bool last, char *why, size_t why_size)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        snprintf(why, why_size, "'%s': %s", path, strerror(errno));
        return false;
    }
    if (last ? !S_ISREG(st.st_mode) : !S_ISDIR(st.st_mode)) {
        snprintf(why, why_size, "'%s' is no %s", path, last ? "regular file" : "directory");
        return false;
    }
    return check_entry(path, &st, why, why_size);
}

bool trust_file(const char *path, char *why, size_t why_size)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (path[0] != '/' || n >= sizeof part) {
        snprintf(why, why_size, "'%s' is no absolute path", path);
        return false;
    }
    if (!check_path("/", false, why, why_size))
        return false;
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        memcpy(part, path, (size_t)(slash - path));
        part[slash - path] = '\0';
        if (!check_path(part, false, why, why_size))
            return false;
    }
    return check_path(path, true, why, why_size);
}
