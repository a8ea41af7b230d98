#include "tests/endpoint.h"

#include "tests/json.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_SCRIPT = 32, LOOK = 20, ROOM = 1 << 20, LARGE = 8 << 20, LARGE_HEADER = 80 << 10 };

struct endpoint_server {
    int socket;
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    serve script[MOST_SCRIPT];
    size_t script_count, scripted;
    char last_body[ROOM], key[256];
    bool same_key;
    atomic_size_t requests, connections;
    atomic_bool stopped;
};

typedef struct request {
    char bytes[ROOM];
    size_t count;
    char key[256], *body;
} request;

/* ---- what is answered ---- */

/* What follows the examples: the last line of a prompt's own begins with an object. */
static const char *asked_of(const char *question) {
    const char *at = question, *last = question;
    while ((at = strstr(at, "\n{\""))) last = ++at;
    return strchr(last, '\n') ? strchr(last, '\n') : last;
}

static const char *label_of(const char *head) {
    static const char *const labels[] = {"Colors.", "animals", "color", "none"};
    const char *number = strchr(head, 'H');
    return labels[number ? strtoul(number + 1, NULL, 10) % COUNT(labels) : 0];
}

static void add_label(cJSON *list, const char *head, const char *key) {
    cJSON *entry = cJSON_CreateObject();
    char *reason = text("it looks like it to %s", key);
    cJSON_AddStringToObject(entry, "head", head);
    cJSON_AddStringToObject(entry, "label", label_of(head));
    cJSON_AddStringToObject(entry, "reason", reason);
    cJSON_AddItemToArray(list, entry);
    free(reason);
}

/* A label fits a text that holds its first three letters. */
static void add_verdict(cJSON *list, int item, const char *line) {
    char letters[4] = "";
    const char *label = strstr(line, ". ") + 2, *colon = strchr(label, ':');
    snprintf(letters, sizeof letters, "%s", label);
    cJSON *entry = cJSON_CreateObject();
    cJSON_AddNumberToObject(entry, "item", item);
    cJSON_AddBoolToObject(entry, "consistent", colon && strstr(colon, letters));
    cJSON_AddItemToArray(list, entry);
}

static void spoil(cJSON *list, serve way) {
    int last = cJSON_GetArraySize(list) - 1;
    if (way == SERVE_FEWER) cJSON_DeleteItemFromArray(list, last);
    if (way == SERVE_MORE || way == SERVE_TWICE)
        cJSON_AddItemToArray(list, cJSON_Duplicate(cJSON_GetArrayItem(list, 0), true));
    if (way == SERVE_TWICE || way == SERVE_OTHER) cJSON_DeleteItemFromArray(list, last);
    if (way == SERVE_OTHER) add_label(list, "L77.H1", "nobody");
}

/* The content of the completion. */
static char *answer(const char *question, const char *key, serve way) {
    if (way == SERVE_EMPTY) return strdup("");
    if (way == SERVE_WORDS) return text("I would say that these are colors, dear %s.", key);
    bool judged = strstr(question, "\"verdicts\"") != NULL;
    cJSON *root = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(root, judged ? "verdicts" : "labels");
    char *lines = strdup(asked_of(question)), *rest = lines;
    int item = 0;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (judged && *line >= '1' && *line <= '9') add_verdict(list, ++item, line);
        if (!judged && *line == 'L' && strchr(line, 'H')) add_label(list, line, key);
    }
    free(lines);
    spoil(list, way);
    char *json = cJSON_Print(root), *out = json;
    cJSON_Delete(root);
    if (way != SERVE_FENCED) return out;
    out = text("<think>Is it {\"labels\"}?</think>\n```json\n%s\n```\n", json);
    free(json);
    return out;
}

static char *completion(const request *got, serve way) {
    cJSON *root = cJSON_Parse(got->body);
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "messages"), 0);
    const char *question = cJSON_GetStringValue(cJSON_GetObjectItem(first, "content"));
    char *content = answer(question ? question : "", got->key, way);
    cJSON *reply = cJSON_CreateObject(), *choice = cJSON_CreateObject(), *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "role", "assistant");
    cJSON_AddStringToObject(message, "content", content);
    cJSON_AddItemToObject(choice, "message", message);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(reply, "choices"), choice);
    char *json = cJSON_PrintUnformatted(reply);
    cJSON_Delete(reply);
    cJSON_Delete(root);
    free(content);
    return json;
}

/* ---- how it is sent ---- */

static void send_all(int to, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(to, bytes, count, MSG_NOSIGNAL);
        if (sent <= 0) return;
        bytes += sent;
        count -= (size_t)sent;
    }
}

static void send_reply(int to, const char *status, const char *headers, const char *body, size_t announced) {
    char *head = text("HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
                      status, headers, announced);
    send_all(to, head, strlen(head));
    send_all(to, body, strlen(body));
    free(head);
}

static void send_chunks(int to, const char *body, bool whole) {
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    enum { PIECE = 100 };
    send_all(to, head, sizeof head - 1);
    size_t length = strlen(body), past = whole ? length : length / 2;
    for (size_t at = 0; at < past; at += PIECE) {
        size_t count = past - at < PIECE ? past - at : PIECE;
        char *chunk = text("%zx\r\n%.*s\r\n", count, (int)count, body + at);
        send_all(to, chunk, strlen(chunk));
        free(chunk);
    }
    if (whole) send_all(to, "0\r\n\r\n", 5);
}

static void send_error(int to, const char *status, const char *headers, const request *got) {
    char *body = text("{\"error\": {\"message\": \"no service for %s\", \"type\": \"x\"}}", got->key);
    send_reply(to, status, headers, body, strlen(body));
    free(body);
}

static void send_large(int to, bool header) {
    char *filler = malloc(LARGE + 1);
    memset(filler, 'x', LARGE);
    filler[header ? LARGE_HEADER : LARGE] = '\0';
    if (header) {
        char *line = text("X-Filler: %s\r\n", filler);
        for (size_t at = 4000; at < LARGE_HEADER; at += 4000) memcpy(line + at, "\r\nX-F: y", 8);
        send_reply(to, "200 OK", line, "{}", 2);
        free(line);
    } else {
        send_reply(to, "200 OK", "", filler, LARGE);
    }
    free(filler);
}

static void wait_until_gone(endpoint_server *self, int from) {
    struct pollfd look = {.fd = from, .events = POLLIN};
    while (!self->stopped && poll(&look, 1, LOOK) == 0) {
    }
}

/* Whether the connection goes on. */
static bool reply(endpoint_server *self, int to, const request *got, serve way) {
    char *body = completion(got, way), *place = text("Location: file:///etc/%s\r\n", got->key);
    size_t length = strlen(body);
    bool goes_on = true;
    switch (way) {
    case SERVE_CHUNKED:
    case SERVE_CUT_CHUNK:
        send_chunks(to, body, goes_on = way == SERVE_CHUNKED);
        break;
    case SERVE_SLOW:
        wait_until_gone(self, to);
        goes_on = false;
        break;
    case SERVE_BUSY:
        send_error(to, "429 Too Many Requests", "Retry-After: 1\r\n", got);
        break;
    case SERVE_LATER:
        send_error(to, "429 Too Many Requests", "Retry-After: 86400\r\n", got);
        break;
    case SERVE_BROKEN:
        send_error(to, "500 Internal Server Error", "", got);
        break;
    case SERVE_REFUSED:
        send_error(to, "401 Unauthorized", "", got);
        break;
    case SERVE_REDIRECT:
        send_reply(to, "307 Temporary Redirect", place, "", 0);
        break;
    case SERVE_CUT:
        body[length / 2] = '\0';
        send_reply(to, "200 OK", "", body, length);
        goes_on = false;
        break;
    case SERVE_CLOSED:
        goes_on = false;
        break;
    case SERVE_NO_JSON:
        send_reply(to, "200 OK", "", "<html>It works!</html>", 22);
        break;
    case SERVE_NO_CHOICES:
        send_reply(to, "200 OK", "", "{\"object\": \"list\"}", 18);
        break;
    case SERVE_LARGE:
    case SERVE_LARGE_HEADER:
        send_large(to, way == SERVE_LARGE_HEADER);
        goes_on = false;
        break;
    default:
        send_reply(to, "200 OK", "", body, length);
    }
    free(place);
    free(body);
    return goes_on;
}

/* ---- requests ---- */

/* Waits for bytes; false once there will be none. */
static bool take_more(endpoint_server *self, int from, request *got) {
    struct pollfd look = {.fd = from, .events = POLLIN};
    while (!self->stopped && poll(&look, 1, LOOK) == 0) {
    }
    ssize_t taken = self->stopped ? 0 : recv(from, got->bytes + got->count, ROOM - 1 - got->count, 0);
    if (taken <= 0) return false;
    got->count += (size_t)taken;
    got->bytes[got->count] = '\0';
    return true;
}

static void read_key(request *got) {
    static const char name[] = "\r\nAuthorization: Bearer ";
    const char *at = strcasestr(got->bytes, name);
    got->key[0] = '\0';
    if (!at || at > got->body) return;
    at += strlen(name);
    snprintf(got->key, sizeof got->key, "%.*s", (int)strcspn(at, "\r\n"), at);
}

static bool take_request(endpoint_server *self, int from, request *got) {
    char *end = NULL;
    got->count = 0;
    got->bytes[0] = '\0';
    while (!(end = strstr(got->bytes, "\r\n\r\n"))) {
        if (!take_more(self, from, got)) return false;
    }
    const char *length = strcasestr(got->bytes, "\r\nContent-Length: ");
    size_t head = (size_t)(end + 4 - got->bytes), body = length ? strtoul(length + 18, NULL, 10) : 0;
    while (got->count < head + body) {
        if (!take_more(self, from, got)) return false;
    }
    got->body = got->bytes + head;
    read_key(got);
    return true;
}

static serve note(endpoint_server *self, const request *got) {
    pthread_mutex_lock(&self->lock);
    serve way = self->scripted < self->script_count ? self->script[self->scripted++] : SERVE_WELL;
    self->same_key = self->requests == 0 || (self->same_key && strcmp(self->key, got->key) == 0);
    snprintf(self->key, sizeof self->key, "%s", got->key);
    snprintf(self->last_body, sizeof self->last_body, "%s", got->body);
    ++self->requests;
    pthread_mutex_unlock(&self->lock);
    return way;
}

static void *serve_all(void *user) {
    endpoint_server *self = user;
    request *got = calloc(1, sizeof *got);
    struct pollfd look = {.fd = self->socket, .events = POLLIN};
    while (!self->stopped) {
        if (poll(&look, 1, LOOK) <= 0) continue;
        int from = accept(self->socket, NULL, NULL);
        ++self->connections;
        while (from >= 0 && take_request(self, from, got) && reply(self, from, got, note(self, got))) {
        }
        close(from);
    }
    free(got);
    return NULL;
}

/* ---- for tests ---- */

endpoint_server *endpoint_start(void) {
    endpoint_server *self = calloc(1, sizeof *self);
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof place;
    assert_non_null(self);
    self->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(self->socket, (struct sockaddr *)&place, size), 0);
    assert_int_equal(listen(self->socket, 8), 0);
    assert_int_equal(getsockname(self->socket, (struct sockaddr *)&place, &size), 0);
    snprintf(self->url, sizeof self->url, "http://127.0.0.1:%d/v1", ntohs(place.sin_port));
    pthread_mutex_init(&self->lock, NULL);
    assert_int_equal(pthread_create(&self->thread, NULL, serve_all, self), 0);
    return self;
}

void endpoint_stop(endpoint_server *self) {
    self->stopped = true;
    pthread_join(self->thread, NULL);
    pthread_mutex_destroy(&self->lock);
    close(self->socket);
    free(self);
}

const char *endpoint_url(const endpoint_server *self) {
    return self->url;
}

void endpoint_script(endpoint_server *self, const serve *script, size_t count) {
    pthread_mutex_lock(&self->lock);
    assert_true(count <= MOST_SCRIPT);
    if (count) memcpy(self->script, script, count * sizeof *script);
    self->script_count = count;
    self->scripted = 0;
    self->requests = 0;
    self->connections = 0;
    pthread_mutex_unlock(&self->lock);
}

size_t endpoint_requests(const endpoint_server *self) {
    return self->requests;
}

size_t endpoint_connections(const endpoint_server *self) {
    return self->connections;
}

char *endpoint_last_body(endpoint_server *self) {
    pthread_mutex_lock(&self->lock);
    char *body = strdup(self->last_body);
    pthread_mutex_unlock(&self->lock);
    return body;
}

bool endpoint_got_key(const endpoint_server *self, const char *key) {
    return self->same_key && strcmp(self->key, key) == 0;
}
