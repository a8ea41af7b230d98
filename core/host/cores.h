/* How many processors this process may keep busy. */
#ifndef CORES_H
#define CORES_H

/* Those that it may run on, but no more than its control group has time for (a container's --cpus). At least
 * 1. */
unsigned cores_usable(void);

#endif
