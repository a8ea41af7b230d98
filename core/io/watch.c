/* See watch.h. */
#include "core/io/watch.h"

#include "headlight/error.h"
#include <stdlib.h>
#include <time.h>

static _Thread_local watch *current;

double watch_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void count_time(watch *self) {
    double now = watch_clock();
    if (self->count > 0) self->all[self->now].seconds += now - self->since;
    self->since = now;
}

static watch_phase *add_phase(watch *self, const char *name) {
    if (self->count == self->room) {
        size_t room = 2 * self->room + 16;
        watch_phase *grown = realloc(self->all, room * sizeof *grown);
        if (!grown) return NULL;
        self->all = grown;
        self->room = room;
    }
    watch_phase *made = &self->all[self->count++];
    *made = (watch_phase){.variant = self->variant};
    hl_format(made->name, sizeof made->name, "%s", name);
    return made;
}

/* NULL: no memory; the time then counts where it did. */
static watch_phase *find_phase(watch *self, const char *name) {
    for (size_t i = 0; i < self->count; ++i) {
        watch_phase *one = &self->all[i];
        if (one->variant == self->variant && strcmp(one->name, name) == 0) return one;
    }
    return add_phase(self, name);
}

void watch_start(watch *self) {
    *self = (watch){.before = current, .since = watch_clock()};
    find_phase(self, "other");
    current = self;
}

void watch_stop(watch *self) {
    count_time(self);
    current = self->before;
}

size_t watch_enter(const char *format, ...) {
    watch *self = current;
    if (!self) return 0;
    char name[sizeof self->all->name];
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(name, sizeof name, format, arguments);
    va_end(arguments);
    count_time(self);
    size_t before = self->now;
    const watch_phase *entered = find_phase(self, name);
    if (entered) self->now = (size_t)(entered - self->all);
    return before;
}

void watch_leave(size_t before) {
    if (!current) return;
    count_time(current);
    current->now = before;
}

void watch_set_variant(const char *name) {
    if (current) current->variant = name;
}

void watch_add(watch *self, const char *name, double seconds) {
    watch_phase *phase = find_phase(self, name);
    if (phase) phase->seconds += seconds;
}
