/* An endpoint on loopback that completes chats by a script: what goes wrong with the first requests, after
 * which all goes well. It labels and judges what it is asked about by fixed rules, and repeats the key that
 * it was sent wherever an endpoint could. */
#ifndef ENDPOINT_TEST_H
#define ENDPOINT_TEST_H

#include "tests/support.h"

typedef enum serve {
    SERVE_WELL, /* one label, or verdict, for each that was asked about */
    SERVE_CHUNKED,
    SERVE_FENCED,     /* behind a <think> part, in a fence */
    SERVE_SLOW,       /* nothing, until the other side goes */
    SERVE_BUSY,       /* 429, Retry-After: 1 */
    SERVE_LATER,      /* 429, Retry-After: 86400 */
    SERVE_BROKEN,     /* 500 */
    SERVE_REFUSED,    /* 401 */
    SERVE_CUT,        /* half of the bytes that were announced */
    SERVE_CUT_CHUNK,  /* half of the chunks */
    SERVE_CLOSED,     /* the connection ends without an answer */
    SERVE_NO_JSON,    /* 200, a page of HTML */
    SERVE_NO_CHOICES, /* 200, JSON of another kind */
    SERVE_FEWER,      /* one label too few */
    SERVE_MORE,       /* one too many */
    SERVE_TWICE,      /* the first again in place of the last */
    SERVE_OTHER,      /* in place of the last one that was not asked about */
    SERVE_EMPTY,      /* a completion without content */
    SERVE_WORDS,      /* one that is no JSON */
    SERVE_LARGE,      /* more bytes than anybody needs */
    SERVE_LARGE_HEADER,
    SERVE_REDIRECT, /* 307 to a file */
} serve;

typedef struct endpoint_server endpoint_server;

endpoint_server *endpoint_start(void);
void endpoint_stop(endpoint_server *server);

/* "http://127.0.0.1:PORT/v1" */
const char *endpoint_url(const endpoint_server *server);

/* What the next requests meet; the counts begin anew. */
void endpoint_script(endpoint_server *server, const serve *script, size_t count);

size_t endpoint_requests(const endpoint_server *server);
size_t endpoint_connections(const endpoint_server *server);

/* The body of the last request, and whether all had `Authorization: Bearer KEY`; free() it. */
char *endpoint_last_body(endpoint_server *server);
bool endpoint_got_key(const endpoint_server *server, const char *key);

#endif
