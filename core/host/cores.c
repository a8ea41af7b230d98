/* See cores.h. */
#include "core/host/cores.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel refuses a set that is smaller than its own, whose size it does not tell. */
static unsigned cores_of_affinity(void) {
    enum { MOST = 1 << 20 };
    for (int size = CPU_SETSIZE; size <= MOST; size *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)size);
        if (!set) break;
        size_t bytes = CPU_ALLOC_SIZE((size_t)size);
        bool told = sched_getaffinity(0, bytes, set) == 0;
        bool too_small = !told && errno == EINVAL;
        int count = told ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (count > 0) return (unsigned)count;
        if (!too_small) break;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

/* A file of at most two numbers, either of which may be a word; false if there is none. */
static bool read_numbers(const char *folder, const char *name, double numbers[2]) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return false;
    FILE *file = fopen(path, "re");
    if (!file) return false;
    char line[128] = "", *end = line;
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    numbers[0] = strtod(line, &end); /* "max", and -1 in the first version: no bound */
    numbers[1] = end > line ? strtod(end, NULL) : 0;
    return read;
}

/* How many processors' time a control group may use; 0: no bound. */
static double quota_of(const char *folder) {
    double second[2] = {0}, quota[2] = {0}, period[2] = {0};
    if (read_numbers(folder, "cpu.max", second)) return second[1] > 0 ? second[0] / second[1] : 0;
    bool first =
        read_numbers(folder, "cpu.cfs_quota_us", quota) && read_numbers(folder, "cpu.cfs_period_us", period);
    return first && quota[0] > 0 && period[0] > 0 ? quota[0] / period[0] : 0;
}

/* The least of a group and those above it. In a container the path may be that outside of it, but the root
 * is the container's. */
static double quota_above(const char *root, const char *group) {
    char folder[PATH_MAX];
    if (snprintf(folder, sizeof folder, "%s%s", root, group) >= (int)sizeof folder) return 0;
    double least = 0;
    for (size_t length = strlen(root);;) {
        double quota = quota_of(folder);
        if (quota > 0 && (least <= 0 || quota < least)) least = quota;
        char *slash = strrchr(folder, '/');
        if (!slash || slash < folder + length) return least;
        *slash = '\0';
    }
}

/* A line of /proc/self/cgroup: "0::PATH", or in the first version "N:cpu,cpuacct:PATH". */
static double quota_of_line(char *line) {
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return 0;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (strcmp(group, "/") == 0) group = "";
    if (controllers[1] == '\0') return quota_above("/sys/fs/cgroup", group);
    for (char *rest = controllers + 1, *name; (name = strsep(&rest, ","));) {
        if (strcmp(name, "cpu") == 0) return quota_above("/sys/fs/cgroup/cpu", group);
    }
    return 0;
}

static double quota(void) {
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file) return 0;
    char line[PATH_MAX];
    double least = 0;
    while (fgets(line, sizeof line, file)) {
        double found = quota_of_line(line);
        if (found > 0 && (least <= 0 || found < least)) least = found;
    }
    fclose(file);
    return least;
}

unsigned cores_usable(void) {
    unsigned cores = cores_of_affinity();
    double most = quota();
    if (most <= 0 || most >= cores) return cores;
    unsigned whole = (unsigned)most;
    return whole < most ? whole + 1 : whole; /* at least 1 */
}
