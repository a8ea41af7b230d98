/* One line about an atlas, for the commands that make or check one. */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "headlight/library.h"

/* "400 images, 2 skipped, 3 shards" on stdout. */
hl_status print_summary(const char *atlas, hl_error *error);

/* The same of an atlas that has just been made: that it cannot be read for this line is no failure. Where
 * processes make one together there may be nothing yet, and no line. */
void print_summary_of_made(const char *atlas);

#endif
