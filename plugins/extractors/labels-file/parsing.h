/* JSON and YAML as one tree, so that what a file of labels says is looked at in one place only. */
#ifndef PARSING_H
#define PARSING_H

#include "headlight/host.h"
#include <cjson/cJSON.h>

/* A whole file as a tree. Its name says which of the two it is: .yaml and .yml are YAML, all else is JSON.
 * Numbers of YAML are texts. To be freed with cJSON_Delete. */
hl_status parsing_read(const hl_host *host, const char *path, cJSON **out, hl_error *error);

/* The same with text that lies in memory: `count` bytes and a NUL. `path` is for messages. */
hl_status parsing_json(const char *path, const char *bytes, size_t count, cJSON **out, hl_error *error);
hl_status parsing_yaml(const char *path, const char *bytes, size_t count, cJSON **out, hl_error *error);

#endif
