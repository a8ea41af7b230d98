/* See endpoint.h. */
#include "endpoint.h"

#include "curl_library.h"
#include <strings.h>
#include <time.h>

enum { MOST_BODY = 4 << 20, MOST_HEADERS = 64 << 10, CONNECT_SECONDS = 10, LOOK_MILLISECONDS = 50 };

struct endpoint {
    const hl_host *host;
    curl_library curl;
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers;
    char why[CURL_ERROR_SIZE];
    bool near, encrypted;
};

/* What comes in while a request lasts. */
typedef struct incoming {
    char *bytes;
    size_t count, room, headers;
    bool too_large, no_memory;
} incoming;

/* ---- the address ---- */

/* Its parts; a part that is not there is NULL, each to be freed by curl_free. */
typedef struct address {
    char *scheme, *host, *user, *password, *query, *fragment;
} address;

static void release_address(const curl_library *curl, address *of) {
    char *all[] = {of->scheme, of->host, of->user, of->password, of->query, of->fragment};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) curl->curl_free(all[i]);
}

/* A message about what may be secret must not repeat it. */
static hl_status check_address(const address *of, const char *url, hl_error *error) {
    if (of->user || of->password || of->query || of->fragment) {
        return hl_fail(
            error, HL_USAGE,
            "the URL of the endpoint holds a user, a password, a query or a fragment, which would be "
            "shown in the results: a key is given by an environment variable");
    }
    bool known = of->scheme && (strcasecmp(of->scheme, "http") == 0 || strcasecmp(of->scheme, "https") == 0);
    if (known && of->host && *of->host) return HL_OK;
    return hl_fail(error, HL_USAGE,
                   "expected the URL of an endpoint, such as https://api.openai.com/v1 or "
                   "http://127.0.0.1:8080/v1, got \"%.200s\"",
                   url);
}

static bool is_near(const char *host) {
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0;
}

static hl_status read_address(endpoint *self, const char *url, hl_error *error) {
    const curl_library *curl = &self->curl;
    CURLU *parts = curl->curl_url();
    if (!parts) return hl_no_memory(error, "an endpoint");
    address of = {.scheme = NULL};
    CURLUcode said = curl->curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    if (said == CURLUE_OK) {
        curl->curl_url_get(parts, CURLUPART_SCHEME, &of.scheme, 0);
        curl->curl_url_get(parts, CURLUPART_HOST, &of.host, 0);
        curl->curl_url_get(parts, CURLUPART_USER, &of.user, 0);
        curl->curl_url_get(parts, CURLUPART_PASSWORD, &of.password, 0);
        curl->curl_url_get(parts, CURLUPART_QUERY, &of.query, 0);
        curl->curl_url_get(parts, CURLUPART_FRAGMENT, &of.fragment, 0);
    }
    hl_status status = said == CURLUE_OUT_OF_MEMORY
                           ? hl_no_memory(error, "an endpoint")
                           : check_address(&of, strchr(url, '@') ? "..." : url, error);
    self->near = status == HL_OK && is_near(of.host);
    self->encrypted = status == HL_OK && strcasecmp(of.scheme, "https") == 0;
    release_address(curl, &of);
    curl->curl_url_cleanup(parts);
    return status;
}

/* ---- opening ---- */

static hl_status add_header(endpoint *self, const char *line, hl_error *error) {
    struct curl_slist *longer = self->curl.curl_slist_append(self->headers, line);
    if (!longer) return hl_no_memory(error, "an endpoint");
    self->headers = longer;
    return HL_OK;
}

/* Visible ASCII: anything else would end the header, or begin another one. */
static bool is_fit_for_a_header(const char *key) {
    for (; *key; ++key) {
        if (*key <= ' ' || *key > '~') return false;
    }
    return true;
}

static hl_status add_key(endpoint *self, const char *key, hl_error *error) {
    char *line;
    if (!is_fit_for_a_header(key)) {
        return hl_fail(error, HL_USAGE,
                       "the key of the endpoint holds a blank, an end of line or another character that no "
                       "key can have: give it alone");
    }
    if (asprintf(&line, "Authorization: Bearer %s", key) < 0) return hl_no_memory(error, "an endpoint");
    hl_status status = add_header(self, line, error);
    explicit_bzero(line, strlen(line));
    free(line);
    return status;
}

static hl_status add_headers(endpoint *self, const char *key, hl_error *error) {
    hl_status status = add_header(self, "Content-Type: application/json", error);
    if (status == HL_OK) status = add_header(self, "Accept: application/json", error);
    if (status == HL_OK) status = add_header(self, "Expect:", error); /* else it may wait for leave to send */
    return status == HL_OK && key ? add_key(self, key, error) : status;
}

static size_t take_body(char *bytes, size_t one, size_t count, void *user) {
    incoming *in = user;
    (void)one; /* libcurl: always 1 */
    in->too_large = count > MOST_BODY - in->count;
    if (in->too_large) return 0;
    if (in->count + count + 1 > in->room) {
        size_t room = 2 * (in->count + count + 1);
        char *longer = realloc(in->bytes, room);
        in->no_memory = !longer;
        if (!longer) return 0;
        in->bytes = longer;
        in->room = room;
    }
    memcpy(in->bytes + in->count, bytes, count);
    in->count += count;
    in->bytes[in->count] = '\0';
    return count;
}

static size_t take_header(char *bytes, size_t one, size_t count, void *user) {
    incoming *in = user;
    (void)bytes;
    (void)one;
    in->headers += count;
    in->too_large = in->headers > MOST_HEADERS;
    return in->too_large ? 0 : count;
}

static bool set_up(endpoint *self, const char *url, double seconds) {
    const curl_library *curl = &self->curl;
    CURL *easy = self->easy;
    long whole = (long)(seconds * 1000),
         connect = whole < CONNECT_SECONDS * 1000 ? whole : CONNECT_SECONDS * 1000;
    const char *authorities = getenv("SSL_CERT_FILE"); /* as OpenSSL's own programs have it */
    const CURLcode said[] = {
        curl->curl_easy_setopt(easy, CURLOPT_URL, url),
        curl->curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https"),
        curl->curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L),
        curl->curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L),
        curl->curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L),
        curl->curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L),
        curl->curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, self->why),
        curl->curl_easy_setopt(easy, CURLOPT_USERAGENT, "headlight"),
        curl->curl_easy_setopt(easy, CURLOPT_HTTPHEADER, self->headers),
        curl->curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect),
        curl->curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, whole),
        curl->curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body),
        curl->curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header),
        authorities && *authorities ? curl->curl_easy_setopt(easy, CURLOPT_CAINFO, authorities) : CURLE_OK,
        /* No proxy stands between a machine and itself. */
        self->near ? curl->curl_easy_setopt(easy, CURLOPT_PROXY, "") : CURLE_OK,
    };
    bool all = true;
    for (size_t i = 0; i < sizeof said / sizeof *said; ++i) all &= said[i] == CURLE_OK;
    return all;
}

static hl_status open_handles(endpoint *self, const endpoint_settings *settings, hl_error *error) {
    size_t length = strlen(settings->url);
    while (length > 0 && settings->url[length - 1] == '/') --length;
    char *url;
    if (asprintf(&url, "%.*s%s", (int)length, settings->url, settings->path) < 0) {
        return hl_no_memory(error, "an endpoint");
    }
    self->easy = self->curl.curl_easy_init();
    self->multi = self->curl.curl_multi_init();
    bool ready = self->easy && self->multi && set_up(self, url, settings->seconds);
    free(url);
    return ready ? HL_OK : hl_no_memory(error, "an endpoint");
}

hl_status endpoint_open(const hl_host *host, const endpoint_settings *settings, endpoint **out,
                        hl_error *error) {
    endpoint *self = *out = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "an endpoint");
    self->host = host;
    hl_status status = curl_library_open(&self->curl, error);
    if (status == HL_OK) status = read_address(self, settings->url, error);
    if (status == HL_OK) status = add_headers(self, settings->key, error);
    if (status == HL_OK) status = open_handles(self, settings, error);
    if (status == HL_OK) return HL_OK;
    endpoint_close(self);
    *out = NULL;
    return status;
}

void endpoint_close(endpoint *self) {
    if (!self) return;
    if (self->easy) self->curl.curl_easy_cleanup(self->easy);
    if (self->multi) self->curl.curl_multi_cleanup(self->multi);
    if (self->headers) self->curl.curl_slist_free_all(self->headers);
    curl_library_close(&self->curl);
    free(self);
}

bool endpoint_is_near(const endpoint *self) {
    return self->near;
}

bool endpoint_is_encrypted(const endpoint *self) {
    return self->encrypted;
}

/* ---- asking ---- */

/* Whether what went wrong may go right at the next try. */
static bool may_pass(CURLcode code) {
    static const CURLcode passing[] = {CURLE_COULDNT_RESOLVE_PROXY,
                                       CURLE_COULDNT_RESOLVE_HOST,
                                       CURLE_COULDNT_CONNECT,
                                       CURLE_WEIRD_SERVER_REPLY,
                                       CURLE_PARTIAL_FILE,
                                       CURLE_OPERATION_TIMEDOUT,
                                       CURLE_SSL_CONNECT_ERROR,
                                       CURLE_GOT_NOTHING,
                                       CURLE_SEND_ERROR,
                                       CURLE_RECV_ERROR,
                                       CURLE_HTTP2,
                                       CURLE_HTTP2_STREAM};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; ++i) {
        if (passing[i] == code) return true;
    }
    return false;
}

static hl_status fail_transfer(const endpoint *self, CURLcode code, const incoming *in, hl_error *error) {
    if (code == CURLE_OUT_OF_MEMORY || in->no_memory) return hl_no_memory(error, "an answer");
    if (in->too_large) {
        return hl_fail(error, HL_FAILED, "the answer is larger than %d MiB, or its header than %d KiB",
                       MOST_BODY >> 20, MOST_HEADERS >> 10);
    }
    const char *why = *self->why ? self->why : self->curl.curl_easy_strerror(code);
    return hl_fail(error, may_pass(code) ? HL_UNAVAILABLE : HL_FAILED, "%.300s", why);
}

/* Runs until the transfer is over, whatever came of it. */
static hl_status transfer(endpoint *self, CURLcode *out, hl_error *error) {
    const curl_library *curl = &self->curl;
    int running = 1, left;
    hl_status status = HL_OK;
    while (status == HL_OK && running > 0) {
        if (curl->curl_multi_perform(self->multi, &running) != CURLM_OK) {
            return hl_fail(error, HL_FAILED, "libcurl cannot go on");
        }
        status = hl_check_cancelled(self->host, error);
        if (status == HL_OK && running > 0)
            curl->curl_multi_poll(self->multi, NULL, 0, LOOK_MILLISECONDS, NULL);
    }
    const CURLMsg *said = status == HL_OK ? curl->curl_multi_info_read(self->multi, &left) : NULL;
    *out = said && said->msg == CURLMSG_DONE ? said->data.result : CURLE_RECV_ERROR;
    return status;
}

static void read_reply(const endpoint *self, endpoint_reply *reply) {
    const curl_library *curl = &self->curl;
    curl_off_t wait = 0;
    const char *place = NULL;
    curl->curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &reply->status);
    curl->curl_easy_getinfo(self->easy, CURLINFO_RETRY_AFTER, &wait);
    curl->curl_easy_getinfo(self->easy, CURLINFO_REDIRECT_URL, &place);
    reply->wait = wait > 0 ? (double)wait : 0;
    if (place) reply->place = strdup(place);
}

hl_status endpoint_post(endpoint *self, const char *json, endpoint_reply *reply, hl_error *error) {
    const curl_library *curl = &self->curl;
    incoming in = {.bytes = calloc(1, 1), .room = 1};
    CURLcode code = CURLE_OK;
    *reply = (endpoint_reply){.body = in.bytes};
    if (!in.bytes) return hl_no_memory(error, "an answer");
    self->why[0] = '\0';
    bool ready = curl->curl_easy_setopt(self->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(json)) ==
                     CURLE_OK &&
                 curl->curl_easy_setopt(self->easy, CURLOPT_POSTFIELDS, json) == CURLE_OK &&
                 curl->curl_easy_setopt(self->easy, CURLOPT_WRITEDATA, &in) == CURLE_OK &&
                 curl->curl_easy_setopt(self->easy, CURLOPT_HEADERDATA, &in) == CURLE_OK &&
                 curl->curl_multi_add_handle(self->multi, self->easy) == CURLM_OK;
    if (!ready) return hl_no_memory(error, "a question");
    hl_status status = transfer(self, &code, error);
    curl->curl_multi_remove_handle(self->multi, self->easy);
    reply->body = in.bytes;
    reply->count = in.count;
    if (status == HL_OK && code != CURLE_OK) status = fail_transfer(self, code, &in, error);
    if (status == HL_OK) read_reply(self, reply);
    return status;
}

hl_status endpoint_wait(const hl_host *host, double seconds, hl_error *error) {
    hl_status status = hl_check_cancelled(host, error);
    for (double left = seconds * 1000; status == HL_OK && left > 0; left -= LOOK_MILLISECONDS) {
        double now = left < LOOK_MILLISECONDS ? left : LOOK_MILLISECONDS;
        nanosleep(&(struct timespec){.tv_nsec = (long)(now * 1e6)}, NULL);
        status = hl_check_cancelled(host, error);
    }
    return status;
}
