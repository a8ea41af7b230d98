#ifndef TRY_H
#define TRY_H

#include "headlight/error.h"

/* Leaves the calling function when a step failed. */
#define TRY(STEP)                                                                                            \
    do {                                                                                                     \
        hl_status try_status = (STEP);                                                                       \
        if (try_status) return try_status;                                                                   \
    } while (0)

#endif
