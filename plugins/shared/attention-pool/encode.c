/* See pooled.h: a request over many images becomes passes over as many as there is room for. */
#include "pooled.h"

#include <string.h>

hl_status pooled_rooms_for(const pooled *self, size_t batch, size_t most, pooled_rooms *out,
                           hl_error *error) {
    enum { MAX_BATCH = 1 << 16 };
    if (batch < 1 || batch > MAX_BATCH) {
        return hl_fail(error, HL_USAGE, "%s: a batch of %zu, expected 1 to %d", self->plugin, batch,
                       MAX_BATCH);
    }
    *out = (pooled_rooms){batch, most < 1 ? 1 : most < batch ? most : batch};
    return HL_OK;
}

static hl_status run_all(const pooled *self, size_t together, size_t count, const pass_plan *plan,
                         pooled_pass *run, void *user, hl_trace **traces, hl_error *error) {
    for (size_t first = 0; first < count; first += together) {
        size_t now = count - first < together ? count - first : together;
        TRY(pooled_make_traces(self, plan, now, traces + first, error));
        TRY(run(user, plan, first, now, traces + first, error));
    }
    return HL_OK;
}

hl_status pooled_encode(const pooled *self, pooled_rooms rooms, size_t count, const hl_request *request,
                        pooled_pass *run, void *user, hl_trace **traces, hl_error *error) {
    const pass_subject subject = pooled_subject(self);
    pass_plan plan;
    if (count == 0) return HL_OK;
    if (count > rooms.batch) {
        return hl_fail(error, HL_USAGE, "%s: %zu images, the session takes at most %zu", self->plugin, count,
                       rooms.batch);
    }
    TRY(pooled_check_edits(self, request, error));
    TRY(pass_plan_make(&subject, request, &plan, error));
    memset(traces, 0, count * sizeof(hl_trace *));
    hl_status status = run_all(self, rooms.together, count, &plan, run, user, traces, error);
    for (size_t i = 0; status && i < count; ++i) {
        pooled_trace_release(traces[i]);
        traces[i] = NULL;
    }
    pass_plan_free(&plan);
    return status;
}
