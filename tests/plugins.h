/* The host with the built plugins, for tests that call a plugin through its table of functions. */
#ifndef TESTS_PLUGINS_H
#define TESTS_PLUGINS_H

#include "core/host/compute.h"
#include "core/host/host.h"
#include "core/registry/registry.h"
#include "tests/support.h"

enum { MOST_BACKENDS = 32 };

typedef struct opened_backend {
    const hl_plugin *plugin;
    char options[64]; /* "{kernel: avx2, precision: f32}"; "{}": the defaults */
    hl_compute compute;
} opened_backend;

extern host *the_host;
extern registry *plugins;
extern opened_backend backends[MOST_BACKENDS];
extern size_t backend_count;

/* Finds the built plugins, and those in `more`, a folder or NULL. */
void open_plugins(unsigned threads, const char *more);
/* Opens every compute plugin that was found and runs here, with `reference` for what it lacks; one that has
 * the options `kernel` and `precision` with each pair of them that runs here and whose results count as f32.
 */
void open_backends(void);
/* The other pairs too. */
void open_narrow_backends(void);
/* One more, on another host. */
hl_status open_compute(const hl_host *on, const hl_plugin *plugin, const char *options, hl_compute *out,
                       hl_error *error);
/* All that was opened. */
void close_plugins(void);

#endif
