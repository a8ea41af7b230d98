/* Asks a language model, at any endpoint that completes chats as OpenAI's does, questions whose answers are
 * JSON. Every answer is checked by whoever asks; a wrong one is asked for again, with what is wrong about it.
 * What was said is an item of the step's results, and is kept on disk once it is right, so that no question
 * is asked twice.
 *
 * What is sent: the model's name, temperature 0, a seed, and the question. Nothing of the machine, no image,
 * no weight. The key is sent to the endpoint alone, and is taken out of whatever comes back. */
#ifndef CHAT_H
#define CHAT_H

#include "headlight/extractor.h"
#include <cjson/cJSON.h>

/* The rows that a plugin's table of options begins with, and their numbers. */
enum {
    CHAT_BASE_URL,
    CHAT_MODEL,
    CHAT_KEY_ENV,
    CHAT_KEY,
    CHAT_RUN,
    CHAT_TIMEOUT,
    CHAT_RETRIES,
    CHAT_ATTEMPTS,
    CHAT_OPTION_COUNT
};

#define CHAT_OPTIONS                                                                                         \
    [CHAT_BASE_URL] = {.name = "base-url",                                                                   \
                       .type = HL_STRING,                                                                    \
                       .fallback = "OPENAI_BASE_URL",                                                        \
                       .flags = HL_OPTION_ENVIRONMENT,                                                       \
                       .help = "The endpoint, such as https://api.openai.com/v1 or "                         \
                               "http://127.0.0.1:8080/v1; /chat/completions is appended."},                  \
    [CHAT_MODEL] = {.name = "model",                                                                         \
                    .type = HL_STRING,                                                                       \
                    .fallback = "OPENAI_MODEL",                                                              \
                    .flags = HL_OPTION_ENVIRONMENT,                                                          \
                    .help = "The language model, as the endpoint calls it."},                                \
    [CHAT_KEY_ENV] = {.name = "key-env",                                                                     \
                      .type = HL_STRING,                                                                     \
                      .fallback = "~",                                                                       \
                      .help =                                                                                \
                          "The environment variable that holds the key; without it OPENAI_API_KEY, where "   \
                          "there is one."},                                                                  \
    [CHAT_KEY] = {.name = "key",                                                                             \
                  .type = HL_STRING,                                                                         \
                  .fallback = "~",                                                                           \
                  .flags = HL_OPTION_SECRET,                                                                 \
                  .help = "The key itself; better not in a file that others read."},                         \
    [CHAT_RUN] = {.name = "run",                                                                             \
                  .type = HL_INT,                                                                            \
                  .fallback = "0",                                                                           \
                  .min = 0,                                                                                  \
                  .max = 1000000,                                                                            \
                  .help =                                                                                    \
                      "The seed that is sent: steps that differ in it are asked anew, each as one run."},    \
    [CHAT_TIMEOUT] = {.name = "timeout",                                                                     \
                      .type = HL_REAL,                                                                       \
                      .fallback = "120",                                                                     \
                      .min = 0.1,                                                                            \
                      .max = 3600,                                                                           \
                      .help = "Seconds that a whole answer may take."},                                      \
    [CHAT_RETRIES] = {.name = "retries",                                                                     \
                      .type = HL_INT,                                                                        \
                      .fallback = "4",                                                                       \
                      .min = 0,                                                                              \
                      .max = 20,                                                                             \
                      .help = "How often a question is sent again, at growing intervals, where no answer "   \
                              "comes, or one that is cut, no completion, or says to try later."},            \
    [CHAT_ATTEMPTS] = {                                                                                      \
        .name = "attempts",                                                                                  \
        .type = HL_INT,                                                                                      \
        .fallback = "3",                                                                                     \
        .min = 1,                                                                                            \
        .max = 10,                                                                                           \
        .help = "How many answers to one question are looked at until one has what was asked for."}

typedef struct chat chat;

/* Nothing is sent yet. HL_USAGE for a URL or a key that cannot be. */
hl_status chat_open(const hl_ask *ask, const hl_value *const *values, hl_finding *finding, chat **out,
                    hl_error *error);
void chat_close(chat *self); /* accepts NULL */

/* Takes what was answered; HL_USAGE, with a reason that a model understands, where something else was asked
 * for. It may be asked of several answers, of which the last one that it takes counts. */
typedef hl_status chat_take(void *user, const cJSON *answer, hl_error *error);

/* `question`: all that the model is told, which ends in what its object must hold. */
hl_status chat_ask(chat *self, const char *question, chat_take *take, void *user, hl_error *error);

/* The first bytes of a text on one line, without control characters; `size` at least 16. */
void chat_line(const char *text, char *out, size_t size);

/* What a prompt file says, or, where `path` is NULL, `fallback`; free() it. HL_USAGE where it is empty or no
 * text. */
hl_status chat_read_prompt(const hl_host *host, const char *path, const char *fallback, char **out,
                           hl_error *error);

#endif
