/* Until server/ is there. */
#include <stdio.h>

int server_run(const char *config_path);

__attribute__((weak)) int server_run(const char *config_path)
{
    fprintf(stderr, "hubbub: there is no server in this build to run %s\n", config_path);
    return 1;
}
