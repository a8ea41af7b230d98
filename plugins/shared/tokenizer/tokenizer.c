/* See tokenizer.h. Reads the folder's files once, when the first text comes. */
#include "tokenizer.h"

#include "parsing.h"
#include <pthread.h>

struct tokenizer {
    const hl_host *host;
    char *folder;
    tokenizer_rules rules;
    int32_t pad;
    pthread_mutex_t lock;
    pipeline pipeline; /* without vocabulary until the first text; afterwards it never changes */
};

hl_status tokenizer_open(const hl_host *host, const char *folder, const tokenizer_rules *rules,
                         tokenizer **out, hl_error *error) {
    tokenizer *t = calloc(1, sizeof *t);
    if (!t) return hl_no_memory(error, "a tokenizer");
    t->host = host;
    t->rules = *rules;
    t->folder = strdup(folder);
    if (t->folder && pthread_mutex_init(&t->lock, NULL) == 0) {
        hl_status status = pipeline_pad(host, folder, rules, &t->pad, error);
        if (status) {
            tokenizer_close(t);
        } else {
            *out = t;
        }
        return status;
    }
    free(t->folder);
    free(t);
    return hl_no_memory(error, "a tokenizer");
}

void tokenizer_close(tokenizer *t) {
    if (!t) return;
    pipeline_free(&t->pipeline);
    pthread_mutex_destroy(&t->lock);
    free(t->folder);
    free(t);
}

int32_t tokenizer_pad(const tokenizer *t) {
    return t->pad;
}

static hl_status read_once(tokenizer *t, hl_error *error) {
    hl_status status = HL_OK;
    pthread_mutex_lock(&t->lock);
    if (!t->pipeline.vocabulary) status = pipeline_read(t->host, t->folder, &t->rules, &t->pipeline, error);
    pthread_mutex_unlock(&t->lock);
    return status;
}

/* The start and a text's own ids. */
static hl_status list_ids(tokenizer *t, const char *text, token_ids *out, hl_error *error) {
    hl_status status = read_once(t, error);
    if (status) return status;
    if (t->pipeline.start >= 0) token_ids_add(out, t->pipeline.start);
    return pipeline_encode(&t->pipeline, text, out, error);
}

/* A vocabulary may hold more than the model embeds: what no text can lead to. */
static hl_status check_ids(const tokenizer *t, const char *text, const int32_t *ids, hl_error *error) {
    for (size_t i = 0; i < t->rules.context; ++i) {
        if (ids[i] >= 0 && (size_t)ids[i] < t->rules.vocab_size) continue;
        return hl_fail(
            error, HL_FAILED,
            "%s: its tokenizer gives id %d for \"%.40s\", but the model has %zu token embeddings: get the "
            "tokenizer that belongs to it",
            t->folder, ids[i], text, t->rules.vocab_size);
    }
    return HL_OK;
}

hl_status tokenizer_run(tokenizer *t, const char *text, int32_t *ids, hl_error *error) {
    size_t context = t->rules.context;
    token_ids list = {ids, 0, context};
    hl_status status = list_ids(t, text, &list, error);
    if (status) return status;
    bool has_end = t->pipeline.end >= 0;
    if (has_end && list.count == context) --list.count;
    if (has_end) token_ids_add(&list, t->rules.end_is_zero ? 0 : t->pipeline.end);
    while (list.count < context) token_ids_add(&list, t->pad);
    return check_ids(t, text, ids, error);
}

hl_status tokenizer_count(tokenizer *t, const char *text, size_t *count, hl_error *error) {
    token_ids list = {NULL, 0, SIZE_MAX};
    hl_status status = list_ids(t, text, &list, error);
    *count = list.count + (t->pipeline.end >= 0); /* and the end */
    return status;
}
