/* How many threads there are where nobody asked for a number: on machines with many processors, and in
 * containers that may use few of them. */
#include "tests/json.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A file below `folder`, with the folders above it. */
static void write_below(const char *folder, const char *path, const char *content) {
    char *full = text("%s%s", folder, path);
    for (char *slash = full + strlen(folder) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        mkdir(full, 0700);
    }
    write_text(full, content);
    free(full);
}

static unsigned threads_of_bench(const char *cores, const char *allowed, const char *groups) {
    char *set[] = {text("LD_PRELOAD=%s/fake_cores.preload", TEST_PRELOAD), text("FAKE_CORES=%s", cores),
                   text("FAKE_ALLOWED=%s", allowed), text("FAKE_CGROUP=%s", groups)};
    const char *const arguments[] = {"env",     set[0],    set[1],
                                     set[2],    set[3],    TEST_COMMAND,
                                     "bench",   "--model", TEST_SOURCE "/configs/mini/model",
                                     "--batch", "1",       "--runs",
                                     "1",       "--json",  NULL};
    char *printed, *errors;
    int status = run_program(arguments, &printed, &errors);
    if (status != 0) fail_msg("bench ended with %d: %s", status, errors);
    cJSON *line = parse_json(printed);
    double threads = number_of(line, "threads");
    cJSON_Delete(line);
    free(printed);
    free(errors);
    for (size_t i = 0; i < COUNT(set); ++i) free(set[i]);
    return (unsigned)threads;
}

static void test_many_processors(void **state) {
    (void)state;
    static const struct {
        const char *cores, *allowed;
        unsigned expected;
    } cases[] = {{"8", "3", 3},    {"1024", "5", 5},   {"1025", "5", 5},
                 {"2048", "7", 7}, {"4096", "12", 12}, {"20000", "6", 6}};
    char *nothing = make_folder();
    for (size_t i = 0; i < COUNT(cases); ++i) {
        assert_int_equal(threads_of_bench(cases[i].cores, cases[i].allowed, nothing), cases[i].expected);
    }
    remove_folder(nothing);
}

typedef struct group_file {
    const char *path, *content;
} group_file;

static void test_control_groups(void **state) {
    (void)state;
    static const struct {
        const char *groups;
        group_file files[5];
        unsigned expected;
    } cases[] = {
        /* version 2, in a container, on a host, with a bound further up, without any */
        {"0::/\n", {{"/sys/fs/cgroup/cpu.max", "200000 100000\n"}}, 2},
        {"0::/user.slice/job\n", {{"/sys/fs/cgroup/user.slice/job/cpu.max", "150000 100000\n"}}, 2},
        {"0::/user.slice/job\n",
         {{"/sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n"},
          {"/sys/fs/cgroup/user.slice/cpu.max", "300000 100000\n"}},
         3},
        {"0::/a/b\n",
         {{"/sys/fs/cgroup/a/b/cpu.max", "700000 100000\n"}, {"/sys/fs/cgroup/a/cpu.max", "50000 100000\n"}},
         1},
        {"0::/\n", {{"/sys/fs/cgroup/cpu.max", "max 100000\n"}}, 8},
        {"0::/\n", {{"/sys/fs/cgroup/cpu.max", "6400000 100000\n"}}, 8},
        {"0::/\n", {{"/sys/fs/cgroup/cpu.max", ""}}, 8},
        {"0::/\n", {{"/sys/fs/cgroup/cpu.max", "0 0\n"}}, 8},
        {"0::/\n", {{NULL, NULL}}, 8},
        /* version 1: the path is that outside of the container */
        {"5:cpu,cpuacct:/docker/abc\n0::/\n",
         {{"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000\n"},
          {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}},
         3},
        {"4:cpuacct,cpu:/job\n",
         {{"/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "400000\n"},
          {"/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n"}},
         4},
        {"4:cpu:/\n3:cpuset:/\n",
         {{"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
          {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}},
         8},
        {"no colon\n:\n::\n1:cpu\n", {{NULL, NULL}}, 8},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = make_folder();
        write_below(folder, "/proc/self/cgroup", cases[i].groups);
        for (const group_file *file = cases[i].files; file->path; ++file) {
            write_below(folder, file->path, file->content);
        }
        unsigned threads = threads_of_bench("8", "8", folder);
        if (threads != cases[i].expected)
            fail_msg("case %zu: %u threads, expected %u", i, threads, cases[i].expected);
        remove_folder(folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_processors),
        cmocka_unit_test(test_control_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
