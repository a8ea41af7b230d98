/* Counts calls of one kind and says whose turn it is to fail. For preload libraries, from two environment
 * variables each:
 *
 *   FAIL_KIND=N        call number N (from 1) of the process fails; "N+": and every one after it
 *   FAIL_KIND_COUNT=F  at the end the number of calls is written to file F
 */
#ifndef TURN_H
#define TURN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct turn {
    atomic_long calls;
    long failing; /* 0: none */
    bool onwards;
    const char *count_file;
} turn;

static inline void turn_read(turn *self, const char *number, const char *count_file) {
    char *end = NULL;
    const char *text = getenv(number);
    self->failing = text ? strtol(text, &end, 10) : 0;
    self->onwards = end && *end == '+';
    self->count_file = getenv(count_file);
    atomic_store(&self->calls, 0);
}

static inline bool turn_fails(turn *self) {
    long number = atomic_fetch_add(&self->calls, 1) + 1;
    return self->failing > 0 && (number == self->failing || (self->onwards && number > self->failing));
}

static inline void turn_write(const turn *self) {
    long calls = atomic_load(&self->calls); /* before those of writing it */
    FILE *file = self->count_file ? fopen(self->count_file, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", calls);
    fclose(file);
}

#endif
