/* Parses a command line by its table, and writes the table as help. Never knows what an argument is for. */
#include "tools/headlight/arguments.h"

#include "core/registry/suggest.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ARGUMENTS = 32, HELP_COLUMN = 24, LINE_WIDTH = 90 };

common_arguments common;

static const argument common_table[] = {
    {"--plugin-dir", "DIR", ARGUMENT_TEXTS, .target = &common.plugin_folders,
     .help = "look for plugins here first"},
    {"--quiet", NULL, ARGUMENT_FLAG, .target = &common.quiet,
     .help = "no progress, warnings and errors only"},
    {"--help", NULL, ARGUMENT_FLAG, .target = &common.help, .help = "show this help"},
    {.name = NULL},
};

/* The arguments of a command, then those of every command; NULL past the end. */
static const argument *argument_at(const subcommand *of, size_t index) {
    for (size_t i = 0; of->arguments[i].name; ++i) {
        if (index-- == 0) return &of->arguments[i];
    }
    return index < sizeof common_table / sizeof *common_table - 1 ? &common_table[index] : NULL;
}

static bool is_operand(const argument *row) {
    return row->name[0] != '-';
}

static bool takes_value(const argument *row) {
    return row->type != ARGUMENT_FLAG;
}

/* ---- Storing a value ---- */

static hl_status parse_number(const argument *row, const char *value, unsigned *out, hl_error *error) {
    char *end;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (isdigit((unsigned char)*value) && !*end && errno == 0 && number >= row->min && number <= row->max) {
        *out = (unsigned)number;
        return HL_OK;
    }
    return hl_fail(error, HL_USAGE, "%s: expected a whole number from %u to %u, got \"%s\"", row->name,
                   row->min, row->max, value);
}

static void *lengthen(void *items, size_t count, size_t element) {
    return reallocarray(items, count + 1, element);
}

static hl_status store(const argument *row, const char *value, hl_error *error) {
    if (row->type == ARGUMENT_FLAG) {
        *(bool *)row->target = true;
    } else if (row->type == ARGUMENT_TEXT) {
        if (!*value) return hl_fail(error, HL_USAGE, "%s needs a value, not an empty one", row->name);
        *(const char **)row->target = value;
    } else if (row->type == ARGUMENT_NUMBER) {
        return parse_number(row, value, row->target, error);
    } else if (row->type == ARGUMENT_TEXTS) {
        text_list *list = row->target;
        const char **items = lengthen(list->items, list->count, sizeof *items);
        if (!items) return hl_no_memory(error, "the command line");
        list->items = items;
        list->items[list->count++] = value;
    } else {
        number_list *list = row->target;
        unsigned *items = lengthen(list->items, list->count, sizeof *items);
        if (!items) return hl_no_memory(error, "the command line");
        list->items = items;
        return parse_number(row, value, &list->items[list->count++], error);
    }
    return HL_OK;
}

/* ---- Reading words ---- */

typedef struct word_reader {
    const subcommand *command;
    int count, next;
    char **words;
    bool given[MOST_ARGUMENTS];
    bool options_ended; /* by the word "--" */
} word_reader;

static hl_status unknown_option(const word_reader *reader, const char *word, size_t length, hl_error *error) {
    const char *names[MOST_ARGUMENTS];
    size_t count = 0;
    const argument *row;
    for (size_t i = 0; (row = argument_at(reader->command, i)) && count < MOST_ARGUMENTS; ++i) {
        if (!is_operand(row)) names[count++] = row->name;
    }
    char wrong[64], ending[512];
    snprintf(wrong, sizeof wrong, "%.*s", (int)(length < sizeof wrong ? length : sizeof wrong - 1), word);
    suggest(ending, sizeof ending, wrong, names, count);
    return hl_fail(error, HL_USAGE, "unknown option \"%s\"%s", wrong, ending);
}

/* The row that a word names, "--name" or "--name=value" or the next operand. */
static hl_status find_row(const word_reader *reader, const char *word, bool option, size_t *index,
                          hl_error *error) {
    size_t length = strcspn(word, "=");
    const argument *row;
    for (*index = 0; (row = argument_at(reader->command, *index)); ++*index) {
        if (option && strncmp(row->name, word, length) == 0 && !row->name[length]) return HL_OK;
        bool open = row->type == ARGUMENT_TEXTS || !reader->given[*index];
        if (!option && is_operand(row) && open) return HL_OK;
    }
    if (option) return unknown_option(reader, word, length, error);
    return hl_fail(error, HL_USAGE, "unexpected argument \"%s\"", word);
}

static hl_status read_option(word_reader *reader, const argument *row, const char *word, hl_error *error) {
    const char *equals = strchr(word, '=');
    if (!takes_value(row)) {
        return equals ? hl_fail(error, HL_USAGE, "%s takes no value", row->name) : store(row, NULL, error);
    }
    if (equals) return store(row, equals + 1, error);
    if (reader->next == reader->count) {
        return hl_fail(error, HL_USAGE, "%s needs a value: %s %s", row->name, row->name, row->value);
    }
    return store(row, reader->words[reader->next++], error);
}

static hl_status read_word(word_reader *reader, hl_error *error) {
    const char *word = reader->words[reader->next++];
    if (!reader->options_ended && strcmp(word, "--") == 0) {
        reader->options_ended = true;
        return HL_OK;
    }
    bool option = !reader->options_ended && word[0] == '-' && word[1];
    size_t index;
    hl_status status = find_row(reader, word, option, &index, error);
    if (status != HL_OK) return status;
    const argument *row = argument_at(reader->command, index);
    bool once = row->type == ARGUMENT_TEXT || row->type == ARGUMENT_NUMBER;
    if (once && reader->given[index]) return hl_fail(error, HL_USAGE, "%s is given twice", row->name);
    reader->given[index] = true;
    return option ? read_option(reader, row, word, error) : store(row, word, error);
}

hl_status arguments_parse(const subcommand *command, int count, char **words, hl_error *error) {
    word_reader reader = {.command = command, .count = count, .words = words};
    while (reader.next < reader.count) {
        hl_status status = read_word(&reader, error);
        if (status != HL_OK) return status;
    }
    const argument *row;
    for (size_t i = 0; !common.help && (row = argument_at(command, i)); ++i) {
        if (!row->required || reader.given[i]) continue;
        return hl_fail(error, HL_USAGE, "%s%s%s is missing", row->name, row->value ? " " : "",
                       row->value ? row->value : "");
    }
    return HL_OK;
}

void arguments_free(const subcommand *command) {
    const argument *row;
    for (size_t i = 0; (row = argument_at(command, i)); ++i) {
        if (row->type == ARGUMENT_TEXTS) free(((text_list *)row->target)->items);
        if (row->type == ARGUMENT_NUMBERS) free(((number_list *)row->target)->items);
    }
}

/* ---- Help ---- */

/* "--out DIR" */
static void name_argument(const argument *row, char *out, size_t size) {
    snprintf(out, size, "%s%s%s", row->name, row->value ? " " : "", row->value ? row->value : "");
}

/* "[--set PATH=VALUE]..." for each, in lines that are not too long. */
static void write_usage(const subcommand *command, FILE *out) {
    int column = fprintf(out, "usage: headlight %s", command->name), indent = column;
    for (const argument *row = command->arguments; row->name; ++row) {
        char name[64];
        name_argument(row, name, sizeof name);
        bool several = row->type == ARGUMENT_TEXTS || row->type == ARGUMENT_NUMBERS;
        if (column + (int)strlen(name) > LINE_WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        }
        column += fprintf(out, row->required ? " %s%s" : " [%s]%s", name, several ? "..." : "");
    }
    fputc('\n', out);
}

void arguments_help(const subcommand *command, FILE *out) {
    write_usage(command, out);
    fprintf(out, "\n%s\n\n", command->details);
    const argument *row;
    for (size_t i = 0; (row = argument_at(command, i)); ++i) {
        char name[64];
        name_argument(row, name, sizeof name);
        int written = fprintf(out, "  %s", name);
        if (written >= HELP_COLUMN) {
            fputc('\n', out);
            written = 0;
        }
        fprintf(out, "%*s%s\n", HELP_COLUMN - written, "", row->help);
    }
}
