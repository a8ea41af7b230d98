/* A check of a plugin in a process of its own: whatever the plugin does, the check ends, with a verdict. */
#ifndef CHILD_H
#define CHILD_H

#include "headlight/error.h"
#include <stdbool.h>

/* Passed, failed with a sentence, or not made (HL_UNAVAILABLE) with the reason. */
typedef hl_status child_check(const void *subject, hl_error *error);

typedef struct child_limits {
    unsigned seconds;
    bool (*cancelled)(void *user); /* may be NULL */
    void *user;
} child_limits;

/* Runs it in a child that is ended, with all that it started, once its time is over. HL_FAILED also where it
 * crashed, hung, or ended the process. What the child writes to stdout and stderr goes nowhere; a check that
 * passes and wrote something has failed, for plugins are silent. */
hl_status child_run(child_check *check, const void *subject, const child_limits *limits, hl_error *error);

/* In the child: what it is at, for the sentence about a crash ("with allocation 17 failing"). "" for nothing.
 */
__attribute__((format(printf, 1, 2))) void child_note(const char *format, ...);

#endif
