/* What a step's findings depend on, besides the model: backend, plugin (its version and its file), options,
 * the content of files that these name, the gallery where it is needed, and what the steps that it builds on
 * found. As a checksum, so that findings can be kept on disk. */
#ifndef CHAIN_KEY_H
#define CHAIN_KEY_H

#include "core/asking/chain.h"

enum { CHAIN_KEY_ROOM = 64 };

/* `before`: the digest of what it builds on, or "". `out`, by which hl_ask.recall knows it, becomes empty
 * where there is no key: what is named is no file. Brings the atlas up to date where the step needs a
 * gallery. */
hl_status chain_key_make(const chain_step *step, const hl_extractor_api *api, const char *before,
                         const hl_ask *ask, char out[CHAIN_KEY_ROOM], hl_error *error);

#endif
