/* An endpoint: one address to which JSON is posted, and what comes back of it. One request at a time, over a
 * connection that is kept. Knows HTTP, by libcurl, and nothing of what is said. */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include "headlight/host.h"

typedef struct endpoint endpoint;

typedef struct endpoint_settings {
    const char *url; /* http or https, without user, password and query; a path is appended to it */
    const char *path;
    const char *key; /* NULL: none is sent */
    double seconds;  /* for a whole answer */
} endpoint_settings;

/* HL_USAGE for what is no such URL, and a key that no header can hold. Nothing is sent. */
hl_status endpoint_open(const hl_host *host, const endpoint_settings *settings, endpoint **out,
                        hl_error *error);
void endpoint_close(endpoint *self); /* accepts NULL */

typedef struct endpoint_reply {
    long status; /* of HTTP: 200 */
    char *body;  /* the caller frees it; with a NUL behind its last byte, and maybe others in it */
    size_t count;
    double wait; /* seconds that it asks to wait before the next request (Retry-After); 0: it does not */
    char *place; /* where a redirect leads, the caller frees it; else NULL */
} endpoint_reply;

/* HL_UNAVAILABLE where another try may help: no connection, a time-out, an answer that is cut short.
 * HL_FAILED where none would: a certificate that is not to be trusted, an answer that is too large. HL_FAILED
 * "cancelled" soon after the user has asked to stop. Whatever is returned, body and place are there
 * to be freed. */
hl_status endpoint_post(endpoint *self, const char *json, endpoint_reply *reply, hl_error *error);

/* Waits, unless the user asks to stop: HL_FAILED "cancelled". */
hl_status endpoint_wait(const hl_host *host, double seconds, hl_error *error);

/* Whether the host is this machine, where nothing is overheard. */
bool endpoint_is_near(const endpoint *self);
bool endpoint_is_encrypted(const endpoint *self);

#endif
