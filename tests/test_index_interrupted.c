/* `headlight index` killed, cancelled, and running twice at once: the atlas is whole whenever it is looked
 * at. */
#include "tests/indexed.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILLS = 20 };

/* Runs until the end, or until it is killed after `delay` seconds; whether it was killed. */
static bool run_for(const char *const *arguments, double delay) {
    pid_t child = start_program(arguments);
    struct timespec wait = {0, (long)(delay * 1e9)};
    nanosleep(&wait, NULL);
    kill(child, SIGKILL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void test_killed(void **state) {
    (void)state;
    workplace place = make_workplace(160);
    char *broken = text("%s/scene-100.jpg", place.images);
    write_text(broken, "no picture");
    double began = seconds();
    index_well(MINI, place.images, place.out, "--shard-size", "32", NULL);
    double length = seconds() - began;
    uint32_t random = 12345;
    int killed = 0, partial = 0;
    for (int i = 0; i < KILLS; ++i) {
        char *out = text("%s/atlas-%d", place.folder, i);
        const char *const arguments[] = {TEST_COMMAND,   "index", "--model", MINI,        "--images",
                                         place.images,   "--out", out,       "--threads", "2",
                                         "--shard-size", "32",    NULL};
        random = random * 1664525u + 1013904223u;
        killed += run_for(arguments, fmin(length * (double)(random >> 8) / 16777216.0, 0.999));
        random = random * 1664525u + 1013904223u;
        killed += run_for(arguments, fmin(length * (double)(random >> 8) / 16777216.0, 0.999));
        char *first = text("%s/shard-000000.safetensors", out),
             *last = text("%s/shard-000004.safetensors", out);
        partial += file_exists(first) && !file_exists(last);
        index_well(MINI, place.images, out, "--shard-size", "32", NULL);
        assert_same_bytes(place.out, out);
        free(first);
        free(last);
        free(out);
    }
    print_message("%d of %d runs were killed before their end, %d atlases were taken up in the middle\n",
                  killed, 2 * KILLS, partial);
    assert_true(killed >= KILLS / 2);
    free(broken);
    leave(&place);
}

/* SIGINT: says so, leaves what is done. */
static void test_cancelled(void **state) {
    (void)state;
    char *folder = make_folder(), *out = text("%s/atlas", folder),
         *first = text("%s/shard-000000.safetensors", out);
    const char *const arguments[] = {TEST_COMMAND, "index", "--model",   MINI,        "--images",
                                     MINI_GALLERY, "--out", out,         "--threads", "2",
                                     "--batch",    "1",     "--backend", "reference", "--shard-size",
                                     "4",          NULL};
    pid_t child = start_program(arguments);
    for (int i = 0; i < 2000 && !file_exists(first); ++i) usleep(5000);
    kill(child, SIGINT);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_command(0, "verify", out, NULL);
    atlas *opened = open_atlas(out);
    assert_true(atlas_count(opened) >= 4 && atlas_count(opened) < 400);
    atlas_close(opened);
    free(first);
    free(out);
    remove_folder(folder);
}

static void test_locked(void **state) {
    (void)state;
    workplace place = make_workplace(3);
    char *lock = text("%s/.lock", place.out);
    index_well(MINI, place.images, place.out, NULL);
    int held = open(lock, O_RDWR);
    assert_true(held >= 0);
    assert_int_equal(flock(held, LOCK_EX), 0);
    index_well(MINI, place.images, place.out, NULL); /* nothing to write: nobody waits for the lock */
    put_scenes(place.images, 3, 4);
    refused(1, "another process is indexing into this atlas", "index", "--model", MINI, "--images",
            place.images, "--out", place.out);
    close(held);
    index_well(MINI, place.images, place.out, NULL);
    free(lock);
    leave(&place);
}

static void test_two_at_once(void **state) {
    (void)state;
    workplace place = make_workplace(60);
    const char *const arguments[] = {TEST_COMMAND,   "index", "--model", MINI,        "--images",
                                     place.images,   "--out", place.out, "--threads", "1",
                                     "--shard-size", "4",     NULL};
    pid_t first = start_program(arguments), second = start_program(arguments);
    int a, b;
    assert_int_equal(waitpid(first, &a, 0), first);
    assert_int_equal(waitpid(second, &b, 0), second);
    assert_true(WIFEXITED(a) && WIFEXITED(b));
    assert_true(WEXITSTATUS(a) == 0 || WEXITSTATUS(b) == 0); /* the other was refused, or came later */
    assert_true(WEXITSTATUS(a) <= 1 && WEXITSTATUS(b) <= 1);
    assert_command(0, "verify", place.out, NULL);
    index_well(MINI, place.images, place.out, NULL);
    atlas *opened = open_atlas(place.out);
    assert_int_equal(atlas_count(opened), 60);
    atlas_close(opened);
    leave(&place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_locked),
        cmocka_unit_test(test_two_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
