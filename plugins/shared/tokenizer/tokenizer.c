/* See tokenizer.h. Reads the folder's files once, when the first text comes. */
#include "tokenizer.h"

#include "encoder.h"
#include <pthread.h>

struct tokenizer {
    const hl_host *host;
    char *folder;
    tokenizer_rules rules;
    int32_t pad;
    pthread_mutex_t lock;
    encoder encoder; /* without vocabulary until the first text; afterwards it never changes */
};

hl_status tokenizer_open(const hl_host *host, const char *folder, const tokenizer_rules *rules,
                         tokenizer **out, hl_error *error) {
    tokenizer *t = calloc(1, sizeof *t);
    if (!t) return hl_no_memory(error, "a tokenizer");
    t->host = host;
    t->rules = *rules;
    t->folder = strdup(folder);
    if (t->folder && pthread_mutex_init(&t->lock, NULL) == 0) {
        *out = t;
        return HL_OK;
    }
    free(t->folder);
    free(t);
    return hl_no_memory(error, "a tokenizer");
}

void tokenizer_close(tokenizer *t) {
    if (!t) return;
    if (t->encoder.vocabulary) t->encoder.free(t->encoder.vocabulary);
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
    if (!t->encoder.vocabulary) status = encoder_read(t->host, t->folder, &t->rules, &t->encoder, error);
    pthread_mutex_unlock(&t->lock);
    return status;
}

/* The start and a text's own ids. */
static hl_status list_ids(tokenizer *t, const char *text, token_ids *out, hl_error *error) {
    hl_status status = read_once(t, error);
    if (status) return status;
    const encoder *e = &t->encoder;
    buffer cleaned;
    status = clean_text(text, e->cleaning, &cleaned, error);
    if (status) return status;
    if (e->start >= 0) token_ids_add(out, e->start);
    status = e->encode(e->vocabulary, cleaned.bytes, cleaned.length, out, error);
    free(cleaned.bytes);
    return status;
}

hl_status tokenizer_run(tokenizer *t, const char *text, int32_t *ids, hl_error *error) {
    size_t context = t->rules.context;
    token_ids list = {ids, 0, context};
    for (size_t i = 0; i < context; ++i) ids[i] = t->pad;
    hl_status status = list_ids(t, text, &list, error);
    if (status) return status;
    bool has_end = t->encoder.end >= 0;
    if (has_end && list.count == context) --list.count;
    if (has_end) token_ids_add(&list, t->rules.end_is_zero ? 0 : t->encoder.end);
    return HL_OK;
}

hl_status tokenizer_count(tokenizer *t, const char *text, size_t *count, hl_error *error) {
    token_ids list = {NULL, 0, SIZE_MAX};
    hl_status status = list_ids(t, text, &list, error);
    *count = list.count + (t->encoder.end >= 0); /* and the end */
    return status;
}
