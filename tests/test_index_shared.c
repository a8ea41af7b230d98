/* `headlight index --shard auto`: processes that a launcher started, all with one atlas to make. Here they
 * get the variables that Open MPI would set; the real one is asked where it is there. */
#include "tests/experiment.h"
#include "tests/indexed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SCENES_HERE = 20, MOST_RANKS = 25 };

static void set_rank(size_t rank, size_t size) {
    char *number = text("%zu", rank), *count = text("%zu", size);
    setenv("OMPI_COMM_WORLD_RANK", number, 1);
    setenv("OMPI_COMM_WORLD_SIZE", count, 1);
    setenv("OMPI_COMM_WORLD_LOCAL_SIZE", count, 1);
    free(number);
    free(count);
}

static void forget_rank(void) {
    unsetenv("OMPI_COMM_WORLD_RANK");
    unsetenv("OMPI_COMM_WORLD_SIZE");
    unsetenv("OMPI_COMM_WORLD_LOCAL_SIZE");
}

static pid_t start_rank(const workplace *place, size_t rank, size_t size) {
    const char *const arguments[] = {TEST_COMMAND,  "index", "--model",  MINI,           "--images",
                                     place->images, "--out", place->out, "--shard-size", "3",
                                     "--shard",     "auto",  NULL};
    set_rank(rank, size);
    pid_t child = start_program(arguments);
    forget_rank();
    return child;
}

static int wait_for(pid_t child) {
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* All ranks but `missing` at once; SIZE_MAX: all. */
static void run_ranks(const workplace *place, size_t size, size_t missing) {
    pid_t children[MOST_RANKS];
    for (size_t i = 0; i < size; ++i) children[i] = i == missing ? 0 : start_rank(place, i, size);
    for (size_t i = 0; i < size; ++i) {
        if (i != missing) assert_int_equal(wait_for(children[i]), 0);
    }
}

/* What shares that are indexed for themselves and merged make. */
static char *make_merged(const workplace *place, size_t size) {
    char *merged = text("%s/merged", place->folder);
    const char *arguments[MOST_RANKS + 4] = {TEST_COMMAND, "merge", merged};
    for (size_t i = 0; i < size; ++i) {
        char *share = text("%zu/%zu", i, size), *out = text("%s/share-%zu", place->folder, i);
        index_well(MINI, place->images, out, "--shard", share, "--shard-size", "3", NULL);
        arguments[3 + i] = out;
        free(share);
    }
    assert_int_equal(run_program(arguments, NULL, NULL), 0);
    for (size_t i = 0; i < size; ++i) free((char *)(uintptr_t)arguments[3 + i]);
    return merged;
}

static void assert_says(const char *said, const char *command, const char *argument) {
    char *printed;
    assert_int_equal(run_command(&printed, NULL, command, argument, NULL), 0);
    assert_string_equal(printed, said);
    free(printed);
}

/* Whoever is last puts the parts together, to the bytes of a merge; once more changes nothing. */
static void test_all_ranks(void **state) {
    (void)state;
    static const size_t SIZES[] = {1, 2, 3, MOST_RANKS}; /* the last: more ranks than images */
    for (size_t i = 0; i < COUNT(SIZES); ++i) {
        workplace place = make_workplace(SCENES_HERE);
        char *merged = make_merged(&place, SIZES[i]), *parts = text("%s/parts", place.out);
        for (int again = 0; again < 2; ++again) {
            run_ranks(&place, SIZES[i], SIZE_MAX);
            assert_false(file_exists(parts));
            assert_same_bytes(merged, place.out);
        }
        put_scenes(place.images, SCENES_HERE, SCENES_HERE + 7);
        run_ranks(&place, SIZES[i], SIZE_MAX);
        atlas *opened = open_atlas(place.out);
        assert_int_equal(atlas_count(opened), SCENES_HERE + 7);
        atlas_close(opened);
        assert_false(file_exists(parts));
        free(parts);
        free(merged);
        leave(&place);
    }
}

/* One after another, in the wrong order. */
static void test_one_by_one(void **state) {
    (void)state;
    workplace place = make_workplace(SCENES_HERE);
    char *merged = make_merged(&place, 3), *listed = text("%s/atlas.json", place.out);
    assert_int_equal(wait_for(start_rank(&place, 2, 3)), 0);
    assert_says("6 images, 0 skipped, 2 shards\n", "verify", place.out);
    assert_int_equal(wait_for(start_rank(&place, 0, 3)), 0);
    assert_says("13 images, 0 skipped, 5 shards\n", "verify", place.out);
    assert_false(file_exists(listed));
    assert_int_equal(wait_for(start_rank(&place, 1, 3)), 0);
    assert_same_bytes(merged, place.out);
    free(listed);
    free(merged);
    leave(&place);
}

/* A rank that was never there, or was killed: the others' work stays, and the next ones go on with it. */
static void test_missing_rank(void **state) {
    (void)state;
    for (size_t missing = 0; missing < 3; ++missing) {
        workplace place = make_workplace(SCENES_HERE);
        char *merged = make_merged(&place, 3);
        run_ranks(&place, 3, missing);
        run_ranks(&place, 3, SIZE_MAX);
        assert_same_bytes(merged, place.out);
        free(merged);
        leave(&place);
    }
}

static void test_killed_rank(void **state) {
    (void)state;
    workplace place = make_workplace(SCENES_HERE);
    char *merged = make_merged(&place, 2),
         *begun = text("%s/parts/1-of-2/shard-000000.safetensors", place.out);
    pid_t first = start_rank(&place, 0, 2), second = start_rank(&place, 1, 2);
    for (int i = 0; i < 2000 && !file_exists(begun); ++i) usleep(1000);
    kill(second, SIGKILL);
    int status = wait_for(second);
    assert_true(status == 0 || status == 128 + SIGKILL);
    assert_int_equal(wait_for(first), 0);
    run_ranks(&place, 2, SIZE_MAX);
    assert_same_bytes(merged, place.out);
    free(begun);
    free(merged);
    leave(&place);
}

/* Who puts the parts together is killed while it does so, at one moment after another: nothing is lost, and
 * nothing is there twice. */
static void test_killed_at_the_end(void **state) {
    (void)state;
#ifdef TEST_SANITIZED
    skip(); /* preload/fail_call.c needs the system's own library */
#endif
    static const char *const CALLS[] = {"rename", "unlink"};
    for (size_t i = 0; i < COUNT(CALLS); ++i) {
        for (int number = 1, status = 1; status != 0 && number < 40; number += 2) {
            workplace place = make_workplace(4);
            char *fault = text("%s:%d:KILL", CALLS[i], number);
            assert_int_equal(wait_for(start_rank(&place, 0, 2)), 0);
            setenv("LD_PRELOAD", TEST_PRELOAD "/fail_call.preload", 1);
            setenv("FAIL_CALL", fault, 1);
            pid_t last = start_rank(&place, 1, 2);
            unsetenv("LD_PRELOAD");
            unsetenv("FAIL_CALL");
            status = wait_for(last);
            if (status != 0) assert_int_equal(status, 128 + SIGKILL);
            index_well(MINI, place.images, place.out, NULL);
            assert_says("4 images, 0 skipped, 2 shards\n", "verify", place.out);
            char *first = text("%s/parts/0-of-2", place.out);
            assert_false(file_exists(first));
            free(first);
            free(fault);
            leave(&place);
        }
    }
}

/* Other numbers of ranks, an index of one process and a run see what parts there are, and none is made again.
 */
static void test_leftover_parts(void **state) {
    (void)state;
    for (int how = 0; how < 4; ++how) {
        workplace place = make_workplace(SCENES_HERE);
        char *parts = text("%s/parts", place.out), *one = text("%s/parts/0-of-3/atlas.json", place.out);
        run_ranks(&place, 3, 1);
        assert_true(file_exists(one));
        if (how == 0) run_ranks(&place, 2, SIZE_MAX);
        if (how == 1) index_well(MINI, place.images, place.out, NULL);
        if (how == 2) assert_command(0, "merge", place.out, place.out, NULL);
        if (how == 3) {
            char *yaml = text("%s/e.yaml", place.folder);
            write_text(
                yaml,
                "headlight: 1\nmodel: {path: " MINI "}\ngallery: {images: images, atlas: atlas}\noutput: "
                "out\nanalyses:\n  - {plugin: text-neighbors, texts: [snow], heads: [L3.H5], count: 3}\n");
            assert_command(0, "run", yaml, NULL);
            free(yaml);
        }
        atlas *opened = open_atlas(place.out);
        assert_int_equal(atlas_count(opened), how == 2 ? 13 : SCENES_HERE);
        atlas_close(opened);
        index_well(MINI, place.images, place.out, NULL);
        assert_command(0, "verify", place.out, NULL);
        opened = open_atlas(place.out);
        assert_int_equal(atlas_count(opened), SCENES_HERE);
        atlas_close(opened);
        free(one);
        free(parts);
        leave(&place);
    }
}

/* Each into a folder of its own, as it was before ranks could share one. */
static void test_merge_of_parts(void **state) {
    (void)state;
    workplace place = make_workplace(SCENES_HERE);
    char *merged = make_merged(&place, 2), *both = text("%s/both", place.folder);
    workplace each[2] = {place, place};
    for (size_t i = 0; i < 2; ++i) {
        each[i].out = text("%s/own-%zu", place.folder, i);
        assert_int_equal(wait_for(start_rank(&each[i], i, 2)), 0);
    }
    assert_command(0, "merge", both, each[0].out, each[1].out, NULL);
    assert_same_bytes(merged, both);
    free(each[0].out);
    free(each[1].out);
    free(both);
    free(merged);
    leave(&place);
}

/* Twice at once: a rank that finds its part taken fails, nothing is lost, and the next index sees all. */
static void test_two_runs_at_once(void **state) {
    (void)state;
    workplace place = make_workplace(SCENES_HERE);
    pid_t children[6];
    for (size_t i = 0; i < 6; ++i) children[i] = start_rank(&place, i % 3, 3);
    for (size_t i = 0; i < 6; ++i) assert_in_range(wait_for(children[i]), 0, 1);
    index_well(MINI, place.images, place.out, NULL);
    assert_command(0, "verify", place.out, NULL);
    atlas *opened = open_atlas(place.out);
    assert_int_equal(atlas_count(opened), SCENES_HERE);
    for (size_t i = 1; i < atlas_count(opened); ++i)
        assert_int_not_equal(find_image(opened, atlas_path(opened, i)), 0);
    atlas_close(opened);
    leave(&place);
}

/* Damaged images are skipped once; where nothing can be read the last one says so. */
static void test_unreadable(void **state) {
    (void)state;
    workplace place = make_workplace(4);
    char *broken = text("%s/aa.jpg", place.images);
    write_text(broken, "no picture");
    run_ranks(&place, 2, SIZE_MAX);
    assert_says("4 images, 1 skipped, 2 shards\n", "verify", place.out);
    free(broken);
    leave(&place);
    char *folder = make_folder(), *list = text("%s/list.txt", folder), *out = text("%s/atlas", folder);
    workplace nothing = {folder, list, out};
    write_text(list, "a.jpg\nb.jpg\n");
    assert_int_equal(wait_for(start_rank(&nothing, 0, 2)), 0);
    assert_int_equal(wait_for(start_rank(&nothing, 1, 2)), 1);
    leave(&nothing);
}

/* What is no atlas's is left alone. */
static void test_foreign(void **state) {
    (void)state;
    static const char *const FILES[] = {"thesis.txt", "parts/thesis.txt", "parts/1-of-two"};
    for (size_t i = 0; i < COUNT(FILES); ++i) {
        workplace place = make_workplace(2);
        char *file = text("%s/%s", place.out, FILES[i]), *parts = text("%s/parts", place.out);
        assert_int_equal(mkdir(place.out, 0777), 0);
        if (strchr(FILES[i], '/')) assert_int_equal(mkdir(parts, 0777), 0);
        write_text(file, "precious");
        assert_int_equal(wait_for(start_rank(&place, 0, 2)), 2);
        assert_true(file_exists(file));
        assert_int_equal(count_files(place.out), 1);
        free(parts);
        free(file);
        leave(&place);
    }
}

/* More than half is not dropped by the last rank either. */
static void test_loss(void **state) {
    (void)state;
    workplace place = make_workplace(8);
    run_ranks(&place, 2, SIZE_MAX);
    for (size_t i = 0; i < 5; ++i) {
        char *path = text("%s/scene-%03zu.jpg", place.images, i);
        unlink(path);
        free(path);
    }
    assert_int_equal(wait_for(start_rank(&place, 0, 2)), 0);
    assert_int_equal(wait_for(start_rank(&place, 1, 2)), 1);
    atlas *opened = open_atlas(place.out);
    assert_int_equal(atlas_count(opened), 8);
    atlas_close(opened);
    leave(&place);
}

/* Ranks on one machine divide its cores, each has one at least; what a user says counts. */
static void assert_threads(const char *local, const char *threads, const char *expected) {
    workplace place = make_workplace(1);
    char *printed;
    set_rank(0, 2);
    unsetenv("OMPI_COMM_WORLD_LOCAL_SIZE");
    if (local) setenv("OMPI_COMM_WORLD_LOCAL_SIZE", local, 1);
    assert_int_equal(run_command(&printed, NULL, "index", "--model", MINI, "--images", place.images, "--out",
                                 place.out, "--shard", "auto", "--threads", threads, NULL),
                     0);
    forget_rank();
    char *line = text("share 0 of 2 (OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE)%s\n", expected);
    if (strncmp(printed, line, strlen(line)) != 0) fail_msg("%s", printed);
    free(line);
    free(printed);
    leave(&place);
}

static void test_threads(void **state) {
    (void)state;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    char *many = text("%ld", cores), *more = text("%ld", cores * 3);
    assert_threads(many, "0", ", threads: 1");
    assert_threads(more, "0", ", threads: 1");
    assert_threads(many, "2", ", threads: 2");
    assert_threads(NULL, "0", "");
    assert_threads("some", "0", "");
    free(many);
    free(more);
}

static void test_mpirun(void **state) {
    (void)state;
    const char *const ask[] = {"mpirun", "--version", NULL};
    char *printed;
    if (run_program(ask, &printed, NULL) != 0 || !strstr(printed, "Open MPI")) {
        print_message("Open MPI's mpirun is missing: it was not run\n");
        skip();
    }
    free(printed);
    workplace place = make_workplace(SCENES_HERE);
    char *merged = make_merged(&place, 3);
    const char *const start[] = {"mpirun",
                                 "-n",
                                 "3",
                                 "--allow-run-as-root",
                                 "--oversubscribe",
                                 TEST_COMMAND,
                                 "index",
                                 "--model",
                                 MINI,
                                 "--images",
                                 place.images,
                                 "--out",
                                 place.out,
                                 "--shard-size",
                                 "3",
                                 "--shard",
                                 "auto",
                                 NULL};
    char *errors;
    if (run_program(start, NULL, &errors) != 0) fail_msg("%s", errors);
    assert_same_bytes(merged, place.out);
    free(errors);
    free(merged);
    leave(&place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_ranks),
        cmocka_unit_test(test_one_by_one),
        cmocka_unit_test(test_missing_rank),
        cmocka_unit_test(test_killed_rank),
        cmocka_unit_test(test_killed_at_the_end),
        cmocka_unit_test(test_leftover_parts),
        cmocka_unit_test(test_merge_of_parts),
        cmocka_unit_test(test_two_runs_at_once),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_mpirun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
