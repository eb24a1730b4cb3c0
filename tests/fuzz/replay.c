/*
 * The main program of a fuzz target built without libFuzzer: runs it over the files and folders
 * given (folders not descended), one TAP line each.
 */
#include "fuzz.h"
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int number;

/* The bytes of a file in memory of exactly their size, owned; NULL when it cannot be read. */
static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    struct stat st;
    if (!f)
        return NULL;
    if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode)) {
        *size = (size_t)st.st_size;
        data = malloc(*size ? *size : 1);
        if (data && fread(data, 1, *size, f) != *size) {
            free(data);
            data = NULL;
        }
    }
    fclose(f);
    return data;
}

/* A fault ends the process: the line printed before it names the input. */
static bool replay_file(const char *path)
{
    size_t size;
    uint8_t *data = read_file(path, &size);
    number++;
    if (!data) {
        printf("not ok %d - %s cannot be read\n", number, path);
        return false;
    }
    printf("# %s\n", path);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    printf("ok %d - %s\n", number, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    return true;
}

static bool replay(const char *path)
{
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    bool ok = true;
    if (n < 0)
        return replay_file(path);
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            ok &= replay_file(file);
        free(names[i]);
    }
    free(names);
    return ok;
}

int main(int argc, char **argv)
{
    bool ok = true;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++)
        ok &= replay(argv[i]);
    printf("1..%d\n", number);
    return ok && number > 0 ? 0 : 1;
}
