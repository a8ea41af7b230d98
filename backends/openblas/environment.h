/* Environment variables that are there only while a library is loaded, which reads them in its constructor.
 *
 * setenv would do, but moves or frees what another thread may be reading at that moment. Here the process is
 * shown a list of its own for a while; the old one is not touched, and the new one is kept until this plugin
 * goes. */
#ifndef OPENBLAS_ENVIRONMENT_H
#define OPENBLAS_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* `settings` are `count` strings NAME=VALUE that outlive the loan; each hides a variable of that name. False:
 * no memory. One loan at a time. */
bool environment_lend(const char *const *settings, size_t count);
void environment_return(void);

#endif
