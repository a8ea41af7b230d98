/* See bench_cases.h. */
#include "core/commands/bench_cases.h"

#include "core/host/library.h"
#include <stdlib.h>
#include <string.h>

enum { CHOICES = 4 }; /* options with choices that a backend may have; others stay as they are */

typedef struct combination {
    const hl_option *options[CHOICES];
    size_t chosen[CHOICES], count;
} combination;

/* From this choice on, the next that is not `auto`; false: none is left. */
static bool settle(combination *self, size_t option) {
    const char *const *choices = self->options[option]->choices;
    while (choices[self->chosen[option]] && strcmp(choices[self->chosen[option]], "auto") == 0) {
        ++self->chosen[option];
    }
    return choices[self->chosen[option]] != NULL;
}

/* `only`: the option that is not left as it is; NULL: all. */
static void begin(combination *self, const hl_plugin *plugin, const char *only) {
    *self = (combination){.count = 0};
    for (uint32_t i = 0; i < plugin->option_count && self->count < CHOICES; ++i) {
        const char *rows = (const char *)plugin->options;
        const hl_option *option = (const hl_option *)(const void *)(rows + (size_t)i * plugin->option_size);
        if (option->type != HL_CHOICE || (only && strcmp(option->name, only) != 0)) continue;
        self->options[self->count] = option;
        self->count += settle(self, self->count);
    }
}

/* Like the digits of a number. */
static bool advance(combination *self) {
    for (size_t option = self->count; option-- > 0;) {
        ++self->chosen[option];
        if (settle(self, option)) return true;
        self->chosen[option] = 0;
        settle(self, option);
    }
    return false;
}

static hl_status run_combination(const combination *self, const hl_plugin *plugin,
                                 hl_status (*run)(void *, const bench_case *, hl_error *), void *user,
                                 hl_error *error) {
    char words[CHOICES][128];
    const char *compute[CHOICES];
    for (size_t i = 0; i < self->count; ++i) {
        snprintf(words[i], sizeof words[i], "%.60s=%.60s", self->options[i]->name,
                 self->options[i]->choices[self->chosen[i]]);
        compute[i] = words[i];
    }
    const bench_case one = {plugin->name, compute, self->count};
    return run(user, &one, error);
}

hl_status bench_cases_of(const hl_plugin *plugin, const char *only,
                         hl_status (*run)(void *, const bench_case *, hl_error *), void *user,
                         hl_error *error) {
    combination options;
    begin(&options, plugin, only);
    hl_status status;
    do {
        status = run_combination(&options, plugin, run, user, error);
    } while (status == HL_OK && advance(&options));
    return status;
}

hl_status bench_cases_each(hl_library *library, hl_status (*run)(void *, const bench_case *, hl_error *),
                           void *user, hl_error *error) {
    const hl_plugin *plugin;
    hl_status status = HL_OK;
    for (size_t i = 0; (plugin = hl_plugin_at(library, i)) && status == HL_OK; ++i) {
        if (plugin->kind == HL_COMPUTE) status = bench_cases_of(plugin, NULL, run, user, error);
    }
    return status;
}
