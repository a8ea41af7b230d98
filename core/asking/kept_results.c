/* See kept_results.h. What is kept is the list of items, as it is when the plugin has returned and all is
 * checked. */
#include "core/asking/kept_results.h"

#include "core/asking/chain_key.h"
#include "core/asking/step.h"
#include "core/registry/registry.h"
#include "core/tree/packed.h"
#include <stdlib.h>
#include <string.h>

typedef struct kept {
    const hl_plugin *analysis;
    const hl_ask *ask;
    const option_values *values;
    uint32_t needs;
    char before[CHECKSUM_ROOM]; /* of what extractors found */
    tree *results;
    hl_item *list;
} kept;

static hl_status make_key(const kept *self, char out[CHAIN_KEY_ROOM], hl_error *error) {
    const chain_key_subject subject = {.kind = "results 1",
                                       .plugin = self->analysis,
                                       .values = self->values,
                                       .needs = self->needs,
                                       .before = self->before};
    return chain_key_make(&subject, self->ask, out, error);
}

/* ---- from the disk ---- */

static void add_all(const hl_node *from, hl_item *list) {
    for (const hl_node *item = from->first; item; item = item->next) item_copy(list, NULL, item);
}

/* Into a tree of its own first: what is damaged leaves nothing behind. */
static bool unpack(const kept *self, const void *bytes, size_t count) {
    unpacker from = {.at = bytes, .left = count};
    tree *read = NULL;
    hl_status status = tree_open(&read, NULL);
    hl_item *list = status == HL_OK ? item_list(tree_root(read), "results", HL_LIST) : NULL;
    for (int64_t items = unpack_whole(&from); items > 0 && status == HL_OK; --items) {
        status = tree_unpack(&from, list, NULL);
    }
    if (from.wrong || from.left > 0) status = HL_FAILED;
    if (status == HL_OK) status = tree_check(read, NULL);
    if (status == HL_OK) add_all(item_node(list), self->list);
    tree_close(read);
    return status == HL_OK;
}

static bool recall(const kept *self, const char *key) {
    void *bytes = NULL;
    size_t count = 0;
    if (*key) self->ask->recall(self->ask, key, &bytes, &count);
    bool found = bytes && unpack(self, bytes, count);
    free(bytes);
    return found;
}

/* ---- to the disk ---- */

static hl_status pack(const kept *self, packer *to, hl_error *error) {
    hl_status status = HL_OK;
    const hl_node *list = item_node(self->list), *item = list->first;
    pack_whole(to, list->count);
    for (; item && status == HL_OK; item = item->next) status = tree_pack(item, to, error);
    return status;
}

/* Unless a file of which the key speaks has changed meanwhile, or there is a grid or a picture among them. */
static void keep(const kept *self, const char *key) {
    char now[CHAIN_KEY_ROOM] = "";
    packer made = {.count = 0};
    bool whole = *key && pack(self, &made, NULL) == HL_OK && !made.failed;
    if (whole && make_key(self, now, NULL) == HL_OK && strcmp(now, key) == 0) {
        self->ask->remember(self->ask, key, made.bytes, made.count);
    }
    free(made.bytes);
}

/* ---- running ---- */

/* What it does not say that it needs is not there: what is kept does not depend on it. */
static hl_status run_analysis(const kept *self, hl_error *error) {
    bool searches = self->needs & HL_NEEDS_GALLERY;
    asker_withhold(self->ask, searches ? 0 : HL_NEEDS_GALLERY);
    hl_status status =
        step_analyse(self->analysis, self->ask, self->values, self->results, self->list, error);
    asker_withhold(self->ask, 0);
    return status == HL_OK ? tree_check(self->results, error) : status;
}

hl_status kept_results_analyse(const hl_plugin *analysis, const hl_ask *ask, const option_values *values,
                               const chain *found, tree *results, hl_item *list, hl_error *error) {
    kept self = {analysis, ask, values, registry_needs(analysis), "", results, list};
    char key[CHAIN_KEY_ROOM];
    if (!(self.needs & HL_KEEPS_RESULTS)) return step_analyse(analysis, ask, values, results, list, error);
    hl_status status = chain_digest(found, self.before, error);
    if (status == HL_OK) status = make_key(&self, key, error);
    if (status != HL_OK || recall(&self, key)) return status;
    status = run_analysis(&self, error);
    if (status == HL_OK) keep(&self, key);
    return status;
}
