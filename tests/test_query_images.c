/* The images that an experiment asks about: folders and patterns, what cannot be read, and what --check finds
 * of them; through the built command and the embedded model. */
#include "tests/experiment.h"
#include "tests/mini.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A folder whose own name would be a pattern. */
static char *make_photos(void) {
    char *folder = make_folder(), *inner = text("%s/of [2024]*", folder);
    static const char *const names[] = {"photos/b.jpg",       "photos/a.JPG", "photos/day-1/z.jpg",
                                        "photos/.hidden.jpg", "[1].jpg",      "1.jpg"};
    char *photos = text("%s/photos", inner), *day = text("%s/day-1", photos);
    assert_int_equal(mkdir(inner, 0755) | mkdir(photos, 0755) | mkdir(day, 0755), 0);
    for (size_t i = 0; i < COUNT(names); ++i) {
        char *path = text("%s/%s", inner, names[i]);
        copy_file(MINI_GALLERY "/scene-000.jpg", path);
        free(path);
    }
    char *notes = text("%s/notes.txt", photos);
    write_text(notes, "no image");
    free(notes);
    free(photos);
    free(day);
    free(folder);
    return inner;
}

static void remove_photos(char *inner) {
    char *folder = strndup(inner, (size_t)(strrchr(inner, '/') - inner));
    free(inner);
    remove_folder(folder);
}

#define HEAD          "model: {path: " MINI "}\ncompute: {backend: reference}\n"
#define HEATS(IMAGES) "  - {plugin: topic-segmentation, texts: snow, images: " IMAGES "}\n"

/* The images of the first analysis, as results name them, with a comma after each. */
static char *images_of(const outcome *got) {
    const cJSON *analysis = cJSON_GetArrayItem(cJSON_GetObjectItem(got->root, "analyses"), 0), *image;
    char *names = text("%s", "");
    cJSON_ArrayForEach(image, cJSON_GetObjectItem(cJSON_GetObjectItem(analysis, "options"), "images")) {
        char *longer = text("%s%s,", names, cJSON_GetStringValue(image));
        free(names);
        names = longer;
    }
    return names;
}

static void folders_and_patterns_stand_for_images(void **state) {
    (void)state;
    static const struct {
        const char *images, *names;
    } cases[] = {
        {"photos", "photos/a.JPG,photos/b.jpg,photos/day-1/z.jpg,"},
        {"photos/", "photos/a.JPG,photos/b.jpg,photos/day-1/z.jpg,"},
        {"'photos/*'", "photos/a.JPG,photos/b.jpg,photos/day-1/z.jpg,"},
        {"'photos/?.jpg'", "photos/b.jpg,"},
        {"'photos/day-*/*.jpg'", "photos/day-1/z.jpg,"},
        {"['[1].jpg']", "[1].jpg,"},              /* a file is called so */
        {"['[0-9].jpg', 1.jpg]", "1.jpg,1.jpg,"}, /* and none is called so */
        {"['photos/[!a]*', '[1].jpg']", "photos/b.jpg,photos/day-1/z.jpg,[1].jpg,"},
    };
    char *folder = make_photos();
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *analyses = text(HEATS("%s"), cases[i].images);
        outcome got = run_in(folder, HEAD, analyses);
        need_success(&got);
        char *names = images_of(&got);
        assert_string_equal(names, cases[i].names);
        free(names);
        free(analyses);
        forget(&got);
    }
    remove_photos(folder);
}

static void what_stands_for_nothing_is_an_error(void **state) {
    (void)state;
    static const struct {
        const char *images, *words;
    } cases[] = {
        {"[photos/b.jpg, 'photos/*.png']", "6:70: option \"images\": no image matches this pattern"},
        {"empty", "empty: names no image; expected files such as"},
        {"photos/c.jpg", "6:55: option \"images\": the image "},
        {"'photos/[b.jpg'", "6:55: option \"images\": no image matches this pattern"},
        {"[]", "6:55: option \"images\": expected a list of image files, got a list of 0"},
    };
    char *folder = make_photos(), *empty = text("%s/empty", folder);
    assert_int_equal(mkdir(empty, 0755), 0);
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *analyses = text(HEATS("%s"), cases[i].images);
        outcome got = run_in(folder, HEAD, analyses);
        need_failure(&got, 2, cases[i].words);
        free(analyses);
        forget(&got);
    }
    free(empty);
    remove_photos(folder);
}

/* ---- images that cannot be read ---- */

static char *make_damaged(void) {
    char *folder = make_folder(), *good = text("%s/good.jpg", folder), *cut = text("%s/cut.jpg", folder);
    char *none = text("%s/none.jpg", folder);
    size_t count;
    char *bytes = read_file(MINI_GALLERY "/scene-000.jpg", &count);
    write_file(good, bytes, count);
    write_file(cut, bytes, count / 2); /* its header is whole */
    write_text(none, "no image at all");
    free(bytes);
    free(good);
    free(cut);
    free(none);
    return folder;
}

static void unreadable_images_stop_a_run_or_are_left_out(void **state) {
    (void)state;
    char *folder = make_damaged();
    outcome got = run_in(folder, HEAD, HEATS("[good.jpg, cut.jpg]"));
    need_failure(&got, 1, "cut.jpg: ");
    forget(&got);
    got = run_in(folder, HEAD "on-error: stop\n", HEATS("[good.jpg, away.jpg]"));
    need_failure(&got, 2, "away.jpg cannot be read: No such file");
    forget(&got);
    got = run_in(folder, HEAD "on-error: skip\n", HEATS("[cut.jpg, good.jpg, away.jpg, none.jpg, cut.jpg]"));
    need_success(&got);
    char *names = images_of(&got);
    assert_string_equal(names, "good.jpg,");
    assert_int_equal(cJSON_GetArraySize(results_of(&got, 0)), 1);
    const cJSON *skipped = cJSON_GetObjectItem(got.root, "skipped"), *entry;
    static const char *const paths[] = {"away.jpg", "cut.jpg", "none.jpg"};
    assert_int_equal(cJSON_GetArraySize(skipped), COUNT(paths));
    size_t index = 0;
    cJSON_ArrayForEach(entry, skipped) {
        assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(entry, "path")), paths[index++]);
        assert_non_null(cJSON_GetStringValue(cJSON_GetObjectItem(entry, "reason")));
    }
    assert_non_null(strstr(got.errors, "cut.jpg is left out: "));
    free(names);
    end(&got);
    got = run_in(make_damaged(), HEAD "on-error: skip\n", HEATS("[cut.jpg, none.jpg]"));
    need_failure(&got, 2, "of the 2 there 0 can be read");
    end(&got);
}

/* ---- what --check finds, and that it leaves nothing ---- */

static void check(const char *folder, const char *head, const char *analyses, int status, const char *words) {
    char *yaml = text("headlight: 1\n%sanalyses:\n%s", head, analyses), *path = text("%s/check.yaml", folder);
    char *errors, *before, *after;
    write_text(path, yaml);
    before = sum_files(folder);
    int got = run_command(NULL, &errors, "run", "--check", path, NULL);
    after = sum_files(folder);
    if (got != status || !strstr(errors, words))
        fail_msg("%s: status %d: %s\nexpected %s", yaml, got, errors, words);
    assert_string_equal(before, after);
    free(yaml);
    free(path);
    free(errors);
    free(before);
    free(after);
}

static void check_finds_what_a_run_would(void **state) {
    (void)state;
    char *folder = make_damaged(), *out = text("%s/taken", folder), *report = text("%s/report.html", out);
    static const char good[] = HEATS("good.jpg");
    check(folder, "output: deep/out\n" HEAD, good, 0, "");
    check(folder, "output: out\n" HEAD, HEATS("[good.jpg, none.jpg]"), 1, "none.jpg: ");
    check(folder, "output: out\non-error: skip\n" HEAD, HEATS("[good.jpg, none.jpg, cut.jpg]"), 0,
          "cut.jpg is left out");
    check(folder, "output: good.jpg\n" HEAD, good, 1, "good.jpg");
    assert_int_equal(mkdir(out, 0755), 0);
    write_text(report, "somebody else's");
    check(folder, "output: taken\n" HEAD, good, 1, "report.html");
    free(report);
    free(out);
    remove_folder(folder);
}

/* The gallery and its atlas, which no check makes. What --check says, a run says too. */
static void check_looks_at_gallery_and_atlas(void **state) {
    (void)state;
    static const struct {
        const char *gallery, *heads;
        int status;
        const char *words;
    } cases[] = {
        {"images: photos, atlas: new", "L3.H5", 0, ""},
        {"images: photos, atlas: new", "embedding", 0, ""},
        {"images: empty, atlas: new", "L3.H5", 2, "empty: names no image"},
        {"images: bad.json, atlas: new", "L3.H5", 1, "bad.json"},
        {"images: photos, atlas: atlas", "L3.H5", 0, ""},
        {"images: photos, atlas: atlas", "L3", 0, ""},
        {"images: photos, atlas: atlas", "L3.H5 - L2.H1", 2, "atlas: holds no codes of head L2.H1"},
        {"images: photos, atlas: atlas", "L3.MLP", 0, ""}, /* a column that is added */
        {"images: photos, atlas: atlas, dtype: f32", "L3.H5", 2, "the precision of the codes (dtype)"},
        {"images: photos, atlas: damaged", "L3.H5", 1, "damaged/atlas.json"},
    };
    char *folder = make_folder(), *photos = text("%s/photos", folder), *empty = text("%s/empty", folder);
    char *bad = text("%s/bad.json", folder), *atlas = text("%s/atlas", folder);
    char *damaged = text("%s/damaged", folder), *manifest = text("%s/damaged/atlas.json", folder);
    put_scenes(photos, 0, 4);
    assert_int_equal(mkdir(empty, 0755) | mkdir(damaged, 0755), 0);
    write_text(bad, "[{]");
    write_text(manifest, "{\"version\": ");
    assert_int_equal(run_command(NULL, NULL, "index", "--model", MINI, "--images", photos, "--layers", "L3",
                                 "--out", atlas, NULL),
                     0);
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *head = text("output: out\n" HEAD "gallery: {%s}\n", cases[i].gallery);
        char *analyses = text("  - {plugin: text-neighbors, texts: snow, heads: %s}\n", cases[i].heads);
        check(folder, head, analyses, cases[i].status, cases[i].words);
        if (cases[i].status != 0) {
            char *again = text(HEAD "gallery: {%s}\n", cases[i].gallery);
            outcome got = run_in(folder, again, analyses);
            need_failure(&got, cases[i].status, cases[i].words);
            forget(&got);
            free(again);
        }
        free(head);
        free(analyses);
    }
    /* nobody asks it */
    check(folder, "output: out\n" HEAD "gallery: {images: empty}\n", HEATS("photos/scene-000.jpg"), 0, "");
    free(photos);
    free(empty);
    free(bad);
    free(atlas);
    free(damaged);
    free(manifest);
    remove_folder(folder);
}

/* Through a pipe, as standard input or as a file: the same bytes, paths relative to where they are written
 * or, where that is no folder, to the working directory. */
static void experiments_come_by_any_way(void **state) {
    (void)state;
    static const char *const ways[] = {
        TEST_COMMAND " run e.yaml --out out",
        "cat e.yaml | " TEST_COMMAND " run - --out out",
        TEST_COMMAND " run - --out out < e.yaml",
        TEST_COMMAND " run /dev/stdin --out out < e.yaml",
        "cat e.yaml | " TEST_COMMAND " run /dev/stdin --out out",
        "bash -c '" TEST_COMMAND " run <(cat e.yaml) --out out'",
    };
    char *folder = make_damaged(), *path = text("%s/e.yaml", folder), *out = text("%s/out", folder),
         *first = NULL;
    write_text(path, "headlight: 1\n" HEAD "reports: [json]\nanalyses:\n" HEATS("good.jpg"));
    for (size_t i = 0; i < COUNT(ways); ++i) {
        char *line = text("cd %s && rm -rf out && %s", folder, ways[i]), *errors;
        int status = run_program((const char *const[]){"sh", "-c", line, NULL}, NULL, &errors);
        if (status != 0) fail_msg("%s: status %d: %s", ways[i], status, errors);
        char *sums = sum_files(out);
        if (first) {
            assert_string_equal(first, sums);
            free(sums);
        } else {
            first = sums;
        }
        free(line);
        free(errors);
    }
    char *line = text("cd %s && echo 'headlight: [' | " TEST_COMMAND " run -", folder), *errors;
    assert_int_equal(run_program((const char *const[]){"sh", "-c", line, NULL}, NULL, &errors), 2);
    assert_non_null(strstr(errors, "standard input:2:1: not YAML"));
    free(errors);
    free(line);
    free(first);
    free(path);
    free(out);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_and_patterns_stand_for_images),
        cmocka_unit_test(what_stands_for_nothing_is_an_error),
        cmocka_unit_test(unreadable_images_stop_a_run_or_are_left_out),
        cmocka_unit_test(check_finds_what_a_run_would),
        cmocka_unit_test(check_looks_at_gallery_and_atlas),
        cmocka_unit_test(experiments_come_by_any_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
