/* Zero-shot classification from YAML to results.json, through the built command and the real plugin: against
 * figures that other code found on the mini model, and with whatever else people may name. */
#include "tests/experiment.h"
#include "tests/mini.h"
#include "tests/tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CLASSES    MINI_FOLDER "/classes.txt"
#define ON_MINI    "model: {path: " MINI "}\ncompute: {backend: openblas, threads: 2}\n"
#define WITH_TRUTH ON_MINI "gallery: {images: " MINI_FOLDER "/gallery.json}\n"

/* By PyTorch in double precision: the model's own architecture (tools/mini/train.py) with the checkpoint's
 * weights over the gallery's scenes, decoded and scaled by Pillow. An image may change sides. */
static void the_mini_tells_classes_apart_as_other_code_found(void **state) {
    (void)state;
    static const struct {
        const char *key;
        double accuracy, balanced;
        int images;
    } expected[] = {
        {"places", 1, 1, 400},
        {"weather", 1, 1, 400},
        {"main.colors", 0.8225, 0.835267, 400},
        {"main.shapes", 0.5675, 0.573984, 400},
        {"main.patterns", 0.9, 0.901976, 400},
        {"main.numbers", 0.97, 0.95614, 400},
        {"main.sizes", 0.935, 0.934535, 400},
        {"main.positions", 1, 1, 114},
    };
    outcome got = run_in(make_folder(), WITH_TRUTH,
                         "  - {plugin: zero-shot, classes: " CLASSES ", confusion: true}\n"
                         "  - {plugin: zero-shot, classes: " CLASSES ", heads: all, centre: true}\n");
    need_success(&got);
    const cJSON *item = item_of(&got, 0, "Zero-shot accuracy");
    for (size_t i = 0; i < COUNT(expected); ++i) {
        const cJSON *row = row_of(item, "classes", expected[i].key, NULL, NULL);
        need_near(number_of(row, "accuracy"), expected[i].accuracy, 0.0026, expected[i].key);
        need_near(number_of(row, "balanced"), expected[i].balanced, 0.004, expected[i].key);
        assert_int_equal(number_of(row, "images"), expected[i].images);
    }
    const cJSON *left = row_of(item_of(&got, 0, "Images by"), "classes", "main.positions", NULL, NULL);
    assert_int_equal(number_of(left, "without a value"), 286);
    item_of(&got, 0, "What embedding takes main.colors for");

    /* What a head carries: labels.json measured it on other scenes. */
    cJSON *labels = read_json(MINI_FOLDER "/labels.json");
    const cJSON *map = item_of(&got, 1, "places in single heads"), *head;
    double off = 0;
    cJSON_ArrayForEach(head, cJSON_GetObjectItem(map, "heads")) {
        const cJSON *selectivity =
            cJSON_GetObjectItem(cJSON_GetObjectItem(labels, "selectivity"), field(head, "head"));
        off += fabs(number_of(head, "value") - number_of(selectivity, "places")) / 32;
    }
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(map, "heads")), 32);
    assert_true(off < 0.03);
    cJSON_Delete(labels);
    end(&got);
}

/* Confusions add up to the images, and their diagonal to the accuracy. */
static void confusions_add_up(void **state) {
    (void)state;
    outcome got = run_in(make_folder(), WITH_TRUTH,
                         "  - {plugin: zero-shot, keys: [main.shapes], confusion: true, heads: [embedding, "
                         "0.5*L3.H1 + L2, aggregate, L2.MLP, input]}\n"
                         "  - {plugin: zero-shot, keys: [weather], centre: true, heads: [embedding, L2.MLP, "
                         "input]}\n");
    need_success(&got);
    const cJSON *item, *row, *cell;
    double images = 0, right = 0;
    item = item_of(&got, 0, "What embedding takes");
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(item, "rows")) {
        cJSON_ArrayForEach(cell, row) images += cJSON_IsNumber(cell) ? cell->valuedouble : 0;
        char *own = text("as %s", field(row, "class"));
        right += number_of(row, own);
        free(own);
    }
    assert_int_equal(images, 400);
    row = row_of(item_of(&got, 0, "Zero-shot"), "head", "embedding", NULL, NULL);
    need_near(right / images, number_of(row, "accuracy"), 1e-12, "the diagonal");
    row_of(item_of(&got, 0, "Zero-shot"), "head", "0.5*L3.H1 + L2", NULL, NULL);
    end(&got);
}

/* ---- a gallery of one's own ---- */

/* Scenes 0, 1, 2 ... with facts, as many as there are. */
static char *put_gallery(const char *const *facts) {
    char *folder = make_folder(), *all = text("[");
    for (size_t i = 0; facts[i]; ++i) {
        char *from = text(MINI_GALLERY "/scene-%03zu.jpg", i), *to = text("%s/%zu.jpg", folder, i);
        char *longer = text("%s%s{\"path\": \"%zu.jpg\"%s}", all, i > 0 ? ",\n" : "", i, facts[i]);
        copy_file(from, to);
        free(from);
        free(to);
        free(all);
        all = longer;
    }
    char *json = text("%s]\n", all), *path = text("%s/gallery.json", folder);
    write_text(path, json);
    free(all);
    free(json);
    free(path);
    return folder;
}

static outcome run_on(char *folder, const char *analyses) {
    return run_in(folder, ON_MINI "gallery: {images: gallery.json}\n", analyses);
}

static void values_that_are_numbers_truths_and_dotted_keys_are_classes(void **state) {
    (void)state;
    static const char *const facts[] = {", \"a.b\": {\"n\": 3, \"t\": true}, \"hue\": \"red\"",
                                        ", \"a.b\": {\"n\": 1.50, \"t\": false}",
                                        ", \"a.b\": {\"n\": 3, \"t\": null}, \"hue\": \"blue\"",
                                        ", \"a.b\": {\"n\": [1]}, \"hue\": null",
                                        ", \"other\": 1",
                                        NULL};
    outcome got =
        run_on(put_gallery(facts), "  - {plugin: zero-shot, keys: [a.b.n, a.b.t, hue]}\n"
                                   "  - {plugin: zero-shot, keys: [a.b.n], groups: [a.b.n, hue]}\n");
    need_success(&got);
    const cJSON *left = item_of(&got, 0, "Images by");
    assert_int_equal(number_of(row_of(left, "classes", "a.b.n", NULL, NULL), "of a class"), 3);
    assert_int_equal(number_of(row_of(left, "classes", "a.b.n", NULL, NULL), "without a value"), 2);
    assert_int_equal(number_of(row_of(left, "classes", "a.b.t", NULL, NULL), "of a class"), 2);
    assert_int_equal(number_of(row_of(left, "classes", "hue", NULL, NULL), "of a class"), 2);
    const char *worst =
        field(row_of(item_of(&got, 1, "Zero-shot"), "classes", "a.b.n", NULL, NULL), "worst group");
    assert_true(strcmp(worst, "3, blue") == 0 || strcmp(worst, "3, red") == 0);
    end(&got);
}

static void values_of_several_lines_are_texts_and_blank_ones_are_not(void **state) {
    (void)state;
    static const char *const facts[] = {", \"a\": \"a red\\n\\tstar\", \"b\": \"x\"",
                                        ", \"a\": \" snow \", \"b\": \" \\u00a0 \"", NULL};
    outcome got = run_on(put_gallery(facts), "  - {plugin: zero-shot, keys: [a]}\n");
    need_success(&got);
    end(&got);
    got = run_on(put_gallery(facts), "  - {plugin: zero-shot, keys: [b]}\n");
    need_failure(&got, 2, "has a text without a word");
    end(&got);
}

static void what_is_unknown_on_either_side_is_said(void **state) {
    (void)state;
    static const char *const facts[] = {", \"hue\": \"red\"", ", \"hue\": \"mauve\"", ", \"hue\": \"blue\"",
                                        ", \"hue\": \"teal\"", NULL};
    char *folder = put_gallery(facts), *path = text("%s/classes.txt", folder);
    write_text(path,
               "\xEF\xBB\xBF# hues\r\nred: a red thing | something red\rblue\n\n  gold : a golden thing\n");
    outcome got = run_on(folder, "  - {plugin: zero-shot, keys: [hue], classes: classes.txt}\n");
    need_success(&got);
    assert_non_null(strstr(got.errors, "2 images have a value that is no class"));
    assert_non_null(strstr(got.errors, "mauve, teal"));
    assert_non_null(strstr(got.errors, "no image of the gallery is of the class gold"));
    const cJSON *row = row_of(item_of(&got, 0, "Images by"), "classes", "hue", NULL, NULL);
    assert_int_equal(number_of(row, "of no class"), 2);
    row = row_of(item_of(&got, 0, "Zero-shot"), "classes", "hue", NULL, NULL);
    need_near(number_of(row, "chance"), 1.0 / 3, 1e-12, "chance");
    free(path);
    end(&got);
}

static void a_gallery_of_one_image_is_enough(void **state) {
    (void)state;
    static const char *const facts[] = {", \"places\": \"stone\"", NULL};
    outcome got =
        run_on(put_gallery(facts),
               "  - {plugin: zero-shot, classes: " CLASSES ", keys: [places], heads: [embedding, "
               "L2.H1], centre: true}\n  - {plugin: zero-shot, keys: [places], classes: " CLASSES "}\n");
    need_success(&got);
    need_near(number_of(row_of(item_of(&got, 1, "Zero-shot"), "head", "embedding", NULL, NULL), "accuracy"),
              1, 0, "the only image");
    end(&got);
}

/* Every score is the same: the first class, whatever the machine. */
static void equal_scores_choose_the_first_class(void **state) {
    (void)state;
    static const char *const facts[] = {", \"is\": \"b\"", ", \"is\": \"a\"", NULL};
    char *folder = put_gallery(facts), *path = text("%s/classes.txt", folder);
    write_text(path, "b: a thing\na: a thing\n");
    outcome got = run_on(folder, "  - {plugin: zero-shot, keys: [is], classes: classes.txt}\n");
    need_success(&got);
    need_near(number_of(row_of(item_of(&got, 0, "Zero-shot"), "classes", "is", NULL, NULL), "accuracy"), 0.5,
              0, "b");
    assert_string_equal(
        field(row_of(item_of(&got, 0, "Zero-shot"), "classes", "is", NULL, NULL), "worst group"), "a");
    free(path);
    end(&got);
}

/* The mean over templates and names, normalised: one class more or less is another text's direction. */
static void templates_and_several_names_make_one_direction(void **state) {
    (void)state;
    char *folder = make_folder(), *classes = text("%s/c.txt", folder), *forms = text("%s/t.txt", folder);
    write_text(classes, "[places]\ngrass\nsand\nsnow\nwater\nsky\nbrick\nwood\nstone\nlava\n");
    write_text(forms, "a photo of {}\n\na picture of {}\r\n");
    outcome got = run_in(folder, WITH_TRUTH, "  - {plugin: zero-shot, classes: c.txt, templates: t.txt}\n");
    need_success(&got);
    need_near(number_of(row_of(item_of(&got, 0, "Zero-shot"), "classes", "places", NULL, NULL), "accuracy"),
              1, 0, "places");
    free(classes);
    free(forms);
    end(&got);
}

/* ---- what is refused ---- */

static void expect(const char *gallery, const char *analysis, const char *file, const char *content,
                   int status, const char *words) {
    char *folder = make_folder(), *path = text("%s/%s", folder, file ? file : "unused");
    if (content) write_text(path, content);
    char *head = text(ON_MINI "%s", gallery), *list = text("  - {plugin: zero-shot, %s}\n", analysis);
    outcome got = run_in(folder, head, list);
    need_failure(&got, status, words);
    free(path);
    free(head);
    free(list);
    end(&got);
}

#define TRUE_GALLERY                                                                                         \
    "gallery: {images: " MINI_FOLDER "/gallery.json, atlas: " TEST_BUILD "/tests/zero-shot-atlas}\n"

static void what_cannot_be_asked_is_refused(void **state) {
    (void)state;
    static const char place[] = "keys: [places], classes: c.txt";
    expect("", "keys: [places]", NULL, NULL, 2, "gallery");
    expect(TRUE_GALLERY, "heads: [embedding]", NULL, NULL, 2, "expected what the classes are values of");
    expect(TRUE_GALLERY, "keys: [placs]", NULL, NULL, 2,
           "keys with values are: path, mask, caption, places, weather, main.colors");
    expect(TRUE_GALLERY, "keys: [main]", NULL, NULL, 2, "is a mapping: name what is in it");
    expect(TRUE_GALLERY, "keys: [main.colors.more]", NULL, NULL, 2, "no image of the gallery has a value");
    expect(TRUE_GALLERY, "keys: [places], groups: [nothing]", NULL, NULL, 2, "\"nothing\"");
    expect(TRUE_GALLERY, place, "c.txt", "", 2, "names no class");
    expect(TRUE_GALLERY, place, "c.txt", "# nothing\n\n", 2, "names no class");
    expect(TRUE_GALLERY, place, "c.txt", "[places]\n", 2, "names no class");
    expect(TRUE_GALLERY, place, "c.txt", "[places]\na\n[weather]\n", 2, "no class under [weather]");
    expect(TRUE_GALLERY, place, "c.txt", "[places\na\n", 2, "c.txt:1: expected a heading");
    expect(TRUE_GALLERY, place, "c.txt", "[ ]\na\n", 2, "c.txt:1: expected the key");
    expect(TRUE_GALLERY, place, "c.txt", "grass:\n", 2, "c.txt:1: expected VALUE: TEXT");
    expect(TRUE_GALLERY, place, "c.txt", "grass: a |\n", 2, "c.txt:1: expected VALUE: TEXT");
    expect(TRUE_GALLERY, place, "c.txt", ": a\n", 2, "expected a value before the colon");
    expect(TRUE_GALLERY, place, "c.txt", "grass\nsand\ngrass: b\n", 2, "c.txt:3: the class grass is there a");
    expect(TRUE_GALLERY, place, "c.txt", "[a]\nx\n[a]\ny\n", 2, "c.txt:3: the heading [a]");
    expect(TRUE_GALLERY, place, "c.txt", "gr\xE4ss\n", 2, "UTF-8");
    expect(TRUE_GALLERY, place, "c.txt", "[weather]\nrain\n", 2, "has no classes for places; its headings");
    expect(TRUE_GALLERY, place, "c.txt", "here\nthere\n", 2, "no image of the gallery is of any class");
    expect(TRUE_GALLERY, "keys: [places], templates: t.txt", "t.txt", "a {}\nnone\n", 2, "t.txt:2: expected");
    expect("gallery: {images: " MINI_GALLERY "}\n", "keys: [places]", NULL, NULL, 2,
           "the gallery says nothing of its images");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mini_tells_classes_apart_as_other_code_found),
        cmocka_unit_test(confusions_add_up),
        cmocka_unit_test(values_that_are_numbers_truths_and_dotted_keys_are_classes),
        cmocka_unit_test(values_of_several_lines_are_texts_and_blank_ones_are_not),
        cmocka_unit_test(what_is_unknown_on_either_side_is_said),
        cmocka_unit_test(a_gallery_of_one_image_is_enough),
        cmocka_unit_test(equal_scores_choose_the_first_class),
        cmocka_unit_test(templates_and_several_names_make_one_direction),
        cmocka_unit_test(what_cannot_be_asked_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
