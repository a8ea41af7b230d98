/* What the user sees: single lines, whatever names are in them, and on stderr what is said while something
 * runs. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "headlight/host.h"

#include <stdio.h>

/* One line in printf's format, to which a newline is added. Names in it come from outside: control characters
 * (line ends among them) show as U+FFFD, bytes that are no UTF-8 as \xHH, and a line that is too long ends in
 * "...". */
__attribute__((format(printf, 2, 3))) void terminal_line(FILE *to, const char *format, ...);

/* Without a terminal, or when `quiet`, there is no progress and there are no lines but warnings. */
void terminal_open(bool quiet);

/* Callbacks of hl_library_settings and hl_call. [any thread] */
void terminal_log(void *user, hl_log_level level, const char *line);
void terminal_progress(void *user, const char *what, const char *unit, size_t done, size_t total);

/* Removes the progress line, so that something else can be written. [any thread] */
void terminal_clear(void);

#endif
