/* See call.h. */
#include "core/io/call.h"

static _Thread_local const hl_call *current;

hl_status call_take(void *out, size_t room, const void *given, const char *what, hl_error *error) {
    uint32_t size;
    memcpy(&size, given, sizeof size);
    memset(out, 0, room);
    if (size <= sizeof size) {
        return hl_fail(error, HL_USAGE, "%s.size is %u: set it to sizeof(%s)", what, size, what);
    }
    memcpy(out, given, size < room ? size : room);
    return HL_OK;
}

const hl_call *call_enter(const hl_call *call) {
    const hl_call *before = current;
    current = call;
    return before;
}

const hl_call *call_current(void) {
    return current;
}

bool call_cancelled(void) {
    return current && current->cancelled && current->cancelled(current->user);
}

hl_status call_check(hl_error *error) {
    return call_cancelled() ? hl_fail(error, HL_FAILED, "cancelled") : HL_OK;
}

void call_progress(const char *what, const char *unit, size_t done, size_t total) {
    if (current && current->progress) current->progress(current->user, what, unit, done, total);
}

bool call_log(hl_log_level level, const char *line) {
    if (!current || !current->log) return false;
    current->log(current->user, level, line);
    return true;
}

hl_status call_begin(call_scope *scope, const hl_call *given, hl_error *error) {
    *scope = (call_scope){.before = current, .locale_before = locale_enter()};
    if (given) {
        hl_status status = call_take(&scope->call, sizeof scope->call, given, "hl_call", error);
        if (status != HL_OK) return status;
    }
    current = &scope->call;
    return HL_OK;
}

void call_end(const call_scope *scope) {
    current = scope->before;
    locale_leave(scope->locale_before);
}
