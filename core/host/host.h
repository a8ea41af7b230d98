/* The hl_host that plugins are handed, and what is behind it. */
#ifndef HOST_H
#define HOST_H

#include "core/host/thread_pool.h"
#include "headlight/host.h"
#include "headlight/library.h"

/* `interface` comes first, so that the one can be cast to the other. */
typedef struct host {
    hl_host interface;
    thread_pool *pool;
    hl_library_settings settings;
} host;

hl_status host_open(const hl_library_settings *settings, unsigned threads, host **out, hl_error *error);
void host_close(host *made); /* accepts NULL */

/* A line of the core's own, which is no plugin's, whoever asked. */
__attribute__((format(printf, 3, 4))) void host_log(const hl_host *interface, hl_log_level level,
                                                    const char *format, ...);

#endif
