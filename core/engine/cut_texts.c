/* See cut_texts.h. */
#include "core/engine/cut_texts.h"
#include "core/host/host.h"
#include "core/registry/guard.h"

#include <stdlib.h>
#include <string.h>

hl_status cut_texts_add(cut_texts *self, const char *text, size_t tokens, hl_error *error) {
    for (size_t i = 0; i < self->count; ++i) {
        if (strcmp(self->all[i].text, text) == 0) return HL_OK;
    }
    cut_text *longer = realloc(self->all, (self->count + 1) * sizeof *longer);
    if (!longer) return hl_no_memory(error, "the texts");
    self->all = longer;
    longer[self->count] = (cut_text){strdup(text), tokens};
    if (!longer[self->count].text) return hl_no_memory(error, "the texts");
    ++self->count;
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
    *self = (cut_texts){NULL, 0};
}
