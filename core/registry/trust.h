/* Whether code from a file may be run: not when anybody at all can put it there. */
#ifndef TRUST_H
#define TRUST_H

#include <stdbool.h>

/* *flaw: `real`, a path without links, or the folder on the way to it that everybody may write to; the caller
 * frees it. NULL: there is none. False: no memory to find out. Farther up than the file's own folder one with
 * the sticky bit, such as /tmp, is no such place: what lies in it is its owner's. */
bool trust_flaw(const char *real, char **flaw);

#endif
