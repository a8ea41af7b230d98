/* How the command ends otherwise than by returning: signals, crashes, and plugins that call exit. */
#ifndef ENDING_H
#define ENDING_H

#include <stdbool.h>

/* A full disk, a file size limit and a reader that went away become errors to report; a file that shrinks
 * while it is mapped becomes an error of that file; a crash or a call of exit in a plugin names the plugin.
 * `command` is what messages name. Before any plugin is loaded. */
void ending_prepare(const char *command);

/* From here on a first signal asks whatever runs to stop, and a second one ends the program. */
void ending_heed_signals(void);

/* Whatever a plugin in this process does with signals. By a thread: not for a command that forks, whose
 * children could find a lock taken that nobody is left to open. */
void ending_guard_signals(void);

/* Whether the user has asked. As hl_call wants it. */
bool ending_is_asked(void *user);

/* main returns: what is called from here on is no plugin's exit. Returns `status`. */
int ending_return(int status);

#endif
