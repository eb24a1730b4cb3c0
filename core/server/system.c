#include "server/system.h"

#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FILES_BESIDES = 100 }; /* the loops', the modules', the log's */

void system_raise_files(const struct config *config)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)config->limits.connections + FILES_BESIDES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < wanted)
        log_write(LOG_WARN, "files", "limits.connections is %lld, but only %llu files may be open: "
            "raise the limit (ulimit -n, LimitNOFILE=) to %llu",
            (long long)config->limits.connections, (unsigned long long)limit.rlim_cur,
            (unsigned long long)wanted);
}

void system_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    char text[128];
    if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof to.sun_path)
        return;
    strcpy(to.sun_path, path);
    if (*path == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    int n = snprintf(text, sizeof text, "%s\nMONOTONIC_USEC=%llu\n", state,
        (unsigned long long)clock_mono_us());
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    (void)!sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&to, size);
    close(fd);
}

void system_alive(void)
{
    if (getenv("WATCHDOG_USEC"))
        system_notify("WATCHDOG=1");
}

static sigset_t handled(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

void system_block_signals(void)
{
    sigset_t set = handled();
    signal(SIGPIPE, SIG_IGN); /* h2o writes with writev */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int system_signals(void)
{
    sigset_t set = handled();
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int system_read_signal(int fd)
{
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}
