/* What sections hold besides their plugin's options is checked like a plugin's options. */
#ifndef SECTION_H
#define SECTION_H

#include "core/registry/options.h"

#define SECTION(NAME, TABLE)                                                                                 \
    { .size = sizeof(hl_plugin), .name = (NAME), HL_OPTIONS(TABLE) }

#endif
