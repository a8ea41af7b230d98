/* See peer_texts.h. */
#include "core/commands/peer_texts.h"

#include "core/engine/cut_texts.h"
#include "core/io/input.h"
#include "core/io/lines.h"
#include "core/io/template.h"
#include "core/registry/direction.h"
#include <stdlib.h>
#include <string.h>

enum { LARGEST_FILE = 1 << 30 };

/* ---- lines ---- */

/* What becomes of a line: an entry, none, or an error. */
typedef hl_status take_line(const char *file, line *one, bool *taken, hl_error *error);

static bool is_space(char letter) {
    return letter == ' ' || letter == '\t';
}

static void trim(line *one) {
    while (one->length > 0 && is_space(one->text[one->length - 1])) --one->length;
    while (one->length > 0 && is_space(*one->text)) ++one->text, --one->length;
}

static hl_status take_all(const char *file, line *one, bool *taken, hl_error *error) {
    (void)file, (void)one, (void)error;
    *taken = true;
    return HL_OK;
}

static hl_status take_class(const char *file, line *one, bool *taken, hl_error *error) {
    trim(one);
    *taken = one->length > 0;
    bool is_other =
        *taken && (*one->text == '#' || *one->text == '[' || memmem(one->text, one->length, ": ", 2));
    if (!is_other) return HL_OK;
    return hl_fail(
        error, HL_USAGE,
        "%s:%zu: \"%.*s\" is written as in the analyses' files of classes; expected the class alone, "
        "as it stands in a template",
        file, one->number, one->length < 80 ? (int)one->length : 80, one->text);
}

static hl_status take_template(const char *file, line *one, bool *taken, hl_error *error) {
    trim(one);
    *taken = one->length > 0;
    if (!*taken || memmem(one->text, one->length, "{}", 2)) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s:%zu: no {}, which stands for the class, as in a photo of {}", file,
                   one->number);
}

static hl_status add(arena *memory, const line *one, size_t *room, text_lines *to, hl_error *error) {
    if (to->count == *room) {
        *room = *room ? 2 * *room : 64;
        const char **more = arena_array(memory, *room, sizeof *more);
        if (!more) return hl_no_memory(error, "lines");
        if (to->count > 0) memcpy(more, to->all, to->count * sizeof *more);
        to->all = more;
    }
    to->all[to->count] = arena_copy_text(memory, one->text, one->length);
    return to->all[to->count++] ? HL_OK : hl_no_memory(error, "lines");
}

static hl_status read_lines(const char *file, take_line *take, arena *memory, text_lines *out,
                            hl_error *error) {
    uint8_t *bytes;
    size_t count, room = 0;
    line one = {.text = ""};
    hl_status status = input_read_piped(file, LARGEST_FILE, &bytes, &count, NULL, error);
    *out = (text_lines){.count = 0};
    if (status != HL_OK) return status;
    lines all = lines_of(file, bytes, count);
    while (status == HL_OK && one.text) {
        bool taken = false;
        status = lines_next(&all, &one, error);
        if (status != HL_OK || !one.text) break;
        status = take(file, &one, &taken, error);
        if (status == HL_OK && taken) status = add(memory, &one, &room, out, error);
    }
    free(bytes);
    if (status != HL_OK || out->count > 0) return status;
    return hl_fail(error, HL_USAGE, "%s: there is nothing in it; expected a line for each entry", file);
}

hl_status text_lines_read(const char *file, arena *memory, text_lines *out, hl_error *error) {
    return read_lines(file, take_all, memory, out, error);
}

hl_status class_lines_read(const char *file, arena *memory, text_lines *out, hl_error *error) {
    return read_lines(file, take_class, memory, out, error);
}

hl_status template_lines_read(const char *file, arena *memory, text_lines *out, hl_error *error) {
    static const char *alone[] = {"{}"};
    *out = (text_lines){.all = alone, .count = 1};
    return file ? read_lines(file, take_template, memory, out, error) : HL_OK;
}

size_t text_lines_find(const text_lines *self, const char *text) {
    for (size_t i = 0; i < self->count; ++i) {
        if (strcmp(self->all[i], text) == 0) return i;
    }
    return SIZE_MAX;
}

/* ---- embeddings ---- */

hl_status texts_check(const engine *model, const text_lines *texts, hl_error *error) {
    cut_texts cut = {.count = 0};
    hl_status status = model->info->context ? HL_OK : engine_no_texts(model, error);
    for (size_t i = 0; i < texts->count && status == HL_OK; ++i) {
        status = cut_texts_check(&cut, model, texts->all[i], error);
    }
    if (status == HL_OK) cut_texts_warn(&cut, model);
    cut_texts_free(&cut);
    return status;
}

static hl_status encode(void *user, const char *const *texts, size_t count, float *out, hl_error *error) {
    return engine_encode_texts(user, texts, count, out, NULL, error);
}

hl_status class_encode(engine *model, const char *name, const text_lines *templates, float *out,
                       hl_error *error) {
    arena memory = {.blocks = NULL};
    size_t count = templates->count;
    direction_form form = {.shown = {.name = name}, .text_count = count}, *one = &form;
    const direction_encoder encoder = {.user = model, .texts = encode};
    form.texts = arena_array(&memory, count, sizeof *form.texts);
    bool complete = form.texts != NULL;
    for (size_t i = 0; i < count && complete; ++i) {
        form.texts[i] = template_fill(&memory, templates->all[i], strlen(templates->all[i]), name);
        complete = form.texts[i] != NULL;
    }
    hl_status status = complete ? texts_check(model, &(text_lines){form.texts, count}, error)
                                : hl_no_memory(error, "a class");
    if (status == HL_OK)
        status = directions_encode(&memory, &one, 1, model->info->embed_dim, &encoder, error);
    if (status == HL_OK) memcpy(out, form.shown.vector, model->info->embed_dim * sizeof *out);
    arena_free(&memory);
    return status;
}
