/* What a step's findings depend on, besides the model: plugin and version, options, the content of files that
 * these name, the gallery where it is needed, and the step that it builds on. As a checksum, so that findings
 * can be kept on disk. */
#ifndef CHAIN_KEY_H
#define CHAIN_KEY_H

#include "core/asking/chain.h"
#include "core/io/checksum.h"

/* `before`: the key of what it builds on, or "". `out` becomes empty where there is no key: what is named is
 * no file. Brings the atlas up to date where the step needs a gallery. */
hl_status chain_key_make(const chain_step *step, const hl_extractor_api *api, const char *before,
                         const hl_ask *ask, char out[CHECKSUM_ROOM], hl_error *error);

/* The key by which hl_ask.recall knows it. */
enum { CHAIN_KEY_ROOM = 64 };
void chain_key_text(const char key[CHECKSUM_ROOM], char out[CHAIN_KEY_ROOM]);

#endif
