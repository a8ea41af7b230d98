/* See backend_choice.h. */
#include "core/engine/backend_choice.h"
#include "core/host/host.h"

#include "core/registry/guard.h"
#include "core/registry/options.h"
#include "headlight/compute.h"
#include <limits.h>
#include <stdatomic.h>
#include <string.h>

enum { SCORE_OF_REFERENCE = 1 };

typedef struct candidate {
    const hl_host *interface;
    const hl_plugin *plugin;
    hl_compute_api api;
} candidate;

static int score_of(const candidate *of) {
    int score = 0;
    GUARD_VOID(of->plugin, score = of->api.score(of->interface));
    return score;
}

/* Whether its score may be higher than this. */
static bool may_exceed(const candidate *of, int score) {
    int most = INT_MAX;
    if (of->api.score_at_most) GUARD_VOID(of->plugin, most = of->api.score_at_most(of->interface));
    return most > score;
}

/* Why a plugin has no score: it is opened, which should fail. */
static void ask_why(const hl_host *interface, const hl_plugin *plugin, hl_error *why) {
    hl_compute_api api;
    registry_table(plugin, &api, sizeof api);
    option_values *defaults = NULL;
    hl_backend *opened = NULL;
    if (options_read(plugin, NULL, NULL, &defaults, why) != HL_OK) return;
    if (GUARD(plugin, why, api.open(interface, options_values(defaults), &opened, why)) == HL_OK) {
        GUARD_VOID(plugin, api.close(opened));
        hl_fail(why, HL_FAILED, "it said so once and would now: try again");
    }
    options_free(defaults);
}

__attribute__((format(printf, 2, 3))) static void add_reason(hl_error *reasons, const char *format, ...) {
    size_t used = strlen(reasons->message), room = sizeof reasons->message - used;
    char *at = reasons->message + used;
    int between = used ? snprintf(at, room, "; ") : 0;
    va_list arguments;
    va_start(arguments, format);
    if ((size_t)between < room) vsnprintf(at + between, room - (size_t)between, format, arguments);
    va_end(arguments);
}

static void add_refusal(const hl_host *interface, const hl_plugin *plugin, hl_error *reasons) {
    hl_error why;
    ask_why(interface, plugin, &why);
    add_reason(reasons, "compute/%s cannot run here: %s", plugin->name, why.message);
}

/* Any of these files could have been a faster one. */
static void add_broken(const registry *plugins, hl_error *reasons) {
    const char *broken;
    for (size_t i = 0; (broken = registry_broken(plugins, i)); ++i) {
        add_reason(reasons, "a plugin is broken: %s", broken);
    }
}

static void warn_once(const hl_host *interface, const char *chosen, const char *reasons) {
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&warned)) return;
    host_log(interface, HL_LOG_WARNING, "compute/%s is used, which is many times slower than others; %s",
             chosen, reasons);
}

/* The best of those that say at most what their score is, or of the others; *best and *out so far. */
static void choose(const hl_host *interface, const registry *plugins, bool bounded, int *best,
                   const hl_plugin **out, hl_error *refusals) {
    const hl_plugin *plugin;
    for (size_t i = 0; (plugin = registry_at(plugins, i)); ++i) {
        candidate of = {.interface = interface, .plugin = plugin};
        if (plugin->kind != HL_COMPUTE) continue;
        registry_table(plugin, &of.api, sizeof of.api);
        if ((of.api.score_at_most != NULL) != bounded || !may_exceed(&of, *best)) continue;
        int score = score_of(&of);
        if (score == 0) add_refusal(interface, plugin, refusals);
        if (score <= *best) continue;
        *best = score;
        *out = plugin;
    }
}

/* Those that need not be asked come last. */
hl_status backend_choice(const hl_host *interface, const registry *plugins, const hl_plugin **out,
                         hl_error *fallback, hl_error *error) {
    int best = 0;
    *out = NULL;
    fallback->message[0] = '\0';
    choose(interface, plugins, false, &best, out, fallback);
    choose(interface, plugins, true, &best, out, fallback);
    if (best == 0) {
        return hl_fail(error, HL_USAGE, "no compute backend runs on this machine; see `headlight plugins`");
    }
    if (best > SCORE_OF_REFERENCE) {
        fallback->message[0] = '\0';
        return HL_OK;
    }
    add_broken(plugins, fallback);
    if (fallback->message[0]) warn_once(interface, (*out)->name, fallback->message);
    return HL_OK;
}
