/* The border to plugins: who runs now, and what it says when it fails.
 *
 * A function of a plugin that answers with a status is called as
 *
 *     status = GUARD(plugin, error, api.run(ask, values, result, error));
 *
 * and one that answers with none as GUARD_VOID(plugin, api.close(model)). So an error names the plugin it
 * comes from, also where the plugin left the message empty, unterminated or untouched; a status that there is
 * none of is a failure; and whoever has to explain a sudden end (a crash, a call of exit) can say whose it
 * is. */
#ifndef GUARD_H
#define GUARD_H

#include "headlight/plugin.h"
#include <stdbool.h>

#define GUARD(PLUGIN, ERROR, CALL)                                                                           \
    (guard_enter(PLUGIN, ERROR), guard_leave((PLUGIN), (hl_status)(CALL), ERROR))
#define GUARD_VOID(PLUGIN, CALL) (guard_enter(PLUGIN, NULL), (CALL), guard_leave((PLUGIN), HL_OK, NULL))

/* `plugin` and `error` may be NULL. The descriptor outlives the call. */
void guard_enter(const hl_plugin *plugin, hl_error *error);
hl_status guard_leave(const hl_plugin *plugin, hl_status status, hl_error *error);

/* The same around loading and unloading a file, whose constructors and destructors are the plugin's code. */
void guard_enter_file(const char *file);
void guard_leave_file(void);

/* Whom the calling thread is in: a place of NULLs where it is in none. */
typedef struct guard_place {
    const hl_plugin *plugin;
    const char *file;
} guard_place;
guard_place guard_current(void); /* also from a signal handler */

/* For a thread that works for another one. Returns the place before, to be set again afterwards. */
guard_place guard_set(guard_place place);

/* What a thread does that is in the plugin which is watched. */
typedef enum guard_event {
    GUARD_OUTSIDE = 1, /* it has left it */
    GUARD_OWN,         /* it runs the plugin's code, or the host's on its behalf */
    GUARD_OTHER,       /* it runs another plugin's on its behalf */
    GUARD_ALLOCATES,   /* it asks the host for memory */
    GUARD_ALLOCATED
} guard_event;

/* Calls `hook` when that changes. NULL: no more. One plugin at a time, set while no other thread works. */
void guard_watch(const hl_plugin *plugin, void (*hook)(guard_event event));

/* Around memory that the host allocates for whoever asked. */
void guard_allocation(bool begins);

/* "analysis/head-norms", or the file; "" for none. Allocates nothing: for signal handlers, too. */
void guard_name(guard_place place, char *out, size_t size);

/* A text that a plugin handed over: never NULL. */
const char *guard_text(const char *text);

#endif
