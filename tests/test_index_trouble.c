/* `headlight index` when an image cannot be read: what its content explains is remembered, what is only the
 * moment's trouble is tried again, and want of memory ends the command. */
#include "core/atlas/writer.h"
#include "core/host/host.h"
#include "tests/indexed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef TEST_SANITIZED
#define NEEDS_FAULTS() skip()
#else
#define NEEDS_FAULTS()
#endif

/* Indexes, well, and must print `said`; the errors, which the caller frees. */
static char *index_saying(const workplace *place, const char *said) {
    char *printed, *errors;
    int status = run_command(&printed, &errors, "index", "--model", MINI, "--images", place->images, "--out",
                             place->out, "--threads", "1", NULL);
    if (status != 0 || strcmp(printed, said) != 0) fail_msg("status %d: %s%s", status, printed, errors);
    free(printed);
    return errors;
}

static void assert_quiet(const workplace *place, const char *said) {
    char *errors = index_saying(place, said);
    assert_string_equal(errors, "");
    free(errors);
}

/* Each by itself, on one image of four. */
static void test_trouble_of_the_moment(void **state) {
    (void)state;
    NEEDS_FAULTS();
    static const char *const FAULTS[] = {"open:1:EACCES", "open:1:EMFILE", "open:1:ENFILE", "open:1:ENOENT",
                                         "open:1:ESTALE", "open:1:EIO",    "read:1+:EIO",   "read:1+:ESTALE"};
    for (size_t i = 0; i < COUNT(FAULTS); ++i) {
        workplace place = make_workplace(4);
        setenv("LD_PRELOAD", TEST_PRELOAD "/fail_call.preload", 1);
        setenv("FAIL_CALL", FAULTS[i], 1);
        setenv("FAIL_CALL_FILE", "scene-001.jpg", 1);
        char *errors = index_saying(&place, "3 images, 0 skipped, 1 shard\n");
        unsetenv("LD_PRELOAD");
        unsetenv("FAIL_CALL");
        unsetenv("FAIL_CALL_FILE");
        if (!strstr(errors, "skipped scene-001.jpg: cannot be ") || !strstr(errors, "tried again"))
            fail_msg("%s: %s", FAULTS[i], errors);
        free(errors);
        assert_quiet(&place, "4 images, 0 skipped, 2 shards\n");
        assert_quiet(&place, "4 images, 0 skipped, 2 shards\n");
        leave(&place);
    }
}

/* All four at once: no atlas that says there is nothing. */
static void test_nothing_at_the_moment(void **state) {
    (void)state;
    NEEDS_FAULTS();
    workplace place = make_workplace(4);
    setenv("LD_PRELOAD", TEST_PRELOAD "/fail_call.preload", 1);
    setenv("FAIL_CALL", "open:1+:EACCES", 1);
    setenv("FAIL_CALL_FILE", ".jpg", 1);
    refused(1, "none of the gallery's 4 images could be read", "index", "--model", MINI, "--images",
            place.images, "--out", place.out);
    unsetenv("LD_PRELOAD");
    unsetenv("FAIL_CALL");
    unsetenv("FAIL_CALL_FILE");
    assert_false(file_exists(place.out));
    assert_quiet(&place, "4 images, 0 skipped, 1 shard\n");
    leave(&place);
}

/* What is in the file is not looked at twice, until it changes. */
static void test_content(void **state) {
    (void)state;
    static const char *const CONTENTS[] = {"",   "no picture", "\xff\xd8\xff\xe0", "\x89PNG\r\n\x1a\n",
                                           "BM", "GIF89a"};
    workplace place = make_workplace(2);
    for (size_t i = 0; i < COUNT(CONTENTS); ++i) {
        char *path = text("%s/broken-%zu.png", place.images, i);
        write_text(path, CONTENTS[i]);
        free(path);
    }
    char *errors = index_saying(&place, "2 images, 6 skipped, 1 shard\n");
    assert_null(strstr(errors, "tried again"));
    free(errors);
    assert_quiet(&place, "2 images, 6 skipped, 1 shard\n");
    char *mended = text("%s/broken-3.png", place.images);
    copy_file(TEST_GOLDEN "/images/rgb_tiny.png", mended);
    assert_quiet(&place, "3 images, 5 skipped, 2 shards\n");
    free(mended);
    leave(&place);
}

/* An atlas of an earlier version, which remembered whatever had happened. */
static void remember(const workplace *place, const char *name, const char *reason) {
    const hl_library_settings nothing = {.user = NULL};
    hl_error error;
    host *services;
    atlas_writer *writer;
    shard_builder *shard;
    atlas *opened = open_atlas(place->out);
    char *path = text("%s/%s", place->images, name);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_ok(host_open(&nothing, 1, &services, &error), error);
    assert_ok(atlas_writer_open(place->out, atlas_layout_of(opened), 0, &writer, &error), error);
    assert_ok(shard_builder_open(atlas_writer_layout(writer), 1, &shard, &error), error);
    shard_image image = {name, about.st_size,
                         (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec};
    assert_ok(shard_builder_skip(shard, image, reason, &error), error);
    assert_ok(atlas_writer_append(writer, shard, &services->interface, &error), error);
    shard_builder_close(shard);
    atlas_writer_close(writer);
    atlas_close(opened);
    host_close(services);
    free(path);
}

static void test_remembered_wrongly(void **state) {
    (void)state;
    static const char *const REASONS[] = {
        "cannot be opened: Permission denied; check the path",
        "cannot be opened: Too many open files; check the path",
        "cannot be read; check the disk",
        "not a regular file; name an image file",
        "out of memory while allocating /g/a.jpg: use a smaller batch or free memory",
        "no image that can be read; expected JPEG, PNG, GIF or BMP",
        "the image is damaged or of a rare kind (x); save it again as JPEG, PNG, GIF or BMP"};
    for (size_t i = 0; i < COUNT(REASONS); ++i) {
        workplace place = make_workplace(3);
        assert_quiet(&place, "3 images, 0 skipped, 1 shard\n");
        put_scenes(place.images, 3, 5);
        remember(&place, "scene-003.jpg", REASONS[i]);
        remember(&place, "scene-004.jpg", "the image is truncated: the file ends before its last pixel");
        assert_quiet(&place, "4 images, 1 skipped, 3 shards\n");
        assert_command(0, "verify", place.out, NULL);
        leave(&place);
    }
}

/* Whichever allocation fails, an index that ends well holds every image. */
static void test_no_memory(void **state) {
    (void)state;
    NEEDS_FAULTS();
    workplace place = make_workplace(3);
    int failed = 0, whole = 0;
    for (long i = 1, end = 20; i < end && whole < 12; i += i < 400 ? 13 : i / 29) {
        char *variable = text("%ld", i), *printed, *errors;
        setenv("LD_PRELOAD", TEST_PRELOAD "/fail_allocation.preload", 1);
        setenv("FAIL_ALLOCATION", variable, 1);
        int status = run_command(&printed, &errors, "index", "--model", TINY_MODEL, "--images", place.images,
                                 "--out", place.out, "--threads", "1", "--backend", "reference", NULL);
        unsetenv("LD_PRELOAD");
        unsetenv("FAIL_ALLOCATION");
        if (strstr(errors, "the atlas itself is complete")) { /* what failed is the line about it */
            free(printed);
            assert_int_equal(run_command(&printed, NULL, "verify", place.out, NULL), 0);
        }
        bool all = strcmp(printed, "3 images, 0 skipped, 1 shard\n") == 0;
        if (status == 0 && !all) fail_msg("allocation %ld: %s%s", i, printed, errors);
        if (strstr(errors, "skipped")) fail_msg("allocation %ld: %s", i, errors);
        failed += status != 0;
        whole = status == 0 ? whole + 1 : 0; /* so many in a row: beyond the last allocation */
        end = i + 100000;
        char *clean = text("rm -rf %s", place.out);
        assert_int_equal(system(clean), 0);
        free(clean);
        free(errors);
        free(printed);
        free(variable);
    }
    print_message("%d allocations ended the index\n", failed);
    assert_true(failed > 30);
    leave(&place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trouble_of_the_moment),
        cmocka_unit_test(test_nothing_at_the_moment),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_remembered_wrongly),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
