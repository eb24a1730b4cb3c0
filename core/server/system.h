/* What the server asks of the system around it. Control thread. */
#ifndef SERVER_SYSTEM_H
#define SERVER_SYSTEM_H

#include "conf/config.h"

/* Raise the limit of open files as far as we may, and warn when limits.connections needs more. */
void system_raise_files(const struct config *config);
/* Tell systemd (sd_notify(3)): "READY=1", "RELOADING=1", "STOPPING=1". Without NOTIFY_SOCKET nobody
 * is told. */
void system_notify(const char *state);
/* Tell its watchdog, if there is one, that all is well. */
void system_alive(void);
/* Block the signals that system_signals reads; before any thread starts. */
void system_block_signals(void);
/* A descriptor from which system_read_signal reads them, or -1. */
int system_signals(void);
int system_read_signal(int fd); /* 0: none waits */

#endif
