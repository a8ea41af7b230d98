/* libcurl, opened when it is first needed: it brings some thirty libraries along, which no command should
 * load that asks nobody anything. Its functions by the names that they have there. */
#ifndef CURL_LIBRARY_H
#define CURL_LIBRARY_H

#include "headlight/error.h"
#include <curl/curl.h>

#define CURL_FUNCTIONS(EACH)                                                                                 \
    EACH(curl_global_init)                                                                                   \
    EACH(curl_easy_init)                                                                                     \
    EACH(curl_easy_setopt)                                                                                   \
    EACH(curl_easy_getinfo)                                                                                  \
    EACH(curl_easy_strerror)                                                                                 \
    EACH(curl_easy_cleanup)                                                                                  \
    EACH(curl_multi_init)                                                                                    \
    EACH(curl_multi_add_handle)                                                                              \
    EACH(curl_multi_remove_handle)                                                                           \
    EACH(curl_multi_perform)                                                                                 \
    EACH(curl_multi_poll)                                                                                    \
    EACH(curl_multi_info_read)                                                                               \
    EACH(curl_multi_cleanup)                                                                                 \
    EACH(curl_slist_append)                                                                                  \
    EACH(curl_slist_free_all)                                                                                \
    EACH(curl_url)                                                                                           \
    EACH(curl_url_set)                                                                                       \
    EACH(curl_url_get)                                                                                       \
    EACH(curl_url_cleanup)                                                                                   \
    EACH(curl_free)

/* Macros that check the arguments of some of them would hide the functions. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

typedef struct curl_library {
    void *handle;
#define CURL_POINTER(NAME) __typeof__(&NAME) NAME;
    CURL_FUNCTIONS(CURL_POINTER)
#undef CURL_POINTER
} curl_library;

hl_status curl_library_open(curl_library *out, hl_error *error);
void curl_library_close(curl_library *library); /* accepts a zeroed one */

#endif
