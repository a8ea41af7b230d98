/* What the page shows: differences, masks, neighbours, the contents, snippets to copy, the map of heads,
 * variants. */
#include "core/report/colormap.h"
#include "tests/report.h"
#include "tests/tree.h"

#include <stdlib.h>
#include <string.h>

/* Gallery images are 40 x 20, so that they are told from the experiment's. */
static hl_status load_thumbnail(void *user, const char *path, picture *out, hl_error *error) {
    size_t *loaded = user;
    if (strstr(path, "missing")) return hl_fail(error, HL_FAILED, "%s: there is no such image", path);
    ++*loaded;
    *out = make_picture(40, 20);
    return HL_OK;
}

typedef struct written {
    char *folder, *page;
    cJSON *root;
    size_t loaded; /* images of the gallery */
} written;

/* Writes the results of analyses given as JSON, with further keys of the root. */
static hl_status write_tree(written *self, const char *analyses, const char *more, hl_error *error) {
    output *out = NULL;
    *self = (written){.folder = make_folder()};
    results_images images = test_images;
    images.user = &self->loaded;
    images.load_neighbor = load_thumbnail;
    const char *keys = more ? strchr(more, '{') + 1 : "}";
    char *json = text("{\"version\": 1, \"analyses\": %s%s %s", analyses,
                      keys[strspn(keys, " ")] == '}' ? "" : ",", keys);
    tree *all = make_tree(json);
    free(json);
    assert_ok(output_open(self->folder, &out, error), *error);
    hl_status status =
        results_write(tree_node(all), &images, "title", "experiment", "model: {path: m}\n", out, error);
    tree_close(all);
    if (status != HL_OK) {
        output_abandon(out);
        return status;
    }
    assert_ok(output_commit(out, error), *error);
    char *page = text("%s/report.html", self->folder);
    json = text("%s/results.json", self->folder);
    self->page = read_file(page, NULL);
    char *content = read_file(json, NULL);
    self->root = parse_json(content);
    free(content);
    free(json);
    free(page);
    return HL_OK;
}

static void drop(written *self) {
    free(self->page);
    cJSON_Delete(self->root);
    remove_folder(self->folder);
}

static const cJSON *item_of(const written *self, int analysis, int item) {
    const cJSON *of = cJSON_GetArrayItem(cJSON_GetObjectItem(self->root, "analyses"), analysis);
    return cJSON_GetArrayItem(cJSON_GetObjectItem(of, "results"), item);
}

#define ANALYSIS(PLUGIN, ITEMS)                                                                              \
    "{\"plugin\":\"" PLUGIN "\",\"summary\":\"s\",\"options\":{},\"results\":[" ITEMS "]}"
#define HEAT(MORE, GRID)                                                                                     \
    "{\"schema\":\"heat\",\"image\":\"a.jpg\",\"text\":\"sun\",\"head\":\"L3.H5\"," MORE "\"grid\":" GRID "}"

/* Zero is the middle of the colours, whatever the ends: the crop's left half is exactly it. */
static void test_difference_has_zero_in_the_middle(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(
        write_tree(&it,
                   "[" ANALYSIS("contrast", HEAT("\"minus\":\"<moon>\",\"opacity\":1,", "[[0,0],[0,3]]")) "]",
                   NULL, &error),
        error);
    assert_non_null(strstr(
        it.page, "<bdi>sun</bdi> <span class=\"quiet\">\xe2\x88\x92</span> <bdi>&lt;moon&gt;</bdi></h4>"));
    assert_non_null(strstr(it.page, "<span>&lt;moon&gt; <b>\xe2\x88\x92"
                                    "3.0</b></span><span>sun <b>3.0</b></span>"));
    const char *png = cJSON_GetStringValue(cJSON_GetObjectItem(item_of(&it, 0, 0), "png"));
    assert_string_equal(png, "01-contrast/001-a-sun-moon-L3.H5.png");
    char *path = text("%s/%s", it.folder, png);
    picture drawn;
    assert_ok(picture_load(path, &drawn, &error), error);
    colormap map;
    colormap_make_diverging(&map);
    /* The grid covers [15, 75) x [0, 60), 30 pixels a cell. */
    const uint8_t *zero = pixel_at(&drawn, 20, 10), *most = pixel_at(&drawn, 70, 55);
    assert_memory_equal(zero, map.rgb[COLORMAP_STEPS / 2], 3);
    assert_memory_equal(most, map.rgb[COLORMAP_STEPS - 1], 3);
    picture_free(&drawn);
    free(path);
    drop(&it);
}

static char *path_of(const written *self, const char *key) {
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(item_of(self, 0, 0), key));
    if (!name) fail_msg("the item has no %s", key);
    return text("%s/%s", self->folder, name);
}

/* White in the middle of the cell that is 1; not beside it, nor outside of the crop. */
static void check_mask(const uint8_t *values) {
    size_t white = 0;
    for (size_t i = 0; i < 90 * 60; i++) white += values[i] == 255;
    assert_int_equal(values[15 * 90 + 60], 255);
    assert_int_equal(values[15 * 90 + 30], 0);
    assert_int_equal(values[15 * 90 + 80], 0);
    assert_true(white > 300 && white < 1200);
}

/* The mask as a picture and as an array say the same, and the heat is exactly the item's grid. */
static void test_masks_are_written(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(write_tree(&it,
                         "[" ANALYSIS("topic", HEAT("\"mask_threshold\":0.5,", "[[0,1],[0.25,0.1]]")) "]",
                         NULL, &error),
              error);
    char *png = path_of(&it, "mask_png"), *npy = path_of(&it, "mask_npy"), *heat = path_of(&it, "heat_npy");
    picture mask;
    assert_ok(picture_load(png, &mask, &error), error);
    assert_true(mask.width == 90 && mask.height == 60);
    size_t count;
    char *bytes = read_file(npy, &count);
    assert_non_null(strstr(bytes + 10, "'descr': '|u1'"));
    assert_non_null(strstr(bytes + 10, "'shape': (60, 90)"));
    assert_true(count > 90 * 60);
    const uint8_t *values = (const uint8_t *)bytes + count - 90 * 60;
    for (size_t i = 0; i < 90 * 60 * 3; i++) assert_true(mask.rgb[i] == values[i / 3]);
    check_mask(values);
    npy_array grid;
    assert_ok(npy_read(heat, &grid, &error), error);
    assert_true(grid.rank == 2 && grid.shape[0] == 2 && grid.shape[1] == 2);
    const float expected[4] = {0, 1, 0.25F, 0.1F};
    assert_memory_equal(grid.data, expected, sizeof expected);
    assert_int_equal(count_words(it.page, "<img "), 3); /* the image, its heat, its mask */
    free(grid.data);
    free(bytes);
    picture_free(&mask);
    free(png);
    free(npy);
    free(heat);
    drop(&it);
}

#define NEIGHBOR(PATH, CAPTION) "{\"path\":\"" PATH "\",\"score\":0.25,\"caption\":\"" CAPTION "\"}"
#define NEIGHBORS(QUERY, HEAD, LIST)                                                                         \
    "{\"schema\":\"neighbors\"," QUERY ",\"head\":\"" HEAD "\",\"neighbors\":[" LIST "]}"
#define OF_IMAGE "\"query\":\"photos/q.jpg\",\"query_is_image\":1"
#define OF_TEXT  "\"query\":\"a <b>\""

static void test_neighbors_are_shown_and_embedded_once(void **state) {
    (void)state;
    static const char analyses[] = "[" ANALYSIS(
        "n",
        NEIGHBORS(
            OF_IMAGE, "L3.H5",
            NEIGHBOR("x/1.jpg", "one & only") "," NEIGHBOR(
                "x/2.jpg",
                "two")) "," NEIGHBORS(OF_IMAGE, "L2.H1",
                                      NEIGHBOR("x/2.jpg",
                                               "two")) "," NEIGHBORS(OF_TEXT, "L2.H1",
                                                                     NEIGHBOR("x/2.jpg",
                                                                              "two")) "," NEIGHBORS(OF_TEXT,
                                                                                                    "L2.H2",
                                                                                                    "")) "]";
    written it;
    hl_error error;
    assert_ok(write_tree(&it, analyses, NULL, &error), error);
    assert_int_equal(it.loaded, 2);
    assert_int_equal(count_words(it.page, "<article>"), 2); /* an image and a text, two heads each */
    assert_int_equal(count_words(it.page, "<img "), 1);     /* the query */
    assert_int_equal(count_words(it.page, "<image id="), 2);
    assert_int_equal(count_words(it.page, "<use href=\"#g1\"/>"), 2);
    assert_int_equal(count_words(it.page, "viewBox=\"0 0 40 20\""), 4);
    assert_int_equal(count_words(it.page, "<b>0.250</b>"), 4);
    assert_non_null(strstr(it.page, "aria-label=\"one &amp; only\""));
    assert_non_null(strstr(it.page, "<span class=\"file\">1.jpg</span>"));
    assert_non_null(strstr(it.page, "<p class=\"query\">a &lt;b&gt;</p>"));
    assert_non_null(strstr(it.page, "<h3>q.jpg</h3>"));
    drop(&it);
}

static void test_missing_neighbor_fails_and_is_named(void **state) {
    (void)state;
    written it;
    hl_error error = {0};
    const char *analyses = "[" ANALYSIS("n", NEIGHBORS(OF_TEXT, "L0.H0", NEIGHBOR("missing.jpg", ""))) "]";
    assert_int_equal(write_tree(&it, analyses, NULL, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "missing.jpg: there is no such image"));
    assert_int_equal(count_files(it.folder), 0);
    remove_folder(it.folder);
}

/* Contents only where there is a choice; every entry leads to a section. */
static void test_contents_lead_to_the_analyses(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(write_tree(&it, "[" ANALYSIS("one", "") "]", NULL, &error), error);
    assert_null(strstr(it.page, "<nav>"));
    drop(&it);
    assert_ok(
        write_tree(&it,
                   "[{\"plugin\":\"one\",\"summary\":\"s\",\"title\":\"A <title>\",\"variant\":\"v&w\","
                   "\"options\":{\"images\":[\"x/a.jpg\"],\"texts\":[\"sun\",\"<moon>\"],\"heads\":[\"L1\"]},"
                   "\"results\":[]}," ANALYSIS("two", "") "]",
                   NULL, &error),
        error);
    assert_non_null(strstr(it.page,
                           "<a href=\"#analysis-1\">A &lt;title&gt;</a> <span class=\"chip\">v&amp;w</span> "
                           "<span><bdi>a.jpg</bdi> &middot; <bdi>sun</bdi>, <bdi>&lt;moon&gt;</bdi> &middot; "
                           "<bdi>L1</bdi></span>"));
    assert_non_null(strstr(it.page, "<a href=\"#analysis-2\">two</a>"));
    assert_int_equal(count_words(it.page, "<section id=\"analysis-1\">"), 1);
    assert_int_equal(count_words(it.page, "<section id=\"analysis-2\">"), 1);
    drop(&it);
}

static void test_snippet_stands_at_every_picture(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(
        write_tree(&it,
                   "[{\"plugin\":\"topic\",\"summary\":\"s\",\"options\":{\"texts\":[\"sun\",\"<moon>\"]},"
                   "\"results\":[" HEAT("", "[[0,1],[2,3]]") "," NEIGHBORS("\"query\":\"<moon>\"", "L0.H0",
                                                                           "") "]}]",
                   NULL, &error),
        error);
    assert_int_equal(
        count_words(it.page, "<pre class=\"copy\">model: {path: m}\nanalyses:\n- plugin: topic\n"), 2);
    assert_non_null(strstr(it.page, "  texts: [sun]\n</pre>"));
    assert_non_null(strstr(it.page, "  texts: [&quot;&lt;moon&gt;&quot;]\n</pre>"));
    drop(&it);
}

static void test_heads_are_mapped_by_property(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(
        write_tree(&it, "[" ANALYSIS("topic", HEAT("", "[[0,1],[2,3]]")) "]",
                   "{\"properties\":{\"heads\":{\"L3.H5\":\"colors\",\"L2.H1\":\"a <place>\",\"L2.H3\":\"a "
                   "<place>\"}}}",
                   &error),
        error);
    /* Layers 2 and 3, heads 0 to 5; most frequent first. */
    assert_non_null(strstr(it.page, "<th>H5</th></tr>"));
    assert_non_null(
        strstr(it.page, "<th>L2</th><td></td><td class=\"label p0\" title=\"L2.H1: a &lt;place&gt;\">"));
    assert_null(strstr(it.page, "<th>L1</th>"));
    assert_int_equal(count_words(it.page, "<td></td>"), 9);
    assert_int_equal(count_words(it.page, "<td class=\"label p0\""), 2);
    assert_int_equal(count_words(it.page, "<td class=\"label p1\""), 1);
    assert_int_equal(count_words(it.page, ".p1{--color:#"), 2); /* light and dark */
    assert_non_null(strstr(it.page, "<summary>L3.H5 <span class=\"chip p1\">colors</span></summary>"));
    drop(&it);
    assert_ok(write_tree(&it, "[" ANALYSIS("topic", "") "]", NULL, &error), error);
    assert_null(strstr(it.page, "<section id=\"heads\">"));
    drop(&it);
}

/* 24 layers of 16 heads and more properties than colours: those that one head alone has stay gray. */
static void test_big_towers_are_mapped(void **state) {
    (void)state;
    cJSON *root = cJSON_CreateObject(), *properties = cJSON_AddObjectToObject(root, "properties");
    cJSON *heads = cJSON_AddObjectToObject(properties, "heads");
    for (int i = 0; i < 24 * 16; i++) {
        char *head = text("L%d.H%d", i / 16, i % 16), *property = text("property %d", i < 200 ? i % 8 : i);
        cJSON_AddStringToObject(heads, head, property);
        free(property);
        free(head);
    }
    char *json = cJSON_PrintUnformatted(root);
    written it;
    hl_error error;
    assert_ok(write_tree(&it, "[" ANALYSIS("topic", "") "]", json, &error), error);
    assert_int_equal(count_words(it.page, "<td class=\"label"), 24 * 16);
    assert_int_equal(count_words(it.page, "<td class=\"label p"), 200);
    assert_non_null(strstr(it.page, "title=\"L23.H15: property 383\""));
    assert_null(strstr(it.page, ".p8{"));
    drop(&it);
    free(json);
    cJSON_Delete(root);
}

static void test_differences_of_variants_are_a_table(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(write_tree(&it, "[" ANALYSIS("topic", "") "]",
                         "{\"variants\":[{\"variant\":\"v\",\"grid difference\":0.000000123456},"
                         "{\"variant\":\"w\",\"remark\":\"<other>\"}]}",
                         &error),
              error);
    assert_non_null(strstr(it.page, "<th>variant</th><th>grid difference</th><th>remark</th>"));
    assert_non_null(strstr(it.page, "<td>v</td><td>1.235e-07</td><td></td>"));
    assert_non_null(strstr(it.page, "<td>w</td><td></td><td>&lt;other&gt;</td>"));
    drop(&it);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_difference_has_zero_in_the_middle),
        cmocka_unit_test(test_masks_are_written),
        cmocka_unit_test(test_neighbors_are_shown_and_embedded_once),
        cmocka_unit_test(test_missing_neighbor_fails_and_is_named),
        cmocka_unit_test(test_contents_lead_to_the_analyses),
        cmocka_unit_test(test_snippet_stands_at_every_picture),
        cmocka_unit_test(test_heads_are_mapped_by_property),
        cmocka_unit_test(test_big_towers_are_mapped),
        cmocka_unit_test(test_differences_of_variants_are_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
