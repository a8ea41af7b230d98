/* llm: a language model names what the descriptions of each head have in common, shown five heads that were
 * labelled by hand (Madasu, Gandelsman, Lal and Howard 2024, section 3; our own wording). Several heads are
 * asked about at once; an answer must have one label for each of them. */
#include "headlight/plugin.h"
#include "labels.h"

enum { PROMPT = CHAT_OPTION_COUNT, DESCRIPTIONS, BATCH };

static const hl_option options[] = {
    CHAT_OPTIONS,
    [PROMPT] = {.name = "prompt",
                .type = HL_PATH,
                .fallback = "~",
                .help =
                    "A text file with the task and its labelled heads, in place of the one that is built in, "
                    "configs/prompts/labeller.txt."},
    [DESCRIPTIONS] = {.name = "descriptions",
                      .type = HL_INT,
                      .fallback = "5",
                      .min = 1,
                      .max = 100,
                      .help = "How many descriptions of a head the model is shown, the first ones."},
    [BATCH] = {.name = "batch",
               .type = HL_INT,
               .fallback = "8",
               .min = 1,
               .max = 100,
               .help = "How many heads are asked about at once."},
};

typedef struct labeller {
    const hl_ask *ask;
    chat *model;
    char *prompt;
    labels asked;
    size_t descriptions, batch;
} labeller;

/* ---- the question ---- */

static bool is_shown(const labeller *self, const hl_description *description) {
    return description->text && *description->text && description->rank <= self->descriptions;
}

/* A head without a text is asked about by nobody. */
static hl_status collect_heads(labeller *self, hl_error *error) {
    const hl_description *description;
    hl_status status = HL_OK;
    for (size_t i = 0; status == HL_OK && (description = self->ask->description(self->ask, NULL, i)); ++i) {
        if (is_shown(self, description)) status = labels_add(&self->asked, description->head, error);
    }
    return status;
}

/* By rank, from 1, which is also the order in which they come. */
static void write_head(const labeller *self, const char *head, FILE *out) {
    const hl_description *description;
    fprintf(out, "\n%s\n", head);
    for (size_t i = 0; (description = self->ask->description(self->ask, NULL, i)); ++i) {
        if (strcmp(description->head, head) != 0 || !is_shown(self, description)) continue;
        fprintf(out, "%u. %s\n", description->rank, description->text);
    }
}

static hl_status write_question(const labeller *self, size_t first, size_t count, char **out,
                                hl_error *error) {
    size_t size = 0;
    *out = NULL;
    FILE *question = open_memstream(out, &size);
    if (question) fputs(self->prompt, question);
    for (size_t i = 0; question && i < count; ++i)
        write_head(self, self->asked.all[first + i].head, question);
    bool ok = question && !ferror(question);
    if (question) ok = fclose(question) == 0 && ok && *out;
    return ok ? HL_OK : hl_no_memory(error, "a question");
}

/* ---- asking ---- */

static hl_status ask_about(labeller *self, size_t first, size_t count, hl_error *error) {
    char *question;
    labels_asked now = {.of = &self->asked, .first = first, .count = count};
    hl_status status = write_question(self, first, count, &question, error);
    if (status == HL_OK) status = chat_ask(self->model, question, labels_take, &now, error);
    free(question);
    return status;
}

static hl_status ask_about_all(labeller *self, hl_error *error) {
    const hl_host *host = self->ask->host;
    hl_status status = HL_OK;
    for (size_t first = 0, count; first < self->asked.count && status == HL_OK; first += count) {
        size_t left = self->asked.count - first;
        count = left < self->batch ? left : self->batch;
        status = ask_about(self, first, count, error);
        if (status == HL_OK) {
            host->log(host, HL_LOG_INFO, "%zu of %zu heads labelled", first + count, self->asked.count);
        }
    }
    return status;
}

static hl_status label_by_chat(const hl_ask *ask, const hl_value *const *values, hl_finding *finding,
                               hl_error *error) {
    labeller self = {.ask = ask,
                     .descriptions = (size_t)values[DESCRIPTIONS]->integer,
                     .batch = (size_t)values[BATCH]->integer};
    extern const char labeller_prompt[];
    const char *file = values[PROMPT]->given ? values[PROMPT]->string : NULL;
    hl_status status = chat_read_prompt(ask->host, file, labeller_prompt, &self.prompt, error);
    if (status == HL_OK) status = collect_heads(&self, error);
    if (status == HL_OK) status = chat_open(ask, values, finding, &self.model, error);
    if (status == HL_OK) status = ask_about_all(&self, error);
    if (status == HL_OK) status = labels_hand_over(&self.asked, finding, error);
    chat_close(self.model);
    labels_free(&self.asked);
    free(self.prompt);
    return status;
}

/* Weights it needs none; but without saying so it would ask the endpoint also where an experiment is only
 * checked. */
static const hl_extractor_api api = {.size = sizeof api,
                                     .step = HL_STEP_LABELS,
                                     .from = HL_STEP_DESCRIPTIONS,
                                     .needs = HL_NEEDS_WEIGHTS,
                                     .run = label_by_chat};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_EXTRACTOR, "llm", "1.0.0", "labels by a language model, from descriptions"),
    HL_OPTIONS(options),
    .api = &api,
};
