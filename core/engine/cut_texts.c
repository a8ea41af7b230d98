/* See cut_texts.h. */
#include "core/engine/cut_texts.h"
#include "core/host/host.h"
#include "core/registry/guard.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* The slot of a text, or the free one where it belongs. */
static size_t *find_slot(const cut_texts *self, const char *text) {
    size_t at = (size_t)XXH3_64bits(text, strlen(text)) & (self->slot_count - 1);
    while (self->slots[at] > 0 && strcmp(self->all[self->slots[at] - 1].text, text) != 0) {
        at = (at + 1) & (self->slot_count - 1);
    }
    return &self->slots[at];
}

/* At least half of the slots are free, and as many texts have room. */
static hl_status make_room(cut_texts *self, hl_error *error) {
    if (2 * self->count < self->slot_count) return HL_OK;
    cut_texts larger = {.count = self->count, .slot_count = self->slot_count ? 2 * self->slot_count : 16};
    larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
    larger.all = larger.slots ? realloc(self->all, larger.slot_count / 2 * sizeof *larger.all) : NULL;
    if (!larger.all) {
        free(larger.slots);
        return hl_no_memory(error, "the texts");
    }
    for (size_t i = 0; i < larger.count; ++i) *find_slot(&larger, larger.all[i].text) = i + 1;
    free(self->slots);
    *self = larger;
    return HL_OK;
}

hl_status cut_texts_add(cut_texts *self, const char *text, size_t tokens, hl_error *error) {
    hl_status status = make_room(self, error);
    if (status != HL_OK) return status;
    size_t *slot = find_slot(self, text);
    if (*slot > 0) return HL_OK;
    self->all[self->count] = (cut_text){strdup(text), tokens};
    if (!self->all[self->count].text) return hl_no_memory(error, "the texts");
    *slot = ++self->count;
    return HL_OK;
}

/* Where nothing counts, it is at least known that the text can become ids. */
static hl_status only_tokenize(const engine *model, const char *text, hl_error *error) {
    int32_t *ids = calloc((size_t)model->info->context + 1, sizeof *ids);
    if (!ids) return hl_no_memory(error, "token ids");
    hl_status status = GUARD(model->model_plugin, error, model->api.tokenize(model->model, text, ids, error));
    free(ids);
    return status;
}

hl_status cut_texts_check(cut_texts *self, const engine *model, const char *text, hl_error *error) {
    size_t tokens = 0, context = model->info->context;
    if (context == 0) return engine_no_texts(model, error);
    if (!model->api.count_tokens) return only_tokenize(model, text, error);
    hl_status status =
        GUARD(model->model_plugin, error, model->api.count_tokens(model->model, text, &tokens, error));
    return status == HL_OK && tokens > context ? cut_texts_add(self, text, tokens, error) : status;
}

/* Beginning and end of a text, where texts that are told apart differ. */
static void warn(const cut_text *cut, const engine *model) {
    enum { HEAD = 40, TAIL = 30 };
    const hl_host *interface = model->interface;
    size_t length = strlen(cut->text), head = length, tail = length;
    if (length > HEAD + TAIL) {
        head = HEAD;
        tail = length - TAIL;
        while (head > 0 && !hl_may_cut(cut->text[head])) --head;
        while (!hl_may_cut(cut->text[tail])) ++tail;
    }
    host_log(interface, HL_LOG_WARNING,
             "\"%.*s%s%s\" has %zu tokens, of which the model reads %u: it is cut, and what follows "
             "changes nothing",
             (int)head, cut->text, head < tail ? " ... " : "", cut->text + tail, cut->tokens,
             model->info->context);
}

void cut_texts_warn(const cut_texts *self, const engine *model) {
    enum { NAMED = 5 };
    const hl_host *interface = model->interface;
    for (size_t i = 0; i < self->count && i < NAMED; ++i) warn(&self->all[i], model);
    if (self->count <= NAMED) return;
    host_log(interface, HL_LOG_WARNING, "and %zu more texts are cut", self->count - NAMED);
}

void cut_texts_describe(const cut_texts *self, uint32_t context, hl_item *root) {
    if (self->count == 0) return;
    hl_item *list = item_list(root, "truncated", HL_LIST);
    for (size_t i = 0; i < self->count; ++i) {
        hl_item *entry = item_map(list, NULL);
        item_text(entry, "text", self->all[i].text);
        item_whole(entry, "tokens", (int64_t)self->all[i].tokens);
        item_whole(entry, "context", context);
    }
}

void cut_texts_free(cut_texts *self) {
    for (size_t i = 0; i < self->count; ++i) free(self->all[i].text);
    free(self->all);
    free(self->slots);
    *self = (cut_texts){.count = 0};
}
