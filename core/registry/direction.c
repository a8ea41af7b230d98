/* Directions as they are written; see direction.h. */
#include "core/registry/direction.h"

#include "core/io/input.h"
#include "core/io/lines.h"
#include "core/io/npy.h"
#include "core/io/number.h"
#include "core/io/template.h"
#include "core/registry/options.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LARGEST_TEMPLATES = 1 << 20 };

#define LARGEST_WEIGHT 1e6

enum { TEXT, TEMPLATES, IMAGE, NPY, ROW, NAME };
static const hl_option keys[] = {
    [TEXT] = {.name = "text", .type = HL_STRING, .fallback = "~", .help = "a text"},
    [TEMPLATES] = {.name = "templates",
                   .type = HL_PATH,
                   .fallback = "~",
                   .help = "a file of templates, one a line; {} stands for the text"},
    [IMAGE] = {.name = "image", .type = HL_PATH, .fallback = "~", .help = "an image file"},
    [NPY] = {.name = "npy", .type = HL_PATH, .fallback = "~", .help = "a .npy file of vectors"},
    [ROW] = {.name = "row", .type = HL_INT, .fallback = "~", .max = 1e9, .help = "the row of the .npy file"},
    [NAME] = {.name = "name", .type = HL_STRING, .fallback = "~", .help = "what results call it"},
};
static const hl_plugin section = {.size = sizeof(hl_plugin), .name = "direction", HL_OPTIONS(keys)};

typedef struct reader {
    arena *memory;
    const yaml_node *node;
    const hl_value *const *values;
    direction_form *out;
    hl_error *error;
} reader;

static hl_status no_memory(hl_error *error) {
    return hl_no_memory(error, "the directions of an experiment");
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A name made of what was read, unless the user gave one. */
__attribute__((format(printf, 2, 3))) static hl_status call(const reader *self, const char *format, ...) {
    const hl_value *given = self->values[NAME];
    char *made = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = given->given ? asprintf(&made, "%s", given->string) : vasprintf(&made, format, arguments);
    va_end(arguments);
    if (length < 0) return no_memory(self->error);
    self->out->shown.name = arena_copy_text(self->memory, made, (size_t)length);
    free(made);
    return self->out->shown.name ? HL_OK : no_memory(self->error);
}

static hl_status allocate_texts(const reader *self, size_t count) {
    self->out->texts = arena_array(self->memory, count, sizeof *self->out->texts);
    self->out->text_count = count;
    return self->out->texts ? HL_OK : no_memory(self->error);
}

/* ---- texts and templates ---- */

static hl_status add_template(const reader *self, const char *file, line template) {
    if (!memmem(template.text, template.length, "{}", 2)) {
        return yaml_fail(self->node, self->error,
                         "%s:%zu: no {}, which stands for the text in a template, as in a photo of {}", file,
                         template.number);
    }
    const char *made =
        template_fill(self->memory, template.text, template.length, self->values[TEXT]->string);
    if (!made) return no_memory(self->error);
    self->out->texts[self->out->text_count++] = made;
    return HL_OK;
}

static bool is_blank(line read) {
    for (size_t i = 0; i < read.length; ++i) {
        if (read.text[i] != ' ' && read.text[i] != '\t') return false;
    }
    return true;
}

static hl_status fail_file(const reader *self, hl_status status, const hl_error *why) {
    if (status == HL_NO_MEMORY) return hl_fail(self->error, status, "%s", why->message);
    return yaml_fail(self->node, self->error, "%s", why->message);
}

static hl_status fill_templates(const reader *self, const char *file, const uint8_t *bytes, size_t count) {
    lines all = lines_of(file, bytes, count);
    line template;
    size_t most = 1;
    for (size_t i = 0; i < count; ++i) most += bytes[i] == '\n';
    hl_status status = allocate_texts(self, most);
    self->out->text_count = 0;
    while (status == HL_OK) {
        hl_error why;
        status = lines_next(&all, &template, &why);
        if (status != HL_OK) return fail_file(self, status, &why);
        if (!template.text) break;
        if (!is_blank(template)) status = add_template(self, file, template);
    }
    if (status != HL_OK || self->out->text_count > 0) return status;
    return yaml_fail(self->node, self->error, "%s: no templates; expected one a line, as in a photo of {}",
                     file);
}

static hl_status read_templates(const reader *self) {
    const char *file = self->values[TEMPLATES]->string;
    uint8_t *bytes;
    size_t count;
    hl_error why;
    hl_status status = input_read(file, LARGEST_TEMPLATES, &bytes, &count, &why);
    if (status != HL_OK) return fail_file(self, status, &why);
    status = fill_templates(self, file, bytes, count);
    free(bytes);
    if (status != HL_OK) return status;
    return call(self, "%s (%s)", self->values[TEXT]->string, base_name(file));
}

static hl_status set_text(const reader *self, const char *text) {
    hl_status status = allocate_texts(self, 1);
    if (status != HL_OK) return status;
    self->out->texts[0] = arena_copy_text(self->memory, text, strlen(text));
    return self->out->texts[0] ? HL_OK : no_memory(self->error);
}

static hl_status read_text(const reader *self) {
    const char *text = self->values[TEXT]->string;
    hl_status status = set_text(self, text);
    return status == HL_OK ? call(self, "%s", text) : status;
}

/* ---- an image ---- */

static hl_status read_image(const reader *self) {
    const char *path = self->values[IMAGE]->string, *written = yaml_get(self->node, "image")->text;
    hl_image *image = arena_array(self->memory, 1, sizeof *image);
    if (!image) return no_memory(self->error);
    image->name = arena_copy_text(self->memory, written, strlen(written));
    image->path = arena_copy_text(self->memory, path, strlen(path));
    if (!image->name || !image->path) return no_memory(self->error);
    struct stat about;
    if (stat(path, &about) != 0) {
        return yaml_fail(yaml_get(self->node, "image"), self->error, "the image %s cannot be read: %s", path,
                         strerror(errno));
    }
    if (S_ISDIR(about.st_mode)) {
        return yaml_fail(yaml_get(self->node, "image"), self->error, "%s is a folder, expected an image",
                         path);
    }
    self->out->image = image;
    return call(self, "image %s", written);
}

/* ---- a row of a .npy file ---- */

static hl_status take_row(const reader *self, const npy_array *array) {
    const char *path = self->values[NPY]->string;
    const hl_value *row = self->values[ROW];
    size_t index = row->given ? (size_t)row->integer : 0;
    size_t rows = array->rank == 2 ? array->shape[0] : 1;
    if (array->rank != 1 && array->rank != 2) {
        return yaml_fail(self->node, self->error,
                         "%s: an array of %zu dimensions; expected rows of numbers or one row", path,
                         array->rank);
    }
    if (index >= rows) {
        return yaml_fail(self->node, self->error, "%s: has %zu rows, counted from 0, and no row %zu", path,
                         rows, index);
    }
    size_t width = array->shape[array->rank - 1];
    const float *from = array->data + index * width;
    float *kept = arena_array(self->memory, width, sizeof *kept);
    if (!kept) return no_memory(self->error);
    bool finite = true, any = false;
    for (size_t i = 0; i < width; ++i) {
        kept[i] = from[i];
        finite &= isfinite(from[i]) != 0;
        any |= from[i] < 0 || from[i] > 0;
    }
    if (!finite || !any) {
        return yaml_fail(self->node, self->error, "%s: row %zu %s, which is no direction", path, index,
                         finite ? "is all 0" : "holds what is no finite number");
    }
    self->out->row = kept;
    self->out->width = width;
    return HL_OK;
}

static hl_status read_row(const reader *self) {
    const char *path = self->values[NPY]->string, *written = yaml_get(self->node, "npy")->text;
    npy_array array;
    hl_error why;
    hl_status status = npy_read(path, &array, &why);
    if (status != HL_OK) return fail_file(self, status, &why);
    status = take_row(self, &array);
    free(array.data);
    if (status != HL_OK) return status;
    int64_t row = self->values[ROW]->given ? self->values[ROW]->integer : 0;
    return call(self, "%s row %lld", base_name(written), (long long)row);
}

/* ---- a sum ---- */

static hl_status fail_sum(const yaml_node *at, hl_error *error) {
    return yaml_fail(at, error,
                     "sum: expected a list of [WEIGHT, DIRECTION], such as [[1, a dog], [-1, a cat]], each "
                     "weight other than 0 and at most 1e6");
}

static hl_status read_term(const reader *self, const yaml_node *pair, size_t index) {
    double weight;
    if (pair->type != YAML_LIST || pair->count != 2 || !yaml_real(pair->items[0], &weight) ||
        !(weight < 0 || weight > 0) || fabs(weight) > LARGEST_WEIGHT) {
        return fail_sum(pair, self->error);
    }
    self->out->weights[index] = weight;
    return direction_read(self->memory, pair->items[1], &self->out->terms[index], self->error);
}

/* "a dog - 0.5*a cat" */
static hl_status name_sum(const reader *self) {
    char *made = NULL;
    size_t size;
    FILE *text = open_memstream(&made, &size);
    for (size_t i = 0; text && i < self->out->term_count; ++i) {
        double weight = self->out->weights[i];
        char number[32];
        number_print(fabs(weight), 6, number, sizeof number);
        fputs(i > 0 ? (weight < 0 ? " - " : " + ") : (weight < 0 ? "-" : ""), text);
        if (strcmp(number, "1") != 0) fprintf(text, "%s*", number);
        fputs(self->out->terms[i]->shown.name, text);
    }
    bool ok = text && fclose(text) == 0 && made;
    hl_status status = ok ? call(self, "%s", made) : no_memory(self->error);
    free(made);
    return status;
}

static hl_status read_sum(const reader *self) {
    const yaml_node *sum = yaml_get(self->node, "sum");
    if (sum->type != YAML_LIST || sum->count == 0) return fail_sum(sum, self->error);
    self->out->term_count = sum->count;
    self->out->terms = arena_array(self->memory, sum->count, sizeof(direction_form *));
    self->out->weights = arena_array(self->memory, sum->count, sizeof *self->out->weights);
    if (!self->out->terms || !self->out->weights) return no_memory(self->error);
    hl_status status = HL_OK;
    for (size_t i = 0; i < sum->count && status == HL_OK; ++i) status = read_term(self, sum->items[i], i);
    return status == HL_OK ? name_sum(self) : status;
}

/* ---- any of these ---- */

static hl_status fail_form(const reader *self) {
    return yaml_fail(
        self->node, self->error,
        "expected a text or one of {templates: FILE, text: TEXT}, {image: FILE}, {npy: FILE, row: "
        "NUMBER}, {sum: [[WEIGHT, DIRECTION], ...]}");
}

static hl_status read_form(const reader *self) {
    const hl_value *const *values = self->values;
    bool sum = yaml_get(self->node, "sum");
    int ways = sum + values[TEXT]->given + values[IMAGE]->given + values[NPY]->given;
    if (ways != 1 || (values[TEMPLATES]->given && !values[TEXT]->given) ||
        (values[ROW]->given && !values[NPY]->given)) {
        return fail_form(self);
    }
    if (sum) return read_sum(self);
    if (values[IMAGE]->given) return read_image(self);
    if (values[NPY]->given) return read_row(self);
    return values[TEMPLATES]->given ? read_templates(self) : read_text(self);
}

hl_status direction_read(arena *memory, const yaml_node *node, direction_form **out, hl_error *error) {
    static const char *const further[] = {"sum", NULL};
    reader self = {memory, node, NULL, arena_array(memory, 1, sizeof(direction_form)), error};
    *out = self.out;
    if (!self.out) return no_memory(error);
    self.out->place = node;
    if (node->type == YAML_TEXT && !yaml_is_null(node)) {
        hl_status status = set_text(&self, node->text);
        if (status == HL_OK) self.out->shown.name = self.out->texts[0];
        return status;
    }
    if (node->type != YAML_MAP) return fail_form(&self);
    option_values *values;
    hl_status status = options_read(&section, node, further, &values, error);
    if (status != HL_OK) return status;
    self.values = options_values(values);
    status = read_form(&self);
    options_free(values);
    return status;
}
