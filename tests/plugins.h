/* The host with the built plugins, for tests that call a plugin through its table of functions. */
#ifndef TESTS_PLUGINS_H
#define TESTS_PLUGINS_H

#include "core/host/compute.h"
#include "core/host/host.h"
#include "core/registry/registry.h"
#include "tests/support.h"

enum { MOST_BACKENDS = 16 };

typedef struct opened_backend {
    const hl_plugin *plugin;
    hl_compute compute;
} opened_backend;

extern host *the_host;
extern registry *plugins;
extern opened_backend backends[MOST_BACKENDS];
extern size_t backend_count;

/* Finds the built plugins, and those in `more`, a folder or NULL. */
void open_plugins(unsigned threads, const char *more);
/* Opens every compute plugin that was found and runs here, with `reference` for what it lacks. */
void open_backends(void);
/* All that was opened. */
void close_plugins(void);

#endif
