/* Directions that are opened: what a program writes as a struct goes the way of what an experiment writes as
 * YAML (registry/direction.h). */
#include "core/asking/asker_inside.h"

#include "core/io/template.h"
#include <stdlib.h>
#include <string.h>

typedef struct own_direction {
    hl_direction shown; /* first: what is handed out */
    arena memory;       /* all that it points to */
} own_direction;

static hl_status no_memory(hl_error *error) {
    return hl_no_memory(error, "a direction");
}

static hl_status check(const hl_direction_source *source, hl_error *error) {
    int ways = !!source->text + !!source->image + !!source->vector + !!source->terms;
    if (ways != 1) {
        return hl_fail(
            error, HL_USAGE,
            "a direction is made from exactly one of text, image, vector and terms; got %d of them", ways);
    }
    if (!source->terms || source->term_count > 0) return HL_OK;
    return hl_fail(error, HL_USAGE, "a direction is to be the sum of no directions");
}

static bool add_texts(arena *memory, const hl_direction_source *source, direction_form *out) {
    static const char *const alone[] = {"{}"};
    const char *const *templates = source->template_count > 0 ? source->templates : alone;
    out->text_count = source->template_count > 0 ? source->template_count : 1;
    out->texts = arena_array(memory, out->text_count, sizeof *out->texts);
    bool complete = out->texts != NULL;
    for (size_t i = 0; i < out->text_count && complete; ++i) {
        out->texts[i] = template_fill(memory, templates[i], strlen(templates[i]), source->text);
        complete = out->texts[i] != NULL;
    }
    return complete;
}

/* Each is taken as the numbers that it is already. */
static bool add_terms(arena *memory, const hl_direction_source *source, size_t width, direction_form *out) {
    out->terms = arena_array(memory, source->term_count, sizeof(direction_form *));
    out->weights = arena_array(memory, source->term_count, sizeof *out->weights);
    if (!out->terms || !out->weights) return false;
    out->term_count = source->term_count;
    for (size_t i = 0; i < source->term_count; ++i) {
        direction_form *term = out->terms[i] = arena_array(memory, 1, sizeof *term);
        if (!term) return false;
        term->shown.name = source->terms[i]->name;
        term->row = source->terms[i]->vector;
        term->width = width;
        out->weights[i] = source->weights ? source->weights[i] : 1;
    }
    return true;
}

/* "a dog + 0.5*a cat"; NULL: no memory. */
static char *name_sum(const hl_direction_source *source) {
    char *name = strdup("");
    for (size_t i = 0; i < source->term_count && name; ++i) {
        double weight = source->weights ? source->weights[i] : 1;
        char *longer = NULL, factor[40] = "";
        if (weight < 1 || weight > 1) snprintf(factor, sizeof factor, "%.9g*", weight);
        int length = asprintf(&longer, "%s%s%s%s", name, i ? " + " : "", factor, source->terms[i]->name);
        free(name);
        name = length < 0 ? NULL : longer;
    }
    return name;
}

static bool add_name(arena *memory, const hl_direction_source *source, direction_form *out) {
    char *sum = source->terms ? name_sum(source) : NULL;
    const char *name = source->name     ? source->name
                       : source->text   ? source->text
                       : source->image  ? source->image->name
                       : source->vector ? "vector"
                                        : sum;
    out->shown.name = name ? arena_copy_text(memory, name, strlen(name)) : NULL;
    free(sum);
    return out->shown.name != NULL;
}

static hl_status fill_form(asker *self, const hl_direction_source *source, arena *memory, direction_form *out,
                           hl_error *error) {
    size_t width = self->interface.model->embed_dim;
    bool complete = add_name(memory, source, out);
    if (complete && source->text) complete = add_texts(memory, source, out);
    if (complete && source->terms) complete = add_terms(memory, source, width, out);
    out->image = source->image;
    out->row = source->vector;
    out->width = width;
    return complete ? HL_OK : no_memory(error);
}

static hl_status encode_texts(void *user, const char *const *texts, size_t count, float *out,
                              hl_error *error) {
    return asker_encode_texts(user, texts, count, out, error);
}

static hl_status encode_image(void *user, const hl_image *image, float *out, hl_error *error) {
    return asker_embedding(user, image, out, error);
}

direction_encoder asker_encoder(asker *self) {
    return (direction_encoder){.user = self, .texts = encode_texts, .image = encode_image};
}

static hl_status fill(asker *self, const hl_direction_source *source, own_direction *out, hl_error *error) {
    const direction_encoder encoder = asker_encoder(self);
    direction_form *form = arena_array(&out->memory, 1, sizeof *form);
    hl_status status = form ? fill_form(self, source, &out->memory, form, error) : no_memory(error);
    if (status == HL_OK) {
        status = directions_encode(&out->memory, &form, 1, self->interface.model->embed_dim, &encoder, error);
    }
    if (status == HL_OK) out->shown = form->shown;
    return status;
}

hl_status asker_open_direction(asker *self, const hl_direction_source *given, const hl_direction **out,
                               hl_error *error) {
    hl_direction_source source;
    hl_status status = call_take(&source, sizeof source, given, "hl_direction_source", error);
    if (status == HL_OK) status = check(&source, error);
    if (status != HL_OK) return status;
    own_direction *made = calloc(1, sizeof *made);
    status = made ? fill(self, &source, made, error) : no_memory(error);
    if (status == HL_OK) {
        *out = &made->shown;
        return HL_OK;
    }
    if (made) arena_free(&made->memory);
    free(made);
    return status;
}

void asker_release_direction(asker *self, const hl_direction *direction) {
    if (!direction) return;
    queries_forget(self->shared->queries, direction);
    own_direction *made = (own_direction *)(uintptr_t)direction;
    arena_free(&made->memory);
    free(made);
}
