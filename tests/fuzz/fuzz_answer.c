/* What an endpoint sends: any bytes are no completion, or become a text; any text is complained of, or
 * becomes one label for each head, or one verdict for each pair, that was asked about. */
#include "plugins/extractors/llm/labels.c"

#include "plugins/extractors/llm-judge/pairs.c"

#include "chat/answer.h"
#include <unistr.h>

enum { ASKED = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static hl_status take_finding(hl_finding *finding, const hl_label *label, hl_error *error) {
    (void)finding, (void)error;
    if (!*label->property || strchr(label->property, '\n') || !label->evidence) __builtin_trap();
    return HL_OK;
}

static hl_status take_alias(hl_finding *finding, const char *spelling, const char *property,
                            hl_error *error) {
    (void)finding, (void)error;
    if (strcmp(spelling, property) == 0) __builtin_trap();
    return HL_OK;
}

static hl_status take_judgement(hl_finding *finding, const hl_verdict *verdict, hl_error *error) {
    (void)finding, (void)error;
    if (verdict->value != 0 && verdict->value != 1) __builtin_trap();
    return HL_OK;
}

static void try_labels(const cJSON *answer, hl_finding *finding) {
    labels all = {NULL, 0};
    hl_error error = {""};
    if (labels_add(&all, "L0.H0", &error) != HL_OK || labels_add(&all, "L0.H1", &error) != HL_OK) abort();
    labels_asked asked = {&all, 0, ASKED};
    hl_status status = labels_take(&asked, answer, &error);
    if (status == HL_OK) {
        labels_hand_over(&all, finding, &error);
    } else if (!*error.message) {
        __builtin_trap();
    }
    labels_free(&all);
}

static void try_verdicts(const cJSON *answer, hl_finding *finding) {
    pair both[ASKED] = {{.head = "L0.H0", .rank = 1}, {.head = "L0.H0", .rank = 2}};
    pairs all = {both, ASKED};
    hl_error error = {""};
    pairs_asked asked = {&all, 0, ASKED};
    hl_status status = pairs_take(&asked, answer, &error);
    if (status == HL_OK) {
        pairs_hand_over(&all, finding, &error);
    } else if (!*error.message) {
        __builtin_trap();
    }
}

static void try_text(const char *text) {
    hl_finding finding = {
        .size = sizeof finding, .label = take_finding, .alias = take_alias, .judge = take_judgement};
    hl_error error;
    cJSON *answer;
    char line[64];
    answer_line(text, line, sizeof line);
    if (strchr(line, '\n') || u8_check((const uint8_t *)line, strlen(line))) __builtin_trap();
    if (answer_object(text, &answer, &error) != HL_OK) return;
    try_labels(answer, &finding);
    try_verdicts(answer, &finding);
    cJSON_Delete(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    char *body = malloc(count + 1), *content;
    hl_error error;
    if (!body) return 0;
    memcpy(body, bytes, count);
    body[count] = '\0';
    char *reason = answer_reason(body, count);
    if (reason) try_text(reason);
    free(reason);
    if (answer_content(body, count, &content, &error) == HL_OK) {
        try_text(content);
        free(content);
    }
    try_text(body);
    free(body);
    return 0;
}
