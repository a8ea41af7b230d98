/* See guard.h. */
#include "core/registry/guard.h"

#include "core/registry/registry.h"
#include <string.h>

/* Plugins ask the host, which asks other plugins: analysis, model, compute, and again. Deeper than this only
 * the number is kept. */
enum { DEEPEST = 16, LONGEST_LABEL = 128 };

/* In the thread's own block, so that a signal handler can read it. */
#define OWN static _Thread_local __attribute__((tls_model("initial-exec")))

OWN guard_place places[DEEPEST];
OWN size_t depth;

/* Whom the last error of this thread was laid to: the plugins that hand it on are not named too. */
OWN char blamed[LONGEST_LABEL];

static void push(guard_place place) {
    if (depth < DEEPEST) places[depth] = place;
    ++depth;
}

guard_place guard_current(void) {
    if (depth == 0) return (guard_place){NULL, NULL};
    return places[(depth < DEEPEST ? depth : DEEPEST) - 1];
}

static const hl_plugin *watched;
static void (*watch_hook)(guard_event event);
OWN size_t inside_watched;

void guard_watch(const hl_plugin *plugin, void (*hook)(guard_event event)) {
    watched = plugin;
    watch_hook = hook;
}

static void tell_watcher(void) {
    if (!inside_watched) {
        watch_hook(GUARD_OUTSIDE);
    } else {
        watch_hook(guard_current().plugin == watched ? GUARD_OWN : GUARD_OTHER);
    }
}

void guard_allocation(bool begins) {
    if (!watched || !inside_watched || guard_current().plugin != watched) return;
    watch_hook(begins ? GUARD_ALLOCATES : GUARD_ALLOCATED);
}

guard_place guard_set(guard_place place) {
    guard_place before = guard_current();
    depth = 0;
    if (place.plugin || place.file) push(place);
    return before;
}

static void append(char *out, size_t size, size_t *used, const char *text) {
    while (*text && *used + 1 < size) out[(*used)++] = *text++;
    out[*used] = '\0';
}

void guard_name(guard_place place, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    if (place.plugin) {
        append(out, size, &used, kind_name(place.plugin->kind));
        append(out, size, &used, "/");
        append(out, size, &used, guard_text(place.plugin->name));
    } else if (place.file) {
        append(out, size, &used, place.file);
    }
}

const char *guard_text(const char *text) {
    return text ? text : "";
}

void guard_enter_file(const char *file) {
    push((guard_place){NULL, file});
}

void guard_leave_file(void) {
    if (depth > 0) --depth;
}

void guard_enter(const hl_plugin *plugin, hl_error *error) {
    if (error) error->message[0] = '\0';
    push((guard_place){plugin, NULL});
    inside_watched += watched && plugin == watched;
    if (watched && inside_watched) tell_watcher();
}

static bool is_status(hl_status status) {
    return status == HL_OK || status == HL_FAILED || status == HL_USAGE || status == HL_NO_MEMORY ||
           status == HL_UNAVAILABLE;
}

/* Messages are one line, whatever a plugin wrote. */
static void trim(hl_error *error) {
    error->message[sizeof error->message - 1] = '\0';
    size_t length = strlen(error->message);
    while (length > 0 && strchr(" \t\r\n", error->message[length - 1])) error->message[--length] = '\0';
}

static bool starts_with(const char *text, const char *label) {
    size_t length = strlen(label);
    return length > 0 && strncmp(text, label, length) == 0 && (text[length] == ':' || text[length] == ' ');
}

static void name_plugin(const hl_plugin *plugin, hl_status said, hl_error *error) {
    char label[LONGEST_LABEL];
    guard_name((guard_place){plugin, NULL}, label, sizeof label);
    trim(error);
    hl_error told = *error;
    if (!is_status(said)) {
        hl_fail(error, HL_FAILED, "%s: ended with the status %d, which there is none of%s%s", label,
                (int)said, *told.message ? ": " : "", told.message);
    } else if (!*told.message) {
        hl_fail(error, HL_FAILED, "%s: failed and did not say why", label);
    } else if (strcmp(told.message, "cancelled") != 0 && !starts_with(told.message, label) &&
               !starts_with(told.message, blamed)) {
        hl_fail(error, HL_FAILED, "%s: %s", label, told.message);
    } else {
        return;
    }
    memcpy(blamed, label, sizeof blamed);
}

hl_status guard_leave(const hl_plugin *plugin, hl_status status, hl_error *error) {
    bool tell = watched && inside_watched;
    inside_watched -= tell && plugin == watched;
    if (depth > 0) --depth;
    if (tell) tell_watcher();
    if (status == HL_OK) return HL_OK;
    if (error && plugin) name_plugin(plugin, status, error);
    return is_status(status) ? status : HL_FAILED;
}
