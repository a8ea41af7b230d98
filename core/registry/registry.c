/* Finds plugins, loads them and checks what they declare. Knows descriptors, never what a plugin does. */
#include "core/registry/registry.h"

#include "core/registry/guard.h"
#include "core/registry/library_file.h"
#include "core/registry/options.h"
#include "core/registry/required.h"
#include "core/registry/suggest.h"
#include "core/registry/trust.h"

#include "headlight/analysis.h"
#include "headlight/extractor.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYMBOL "headlight_plugin"

enum { MOST_OPTIONS = 1000, LARGEST_ROW = 4096, LARGEST_TABLE = 65536 };

/* A loaded file. `plugin` comes first, so that a descriptor leads back to its entry. */
typedef struct loaded_plugin {
    hl_plugin plugin; /* padded to this host's size */
    hl_option *options;
    char *file, *real; /* as found, and what it really is */
    size_t folder;     /* number of the folder in the search */
    void *handle;
    bool hidden;    /* by one of the same kind and name that was found first */
    bool contested; /* by one of the same kind and name in the same folder */
} loaded_plugin;

typedef struct broken_file {
    char *name; /* of the plugin; NULL: not known */
    char *why;
} broken_file;

struct registry {
    registry_settings settings; /* only while folders are searched */
    loaded_plugin **entries;
    size_t count, folders;
    broken_file *broken;
    size_t broken_count;
    bool
        unguarded; /* the folder that is searched: whoever could write there could replace this library too */
};

static const char *const kinds[] = {[HL_COMPUTE] = "compute",
                                    [HL_MODEL] = "model",
                                    [HL_EXTRACTOR] = "extractor",
                                    [HL_ANALYSIS] = "analysis",
                                    [HL_REPORT] = "report"};

static bool is_kind(uint32_t kind) {
    return kind >= HL_COMPUTE && kind <= HL_REPORT;
}

const char *kind_name(uint32_t kind) {
    return is_kind(kind) ? kinds[kind] : "unknown";
}

const char *step_name(uint32_t step) {
    static const char *const names[] = {"nothing", "descriptions", "labels", "verdicts"};
    return step < sizeof names / sizeof *names ? names[step] : "nothing that is known here";
}

static hl_status no_memory(hl_error *error) {
    return hl_no_memory(error, "the list of plugins");
}

/* ---- What a plugin declares ---- */

static uint32_t table_size(const hl_plugin *plugin) {
    uint32_t size;
    memcpy(&size, plugin->api, sizeof size);
    return size;
}

void registry_table(const hl_plugin *plugin, void *table, size_t size) {
    size_t have = table_size(plugin);
    memset(table, 0, size);
    memcpy(table, plugin->api, have < size ? have : size);
}

uint32_t registry_needs(const hl_plugin *plugin) {
    hl_analysis_api analysis = {.needs = 0};
    hl_extractor_api extractor = {.needs = 0};
    if (plugin->kind == HL_ANALYSIS) registry_table(plugin, &analysis, sizeof analysis);
    if (plugin->kind == HL_EXTRACTOR) registry_table(plugin, &extractor, sizeof extractor);
    return analysis.needs | extractor.needs;
}

/* Before anything but the first two fields is read. */
static hl_status check_abi(const char *file, const hl_plugin *plugin, hl_error *error) {
    if (plugin->abi_major != HL_ABI_MAJOR) {
        return hl_fail(
            error, HL_USAGE,
            "%s: is built for ABI %u of headlight, and this one has ABI %d: build it again from its "
            "source",
            file, plugin->abi_major, HL_ABI_MAJOR);
    }
    if (plugin->abi_minor <= HL_ABI_MINOR) return HL_OK;
    return hl_fail(
        error, HL_USAGE,
        "%s: is built for ABI %u.%u of headlight, and this one has ABI %d.%d: build it again from its "
        "source with this headlight's headers, or use a newer headlight",
        file, plugin->abi_major, plugin->abi_minor, HL_ABI_MAJOR, HL_ABI_MINOR);
}

static hl_status copy_descriptor(loaded_plugin *entry, const hl_plugin *from, hl_error *error) {
    if (from->size < offsetof(hl_plugin, extension)) {
        return hl_fail(error, HL_USAGE,
                       "%s: its descriptor says that it is %u bytes long, expected at least %zu", entry->file,
                       from->size, offsetof(hl_plugin, extension));
    }
    memcpy(&entry->plugin, from, from->size < sizeof *from ? from->size : sizeof *from);
    entry->plugin.size = sizeof *from;
    return HL_OK;
}

static hl_status copy_options(loaded_plugin *entry, hl_error *error) {
    hl_plugin *plugin = &entry->plugin;
    if (plugin->option_count == 0) return HL_OK;
    if (!plugin->options || plugin->option_count > MOST_OPTIONS || plugin->option_size == 0 ||
        plugin->option_size > LARGEST_ROW) {
        return hl_fail(error, HL_USAGE, "%s: its option table of %u rows of %u bytes makes no sense",
                       entry->file, plugin->option_count, plugin->option_size);
    }
    entry->options = calloc(plugin->option_count, sizeof *entry->options);
    if (!entry->options) return no_memory(error);
    size_t bytes =
        plugin->option_size < sizeof *entry->options ? plugin->option_size : sizeof *entry->options;
    const char *row = (const char *)plugin->options;
    for (uint32_t i = 0; i < plugin->option_count; ++i, row += plugin->option_size) {
        memcpy(&entry->options[i], row, bytes);
    }
    plugin->options = entry->options;
    plugin->option_size = sizeof *entry->options;
    return HL_OK;
}

bool registry_is_name(const char *name) {
    return name && *name && *name != '-' && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

static const char *flaw_of(const hl_plugin *plugin) {
    if (!is_kind(plugin->kind)) return "it is of a kind that this headlight does not know";
    if (!registry_is_name(plugin->name)) return "its name is not of lower case letters, digits and '-'";
    if (!plugin->version || !*plugin->version) return "it has no version";
    if (!plugin->summary || !*plugin->summary) return "it has no summary";
    if (!plugin->api) return "it has no table of functions";
    uint32_t size = table_size(plugin);
    if (size < sizeof size || size > LARGEST_TABLE) return "its table of functions does not say its size";
    return NULL;
}

static hl_status check_functions(const loaded_plugin *entry, hl_error *error) {
    const hl_plugin *plugin = &entry->plugin;
    char missing[256];
    required_missing(plugin->kind, plugin->api, table_size(plugin), missing, sizeof missing);
    if (!*missing) return HL_OK;
    return hl_fail(error, HL_USAGE,
                   "%s: not a sound plugin: its table of functions lacks some that its kind must have: %s",
                   entry->file, missing);
}

static hl_status check_declaration(loaded_plugin *entry, const hl_plugin *declared, hl_error *error) {
    hl_status status = check_abi(entry->file, declared, error);
    if (status == HL_OK) status = copy_descriptor(entry, declared, error);
    if (status != HL_OK) return status;
    const char *flaw = flaw_of(&entry->plugin);
    if (flaw) return hl_fail(error, HL_USAGE, "%s: not a sound plugin: %s", entry->file, flaw);
    status = check_functions(entry, error);
    if (status == HL_OK) status = copy_options(entry, error);
    if (status != HL_OK) return status;
    hl_error detail;
    status = options_check(&entry->plugin, &detail);
    return status == HL_OK ? HL_OK : hl_fail(error, status, "%s: %s", entry->file, detail.message);
}

/* ---- Loading a file ---- */

static void free_entry(loaded_plugin *entry) {
    if (!entry) return;
    if (entry->handle) {
        guard_enter_file(entry->file);
        dlclose(entry->handle);
        guard_leave_file();
    }
    free(entry->options);
    free(entry->file);
    free(entry->real);
    free(entry);
}

/* A plugin runs as whoever runs headlight, so it must not be anybody's to change. */
static hl_status check_trust(const registry *plugins, const loaded_plugin *entry, hl_error *error) {
    char *flaw = NULL;
    if (plugins->unguarded) return HL_OK;
    if (!trust_flaw(entry->real, &flaw)) return no_memory(error);
    if (!flaw) return HL_OK;
    hl_status status =
        hl_fail(error, HL_USAGE,
                "%s: not loaded, for everybody may write to %s: take that right away (chmod o-w) "
                "or put the plugin elsewhere",
                entry->file, flaw);
    free(flaw);
    return status;
}

static hl_status open_file(loaded_plugin *entry, hl_error *error) {
    hl_status status = library_file_check(entry->file, error);
    if (status != HL_OK) return status;
    guard_enter_file(entry->file);
    status = library_file_open(entry->file, &entry->handle, error);
    guard_leave_file();
    return status;
}

static void warn(const registry *plugins, const char *line) {
    if (plugins->settings.warn) plugins->settings.warn(plugins->settings.user, line);
}

/* It would work, but whoever links two such plugins into one program would find out. */
static void warn_of_exports(const registry *plugins, const loaded_plugin *entry) {
    char names[256], line[1024];
    library_file_exports(entry->handle, SYMBOL, names, sizeof names);
    if (!*names) return;
    hl_format(line, sizeof line, "%s: exports more than " SYMBOL ": %s (build it with -fvisibility=hidden)",
              entry->file, names);
    warn(plugins, line);
}

static hl_status load_file(const registry *plugins, loaded_plugin *entry, hl_error *error) {
    hl_status status = open_file(entry, error);
    if (status != HL_OK) return status;
    const hl_plugin *declared = dlsym(entry->handle, SYMBOL);
    if (!declared) {
        return hl_fail(error, HL_USAGE,
                       "%s: not a plugin, for it exports no " SYMBOL ": remove it from the folder",
                       entry->file);
    }
    status = check_declaration(entry, declared, error);
    if (status == HL_OK) warn_of_exports(plugins, entry);
    return status;
}

static bool is_known_file(const registry *plugins, const char *real) {
    for (size_t i = 0; i < plugins->count; ++i) {
        if (strcmp(plugins->entries[i]->real, real) == 0) return true;
    }
    return false;
}

/* Takes over `fresh` when all goes well. */
static hl_status append(registry *plugins, loaded_plugin *fresh, hl_error *error) {
    loaded_plugin **longer = reallocarray(plugins->entries, plugins->count + 1, sizeof *longer);
    if (!longer) return no_memory(error);
    plugins->entries = longer;
    plugins->entries[plugins->count++] = fresh;
    return HL_OK;
}

/* Everything else goes on without it. `name`: of the plugin, where that is known. */
static hl_status keep_broken(registry *plugins, const char *name, const char *why, hl_error *error) {
    broken_file *longer = reallocarray(plugins->broken, plugins->broken_count + 1, sizeof *longer);
    if (!longer) return no_memory(error);
    plugins->broken = longer;
    broken_file *added = &longer[plugins->broken_count];
    *added = (broken_file){name ? strdup(name) : NULL, strdup(why)};
    if (!added->why || (name && !added->name)) {
        free(added->name);
        free(added->why);
        return no_memory(error);
    }
    ++plugins->broken_count;
    return HL_OK;
}

/* Of two in one folder neither is used, for nobody could say which is meant. */
static hl_status contest(registry *plugins, loaded_plugin *earlier, loaded_plugin *fresh, hl_error *error) {
    loaded_plugin *const both[] = {earlier, fresh};
    for (size_t i = 0; i < 2; ++i) {
        loaded_plugin *one = both[i];
        if (one->contested) continue;
        hl_error why;
        hl_fail(&why, HL_USAGE, "%s: %s/%s is also in %s: remove one of the two", one->file,
                kind_name(one->plugin.kind), one->plugin.name, both[1 - i]->file);
        hl_status status = keep_broken(plugins, one->plugin.name, why.message, error);
        if (status != HL_OK) return status;
        one->contested = true;
    }
    return HL_OK;
}

static loaded_plugin *find_namesake(const registry *plugins, const hl_plugin *plugin) {
    for (size_t i = 0; i < plugins->count; ++i) {
        loaded_plugin *entry = plugins->entries[i];
        if (!entry->hidden && entry->plugin.kind == plugin->kind &&
            strcmp(entry->plugin.name, plugin->name) == 0) {
            return entry;
        }
    }
    return NULL;
}

static hl_status settle_duplicate(registry *plugins, loaded_plugin *fresh, hl_error *error) {
    loaded_plugin *earlier = find_namesake(plugins, &fresh->plugin);
    if (!earlier) return HL_OK;
    if (earlier->folder == fresh->folder) return contest(plugins, earlier, fresh, error);
    fresh->hidden = true;
    char line[1024];
    hl_format(line, sizeof line, "%s: not used, for %s/%s was found first in %s", fresh->file,
              kind_name(fresh->plugin.kind), fresh->plugin.name, earlier->file);
    warn(plugins, line);
    return HL_OK;
}

static hl_status find_real(loaded_plugin *entry, hl_error *error) {
    entry->real = realpath(entry->file, NULL);
    if (entry->real) return HL_OK;
    if (errno == ENOMEM) return no_memory(error);
    return hl_fail(error, HL_USAGE, "%s: cannot be loaded: %s", entry->file, strerror(errno));
}

/* NULL: it is not known what a file that cannot be loaded holds. */
static const char *name_of(const loaded_plugin *entry) {
    return registry_is_name(entry->plugin.name) ? entry->plugin.name : NULL;
}

/* Takes over `fresh`. */
static hl_status add_plugin(registry *plugins, loaded_plugin *fresh, hl_error *error) {
    hl_error why;
    hl_status status = find_real(fresh, &why);
    if (status == HL_OK && is_known_file(plugins, fresh->real)) {
        free_entry(fresh);
        return HL_OK;
    }
    hl_status trusted = status == HL_OK ? check_trust(plugins, fresh, error) : HL_OK;
    if (status == HL_OK && trusted == HL_OK) status = load_file(plugins, fresh, &why);
    if (status == HL_USAGE) {
        status = keep_broken(plugins, name_of(fresh), why.message, error);
        free_entry(fresh);
        return status;
    }
    if (status != HL_OK) hl_fail(error, status, "%s", why.message);
    if (status == HL_OK) status = trusted;
    if (status == HL_OK) status = settle_duplicate(plugins, fresh, error);
    if (status == HL_OK) status = append(plugins, fresh, error);
    if (status != HL_OK) free_entry(fresh);
    return status;
}

static hl_status add_file(registry *plugins, const char *path, hl_error *error) {
    loaded_plugin *fresh = calloc(1, sizeof *fresh);
    if (!fresh) return no_memory(error);
    fresh->folder = plugins->folders;
    fresh->file = strdup(path);
    if (fresh->file) return add_plugin(plugins, fresh, error);
    free_entry(fresh);
    return no_memory(error);
}

static hl_status add_file_in(registry *plugins, const char *folder, const char *name, hl_error *error) {
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0) return no_memory(error);
    hl_status status = add_file(plugins, path, error);
    free(path);
    return status;
}

/* ---- Searching folders ---- */

static int is_library(const struct dirent *file) {
    size_t length = strlen(file->d_name);
    return file->d_name[0] != '.' && length > 3 && strcmp(file->d_name + length - 3, ".so") == 0;
}

/* Byte order, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static hl_status search_folder(registry *plugins, const char *folder, hl_error *error) {
    struct dirent **files;
    int count = scandir(folder, &files, is_library, by_name);
    if (count < 0 && errno == ENOMEM) return no_memory(error);
    if (count < 0) {
        return hl_fail(error, HL_USAGE, "the plugin folder %s cannot be read: %s", folder, strerror(errno));
    }
    hl_status status = HL_OK;
    for (int i = 0; i < count; ++i) {
        if (status == HL_OK) status = add_file_in(plugins, folder, files[i]->d_name, error);
        free(files[i]);
    }
    free(files);
    ++plugins->folders;
    return status;
}

static hl_status search_environment(registry *plugins, hl_error *error) {
    const char *path = getenv("HEADLIGHT_PLUGIN_PATH");
    char *folders = strdup(path ? path : ""), *rest = folders;
    if (!folders) return no_memory(error);
    hl_status status = HL_OK;
    for (char *folder; status == HL_OK && (folder = strsep(&rest, ":"));) {
        if (*folder) status = search_folder(plugins, folder, error);
    }
    free(folders);
    return status;
}

/* The folder `headlight` beside the file that holds this very code; it may be missing. It need not be safer
 * than that file: on file systems without rights everything is everybody's. */
static hl_status search_own_folder(registry *plugins, hl_error *error) {
    errno = 0;
    Dl_info info;
    char *self =
        dladdr((const void *)(uintptr_t)search_own_folder, &info) ? realpath(info.dli_fname, NULL) : NULL;
    if (!self) return errno == ENOMEM ? no_memory(error) : HL_OK;
    char *folder = NULL, *flaw = NULL;
    int length = asprintf(&folder, "%.*s/headlight", (int)(strrchr(self, '/') - self), self);
    bool known = trust_flaw(self, &flaw);
    plugins->unguarded = flaw != NULL;
    free(flaw);
    free(self);
    if (length >= 0 && !known) free(folder);
    if (length < 0 || !known) return no_memory(error);
    struct stat status;
    bool there = stat(folder, &status) == 0 && S_ISDIR(status.st_mode);
    hl_status searched = there ? search_folder(plugins, folder, error) : HL_OK;
    free(folder);
    return searched;
}

static int by_kind_and_name(const void *a, const void *b) {
    const loaded_plugin *first = *(loaded_plugin *const *)a, *second = *(loaded_plugin *const *)b;
    if (first->plugin.kind != second->plugin.kind) return first->plugin.kind < second->plugin.kind ? -1 : 1;
    return strcmp(first->plugin.name, second->plugin.name);
}

static void drop_unused(registry *plugins) {
    size_t kept = 0;
    for (size_t i = 0; i < plugins->count; ++i) {
        if (plugins->entries[i]->hidden || plugins->entries[i]->contested) {
            free_entry(plugins->entries[i]);
        } else {
            plugins->entries[kept++] = plugins->entries[i];
        }
    }
    plugins->count = kept;
}

hl_status registry_open(const registry_settings *settings, registry **out, hl_error *error) {
    *out = NULL;
    registry *plugins = calloc(1, sizeof *plugins);
    if (!plugins) return no_memory(error);
    plugins->settings = *settings;
    hl_status status = HL_OK;
    for (size_t i = 0; i < settings->file_count && status == HL_OK; ++i, ++plugins->folders) {
        status = add_file(plugins, settings->files[i], error);
    }
    for (size_t i = 0; i < settings->folder_count && status == HL_OK; ++i) {
        status = search_folder(plugins, settings->folders[i], error);
    }
    if (status == HL_OK) status = search_environment(plugins, error);
    if (status == HL_OK) status = search_own_folder(plugins, error);
    if (status != HL_OK) {
        registry_close(plugins);
        return status;
    }
    drop_unused(plugins);
    if (plugins->count > 0)
        qsort(plugins->entries, plugins->count, sizeof *plugins->entries, by_kind_and_name);
    *out = plugins;
    return HL_OK;
}

void registry_close(registry *plugins) {
    if (!plugins) return;
    for (size_t i = 0; i < plugins->count; ++i) free_entry(plugins->entries[i]);
    for (size_t i = 0; i < plugins->broken_count; ++i) {
        free(plugins->broken[i].name);
        free(plugins->broken[i].why);
    }
    free(plugins->broken);
    free(plugins->entries);
    free(plugins);
}

/* ---- Questions ---- */

const hl_plugin *registry_at(const registry *plugins, size_t index) {
    return index < plugins->count ? &plugins->entries[index]->plugin : NULL;
}

const char *registry_file(const registry *plugins, size_t index) {
    return index < plugins->count ? plugins->entries[index]->file : NULL;
}

const char *registry_broken(const registry *plugins, size_t index) {
    return index < plugins->broken_count ? plugins->broken[index].why : NULL;
}

/* Whether it is the plugin of that name, or its file is called NAME.so or, as headlight's own are,
 * KIND-NAME.so. */
static bool is_called(const broken_file *broken, const char *name) {
    if (broken->name && strcmp(broken->name, name) == 0) return true;
    const char *end = strstr(broken->why, ".so: ");
    size_t length = strlen(name);
    if (!end || (size_t)(end - broken->why) <= length || strncmp(end - length, name, length) != 0)
        return false;
    return end[-(ptrdiff_t)length - 1] == '/' || end[-(ptrdiff_t)length - 1] == '-';
}

const char *registry_broken_called(const registry *plugins, const char *name) {
    for (size_t i = 0; i < plugins->broken_count; ++i) {
        if (is_called(&plugins->broken[i], name)) return plugins->broken[i].why;
    }
    return NULL;
}

const hl_plugin *registry_find(const registry *plugins, hl_kind kind, const char *name) {
    for (size_t i = 0; i < plugins->count; ++i) {
        const loaded_plugin *entry = plugins->entries[i];
        if (entry->plugin.kind != kind) continue;
        if (strcmp(entry->plugin.name, name) == 0) return &entry->plugin;
    }
    return NULL;
}

hl_status registry_need(const registry *plugins, hl_kind kind, const char *name, const char *where,
                        const hl_plugin **out, hl_error *error) {
    *out = registry_find(plugins, kind, name);
    if (*out) return HL_OK;
    const char *broken = registry_broken_called(plugins, name);
    if (broken) return hl_fail(error, HL_USAGE, "%s: the plugin \"%s\" is broken: %s", where, name, broken);
    const char **names = calloc(plugins->count + 1, sizeof *names);
    if (!names) return no_memory(error);
    size_t count = 0;
    for (size_t i = 0; i < plugins->count; ++i) {
        if (plugins->entries[i]->plugin.kind == kind) names[count++] = plugins->entries[i]->plugin.name;
    }
    char ending[512];
    suggest(ending, sizeof ending, name, names, count);
    free(names);
    return hl_fail(error, HL_USAGE, "%s: unknown %s plugin \"%s\"%s", where, kind_name(kind), name,
                   count ? ending : "; none is installed: see --plugin-dir and HEADLIGHT_PLUGIN_PATH");
}
