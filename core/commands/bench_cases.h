/* Every compute plugin, with every combination of the words that its options let one choose from, but for
 * `auto`. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include "core/commands/bench_tower.h"

/* Of one plugin; `only` names the option of which every word is taken while others stay as they are, NULL: of
 * all. Once as the plugin comes where it has no such option. */
hl_status bench_cases_of(const hl_plugin *plugin, const char *only,
                         hl_status (*run)(void *, const bench_case *, hl_error *), void *user,
                         hl_error *error);

/* Calls `run` for each in turn, until one fails. */
hl_status bench_cases_each(hl_library *library, hl_status (*run)(void *, const bench_case *, hl_error *),
                           void *user, hl_error *error);

#endif
