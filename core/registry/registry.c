/* Finds plugins, loads them and checks what they declare. Knows descriptors, never what a plugin does. */
#include "core/registry/registry.h"

#include "core/io/input.h"
#include "core/registry/options.h"
#include "core/registry/suggest.h"
#include "core/registry/trust.h"
#include "headlight/analysis.h"
#include "headlight/compute.h"
#include "headlight/extractor.h"
#include "headlight/model.h"
#include "headlight/report.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_OPTIONS = 1000, LARGEST_ROW = 4096, LARGEST_TABLE = 65536 };

/* A loaded file. `plugin` comes first, so that a descriptor leads back to its entry. */
typedef struct loaded_plugin {
    hl_plugin plugin; /* padded to this host's size */
    hl_option *options;
    char *file, *real; /* as found, and what it really is */
    size_t folder;     /* number of the folder in the search */
    void *handle;
    bool hidden; /* by one of the same kind and name that was found first */
} loaded_plugin;

struct registry {
    registry_settings settings; /* only while folders are searched */
    loaded_plugin **entries;
    size_t count, folders;
    char **broken; /* of each file that cannot be loaded, what is wrong with it */
    size_t broken_count;
    bool
        unguarded; /* the folder that is searched: whoever could write there could replace this library too */
};

/* What of the table of a kind must be there, and from where on it consists of pointers; what follows is
 * optional. */
static const struct {
    const char *name;
    size_t first, required;
} kinds[] = {
    [HL_COMPUTE] = {"compute", sizeof(void *), offsetof(hl_compute_api, layer_norm)},
    [HL_MODEL] = {"model", sizeof(void *), offsetof(hl_model_api, token_codes) + sizeof(void *)},
    [HL_EXTRACTOR] = {"extractor", offsetof(hl_extractor_api, labels), offsetof(hl_extractor_api, labels)},
    [HL_ANALYSIS] = {"analysis", sizeof(void *), offsetof(hl_analysis_api, run) + sizeof(void *)},
    [HL_REPORT] = {"report", sizeof(void *), offsetof(hl_report_api, files)},
};

static bool is_kind(uint32_t kind) {
    return kind >= HL_COMPUTE && kind <= HL_REPORT;
}

const char *kind_name(uint32_t kind) {
    return is_kind(kind) ? kinds[kind].name : "unknown";
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

static bool has_required_functions(const hl_plugin *plugin) {
    size_t required = kinds[plugin->kind].required;
    if (table_size(plugin) < required || table_size(plugin) > LARGEST_TABLE) return false;
    for (size_t at = kinds[plugin->kind].first; at < required; at += sizeof(void *)) {
        const void *function;
        memcpy(&function, (const char *)plugin->api + at, sizeof function);
        if (!function) return false;
    }
    return true;
}

static bool is_name(const char *name) {
    return name && *name && *name != '-' && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

static const char *flaw_of(const hl_plugin *plugin) {
    if (!is_kind(plugin->kind)) return "it is of a kind that this headlight does not know";
    if (!is_name(plugin->name)) return "its name is not of lower case letters, digits and '-'";
    if (!plugin->version || !*plugin->version) return "it has no version";
    if (!plugin->summary || !*plugin->summary) return "it has no summary";
    if (!plugin->api) return "it has no table of functions";
    if (!has_required_functions(plugin)) return "its table of functions lacks some that its kind must have";
    return NULL;
}

static hl_status check_declaration(loaded_plugin *entry, const hl_plugin *declared, hl_error *error) {
    hl_status status = check_abi(entry->file, declared, error);
    if (status == HL_OK) status = copy_descriptor(entry, declared, error);
    if (status != HL_OK) return status;
    const char *flaw = flaw_of(&entry->plugin);
    if (flaw) return hl_fail(error, HL_USAGE, "%s: not a sound plugin: %s", entry->file, flaw);
    status = copy_options(entry, error);
    if (status != HL_OK) return status;
    hl_error detail;
    status = options_check(&entry->plugin, &detail);
    return status == HL_OK ? HL_OK : hl_fail(error, status, "%s: %s", entry->file, detail.message);
}

/* ---- Loading a file ---- */

static void free_entry(loaded_plugin *entry) {
    if (!entry) return;
    if (entry->handle) dlclose(entry->handle);
    free(entry->options);
    free(entry->file);
    free(entry->real);
    free(entry);
}

/* dlerror's text, which as a rule starts with the file that our own message names already. */
static const char *loader_reason(const char *file) {
    const char *reason = dlerror();
    size_t length = strlen(file);
    if (!reason) return "no reason given";
    bool repeats = strncmp(reason, file, length) == 0 && strncmp(reason + length, ": ", 2) == 0;
    return repeats ? reason + length + 2 : reason;
}

/* Whether segments that the loader would map lie past the end of the file. It takes them on trust, and
 * touching them would end this program by a signal. What is no ELF file at all, the loader itself refuses. */
static bool is_cut_short(const char *path, int file, uint64_t size) {
    ElfW(Ehdr) header;
    ElfW(Phdr) segment;
    if (size < sizeof header || input_read_at(path, file, 0, &header, sizeof header, NULL) != HL_OK ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        return false;
    }
    for (size_t i = 0; i < header.e_phnum; ++i) {
        uint64_t place = header.e_phoff + i * sizeof segment;
        if (header.e_phoff > size ||
            input_read_at(path, file, place, &segment, sizeof segment, NULL) != HL_OK ||
            segment.p_filesz > size || segment.p_offset > size - segment.p_filesz) {
            return true;
        }
    }
    return false;
}

static hl_status check_whole(const char *path, hl_error *error) {
    int file;
    uint64_t size;
    hl_status status = input_open(path, &file, &size, error);
    if (status != HL_OK) return status;
    bool cut = is_cut_short(path, file, size);
    close(file);
    return cut ? hl_fail(error, HL_USAGE, "%s: cannot be loaded: the file is cut short: copy it again", path)
               : HL_OK;
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

/* The loader has several words for a lack of memory; it also says of a file that was just read that it cannot
 * be opened or is not there. */
static bool is_lack_of_memory(int reason, const char *words) {
    static const char opening[] = "cannot open shared object file";
    static const char *const others[] = {"emory", "cannot create shared object descriptor",
                                         "failed to map segment"};
    bool found = reason == ENOMEM;
    for (size_t i = 0; i < sizeof others / sizeof *others; ++i) found |= strstr(words, others[i]) != NULL;
    if (strncmp(words, opening, sizeof opening - 1) != 0) return found;
    words += sizeof opening - 1;
    return found || !*words || strcmp(words, ": No such file or directory") == 0;
}

static hl_status open_library(loaded_plugin *entry, hl_error *error) {
    errno = 0;
    entry->handle = dlopen(entry->file, RTLD_NOW | RTLD_LOCAL);
    if (entry->handle) return HL_OK;
    int reason = errno;
    const char *words = loader_reason(entry->file);
    if (is_lack_of_memory(reason, words)) return hl_no_memory(error, entry->file);
    return hl_fail(error, HL_USAGE, "%s: cannot be loaded: %s", entry->file, words);
}

static hl_status load_file(loaded_plugin *entry, hl_error *error) {
    hl_status status = check_whole(entry->file, error);
    if (status == HL_OK) status = open_library(entry, error);
    if (status != HL_OK) return status;
    const hl_plugin *declared = dlsym(entry->handle, "headlight_plugin");
    if (!declared) {
        return hl_fail(error, HL_USAGE,
                       "%s: not a plugin, for it exports no headlight_plugin: remove it from the folder",
                       entry->file);
    }
    return check_declaration(entry, declared, error);
}

static bool is_known_file(const registry *plugins, const char *real) {
    for (size_t i = 0; i < plugins->count; ++i) {
        if (strcmp(plugins->entries[i]->real, real) == 0) return true;
    }
    return false;
}

static hl_status settle_duplicate(const registry *plugins, loaded_plugin *fresh, hl_error *error) {
    const hl_plugin *first = registry_find(plugins, fresh->plugin.kind, fresh->plugin.name);
    if (!first) return HL_OK;
    const loaded_plugin *earlier = (const loaded_plugin *)(const void *)first;
    const char *kind = kind_name(first->kind);
    if (earlier->folder == fresh->folder) {
        return hl_fail(error, HL_USAGE, "%s: %s/%s is also in %s: remove one of the two", fresh->file, kind,
                       first->name, earlier->file);
    }
    fresh->hidden = true;
    char line[1024];
    hl_format(line, sizeof line, "%s: not used, for %s/%s was found first in %s", fresh->file, kind,
              first->name, earlier->file);
    if (plugins->settings.warn) plugins->settings.warn(plugins->settings.user, line);
    return HL_OK;
}

/* Takes over `fresh` when all goes well. */
static hl_status append(registry *plugins, loaded_plugin *fresh, hl_error *error) {
    loaded_plugin **longer = reallocarray(plugins->entries, plugins->count + 1, sizeof *longer);
    if (!longer) return no_memory(error);
    plugins->entries = longer;
    plugins->entries[plugins->count++] = fresh;
    return HL_OK;
}

/* Everything else goes on without it. */
static hl_status keep_broken(registry *plugins, const char *why, hl_error *error) {
    char **longer = reallocarray(plugins->broken, plugins->broken_count + 1, sizeof *longer);
    if (!longer) return no_memory(error);
    plugins->broken = longer;
    longer[plugins->broken_count] = strdup(why);
    if (!longer[plugins->broken_count]) return no_memory(error);
    ++plugins->broken_count;
    return HL_OK;
}

static hl_status find_real(loaded_plugin *entry, hl_error *error) {
    entry->real = realpath(entry->file, NULL);
    if (entry->real) return HL_OK;
    if (errno == ENOMEM) return no_memory(error);
    return hl_fail(error, HL_USAGE, "%s: cannot be loaded: %s", entry->file, strerror(errno));
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
    if (status == HL_OK && trusted == HL_OK) status = load_file(fresh, &why);
    if (status == HL_USAGE) {
        free_entry(fresh);
        return keep_broken(plugins, why.message, error);
    }
    if (status != HL_OK) hl_fail(error, status, "%s", why.message);
    if (status == HL_OK) status = trusted;
    if (status == HL_OK) status = settle_duplicate(plugins, fresh, error);
    if (status == HL_OK) status = append(plugins, fresh, error);
    if (status != HL_OK) free_entry(fresh);
    return status;
}

static hl_status add_file(registry *plugins, const char *folder, const char *name, hl_error *error) {
    loaded_plugin *fresh = calloc(1, sizeof *fresh);
    if (!fresh) return no_memory(error);
    fresh->folder = plugins->folders;
    if (asprintf(&fresh->file, "%s/%s", folder, name) >= 0) return add_plugin(plugins, fresh, error);
    fresh->file = NULL;
    free_entry(fresh);
    return no_memory(error);
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
        if (status == HL_OK) status = add_file(plugins, folder, files[i]->d_name, error);
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

static void drop_hidden(registry *plugins) {
    size_t kept = 0;
    for (size_t i = 0; i < plugins->count; ++i) {
        if (plugins->entries[i]->hidden) {
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
    for (size_t i = 0; i < settings->folder_count && status == HL_OK; ++i) {
        status = search_folder(plugins, settings->folders[i], error);
    }
    if (status == HL_OK) status = search_environment(plugins, error);
    if (status == HL_OK) status = search_own_folder(plugins, error);
    if (status != HL_OK) {
        registry_close(plugins);
        return status;
    }
    drop_hidden(plugins);
    if (plugins->count > 0)
        qsort(plugins->entries, plugins->count, sizeof *plugins->entries, by_kind_and_name);
    *out = plugins;
    return HL_OK;
}

void registry_close(registry *plugins) {
    if (!plugins) return;
    for (size_t i = 0; i < plugins->count; ++i) free_entry(plugins->entries[i]);
    for (size_t i = 0; i < plugins->broken_count; ++i) free(plugins->broken[i]);
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
    return index < plugins->broken_count ? plugins->broken[index] : NULL;
}

/* Whether the file that a message begins with is called NAME.so or, as headlight's own are, KIND-NAME.so. */
static bool is_about(const char *message, const char *name) {
    const char *end = strstr(message, ".so: ");
    size_t length = strlen(name);
    if (!end || (size_t)(end - message) <= length || strncmp(end - length, name, length) != 0) return false;
    return end[-(ptrdiff_t)length - 1] == '/' || end[-(ptrdiff_t)length - 1] == '-';
}

const char *registry_broken_called(const registry *plugins, const char *name) {
    for (size_t i = 0; i < plugins->broken_count; ++i) {
        if (is_about(plugins->broken[i], name)) return plugins->broken[i];
    }
    return NULL;
}

const hl_plugin *registry_find(const registry *plugins, hl_kind kind, const char *name) {
    for (size_t i = 0; i < plugins->count; ++i) {
        const loaded_plugin *entry = plugins->entries[i];
        if (entry->hidden || entry->plugin.kind != kind) continue;
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
