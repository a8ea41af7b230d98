/* The call from outside that a thread works for: who may stop it, and who is told how far it has come. Set
 * when a program's question enters, handed on to the threads of the pool; whatever runs below asks here. */
#ifndef CALL_H
#define CALL_H

#include "core/io/locale.h"
#include "headlight/library.h"

/* What a program fills, which may be shorter or longer than the struct that is known here: what it lacks is
 * zero. `what` names the struct. HL_USAGE when its `size` was not set. */
hl_status call_take(void *out, size_t room, const void *given, const char *what, hl_error *error);

/* A call while it lasts: begun by every public function that takes one, ended by it on every path, also where
 * beginning it failed. `given` may be NULL. */
typedef struct call_scope {
    hl_call call;
    const hl_call *before;
    locale_t locale_before; /* of the thread, which has "C" meanwhile */
} call_scope;
hl_status call_begin(call_scope *scope, const hl_call *given, hl_error *error);
void call_end(const call_scope *scope);

/* Makes it the calling thread's, NULL: nobody's. Returns the one before, to be entered again afterwards. */
const hl_call *call_enter(const hl_call *call);
const hl_call *call_current(void);

bool call_cancelled(void);
/* HL_FAILED "cancelled". */
hl_status call_check(hl_error *error);

/* `done` of `total` (0: not known) of the work called `what`, in `unit`s. */
void call_progress(const char *what, const char *unit, size_t done, size_t total);

/* Whether the call takes lines of the log itself. */
bool call_log(hl_log_level level, const char *line);

#endif
