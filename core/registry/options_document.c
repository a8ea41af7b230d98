/* Option tables in words: for errors and for documentation. Knows tables, never values. */
#include "core/io/number.h"
#include "core/registry/option_values.h"
#include "core/registry/registry.h"
#include "core/registry/selection.h"
#include "headlight/extractor.h"

#include <math.h>
#include <string.h>

bool option_is_bounded(const hl_option *option) {
    return option->min != 0 || option->max != 0;
}

bool option_is_list(const hl_option *option) {
    return option->type >= HL_STRINGS;
}

bool option_is_secret(const hl_option *option) {
    return option->flags & HL_OPTION_SECRET;
}

bool option_is_environment(const hl_option *option) {
    return option->flags & HL_OPTION_ENVIRONMENT;
}

static const char *type_words(const hl_option *option) {
    switch (option->type) {
    case HL_BOOL:
        return "true or false";
    case HL_INT:
        return "a whole number";
    case HL_REAL:
        return "a number";
    case HL_STRING:
        return "a text";
    case HL_CHOICE:
        return "one of ";
    case HL_PATH:
        return "a file or folder";
    case HL_STRINGS:
    case HL_DIRECTIONS:
        return "texts";
    case HL_IMAGES:
        return "image files";
    case HL_HEADS:
        return "heads";
    case HL_PROPERTIES:
        return "properties";
    }
    return "a value";
}

const char *option_type_name(hl_type type) {
    static const char *const names[] = {
        [HL_BOOL] = "HL_BOOL",
        [HL_INT] = "HL_INT",
        [HL_REAL] = "HL_REAL",
        [HL_STRING] = "HL_STRING",
        [HL_CHOICE] = "HL_CHOICE",
        [HL_PATH] = "HL_PATH",
        [HL_STRINGS] = "HL_STRINGS",
        [HL_IMAGES] = "HL_IMAGES",
        [HL_DIRECTIONS] = "HL_DIRECTIONS",
        [HL_HEADS] = "HL_HEADS",
        [HL_PROPERTIES] = "HL_PROPERTIES",
    };
    return names[type];
}

static size_t add_choices(const hl_option *option, char *out, size_t size) {
    size_t used = 0;
    for (const char *const *choice = option->choices; *choice && used < size; ++choice) {
        int written =
            snprintf(out + used, size - used, "%s%s", choice == option->choices ? "" : ", ", *choice);
        if (written > 0) used += (size_t)written;
    }
    return used;
}

/* "1 to 4 ", "2 ", "" */
static void length_words(const hl_option *option, char *out, size_t size) {
    *out = '\0';
    if (!option_is_bounded(option)) return;
    if (option->min == option->max) {
        snprintf(out, size, "%.0f ", option->min);
    } else if (isinf(option->max)) {
        snprintf(out, size, "at least %.0f ", option->min);
    } else {
        snprintf(out, size, "%.0f to %.0f ", option->min, option->max);
    }
}

/* "a number from 0 to 1" */
static void range_words(const hl_option *option, const char *words, char *out, size_t size) {
    char low[32], high[32];
    number_print(option->min, 15, low, sizeof low);
    number_print(option->max, 15, high, sizeof high);
    if (option->min == option->max) {
        snprintf(out, size, "the number %s", low);
    } else if (isinf(option->max)) {
        snprintf(out, size, "%s of at least %s", words, low);
    } else {
        snprintf(out, size, "%s from %s to %s", words, low, high);
    }
}

void options_expected(const hl_option *option, char *out, size_t size) {
    char heads[256];
    const char *words = type_words(option);
    if (option->type == HL_HEADS) {
        selection_words(option->flags, heads, sizeof heads);
        words = heads;
    }
    if (option_is_list(option)) {
        char length[64];
        length_words(option, length, sizeof length);
        snprintf(out, size, "a list of %s%s", length, words);
    } else if (option->type == HL_CHOICE) {
        size_t used = (size_t)snprintf(out, size, "%s", words);
        if (used < size) add_choices(option, out + used, size - used);
    } else if ((option->type == HL_INT || option->type == HL_REAL) && option_is_bounded(option)) {
        range_words(option, words, out, size);
    } else {
        snprintf(out, size, "%s", words);
    }
}

/* ---- The page of a plugin ---- */

enum { PAGE_WIDTH = 78, INDENT = 14 };

/* Writes words from column `column` on, further lines indented. */
static void write_wrapped(FILE *out, const char *words, size_t column) {
    while (*words) {
        size_t length = strcspn(words, " ");
        if (column > INDENT && column + 1 + length > PAGE_WIDTH) {
            fprintf(out, "\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            fputc(' ', out);
            ++column;
        }
        fprintf(out, "%.*s", (int)length, words);
        column += length;
        words += length + strspn(words + length, " ");
    }
    fputc('\n', out);
}

static void document_option(const hl_option *option, FILE *out) {
    char expected[512], line[1024];
    options_expected(option, expected, sizeof expected);
    const char *fallback = option->fallback;
    if (!fallback) {
        snprintf(line, sizeof line, "%s; must be given", expected);
    } else if (strcmp(fallback, "~") == 0) {
        snprintf(line, sizeof line, "%s; may be left out", expected);
    } else if (option_is_environment(option)) {
        snprintf(line, sizeof line, "%s; default: what the environment variable %s says", expected, fallback);
    } else {
        snprintf(line, sizeof line, "%s; default %s", expected, fallback);
    }
    int written = fprintf(out, "  %-*s ", INDENT - 3, option->name);
    if (written > INDENT) {
        fputc('\n', out);
        fprintf(out, "%*s", INDENT, "");
    }
    write_wrapped(out, line, INDENT);
    fprintf(out, "%*s", INDENT, "");
    write_wrapped(out, option->help, INDENT);
}

/* What somebody might write for an option that must be given. */
static const char *example_value(const hl_option *option) {
    bool several = option->min > 1;
    switch (option->type) {
    case HL_BOOL:
        return "true";
    case HL_PATH:
        return "file";
    case HL_IMAGES:
        return several ? "[a.jpg, b.jpg]" : "[a.jpg]";
    case HL_STRINGS:
    case HL_DIRECTIONS:
        return several ? "[a red star, a blue ring]" : "[a red star]";
    case HL_HEADS:
        return "[L3.H5]";
    case HL_PROPERTIES:
        return "[colors]";
    case HL_CHOICE:
        return option->choices[0];
    default:
        return "text";
    }
}

static void write_example_values(const hl_plugin *plugin, FILE *out) {
    for (uint32_t i = 0; i < plugin->option_count; ++i) {
        const hl_option *option = &plugin->options[i];
        if (option->fallback) continue;
        fprintf(out, ", %s: ", option->name);
        bool number = option->type == HL_INT || option->type == HL_REAL;
        if (number) {
            char low[32];
            number_print(option->min, 15, low, sizeof low);
            fputs(low, out);
        } else {
            fputs(example_value(option), out);
        }
    }
}

/* How the section that a plugin of this kind has in an experiment begins. */
static const char *example_begin(uint32_t kind) {
    switch (kind) {
    case HL_COMPUTE:
        return "compute: {backend: ";
    case HL_MODEL:
        return "model: {path: model, plugin: ";
    case HL_REPORT:
        return "reports:\n    - {plugin: ";
    default:
        return "analyses:\n    - {plugin: ";
    }
}

/* What an extractor gives, and what it builds on. */
static void document_step(const hl_extractor_api *step, FILE *out) {
    fprintf(out, "\nA step of extractors: gives %s", step_name(step->step));
    if (step->from == HL_STEP_NONE) {
        fputs(", builds on no other step\n", out);
    } else if (step->from_most > 1) {
        fprintf(out, ", builds on %s of one step or several, at most %u\n", step_name(step->from),
                step->from_most);
    } else {
        fprintf(out, ", builds on %s of another step\n", step_name(step->from));
    }
}

/* What gives labels from nothing may stand by itself; anything else is a step that has a name. */
static void write_step_example(const hl_plugin *plugin, const hl_extractor_api *step, FILE *out) {
    bool alone = step->step == HL_STEP_LABELS && step->from == HL_STEP_NONE;
    fprintf(out, alone ? "properties: {extractor: %s" : "extractors:\n    - {name: NAME, plugin: %s",
            plugin->name);
    write_example_values(plugin, out);
    if (step->from != HL_STEP_NONE) fputs(step->from_most > 1 ? ", from: [STEP, ...]" : ", from: STEP", out);
}

static void write_example(const hl_plugin *plugin, FILE *out) {
    hl_extractor_api step = {.step = HL_STEP_NONE};
    if (plugin->kind == HL_EXTRACTOR) {
        registry_table(plugin, &step, sizeof step);
        document_step(&step, out);
    }
    fputs("\nIn an experiment:\n  ", out);
    if (plugin->kind == HL_EXTRACTOR) {
        write_step_example(plugin, &step, out);
    } else {
        fprintf(out, "%s%s", example_begin(plugin->kind), plugin->name);
        write_example_values(plugin, out);
    }
    fputs("}\n", out);
}

hl_status options_document(const hl_plugin *plugin, FILE *out, hl_error *error) {
    fprintf(out, "%s/%s %s\n%s\n", kind_name(plugin->kind), plugin->name, plugin->version, plugin->summary);
    fputs(plugin->option_count > 0 ? "\nOptions:\n" : "\nIt has no options.\n", out);
    for (uint32_t i = 0; i < plugin->option_count; ++i) document_option(&plugin->options[i], out);
    write_example(plugin, out);
    if (ferror(out))
        return hl_fail(error, HL_FAILED, "the documentation of %s cannot be written", plugin->name);
    return HL_OK;
}
