/* See families.h. */
#include "tests/families.h"

#include "tests/support.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static int is_visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static char *name_at(size_t index) {
    struct dirent **entries;
    int count = scandir(TEST_GOLDEN "/families", &entries, is_visible, alphasort);
    assert_true(count > 0);
    char *out = index < (size_t)count ? text("%s", entries[index]->d_name) : NULL;
    for (int i = 0; i < count; ++i) free(entries[i]);
    free(entries);
    return out;
}

/* Tokenizers are shared: "files" says which of them lie beside the checkpoint, and under which names. */
static void add_files(const family *of) {
    const cJSON *file;
    cJSON_ArrayForEach(file, cJSON_GetObjectItem(of->about, "files")) {
        char *from = text(TEST_GOLDEN "/%s", file->valuestring), *to = text("%s/%s", of->model, file->string);
        copy_file(from, to);
        free(from);
        free(to);
    }
}

bool family_open(size_t index, const char *scratch, family *out) {
    *out = (family){.name = name_at(index)};
    if (!out->name) return false;
    out->folder = text(TEST_GOLDEN "/families/%s", out->name);
    char *about = text("%s/case.json", out->folder), *json = read_file(about, NULL);
    char *model = text("%s/model", out->folder);
    out->about = cJSON_Parse(json);
    assert_non_null(out->about);
    out->model = text("%s/%s", scratch, out->name);
    copy_folder(model, out->model);
    add_files(out);
    free(about);
    free(json);
    free(model);
    return true;
}

void family_close(family *of) {
    free(of->name);
    free(of->folder);
    free(of->model);
    cJSON_Delete(of->about);
}
