/* llm-judge: a language model says of each description of a head whether it is consistent with the head's
 * label, and, for what chance would give, with another head's. Several are asked about at once; an answer
 * must have one verdict for each of them. */
#include "headlight/plugin.h"
#include "pairs.h"

enum { PROMPT = CHAT_OPTION_COUNT, DESCRIPTIONS, BATCH, NULL_TOO, SEED };

static const hl_option options[] = {
    CHAT_OPTIONS,
    [PROMPT] = {.name = "prompt",
                .type = HL_PATH,
                .fallback = "~",
                .help = "A text file with the task and its examples, in place of the one that is built in, "
                        "configs/prompts/judge.txt."},
    [DESCRIPTIONS] = {.name = "descriptions",
                      .type = HL_INT,
                      .fallback = "5",
                      .min = 1,
                      .max = 100,
                      .help = "How many descriptions of a head are judged, the first ones."},
    [BATCH] = {.name = "batch",
               .type = HL_INT,
               .fallback = "20",
               .min = 1,
               .max = 200,
               .help = "How many descriptions are asked about at once."},
    [NULL_TOO] = {.name = "null",
                  .type = HL_BOOL,
                  .fallback = "true",
                  .help = "Whether each description is also judged by another head's label, which says how "
                          "often a judge agrees with what was not made from it."},
    [SEED] = {.name = "seed",
              .type = HL_INT,
              .fallback = "0",
              .min = 0,
              .max = 1 << 30,
              .help = "Which other head's label that is."},
};

typedef struct judge {
    const hl_ask *ask;
    chat *model;
    char *prompt;
    pairs all;
    size_t batch;
} judge;

static hl_status write_question(const judge *self, const pairs_asked *now, char **out, hl_error *error) {
    size_t size = 0;
    *out = NULL;
    FILE *question = open_memstream(out, &size);
    if (question) fprintf(question, "%s\n", self->prompt);
    for (size_t i = 0; question && i < now->count; ++i) {
        const pair *one = &self->all.all[now->first + i];
        fprintf(question, "%zu. %s: %s\n", i + 1, one->label, one->text);
    }
    bool ok = question && !ferror(question);
    if (question) ok = fclose(question) == 0 && ok && *out;
    return ok ? HL_OK : hl_no_memory(error, "a question");
}

static hl_status ask_about(judge *self, pairs_asked *now, hl_error *error) {
    char *question;
    hl_status status = write_question(self, now, &question, error);
    if (status == HL_OK) status = chat_ask(self->model, question, pairs_take, now, error);
    free(question);
    return status;
}

static hl_status ask_about_all(judge *self, hl_error *error) {
    const hl_host *host = self->ask->host;
    hl_status status = HL_OK;
    for (size_t first = 0; first < self->all.count && status == HL_OK;) {
        size_t left = self->all.count - first;
        pairs_asked now = {
            .of = &self->all, .first = first, .count = left < self->batch ? left : self->batch};
        status = ask_about(self, &now, error);
        first += now.count;
        if (status == HL_OK)
            host->log(host, HL_LOG_INFO, "%zu of %zu descriptions judged", first, self->all.count);
    }
    return status;
}

static hl_status judge_by_chat(const hl_ask *ask, const hl_value *const *values, hl_finding *finding,
                               hl_error *error) {
    extern const char judge_prompt[];
    judge self = {.ask = ask, .batch = (size_t)values[BATCH]->integer};
    const pairs_settings which = {.descriptions = (uint32_t)values[DESCRIPTIONS]->integer,
                                  .null_too = values[NULL_TOO]->boolean,
                                  .seed = (uint64_t)values[SEED]->integer};
    const char *file = values[PROMPT]->given ? values[PROMPT]->string : NULL;
    hl_status status = chat_read_prompt(ask->host, file, judge_prompt, &self.prompt, error);
    if (status == HL_OK) status = pairs_collect(ask, &which, &self.all, error);
    if (status == HL_OK) status = chat_open(ask, values, finding, &self.model, error);
    if (status == HL_OK) status = ask_about_all(&self, error);
    if (status == HL_OK) status = pairs_hand_over(&self.all, finding, error);
    chat_close(self.model);
    pairs_free(&self.all);
    free(self.prompt);
    return status;
}

/* As with the labeller, nothing is asked where an experiment is only checked. */
static const hl_extractor_api api = {.size = sizeof api,
                                     .step = HL_STEP_VERDICTS,
                                     .from = HL_STEP_LABELS,
                                     .needs = HL_NEEDS_WEIGHTS,
                                     .run = judge_by_chat};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_EXTRACTOR, "llm-judge", "1.0.0",
              "whether descriptions are consistent with labels, by a language model"),
    HL_OPTIONS(options),
    .api = &api,
};
