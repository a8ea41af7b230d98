/* Where the time of a long call goes. The thread that starts a watch is in one phase at any time: what enters
 * another has the time counted there until it leaves, and nowhere else. Without a watch, as in threads that
 * work for it, entering and leaving do nothing. */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <stddef.h>

typedef struct watch_phase {
    char name[96];
    const char *variant; /* of the run; NULL: of none */
    double seconds;
} watch_phase;

typedef struct watch watch;
struct watch {
    watch_phase *all; /* in the order in which they were entered first; free() them */
    size_t count, room, now;
    const char *variant;
    double since;  /* of the time that is not counted yet */
    watch *before; /* of the same thread */
};

/* Seconds of a clock that only ever goes forward. */
double watch_clock(void);

/* It is the calling thread's until it is stopped, and in no phase that has a name but "other". */
void watch_start(watch *self);
void watch_stop(watch *self);

/* Of the same name and variant there is one phase. Returns the phase before, to be left to afterwards. */
__attribute__((format(printf, 1, 2))) size_t watch_enter(const char *format, ...);
void watch_leave(size_t before);

/* What is entered from here on belongs to this variant; the text outlives the watch. NULL: to none. */
void watch_set_variant(const char *name);

/* Time that was spent before the watch was started. */
void watch_add(watch *self, const char *name, double seconds);

#endif
