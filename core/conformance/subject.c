/* See subject.h. */
#include "core/conformance/subject.h"

#include "core/conformance/memory.h"
#include "core/io/yaml.h"
#include "core/registry/library_file.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static hl_status find_plugin(const subject *self, opened_subject *out, hl_error *error) {
    const hl_plugin *plugin;
    const char *broken;
    for (size_t i = 0; (broken = hl_plugin_broken(out->library, i)); ++i) {
        size_t length = strlen(self->file);
        if (strncmp(broken, self->file, length) == 0 && broken[length] == ':')
            return hl_fail(error, HL_FAILED, "%s", broken + length + 2);
    }
    for (size_t i = 0; (plugin = hl_plugin_at(out->library, i)); ++i) {
        if (strcmp(hl_plugin_file(out->library, i), self->file) == 0) out->plugin = plugin;
        if (plugin->kind == HL_COMPUTE && strcmp(plugin->name, "reference") == 0) out->reference = plugin;
    }
    return out->plugin ? HL_OK : hl_fail(error, HL_FAILED, "it is not among the plugins that were loaded");
}

hl_status subject_open(const subject *self, unsigned threads, opened_subject *out, hl_error *error) {
    *out = (opened_subject){.library = NULL};
    const hl_library_settings settings = {.size = sizeof settings,
                                          .plugin_folders = self->request->plugin_folders,
                                          .plugin_folder_count = self->request->plugin_folder_count,
                                          .plugin_files = &self->file,
                                          .plugin_file_count = 1};
    hl_status status = hl_library_open(&settings, &out->library, error);
    if (status == HL_OK) status = find_plugin(self, out, error);
    if (status == HL_OK) status = host_open(&out->library->settings, threads, &out->host, error);
    return status;
}

static hl_status read_values(const subject *self, opened_subject *opened, hl_error *error) {
    static yaml_file *file; /* the values refer to it; the process is the check's own */
    char *options, *text;
    hl_status status = subject_options(self, opened->plugin, &options, error);
    if (status != HL_OK) return status;
    int length = asprintf(&text, "{%s}\n", options);
    free(options);
    if (length < 0) return hl_no_memory(error, "options");
    status = yaml_parse("options", (const uint8_t *)text, (size_t)length, &file, error);
    free(text);
    if (status != HL_OK) return status;
    return options_read(opened->plugin, yaml_root(file), NULL, &opened->values, error);
}

hl_status subject_open_values(const subject *self, unsigned threads, opened_subject *out, hl_error *error) {
    hl_status status = subject_open(self, threads, out, error);
    return status == HL_OK ? read_values(self, out, error) : status;
}

void subject_close(opened_subject *opened) {
    options_free(opened->values);
    host_close(opened->host);
    hl_library_close(opened->library);
}

/* ---- examples of options ---- */

static const char *given(const subject *self, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < self->request->option_count; ++i) {
        const char *option = self->request->options[i];
        if (strncmp(option, name, length) == 0 && option[length] == '=') return option + length + 1;
    }
    return NULL;
}

/* A list has as many entries as it must have. */
static void write_list(FILE *out, const hl_option *option, const char *const *entries, size_t entry_count) {
    size_t count = option->min > 1 ? (size_t)option->min : 1;
    fputc('[', out);
    for (size_t i = 0; i < count && i < entry_count; ++i) fprintf(out, "%s%s", i ? ", " : "", entries[i]);
    fputc(']', out);
}

static void write_images(FILE *out, const hl_option *option) {
    enum { SOME = 4 };
    char *paths[SOME];
    for (int i = 0; i < SOME; ++i) {
        char name[64];
        snprintf(name, sizeof name, "mini/gallery/scene-%03d.jpg", i);
        paths[i] = hl_data_file(name);
    }
    if (paths[SOME - 1]) write_list(out, option, (const char *const *)paths, SOME);
    for (int i = 0; i < SOME; ++i) free(paths[i]);
}

/* A pool, or the table that says what its lines speak of: a short one, for it is encoded anew each time that
 * memory fails. False: there is none. */
static bool make_texts(const char *path, bool with_properties) {
    static const char *const texts[][2] = {
        {"red", "colors"},       {"something blue", "colors"},       {"a green thing", "colors"},
        {"snow", "places"},      {"a thing on sand", "places"},      {"a photo of grass", "places"},
        {"striped", "patterns"}, {"a dotted thing", "patterns"},     {"a plain thing", "patterns"},
        {"fog", "weather"},      {"a thing in the rain", "weather"}, {"a clear day", "weather"},
    };
    FILE *out = fopen(path, "w");
    for (size_t i = 0; out && i < sizeof texts / sizeof *texts; ++i) {
        fprintf(out, "%s%s%s\n", texts[i][0], with_properties ? "\t" : "",
                with_properties ? texts[i][1] : "");
    }
    return out && fclose(out) == 0;
}

static void write_texts(FILE *out, const subject *self, bool with_properties) {
    char *path;
    if (asprintf(&path, "%s/%s", self->scratch, with_properties ? "texts.tsv" : "texts.txt") < 0) return;
    if (make_texts(path, with_properties)) fputs(path, out);
    free(path);
}

static void write_path(FILE *out, const subject *self, const hl_option *option) {
    if (strstr(option->name, "pool") || strstr(option->name, "text")) {
        write_texts(out, self, strstr(option->name, "properties"));
        return;
    }
    char *path = hl_data_file("mini/labels.json");
    fprintf(out, "%s", path ? path : self->scratch);
    free(path);
}

static void write_example(FILE *out, const subject *self, const hl_option *option) {
    static const char *const texts[] = {"a red star", "a blue ring", "snow", "a green square"};
    static const char *const heads[] = {"L0.H0", "L0.H1", "L1.H0", "L1.H1"};
    static const char *const properties[] = {"colors", "shapes", "patterns", "places"};
    bool bounded = option->min < option->max;
    switch (option->type) {
    case HL_BOOL:
        fputs("true", out);
        break;
    case HL_INT:
    case HL_REAL:
        fprintf(out, "%g", bounded ? option->min : 1);
        break;
    case HL_STRING:
        fputs("text", out);
        break;
    case HL_CHOICE:
        fprintf(out, "%s", option->choices[0]);
        break;
    case HL_PATH:
        write_path(out, self, option);
        break;
    case HL_STRINGS:
    case HL_DIRECTIONS:
        write_list(out, option, texts, sizeof texts / sizeof *texts);
        break;
    case HL_IMAGES:
        write_images(out, option);
        break;
    case HL_HEADS:
        write_list(out, option, heads, sizeof heads / sizeof *heads);
        break;
    case HL_PROPERTIES:
        write_list(out, option, properties, sizeof properties / sizeof *properties);
        break;
    }
}

hl_status subject_options(const subject *self, const hl_plugin *plugin, char **out, hl_error *error) {
    size_t size, count = 0;
    *out = NULL;
    FILE *text = open_memstream(out, &size);
    if (!text) return hl_no_memory(error, "options");
    for (uint32_t i = 0; i < plugin->option_count; ++i) {
        const hl_option *option = &plugin->options[i];
        const char *value = given(self, option->name);
        if (!value && option->fallback) continue;
        fprintf(text, "%s%s: ", count++ ? ", " : "", option->name);
        if (value) {
            fputs(value, text);
        } else {
            write_example(text, self, option);
        }
    }
    if (fclose(text) == 0) return HL_OK;
    free(*out);
    *out = NULL;
    return hl_no_memory(error, "options");
}

/* ---- memory ---- */

hl_status subject_judge_failure(hl_status status, const hl_error *said, hl_error *error) {
    if (status == HL_OK) return HL_OK;
    if (strstr(said->message, "did not say why")) return hl_fail(error, HL_FAILED, "fails without a message");
    if (strstr(said->message, "which there is none of"))
        return hl_fail(error, HL_FAILED, "%s", said->message);
    if (status == HL_USAGE) {
        return hl_fail(error, HL_FAILED, "says that it is the user's fault: %s", said->message);
    }
    return HL_OK;
}

/* What is kept for the next time is there after a few times; what is left behind grows for ever. */
hl_status subject_check_leaks(memory_work *work, void *user, hl_error *error) {
    enum { WARM = 3, TIMES = 4 };
    long before = 0, least = 0;
    for (int i = 0; i < WARM + TIMES; ++i) {
        hl_status status = work(user, 0, error);
        if (status != HL_OK) return status;
        long now = memory_in_use(), more = now - before;
        if (i == WARM) least = more;
        if (i > WARM && more < least) least = more;
        before = now;
    }
    if (least <= 0) return HL_OK;
    return hl_fail(error, HL_FAILED, "leaks memory: %ld %s more each time", least,
                   memory_can_fail() ? "blocks" : "bytes");
}

/* An allocation that is to fail. */
typedef struct memory_turn {
    const hl_plugin *plugin;
    memory_owner owner;
    long number;
    long usual; /* blocks that remain without one */
} memory_turn;

static void describe_turn(const memory_turn *turn, char *out, size_t size) {
    snprintf(out, size, "with allocation %ld %s failing", turn->number,
             turn->owner == MEMORY_OWN ? "of its own" : "on its behalf");
}

/* *left: blocks that remain. */
static hl_status fail_once(const memory_turn *turn, memory_work *work, void *user, long *left,
                           hl_error *error) {
    long before = memory_in_use();
    memory_fail(turn->plugin, turn->owner, turn->number);
    hl_status status = work(user, turn->number, error);
    memory_fail_none();
    *left = memory_in_use() - before;
    return status;
}

/* What is kept for the next time is there after a few times. */
static hl_status try_turn(const memory_turn *turn, memory_work *work, void *user, hl_error *error) {
    enum { TIMES = 3 };
    hl_error what = {""};
    hl_status status = HL_OK;
    char place[96];
    long left = turn->usual + 1;
    describe_turn(turn, place, sizeof place);
    child_note("%s", place);
    for (int i = 0; i < TIMES && status == HL_OK && left > turn->usual; ++i) {
        status = fail_once(turn, work, user, &left, &what);
    }
    if (status != HL_OK) return hl_fail(error, status, "%s: %s", place, what.message);
    if (left <= turn->usual) return HL_OK;
    return hl_fail(error, HL_FAILED, "%s: leaks %ld blocks", place, left - turn->usual);
}

/* How many allocations of this sort there are, and what remains, in a run in which none fails. */
static hl_status count_turns(memory_turn *turn, memory_work *work, void *user, long *count, hl_error *error) {
    hl_status status = work(user, 0, error);
    long before = memory_in_use();
    memory_fail(turn->plugin, turn->owner, LONG_MAX);
    if (status == HL_OK) status = work(user, 0, error);
    *count = memory_allocations();
    memory_fail_none();
    turn->usual = memory_in_use() - before;
    if (turn->usual < 0) turn->usual = 0;
    return status;
}

hl_status subject_check_failures(const hl_plugin *plugin, memory_work *work, void *user, hl_error *error) {
    static const memory_owner owners[] = {MEMORY_OWN, MEMORY_BEHALF};
    if (!memory_can_fail()) {
        return hl_fail(error, HL_UNAVAILABLE, "allocations cannot be made to fail here");
    }
    hl_status status = HL_OK;
    for (size_t i = 0; i < sizeof owners / sizeof *owners && status == HL_OK; ++i) {
        memory_turn turn = {.plugin = plugin, .owner = owners[i], .number = 1};
        long count;
        status = count_turns(&turn, work, user, &count, error);
        for (; turn.number <= count && status == HL_OK; turn.number = memory_next(turn.owner, turn.number)) {
            status = try_turn(&turn, work, user, error);
        }
    }
    return status;
}
