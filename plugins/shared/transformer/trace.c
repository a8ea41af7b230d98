/* Keeps what a pass over an image left and gives out codes. Knows nothing of backends. */
#include "trace.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Hands out pieces of one block; without a block it only adds up. */
typedef struct block {
    unsigned char *start;
    size_t used;
} block;

static void *piece(block *from, size_t count, size_t element) {
    void *out = from->start ? from->start + from->used : NULL;
    size_t step = _Alignof(max_align_t);
    from->used += (count * element + step - 1) / step * step;
    return out;
}

/* Lays out a trace; called first to measure, with an empty block and a trace that is thrown away. */
static void lay_out(hl_trace *trace, const image_tower *tower, const pass_plan *plan, block *rest) {
    enum { TABLES = 5 };
    bool inner = has_inner_norms(&tower->shape->layers);
    size_t layers = tower->shape->layers.layers, width = tower->shape->layers.width;
    size_t tokens = image_tokens(tower->shape);
    trace->components = piece(rest, tower->components.count, sizeof *trace->components);
    float ***tables[TABLES] = {&trace->heads, &trace->mlps, &trace->inner, &trace->attention, &trace->values};
    for (size_t i = 0; i < TABLES; ++i) *tables[i] = piece(rest, layers, sizeof(float *));
    trace->embedding = piece(rest, tower->shape->embed_dim, sizeof(float));
    if (plan->input) trace->input = piece(rest, width, sizeof(float));
    for (size_t i = 0; i < layers; ++i) {
        const layer_plan wish = plan->layers[i];
        const size_t sizes[TABLES] = {
            wish.heads ? width : 0, wish.mlp ? width : 0, wish.heads && inner ? 2 : 0,
            wish.tokens ? tower->shape->layers.heads * tokens : 0, wish.tokens ? tokens * width : 0};
        for (size_t j = 0; j < TABLES; ++j) {
            float *part = sizes[j] ? piece(rest, sizes[j], sizeof(float)) : NULL;
            if (*tables[j]) (*tables[j])[i] = part;
        }
    }
}

/* Passes of one kind come one after the other: blocks of traces that are gone serve the next ones, so that
 * the system need not clear new pages for every image. */
enum { MOST_SPARE_BYTES = 64 << 20 };

struct spare_traces {
    pthread_mutex_t lock;
    hl_trace *first; /* the next: `next` */
    size_t bytes;
};

hl_status spare_traces_open(spare_traces **out, hl_error *error) {
    *out = calloc(1, sizeof **out);
    if (!*out) return hl_no_memory(error, "traces");
    pthread_mutex_init(&(*out)->lock, NULL);
    return HL_OK;
}

void spare_traces_close(const hl_host *host, spare_traces *self) {
    if (!self) return;
    for (hl_trace *next; self->first; self->first = next) {
        next = self->first->next;
        host->release(host, self->first);
    }
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* One of exactly that size; NULL: there is none. */
static hl_trace *take_spare(spare_traces *from, size_t bytes) {
    hl_trace *found = NULL;
    pthread_mutex_lock(&from->lock);
    hl_trace **at = &from->first;
    while (*at && (*at)->bytes != bytes) at = &(*at)->next;
    if (*at) {
        found = *at;
        *at = found->next;
        from->bytes -= bytes;
    }
    pthread_mutex_unlock(&from->lock);
    return found;
}

static bool keep_spare(spare_traces *to, hl_trace *trace) {
    pthread_mutex_lock(&to->lock);
    bool fits = trace->bytes <= MOST_SPARE_BYTES - to->bytes;
    if (fits) {
        trace->next = to->first;
        to->first = trace;
        to->bytes += trace->bytes;
    }
    pthread_mutex_unlock(&to->lock);
    return fits;
}

hl_trace *trace_new(const image_tower *tower, const pass_plan *plan) {
    hl_trace measured = {0};
    block rest = {NULL, 0};
    lay_out(&measured, tower, plan, &rest);
    size_t bytes = sizeof(hl_trace) + rest.used;
    hl_trace *trace = take_spare(tower->spare, bytes);
    if (!trace) trace = tower->host->allocate(tower->host, 1, bytes);
    if (!trace) return NULL;
    *trace = (hl_trace){.tower = tower, .bytes = bytes};
    rest = (block){trace->rest, 0};
    lay_out(trace, tower, plan, &rest);
    for (size_t i = 0; i < plan->component_count; ++i) {
        const component_plan *wish = &plan->components[i];
        trace->components[i] = (component_plan){wish->code, wish->tokens, wish->even, NULL};
    }
    atomic_init(&trace->references, 1);
    return trace;
}

hl_status trace_finish(hl_trace *trace, const float *embedding, const float statistics[2], hl_error *error) {
    size_t count = trace->tower->shape->embed_dim;
    memcpy(trace->embedding, embedding, count * sizeof *embedding);
    double square = 0, mean = statistics[0], deviation = statistics[1];
    for (size_t i = 0; i < count; ++i) square += (double)embedding[i] * (double)embedding[i];
    double r = sqrt(square);
    if (!(r > 0 && isfinite(r) && isfinite(mean) && deviation > 0 && isfinite(deviation))) {
        return hl_fail(error, HL_FAILED,
                       "%s: the embedding of an image is %s: the weights or the image's pixels are damaged",
                       trace->tower->model, square == 0 ? "zero" : "not finite");
    }
    trace->scale = 1 / (deviation * r);
    trace->further[0] = (float)trace->scale;
    trace->further[1] = (float)(mean * trace->scale);
    trace->further[2] = (float)(1 / r);
    return HL_OK;
}

void trace_retain(hl_trace *trace) {
    atomic_fetch_add_explicit(&trace->references, 1, memory_order_relaxed);
}

void trace_release(hl_trace *trace) {
    if (!trace || atomic_fetch_sub_explicit(&trace->references, 1, memory_order_acq_rel) > 1) return;
    const image_tower *tower = trace->tower;
    if (!keep_spare(tower->spare, trace)) tower->host->release(tower->host, trace);
}

size_t trace_bytes(const hl_trace *trace) {
    return trace->bytes;
}

void trace_embedding(const hl_trace *trace, float *out) {
    memcpy(out, trace->embedding, trace->tower->shape->embed_dim * sizeof *out);
}

static hl_status not_captured(const hl_trace *trace, uint32_t component, const char *what, hl_error *error) {
    if (component >= trace->tower->components.count) {
        return hl_fail(error, HL_USAGE, "%s: component %u does not exist, there are %u", trace->tower->plugin,
                       component, trace->tower->components.count);
    }
    return hl_fail(error, HL_USAGE, "%s: the pass did not capture the %s of %s: ask for it in hl_request",
                   trace->tower->plugin, what, trace->tower->components.rows[component].name);
}

/* What a captured component wrote, before it is scaled. */
static const float *written(const hl_trace *trace, const hl_component *component) {
    switch (component->kind) {
    case HL_HEAD:
        return trace->heads[component->layer] + (size_t)component->index * component->width;
    case HL_MLP:
        return trace->mlps[component->layer];
    default:
        return trace->input;
    }
}

/* With what a component's own numbers are multiplied; and its further numbers. */
static double scale_of(const hl_trace *trace, const hl_component *component, float *further) {
    /* The constants of an MLP's output lie in it already, so the first of the three is a head's alone; a
     * remainder has but the last. */
    uint32_t count = component->scalar_count;
    double scale = trace->scale;
    if (count > 3) {
        const float *seen = trace->inner[component->layer];
        scale /= (double)seen[1];
        *further++ = (float)((double)seen[0] * scale);
        count = 3;
    }
    memcpy(further, trace->further + (3 - count), count * sizeof *further);
    return scale;
}

hl_status trace_code(const hl_trace *trace, uint32_t index, float *out, hl_error *error) {
    if (index >= trace->tower->components.count || !trace->components[index].code) {
        return not_captured(trace, index, "code", error);
    }
    const hl_component *component = &trace->tower->components.rows[index];
    const float *numbers = written(trace, component);
    double scale = scale_of(trace, component, out + component->width);
    for (uint32_t i = 0; i < component->width; ++i) out[i] = (float)((double)numbers[i] * scale);
    return HL_OK;
}

/* What a head wrote in place of what it gathered: nothing of it belongs to one token more than to another. */
static void spread_rest(const hl_trace *trace, const hl_component *component, const hl_token_parts *parts,
                        float *even) {
    size_t tokens = image_tokens(trace->tower->shape);
    const float *whole = written(trace, component);
    for (size_t i = 0; i < component->width; ++i) {
        double rest = (double)whole[i];
        for (size_t token = 0; token < tokens; ++token) {
            rest -= (double)parts->attention[token] * (double)parts->values[token * parts->stride + i];
        }
        even[i] = (float)(parts->scale * rest / (double)tokens);
    }
}

hl_status trace_token_parts(const hl_trace *trace, uint32_t index, hl_token_parts *out, float *even,
                            hl_error *error) {
    if (index >= trace->tower->components.count || !trace->components[index].tokens) {
        return not_captured(trace, index, "parts by token", error);
    }
    const hl_component *component = &trace->tower->components.rows[index];
    size_t tokens = image_tokens(trace->tower->shape), layer = (size_t)component->layer;
    float further[MOST_FURTHER];
    out->scale = scale_of(trace, component, further);
    out->attention = trace->attention[layer] + (size_t)component->index * tokens;
    out->values = trace->values[layer] + (size_t)component->index * component->width;
    out->stride = trace->tower->shape->layers.width;
    memset(even, 0, component->width * sizeof *even);
    for (size_t i = 0; i < component->scalar_count; ++i) {
        even[component->width + i] = (float)((double)further[i] / (double)tokens);
    }
    if (trace->components[index].even) spread_rest(trace, component, out, even);
    return HL_OK;
}

static void write_tokens(const hl_component *component, size_t tokens, const hl_token_parts *parts,
                         const float *even, float *out) {
    for (size_t token = 0; token < tokens; ++token) {
        const float *values = parts->values + token * parts->stride;
        double share = parts->scale * (double)parts->attention[token];
        for (size_t i = 0; i < component->width; ++i) {
            *out++ = (float)(share * (double)values[i] + (double)even[i]);
        }
        for (size_t i = 0; i < component->scalar_count; ++i) *out++ = even[component->width + i];
    }
}

hl_status trace_token_codes(const hl_trace *trace, uint32_t index, float *out, hl_error *error) {
    const image_tower *tower = trace->tower;
    float *even = malloc((head_width(&tower->shape->layers) + MOST_FURTHER) * sizeof *even);
    if (!even) return hl_no_memory(error, "the parts of a code");
    hl_token_parts parts = {.size = sizeof parts};
    hl_status status = trace_token_parts(trace, index, &parts, even, error);
    if (status == HL_OK) {
        write_tokens(&tower->components.rows[index], image_tokens(tower->shape), &parts, even, out);
    }
    free(even);
    return status;
}
