#include "plugin/places.h"
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    bool known, in_build_tree;
    char transports[PATH_MAX + 16], plugins[PATH_MAX + 16];
} found;

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void find(void)
{
    char exe[PATH_MAX] = "";
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    char *slash = n > 0 ? strrchr(exe, '/') : NULL;
    found.known = true;
    if (!slash)
        return;
    *slash = '\0';
    snprintf(found.transports, sizeof found.transports, "%s/transports", exe);
    snprintf(found.plugins, sizeof found.plugins, "%s/plugins", exe);
    found.in_build_tree = is_directory(found.transports) && is_directory(found.plugins);
}

static const char *choose(const char *in_build_tree, const char *installed)
{
    if (!found.known)
        find();
    return found.in_build_tree ? in_build_tree : installed;
}

const char *places_transports(void)
{
    return choose(found.transports, HB_TRANSPORTS_DIR);
}

const char *places_plugins(void)
{
    return choose(found.plugins, HB_PLUGINS_DIR);
}

const char *places_config(void)
{
    return choose(HB_SOURCE_CONFIG, HB_INSTALLED_CONFIG);
}
