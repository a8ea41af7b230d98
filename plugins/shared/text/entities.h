/* HTML character references, resolved as Python's html.unescape does. */
#ifndef ENTITIES_H
#define ENTITIES_H

#include "buffer.h"

/* Appends `text`, valid UTF-8, with its references resolved once. */
void entities_resolve(const char *text, size_t length, buffer *out);

#endif
