/* What is behind hl_library. */
#ifndef LIBRARY_H
#define LIBRARY_H

#include "core/host/host.h"
#include "core/registry/registry.h"
#include "headlight/library.h"

struct hl_library {
    registry *plugins;
    hl_library_settings settings;
    double seconds; /* that opening it took */
};

#endif
