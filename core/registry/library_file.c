/* See library_file.h. */
#include "core/registry/library_file.h"

#include "core/io/input.h"
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

hl_status library_file_check(const char *path, hl_error *error) {
    int file;
    uint64_t size;
    hl_status status = input_open(path, &file, &size, error);
    if (status != HL_OK) return status;
    bool cut = is_cut_short(path, file, size);
    close(file);
    return cut ? hl_fail(error, HL_USAGE, "%s: cannot be loaded: the file is cut short: copy it again", path)
               : HL_OK;
}

/* dlerror's text, which as a rule starts with the file that our own message names already. */
static const char *loader_reason(const char *file) {
    const char *reason = dlerror();
    size_t length = strlen(file);
    if (!reason) return "no reason given";
    bool repeats = strncmp(reason, file, length) == 0 && strncmp(reason + length, ": ", 2) == 0;
    return repeats ? reason + length + 2 : reason;
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

hl_status library_file_open(const char *path, void **handle, hl_error *error) {
    errno = 0;
    *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (*handle) return HL_OK;
    int reason = errno;
    const char *words = loader_reason(path);
    if (is_lack_of_memory(reason, words)) return hl_no_memory(error, path);
    return hl_fail(error, HL_USAGE, "%s: cannot be loaded: %s", path, words);
}

/* ---- What it exports ---- */

/* The tables of the dynamic section that symbols are found with. */
typedef struct symbol_tables {
    const ElfW(Sym) * symbols;
    const char *names;
    const uint32_t *hash, *gnu_hash;
} symbol_tables;

static symbol_tables find_tables(const struct link_map *map) {
    symbol_tables found = {NULL, NULL, NULL, NULL};
    for (const ElfW(Dyn) *entry = map->l_ld; entry && entry->d_tag != DT_NULL; ++entry) {
        ElfW(Addr) at = entry->d_un.d_ptr; /* which most loaders have made an address */
        const void *place = (const void *)(at < map->l_addr ? at + map->l_addr : at);
        if (entry->d_tag == DT_SYMTAB) found.symbols = place;
        if (entry->d_tag == DT_STRTAB) found.names = place;
        if (entry->d_tag == DT_HASH) found.hash = place;
        if (entry->d_tag == DT_GNU_HASH) found.gnu_hash = place;
    }
    return found;
}

/* No table says how many symbols there are. The older hash table has a chain for each; in the newer one the
 * last chain ends with the last symbol. */
static uint32_t count_symbols(const symbol_tables *tables) {
    if (tables->hash) return tables->hash[1];
    const uint32_t *header = tables->gnu_hash;
    if (!header) return 0;
    uint32_t bucket_count = header[0], first = header[1], filter_words = header[2], last = 0;
    const uint32_t *buckets = header + 4 + filter_words * (sizeof(ElfW(Addr)) / sizeof *header);
    const uint32_t *chains = buckets + bucket_count;
    for (uint32_t i = 0; i < bucket_count; ++i) last = buckets[i] > last ? buckets[i] : last;
    if (last < first) return 0;
    while (!(chains[last - first] & 1)) ++last;
    return last + 1;
}

void library_file_exports(void *handle, const char *own, char *out, size_t room) {
    struct link_map *map;
    size_t used = 0;
    out[0] = '\0';
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return;
    symbol_tables tables = find_tables(map);
    uint32_t count = tables.symbols && tables.names ? count_symbols(&tables) : 0;
    for (uint32_t i = 1; i < count; ++i) {
        const ElfW(Sym) *symbol = &tables.symbols[i];
        const char *name = tables.names + symbol->st_name;
        bool exported = symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_ABS &&
                        symbol->st_info >> 4 == STB_GLOBAL; /* as in the other class of files */
        if (!exported || name[0] == '_' || strcmp(name, own) == 0) continue;
        int length = snprintf(out + used, room - used, "%s%s", used ? ", " : "", name);
        if (length < 0 || (size_t)length >= room - used) return;
        used += (size_t)length;
    }
}
