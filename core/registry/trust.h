/* Whether code from a file may be run: not when anybody at all can put it there. */
#ifndef TRUST_H
#define TRUST_H

/* The file, or the folder on the way to it, that everybody may write to, as a real path that the caller
 * frees; NULL: none, or the file cannot be looked at. Farther up than the file's own folder one with the
 * sticky bit, such as /tmp, is no such place: what lies in it is its owner's. */
char *trust_flaw(const char *file);

#endif
