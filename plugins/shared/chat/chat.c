/* See chat.h: questions, the answers to them, and what is kept of both. */
#include "chat.h"

#include "answer.h"
#include "endpoint.h"
#include <math.h>
#include <unistr.h>

#define PATH       "/chat/completions"
#define USUAL_KEY  "OPENAI_API_KEY"
#define HIDDEN_KEY "***" /* what pages show of a key, and people copy from them */

enum { LONGEST_WAIT = 120, LONGEST_BACKOFF = 30, LARGEST_PROMPT = 64 << 10, SHORTEST_KEY = 6 };

struct chat {
    const hl_ask *ask;
    hl_finding *finding;
    const char *url, *model;
    int64_t run, retries, attempts;
    double seconds;
    char *key; /* NULL: there is none */
    endpoint *to;
};

static hl_status no_memory(hl_error *error) {
    return hl_no_memory(error, "a conversation");
}

/* ---- the key ---- */

/* Also an empty one is none. */
static hl_status find_key(const hl_value *const *values, const char **out, hl_error *error) {
    bool named = values[CHAT_KEY_ENV]->given && *values[CHAT_KEY_ENV]->string;
    const char *variable = values[CHAT_KEY_ENV]->given ? values[CHAT_KEY_ENV]->string : USUAL_KEY;
    const char *key = *variable ? getenv(variable) : NULL;
    if (values[CHAT_KEY]->given) {
        key = values[CHAT_KEY]->string;
        named = false;
    }
    if (named && !(key && *key)) {
        return hl_fail(error, HL_USAGE, "key-env: there is no environment variable %.200s: set it to the key",
                       variable);
    }
    if (key && strcmp(key, HIDDEN_KEY) == 0) {
        return hl_fail(error, HL_USAGE,
                       "key: *** stands on pages in place of a key: write the key, or leave it out and set "
                       "the environment variable that key-env names");
    }
    *out = key && *key ? key : NULL;
    return HL_OK;
}

/* A key that comes back, in an error or an answer, goes no further. What is shorter than any key is a word
 * that stands in for one, such as "none", and may be said. */
static void hide_key(const chat *self, char *text) {
    size_t length = self->key ? strlen(self->key) : 0;
    if (length < SHORTEST_KEY) return;
    for (char *at = text; (at = strstr(at, self->key));) {
        memcpy(at, HIDDEN_KEY, sizeof HIDDEN_KEY - 1);
        at += sizeof HIDDEN_KEY - 1;
        memmove(at, at + length - (sizeof HIDDEN_KEY - 1), strlen(at + length - (sizeof HIDDEN_KEY - 1)) + 1);
    }
}

/* ---- opening ---- */

hl_status chat_open(const hl_ask *ask, const hl_value *const *values, hl_finding *finding, chat **out,
                    hl_error *error) {
    const char *key = NULL;
    chat *self = *out = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "a conversation");
    *self = (chat){.ask = ask,
                   .finding = finding,
                   .url = values[CHAT_BASE_URL]->string,
                   .model = values[CHAT_MODEL]->string,
                   .run = values[CHAT_RUN]->integer,
                   .retries = values[CHAT_RETRIES]->integer,
                   .attempts = values[CHAT_ATTEMPTS]->integer};
    hl_status status = find_key(values, &key, error);
    if (status == HL_OK && key && !(self->key = strdup(key))) status = hl_no_memory(error, "a key");
    const endpoint_settings settings = {
        .url = self->url, .path = PATH, .key = self->key, .seconds = values[CHAT_TIMEOUT]->real};
    if (status == HL_OK) status = endpoint_open(ask->host, &settings, &self->to, error);
    if (status == HL_OK) {
        if (self->key && !endpoint_is_near(self->to) && !endpoint_is_encrypted(self->to)) {
            ask->host->log(ask->host, HL_LOG_WARNING,
                           "%.200s: the key goes there unencrypted, for all on the way to read: use https",
                           self->url);
        }
        return HL_OK;
    }
    chat_close(self);
    *out = NULL;
    return status;
}

void chat_close(chat *self) {
    if (!self) return;
    endpoint_close(self->to);
    if (self->key) explicit_bzero(self->key, strlen(self->key));
    free(self->key);
    free(self);
}

/* ---- one request, sent until it is answered ---- */

/* Of what came back instead of an answer: whether to send it again, and why it was none. */
typedef struct refusal {
    bool again;
    double wait; /* at least so many seconds */
    char why[512];
} refusal;

static void refuse(refusal *out, bool again, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void refuse(refusal *out, bool again, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(out->why, sizeof out->why, format, arguments);
    va_end(arguments);
    out->again = again;
}

static const char *advice(const chat *self, long status) {
    if (status == 401 || status == 403) {
        return self->key ? "; check the key"
                         : "; no key was sent: set " USUAL_KEY ", or name a variable in key-env";
    }
    return status == 404 ? "; check base-url, to which " PATH " is appended, and model" : "";
}

/* A reply of any status; *content NULL: it is no answer, and *out says why. */
static hl_status read_reply(const chat *self, const endpoint_reply *reply, char **content, refusal *out,
                            hl_error *error) {
    hl_error why = {""};
    *out = (refusal){.wait = reply->wait};
    bool well = reply->status >= 200 && reply->status < 300;
    if (well) {
        hl_status status = answer_content(reply->body, reply->count, content, &why);
        if (status == HL_OK) return HL_OK;
        if (status == HL_NO_MEMORY) return hl_fail(error, status, "%s", why.message);
    }
    char *reason = reply->place ? strdup(reply->place) : answer_reason(reply->body, reply->count), said[256];
    if (!reason) return no_memory(error);
    hide_key(self, reason);
    answer_line(reason, said, sizeof said);
    free(reason);
    if (well) {
        refuse(out, true, "what it answers %s: \"%s\"", why.message, said);
    } else if (reply->place) {
        refuse(out, false,
               "it redirects to %s, where no question goes by itself: if that is right, write it as "
               "base-url",
               said);
    } else {
        bool later = reply->status == 408 || reply->status == 429 || reply->status >= 500;
        refuse(out, later, "HTTP %ld%s%s%s", reply->status, *said ? ": " : "", said,
               advice(self, reply->status));
    }
    return HL_OK;
}

/* Sends it once. */
static hl_status send_once(chat *self, const char *request, char **content, refusal *out, hl_error *error) {
    endpoint_reply reply;
    hl_error why = {""};
    *content = NULL;
    *out = (refusal){.again = false};
    hl_status status = endpoint_post(self->to, request, &reply, &why);
    if (status == HL_OK) {
        status = read_reply(self, &reply, content, out, error);
    } else if (status == HL_UNAVAILABLE) {
        refuse(out, true, "%s", why.message);
        status = HL_OK;
    } else if (strcmp(why.message, "cancelled") == 0 || status == HL_NO_MEMORY) {
        status = hl_fail(error, status, "%s", why.message);
    } else {
        refuse(out, false, "%s", why.message);
        status = HL_OK;
    }
    free(reply.body);
    free(reply.place);
    if (*content) hide_key(self, *content);
    return status;
}

static hl_status give_up(const chat *self, const refusal *last, int64_t tries, hl_error *error) {
    char after[64] = "";
    if (tries > 1) snprintf(after, sizeof after, "after %lld tries: ", (long long)tries);
    if (last->again && last->wait > LONGEST_WAIT) {
        snprintf(after, sizeof after,
                 "it asks to wait %.0f seconds, longer than is waited for: ", last->wait);
    }
    return hl_fail(error, HL_FAILED, "%.200s: %s%s%s", self->url, after, last->why,
                   last->again ? "; what it has answered is kept: run it again later" : "");
}

/* A quarter of a second, then twice as long each time; longer where the endpoint asks for it. */
static double pause_before(int64_t tries, const refusal *last) {
    double pause = ldexp(0.25, (int)tries - 1);
    if (pause > LONGEST_BACKOFF) pause = LONGEST_BACKOFF;
    return pause < last->wait ? last->wait : pause;
}

static hl_status send_until_answered(chat *self, const char *request, char **content, hl_error *error) {
    const hl_host *host = self->ask->host;
    for (int64_t tries = 1;; ++tries) {
        refusal last;
        hl_status status = send_once(self, request, content, &last, error);
        if (status != HL_OK || *content) return status;
        if (!last.again || tries > self->retries || last.wait > LONGEST_WAIT) {
            return give_up(self, &last, tries, error);
        }
        double pause = pause_before(tries, &last);
        host->log(host, HL_LOG_INFO, "%.200s: %.300s; asks again in %.3g s", self->url, last.why, pause);
        status = endpoint_wait(host, pause, error);
        if (status != HL_OK) return status;
    }
}

/* ---- a conversation: a question, and answers until one is right ---- */

typedef struct conversation {
    cJSON *messages; /* as they are sent: of the user and the assistant in turn */
    char *key;       /* of what is kept */
} conversation;

static hl_status say(conversation *self, const char *role, const char *content, hl_error *error) {
    cJSON *message = cJSON_CreateObject();
    bool made = message && cJSON_AddStringToObject(message, "role", role) &&
                cJSON_AddStringToObject(message, "content", content);
    if (made && cJSON_AddItemToArray(self->messages, message)) return HL_OK;
    cJSON_Delete(message);
    return no_memory(error);
}

static const char *said_at(const conversation *self, int index) {
    return cJSON_GetStringValue(
        cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(self->messages, index), "content"));
}

static hl_status print_request(const chat *self, const conversation *of, char **out, hl_error *error) {
    *out = NULL;
    cJSON *root = cJSON_CreateObject();
    bool made = root && cJSON_AddStringToObject(root, "model", self->model) &&
                cJSON_AddItemReferenceToObject(root, "messages", of->messages) &&
                cJSON_AddNumberToObject(root, "temperature", 0) &&
                cJSON_AddNumberToObject(root, "seed", (double)self->run);
    if (made) *out = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return *out ? HL_OK : no_memory(error);
}

/* What is kept hangs on the question and on who is asked, not on how patiently. */
static hl_status begin(const chat *self, const char *question, conversation *out, hl_error *error) {
    char *request = NULL;
    *out = (conversation){.messages = cJSON_CreateArray()};
    hl_status status = out->messages ? say(out, "user", question, error) : no_memory(error);
    if (status == HL_OK) status = print_request(self, out, &request, error);
    if (status == HL_OK && asprintf(&out->key, "chat 1 %s\n%s", self->url, request) < 0) {
        out->key = NULL;
        status = no_memory(error);
    }
    free(request);
    return status;
}

static void end(conversation *self) {
    cJSON_Delete(self->messages);
    free(self->key);
}

static void note(const chat *self, const conversation *from) {
    hl_result *result = self->finding->result;
    int count = cJSON_GetArraySize(from->messages);
    for (int i = 0; result && i + 1 < count; i += 2) {
        hl_item *item = result->item(result, HL_SCHEMA_CONVERSATION);
        result->whole(item, "attempt", i / 2 + 1);
        result->text(item, "model", self->model);
        result->text(item, "prompt", said_at(from, i));
        result->text(item, "answer", said_at(from, i + 1));
    }
}

static hl_status take_text(const char *content, chat_take *take, void *user, hl_error *error) {
    cJSON *answer;
    hl_status status = answer_object(content, &answer, error);
    if (status == HL_OK) status = take(user, answer, error);
    cJSON_Delete(answer);
    return status;
}

/* ---- what is kept: the messages, the last of which is right ---- */

static void remember(const chat *self, const conversation *of) {
    char *json = cJSON_PrintUnformatted(of->messages);
    if (json) self->ask->remember(self->ask, of->key, json, strlen(json));
    cJSON_free(json);
}

static bool is_conversation(const cJSON *messages) {
    int count = cJSON_IsArray(messages) ? cJSON_GetArraySize(messages) : 0;
    for (const cJSON *message = count ? messages->child : NULL; message; message = message->next) {
        if (!cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "content"))) return false;
    }
    return count > 0 && count % 2 == 0;
}

/* Whether the question has been answered before, in a way that is still right. */
static bool recall(const chat *self, conversation *of, chat_take *take, void *user) {
    void *bytes = NULL;
    size_t count = 0;
    self->ask->recall(self->ask, of->key, &bytes, &count);
    cJSON *messages = bytes ? cJSON_ParseWithLength(bytes, count) : NULL;
    free(bytes);
    if (is_conversation(messages)) {
        conversation kept = {.messages = messages};
        const char *last = said_at(&kept, cJSON_GetArraySize(messages) - 1);
        if (take_text(last, take, user, NULL) == HL_OK) {
            cJSON_Delete(of->messages);
            of->messages = messages;
            return true;
        }
    }
    cJSON_Delete(messages);
    return false;
}

/* ---- asking ---- */

/* Says the answer, and what is wrong about it. */
static hl_status complain(conversation *of, const char *content, const char *why, hl_error *error) {
    char *words;
    hl_status status = say(of, "assistant", content, error);
    if (status != HL_OK) return status;
    if (asprintf(&words,
                 "That answer cannot be used: it %s. Answer again, with nothing but the JSON object that was "
                 "asked for.",
                 why) < 0) {
        return no_memory(error);
    }
    status = say(of, "user", words, error);
    free(words);
    return status;
}

static hl_status fail_answers(const chat *self, const char *content, const char *why, hl_error *error) {
    char line[256];
    answer_line(content, line, sizeof line);
    return hl_fail(
        error, HL_FAILED,
        "%.200s: %.100s: the last of %lld answers %.400s: \"%s\"; what it has answered before is kept",
        self->url, self->model, (long long)self->attempts, why, line);
}

/* One answer: HL_OK where it is right; HL_USAGE where it was complained of. */
static hl_status attempt(chat *self, conversation *of, int64_t number, chat_take *take, void *user,
                         hl_error *error) {
    char *request, *content = NULL;
    hl_error why = {""};
    hl_status status = print_request(self, of, &request, error);
    if (status != HL_OK) return status;
    status = send_until_answered(self, request, &content, error);
    cJSON_free(request);
    if (status != HL_OK) return status;
    status = take_text(content, take, user, &why);
    if (status == HL_OK) {
        status = say(of, "assistant", content, error);
    } else if (status != HL_USAGE) {
        hl_fail(error, status, "%s", why.message);
    } else if (number == self->attempts) {
        status = fail_answers(self, content, why.message, error);
    } else {
        status = complain(of, *content ? content : "(nothing)", why.message, error);
        if (status == HL_OK) status = HL_USAGE;
    }
    free(content);
    return status;
}

static hl_status ask_anew(chat *self, conversation *of, chat_take *take, void *user, hl_error *error) {
    hl_status status = HL_USAGE;
    for (int64_t number = 1; status == HL_USAGE; ++number) {
        status = attempt(self, of, number, take, user, error);
    }
    if (status == HL_OK) remember(self, of);
    return status;
}

hl_status chat_ask(chat *self, const char *question, chat_take *take, void *user, hl_error *error) {
    conversation of;
    hl_status status = begin(self, question, &of, error);
    if (status == HL_OK && !recall(self, &of, take, user)) status = ask_anew(self, &of, take, user, error);
    if (status == HL_OK) note(self, &of);
    end(&of);
    return status;
}

/* ---- prompts ---- */

void chat_line(const char *text, char *out, size_t size) {
    answer_line(text, out, size);
}

hl_status chat_read_prompt(const hl_host *host, const char *path, const char *fallback, char **out,
                           hl_error *error) {
    size_t count;
    if (!path) {
        *out = strdup(fallback);
        return *out ? HL_OK : hl_no_memory(error, "a prompt");
    }
    hl_status status = host->read_file(host, path, LARGEST_PROMPT, out, &count, error);
    if (status != HL_OK) return status;
    bool is_text = strlen(*out) == count && !u8_check((const uint8_t *)*out, count);
    if (is_text && (*out)[strspn(*out, " \t\r\n")]) return HL_OK;
    free(*out);
    *out = NULL;
    return hl_fail(error, HL_USAGE, "%s: expected a prompt, text in UTF-8 that is not empty", path);
}
