/* `auto`: which compute plugin runs on this machine. Knows them by their scores alone. */
#ifndef BACKEND_CHOICE_H
#define BACKEND_CHOICE_H

#include "core/registry/registry.h"

/* The one with the best score. Where that is no better than `reference`, which is many times slower than any
 * other, `fallback` gets why the others cannot run, in their own words, and it is said as a warning, once in
 * a process; otherwise it becomes empty. */
hl_status backend_choice(const hl_host *host, const registry *plugins, const hl_plugin **out,
                         hl_error *fallback, hl_error *error);

#endif
