/* What the user sees on stderr while something runs. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "headlight/host.h"

/* Without a terminal, or when `quiet`, there is no progress and there are no lines but warnings. */
void terminal_open(bool quiet);

/* Callbacks of hl_library_settings. [any thread] */
void terminal_log(void *user, hl_log_level level, const char *line);
void terminal_progress(void *user, const char *what, const char *unit, size_t done, size_t total);

/* Removes the progress line, so that something else can be written. [any thread] */
void terminal_clear(void);

#endif
