/* What a step's findings depend on, besides the model: backend, plugin (its version and its file), options,
 * the content of files that these name, the gallery where it is needed, and what the steps that it builds on
 * found. As a checksum, so that findings can be kept on disk, and results of an analysis alike. */
#ifndef CHAIN_KEY_H
#define CHAIN_KEY_H

#include "core/asking/chain.h"

enum { CHAIN_KEY_ROOM = 64 };

typedef struct chain_key_subject {
    const char *kind; /* what is kept, and how it is packed: "findings 5" */
    const hl_plugin *plugin;
    const option_values *values; /* bound to the model */
    uint32_t needs;              /* HL_NEEDS_... */
    const char *before;          /* the digest of what it builds on, or "" */
} chain_key_subject;

/* `out`, by which hl_ask.recall knows it, becomes empty where there is no key: what is named is no file.
 * Brings the atlas up to date where the gallery is needed. */
hl_status chain_key_make(const chain_key_subject *of, const hl_ask *ask, char out[CHAIN_KEY_ROOM],
                         hl_error *error);

#endif
