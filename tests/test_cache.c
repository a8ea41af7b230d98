/* The cache on disk: what is kept comes back, and nothing else does; and the digests of files that lie in it.
 */
#include "core/io/cache.h"
#include "core/io/file_digest.h"
#include "core/io/input.h"
#include "tests/mini.h"
#include "tests/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *caches; /* XDG_CACHE_HOME: a folder that is not there yet, in one that is */

static int begin(void **state) {
    (void)state;
    char *folder = make_folder();
    caches = text("%s/not yet/caches", folder);
    free(folder);
    return setenv("XDG_CACHE_HOME", caches, 1);
}

static int end(void **state) {
    (void)state;
    *strstr(caches, "/not yet") = '\0';
    remove_folder(caches);
    return 0;
}

static void assert_kept(const char *key, const void *bytes, size_t count) {
    void *got;
    size_t held;
    cache_recall(key, &got, &held);
    assert_non_null(got);
    assert_int_equal(held, count);
    assert_memory_equal(got, bytes, count);
    assert_int_equal(((const char *)got)[count], 0);
    free(got);
}

static void assert_unknown(const char *key) {
    void *got;
    size_t held;
    cache_recall(key, &got, &held);
    assert_null(got);
    assert_int_equal(held, 0);
}

/* The only file in the cache's folder. */
static char *only_file(void) {
    char *folder = text("%s/headlight", caches), *path = NULL;
    DIR *open = opendir(folder);
    assert_non_null(open);
    for (struct dirent *entry; (entry = readdir(open));) {
        if (entry->d_name[0] == '.') continue;
        assert_null(path);
        path = text("%s/%s", folder, entry->d_name);
    }
    closedir(open);
    free(folder);
    return path;
}

static void what_is_kept_comes_back(void **state) {
    (void)state;
    static const char with_nul[] = "a\0b\n";
    assert_unknown("one");
    cache_remember("one", "first", 5);
    cache_remember("two\nlines", with_nul, sizeof with_nul);
    cache_remember("nothing", NULL, 0);
    char *longest = calloc(100001, 1);
    memset(longest, 'k', 100000);
    cache_remember(longest, "x", 1);
    assert_kept("one", "first", 5);
    assert_kept("two\nlines", with_nul, sizeof with_nul);
    assert_kept("nothing", "", 0);
    assert_kept(longest, "x", 1);
    longest[99999] = '\0';
    assert_unknown(longest);
    cache_remember("one", "second", 6);
    assert_kept("one", "second", 6);
    free(longest);
}

/* Every byte changed, every length; another key's file in the place of one. */
static void damage_is_as_good_as_nothing(void **state) {
    (void)state;
    cache_remember("key", "value", 5);
    char *path = only_file();
    size_t count;
    char *bytes = read_file(path, &count);
    for (size_t i = 0; i < count; ++i) {
        bytes[i] ^= 0x20;
        write_file(path, bytes, count);
        assert_unknown("key");
        bytes[i] ^= 0x20;
        write_file(path, bytes, i);
        assert_unknown("key");
    }
    write_file(path, "", 0);
    assert_unknown("key");
    write_file(path, bytes, count);
    assert_kept("key", "value", 5);
    bytes = realloc(bytes, count + 1);
    bytes[count] = 'x';
    write_file(path, bytes, count + 1);
    assert_unknown("key");
    free(bytes);

    unlink(path);
    cache_remember("another key", "value", 5);
    char *other = only_file();
    rename(other, path);
    assert_unknown("key");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_unknown("key"); /* and is no wait without end */
    free(other);
    free(path);
}

static void only_a_private_folder_is_used(void **state) {
    (void)state;
    char *folder = text("%s/headlight", caches);
    cache_remember("key", "value", 5);
    assert_int_equal(chmod(folder, 0777), 0);
    assert_unknown("key");
    cache_remember("more", "value", 5);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_kept("key", "value", 5);
    assert_unknown("more");
    setenv("XDG_CACHE_HOME", "relative", 1);
    unsetenv("HOME");
    cache_remember("key", "other", 5);
    assert_unknown("key");
    assert_false(file_exists("relative"));
    setenv("HOME", caches, 1);
    cache_remember("key", "at home", 7);
    assert_kept("key", "at home", 7);
    char *at_home = text("%s/.cache/headlight", caches);
    assert_int_equal(count_files(at_home), 1);
    setenv("HOME", "/dev/null", 1);
    cache_remember("key", "value", 5); /* nowhere */
    assert_unknown("key");
    free(at_home);
    free(folder);
}

static void processes_at_once_harm_nothing(void **state) {
    (void)state;
    enum { PROCESSES = 4, ROUNDS = 200, ROOM = 5000 };
    for (int i = 0; i < PROCESSES; ++i) {
        if (fork() > 0) continue;
        char mine[ROOM];
        memset(mine, 'a' + i, sizeof mine);
        bool whole = true;
        for (int k = 0; k < ROUNDS; ++k) {
            void *got;
            size_t count;
            cache_remember("shared", mine, (size_t)(ROOM - i));
            cache_recall("shared", &got, &count);
            const char *letters = got;
            whole = whole && got && count == (size_t)(ROOM - (letters[0] - 'a'));
            for (size_t at = 0; whole && at < count; ++at) whole = letters[at] == letters[0];
            free(got);
        }
        _exit(whole ? 0 : 1);
    }
    for (int i = 0; i < PROCESSES; ++i) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    char *path = only_file(); /* nothing unfinished is left */
    free(path);
}

/* ---- digests of files ---- */

static void digest(const char *path, char out[CHECKSUM_ROOM]) {
    hl_error error;
    uint64_t size;
    int descriptor;
    assert_ok(input_open(path, &descriptor, &size, &error), error);
    assert_ok(file_digest(path, descriptor, out, &error), error);
    close(descriptor);
}

/* Bytes that this process has read so far. */
static long read_so_far(void) {
    char *all = read_file("/proc/self/io", NULL);
    long bytes = strtol(strchr(all, ':') + 1, NULL, 10);
    free(all);
    return bytes;
}

static void a_file_is_read_once(void **state) {
    (void)state;
    static const char WEIGHTS[] = MINI "/open_clip_model.safetensors";
    char first[CHECKSUM_ROOM], again[CHECKSUM_ROOM];
    struct stat about;
    assert_int_equal(stat(WEIGHTS, &about), 0);
    digest(WEIGHTS, first);
    long before = read_so_far();
    digest(WEIGHTS, again);
    assert_string_equal(first, again);
    assert_true(read_so_far() - before < about.st_size / 10);

    /* a file that is none of ours says nothing */
    char *path = only_file();
    write_text(path, "00000000000000000000000000000000");
    digest(WEIGHTS, again);
    assert_string_equal(first, again);
    free(path);
}

/* Within the granularity of the times the next change may not show. */
static void a_file_that_just_changed_is_not_trusted(void **state) {
    (void)state;
    char *path = text("%.*s/weights", (int)(strstr(caches, "/not yet") - caches), caches);
    char first[CHECKSUM_ROOM], second[CHECKSUM_ROOM];
    const struct timespec long_ago[2] = {{1000000000, 0}, {1000000000, 0}};
    write_text(path, "some weights");
    utimensat(AT_FDCWD, path, long_ago, 0);
    digest(path, first);
    int descriptor = open(path, O_WRONLY);
    assert_int_equal(pwrite(descriptor, "S", 1, 0), 1);
    assert_int_equal(futimens(descriptor, long_ago), 0); /* as before, but for the time that nobody can set */
    close(descriptor);
    digest(path, second);
    assert_string_not_equal(first, second);
    char *folder = text("%s/headlight", caches);
    assert_true(!file_exists(folder) || count_files(folder) == 0);
    unlink(path);
    free(folder);
    free(path);
}

#define cache_test(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        cache_test(what_is_kept_comes_back),       cache_test(damage_is_as_good_as_nothing),
        cache_test(only_a_private_folder_is_used), cache_test(processes_at_once_harm_nothing),
        cache_test(a_file_is_read_once),           cache_test(a_file_that_just_changed_is_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
