/* Files that were installed with the library (share/headlight), or stand in for them in a build. */
#ifndef DATA_FILES_H
#define DATA_FILES_H

/* free() it; NULL: it is not there. */
char *data_file(const char *name);

#endif
