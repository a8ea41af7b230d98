/* What the page shows: heats, differences, masks, neighbours, the contents, snippets to copy, the map of
 * heads, variants, what extractors found, what the run was, and what any other plugin puts into its items. */
#include "tests/reporting.h"

#include <stdlib.h>
#include <string.h>

typedef struct written {
    tree *tree;
    reporting by;
    const char *page;
} written;

/* Writes the page of analyses given as JSON, with further keys of the root. */
static hl_status write_tree(written *self, const char *analyses, const char *more, hl_error *error) {
    char *json = text("{\"version\":1,\"analyses\":%s%s%s}", analyses, more ? "," : "", more ? more : "");
    self->tree = make_tree(json);
    free(json);
    open_reporting(&self->by, tree_node(self->tree));
    hl_status status = write_html(&self->by, 0, 0, error);
    self->page = self->by.page;
    return status;
}

static void drop(written *self) {
    close_reporting(&self->by);
    tree_close(self->tree);
}

#define ANALYSIS(PLUGIN, ITEMS)                                                                              \
    "{\"plugin\":\"" PLUGIN "\",\"summary\":\"s\",\"options\":{},\"results\":[" ITEMS "]}"
#define HEAT(MORE, GRID)                                                                                     \
    "{\"schema\":\"heat\",\"image\":\"a.jpg\",\"text\":\"sun\",\"head\":\"L3.H5\"," MORE "\"grid\":" GRID "}"

static void test_difference_names_both_sides(void **state) {
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
    drop(&it);
}

static void test_masks_are_shown(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(write_tree(&it,
                         "[" ANALYSIS("topic", HEAT("\"mask_threshold\":0.5,", "[[0,1],[0.25,0.1]]")) "]",
                         NULL, &error),
              error);
    assert_int_equal(count_words(it.page, "<img "), 3); /* the image, its heat, its mask */
    assert_int_equal(count_words(it.page, "src=\"data:image/png;base64,"), 1);
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
    assert_int_equal(it.by.neighbors, 2);
    assert_int_equal(count_words(it.page, "<article>"), 2); /* an image and a text, two heads each */
    assert_int_equal(count_words(it.page, "<img "), 1);     /* the query */
    assert_int_equal(count_words(it.page, "<image id="), 2);
    assert_int_equal(count_words(it.page, "<use href=\"#g1\"/>"), 2);
    assert_int_equal(count_words(it.page, "viewBox=\"0 0 40 20\""), 4);
    assert_int_equal(count_words(it.page, "<b>0.250</b>"), 4);
    assert_non_null(strstr(it.page, "aria-label=\"one &amp; only\""));
    assert_non_null(strstr(it.page, "<span class=\"file\" title=\"x/1.jpg\">1.jpg</span>"));
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
    drop(&it);
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
                   "\"properties\":{\"heads\":{\"L3.H5\":\"colors\",\"L2.H1\":\"a <place>\",\"L2.H3\":\"a "
                   "<place>\"}}",
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
    cJSON *properties = cJSON_CreateObject();
    cJSON *heads = cJSON_AddObjectToObject(properties, "heads");
    for (int i = 0; i < 24 * 16; i++) {
        char *head = text("L%d.H%d", i / 16, i % 16), *property = text("property %d", i < 200 ? i % 8 : i);
        cJSON_AddStringToObject(heads, head, property);
        free(property);
        free(head);
    }
    char *json = cJSON_PrintUnformatted(properties), *more = text("\"properties\":%s", json);
    written it;
    hl_error error;
    assert_ok(write_tree(&it, "[" ANALYSIS("topic", "") "]", more, &error), error);
    assert_int_equal(count_words(it.page, "<td class=\"label"), 24 * 16);
    assert_int_equal(count_words(it.page, "<td class=\"label p"), 200);
    assert_non_null(strstr(it.page, "title=\"L23.H15: property 383\""));
    assert_null(strstr(it.page, ".p8{"));
    drop(&it);
    free(more);
    free(json);
    cJSON_Delete(properties);
}

static void test_differences_of_variants_are_a_table(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(write_tree(&it, "[" ANALYSIS("topic", "") "]",
                         "\"variants\":[{\"variant\":\"v\",\"grid difference\":0.000000123456},"
                         "{\"variant\":\"w\",\"remark\":\"<other>\"}]",
                         &error),
              error);
    assert_non_null(strstr(it.page, "<th>variant</th><th>grid difference</th><th>remark</th>"));
    assert_non_null(strstr(it.page, "<td>v</td><td>1.235e-07</td><td></td>"));
    assert_non_null(strstr(it.page, "<td>w</td><td></td><td>&lt;other&gt;</td>"));
    drop(&it);
}

static const char nasty[] = "<script>alert(\"a\" & 'b')</script> \xc3\xa9toile \xe2\x98\x83";
static const char escaped[] =
    "&lt;script&gt;alert(&quot;a&quot; &amp; &#39;b&#39;)&lt;/script&gt; \xc3\xa9toile \xe2\x98\x83";

/* Two texts of two heads over one image, then a table. */
static char *nasty_analyses(const char *image) {
    cJSON *string = cJSON_CreateString(nasty);
    char *quoted = cJSON_PrintUnformatted(string);
    char *heats[4];
    for (int i = 0; i < 4; i++) {
        heats[i] =
            text("{\"schema\":\"heat\",\"image\":\"%s\",\"text\":%s,\"head\":\"%s\",\"grid\":[[0,1],[2,3]]}",
                 image, i < 2 ? quoted : "\"snow\"", i % 2 ? "L3.H5" : "aggregate");
    }
    char *all = text("[{\"plugin\":\"some-analysis\",\"summary\":%s,\"options\":{},\"results\":[%s,%s,%s,%s,"
                     "{\"schema\":\"head-norm\",\"name\":%s,\"norm\":0.125},"
                     "{\"schema\":\"head-norm\",\"name\":\"plain\",\"norm\":-2}]}]",
                     quoted, heats[0], heats[1], heats[2], heats[3], quoted);
    for (int i = 0; i < 4; i++) free(heats[i]);
    free(quoted);
    cJSON_Delete(string);
    return all;
}

static hl_status write_nasty(written *self, const char *image, hl_error *error) {
    char *analyses = nasty_analyses(image);
    hl_status status = write_tree(self, analyses, NULL, error);
    free(analyses);
    return status;
}

static void test_page_is_escaped_and_needs_nothing_else(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(write_nasty(&it, "a.jpg", &error), error);
    assert_null(strstr(it.page, "<script"));
    assert_non_null(strstr(it.page, escaped));
    assert_int_equal(count_words(it.page, "<img "), 5); /* the image, and four heats */
    assert_int_equal(count_words(it.page, "src="), 5);
    assert_int_equal(count_words(it.page, "src=\"data:image/jpeg;base64,/9j/"), 5);
    assert_null(strstr(it.page, "http:"));
    assert_null(strstr(it.page, "https:"));
    assert_null(strstr(it.page, "url("));
    assert_null(strstr(it.page, "<link"));
    assert_non_null(strstr(it.page, "prefers-color-scheme:dark"));
    assert_non_null(strstr(it.page, "<th>name</th><th>norm</th>"));
    assert_non_null(strstr(it.page, "<td>plain</td><td>-2</td>"));
    drop(&it);
}

static void test_same_results_same_bytes(void **state) {
    (void)state;
    written one, two;
    hl_error error;
    assert_ok(write_nasty(&one, "a.jpg", &error), error);
    assert_ok(write_nasty(&two, "a.jpg", &error), error);
    assert_int_equal(one.by.bytes, two.by.bytes);
    assert_memory_equal(one.page, two.page, one.by.bytes);
    drop(&one);
    drop(&two);
}

static void test_failed_drawing_names_the_image(void **state) {
    (void)state;
    written it;
    hl_error error = {0};
    assert_int_equal(write_nasty(&it, "missing.jpg", &error), HL_FAILED);
    assert_non_null(strstr(error.message, "missing.jpg: "));
    assert_non_null(strstr(error.message, "there is no such file"));
    drop(&it);
    assert_int_equal(write_tree(&it, "[" ANALYSIS("topic", HEAT("", "[[0,1,2],[2,3,4]]")) "]", NULL, &error),
                     HL_FAILED);
    assert_non_null(strstr(error.message, "a.jpg: "));
    assert_non_null(strstr(error.message, "2 x 2"));
    drop(&it);
}

static uint8_t letter_value(char letter) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(alphabet, letter);
    assert_true(letter && at);
    return (uint8_t)(at - alphabet);
}

/* Bytes of a base64 text up to the closing quote. */
static uint8_t *decode_base64(const char *letters, size_t *count) {
    size_t length = strcspn(letters, "\"");
    assert_int_equal(length % 4, 0);
    uint8_t *bytes = malloc(length);
    size_t padding = strcspn(letters, "=") < length ? length - strcspn(letters, "=") : 0;
    *count = 0;
    for (size_t i = 0; i < length; i += 4) {
        unsigned group = 0;
        for (size_t k = 0; k < 4; k++) {
            group = group << 6 | (letters[i + k] == '=' ? 0U : letter_value(letters[i + k]));
        }
        for (int k = 16; k >= 0; k -= 8) bytes[(*count)++] = (uint8_t)(group >> k);
    }
    *count -= padding;
    return bytes;
}

/* Every picture of a page, decoded: no side is longer than `most`; returns how many there are. */
static size_t need_pictures(const char *page, size_t most) {
    size_t pictures = 0;
    for (const char *at = page; (at = strstr(at, "base64,")); pictures++) {
        size_t count;
        at += strlen("base64,");
        uint8_t *bytes = decode_base64(at, &count);
        picture image;
        hl_error error;
        assert_ok(picture_decode("page", bytes, count, &image, &error), error);
        assert_true(image.width <= most && image.height <= most);
        picture_free(&image);
        free(bytes);
    }
    return pictures;
}

/* The page's pictures are pictures; a small image is enlarged at most twice. */
static void test_pictures_decode(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(write_nasty(&it, "a.jpg", &error), error);
    assert_int_equal(need_pictures(it.page, 180), 5);
    assert_int_equal(count_words(it.page, "width=\"180\" height=\"120\""), 5);
    drop(&it);
}

/* However large an image is, and however many pictures there are. */
static void test_pictures_are_bounded(void **state) {
    (void)state;
    static const struct {
        size_t side;
        double megapixels;
        size_t expected;
    } cases[] = {{0, 0, 512},     {700, 0, 700},   {1200, 1000, 1200},
                 {512, 0.2, 200}, {512, 0.01, 96}, {64, 0, 64}};
    char *analyses = nasty_analyses("large.jpg");
    for (size_t i = 0; i < COUNT(cases); i++) {
        written it;
        hl_error error;
        char *json = text("{\"analyses\":%s}", analyses);
        it.tree = make_tree(json);
        open_reporting(&it.by, tree_node(it.tree));
        assert_ok(write_html(&it.by, cases[i].side, cases[i].megapixels, &error), error);
        assert_int_equal(need_pictures(it.by.page, cases[i].expected), 5);
        assert_int_equal(it.by.largest, cases[i].expected);
        assert_int_equal(it.by.images, 1); /* one decoding for all pictures of an image */
        drop(&it);
        free(json);
    }
    free(analyses);
}

static void test_cancelled_between_pictures(void **state) {
    (void)state;
    char *analyses = nasty_analyses("a.jpg"), *json = text("{\"analyses\":%s}", analyses);
    for (size_t after = 1; after <= 5; after++) {
        written it;
        hl_error error = {0};
        it.tree = make_tree(json);
        open_reporting(&it.by, tree_node(it.tree));
        it.by.stop_after = after;
        assert_int_equal(write_html(&it.by, 0, 0, &error), HL_FAILED);
        assert_string_equal(error.message, "cancelled");
        drop(&it);
    }
    free(json);
    free(analyses);
}

/* ---- what the run was ---- */

static void need(const char *page, const char *words) {
    if (!strstr(page, words)) fail_msg("the page lacks %s", words);
}

#define RUN                                                                                                  \
    "\"model\":{\"name\":\"m <1>\",\"plugin\":\"clip-vit\",\"summary\":\"ViT, 4 layers\",\"embed_dim\":96,"  \
    "\"image_size\":64,\"activation\":\"quick_gelu\",\"digest\":\"93ad\"},"                                  \
    "\"compute\":{\"backend\":\"reference\",\"description\":\"plain "                                        \
    "C\",\"kernel\":\"generic\",\"precision\":\"f32\","                                                      \
    "\"threads\":3,\"fallback\":\"openblas & co failed: no library\"},"

static void test_the_run_is_described(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(write_tree(&it, "[]",
                         RUN "\"skipped\":[{\"path\":\"a/away.jpg\",\"reason\":\"no such "
                             "file\"}],\"truncated\":[{\"text\":\"long <x>\",\"tokens\":42,\"context\":32}],"
                             "\"gallery\":{\"images\":7,\"searched\":4,\"missing\":2,\"skipped\":[{\"path\":"
                             "\"broken.jpg\",\"reason\":\"no end of <file>\"}]}",
                         &error),
              error);
    static const char *const words[] = {
        "m &lt;1&gt;",
        "clip-vit",
        "ViT, 4 layers",
        "image size 64",
        "activation <bdi>quick_gelu</bdi>",
        "digest <bdi>93ad</bdi>",
        "reference",
        "kernel <bdi>generic</bdi>",
        "precision <bdi>f32</bdi>",
        "threads 3",
        "openblas &amp; co failed: no library",
        "1 text is cut",
        "<bdi>long &lt;x&gt;</bdi> <span class=\"quiet\">42 tokens, 32 read</span>",
        "7 images &middot; 4 searched &middot; 2 missing &middot; 1 skipped",
        "<details open><summary>1 image of the experiment skipped",
        "<bdi>a/away.jpg</bdi> <span class=\"quiet\">no such file</span>",
        "1 image of the gallery skipped",
        "<bdi>broken.jpg</bdi> <span class=\"quiet\">no end of &lt;file&gt;</span>"};
    for (size_t i = 0; i < COUNT(words); i++) need(it.page, words[i]);
    drop(&it);
}

/* What all variants have in common is said once, above their links. */
static void test_variants_are_told_apart(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(
        write_tree(
            &it, "[]",
            "\"model\":{\"name\":\"same\"},\"compute\":{},\"reports\":["
            "{\"variant\":\"a\",\"model\":{\"name\":\"same\"},\"compute\":{\"backend\":\"one\"}},"
            "{\"variant\":\"b\",\"model\":{\"name\":\"same\"},\"compute\":{\"backend\":\"two\",\"fallback\":"
            "\"why <two>\"}}]",
            &error),
        error);
    assert_int_equal(count_words(it.page, "<dt>model</dt>"), 1);
    assert_int_equal(count_words(it.page, "<dt>compute</dt>"), 2);
    need(it.page, "<a href=\"a/report.html\">a</a>");
    need(it.page, "<a href=\"b/report.html\">b</a>");
    need(it.page, "<bdi>two</bdi>");
    need(it.page, "why &lt;two&gt;");
    drop(&it);
}

/* ---- what other plugins found ---- */

static void test_tables_and_pictures_of_plugins_are_shown(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(write_tree(&it,
                         "[" ANALYSIS(
                             "other",
                             "{\"schema\":\"one\",\"image\":\"some/where/<a>.jpg\",\"note\":\"a/"
                             "b\",\"is\":true,\"none\":null,"
                             "\"big\":9007199254740993}") "," ANALYSIS("blocks",
                                                                       "{\"schema\":\"two\",\"head\":\"L1."
                                                                       "H2\",\"share\":0.25,"
                                                                       "\"table\":[{\"a\":1,\"b\":\"<x>\"},{"
                                                                       "\"a\":2,\"b\":\"y\"}],"
                                                                       "\"picture\":[700,1400],\"grid\":[[0,"
                                                                       "1,2],[0.5,1.5,-1]],\"more\":{"
                                                                       "\"path\":\"p/q.txt\"},"
                                                                       "\"words\":[\"s\",\"t\"],"
                                                                       "\"neighbors\":[{\"path\":\"x/1.jpg\","
                                                                       "\"score\":0.5}]}") "]",
                         NULL, &error),
              error);
    need(it.page, "<th>image</th><th>note</th><th>is</th><th>none</th><th>big</th>");
    need(it.page,
         "<td><details class=\"path\"><summary>&lt;a&gt;.jpg</summary>some/where/&lt;a&gt;.jpg</details></td>"
         "<td>a/b</td><td>true</td><td><span class=\"quiet\">none</span></td>");
    need(it.page, "<h4>table</h4>");
    need(it.page, "<tr><th>a</th><th>b</th></tr>\n<tr><td>1</td><td>&lt;x&gt;</td></tr>\n<tr><td>2</"
                  "td><td>y</td></tr>");
    need(it.page, "<h4>picture</h4>\n<img width=\"512\" height=\"256\"");
    need(it.page, "<dt>path</dt> <dd>p/q.txt</dd>");
    need(it.page, "<dt>words</dt> <dd><bdi>s</bdi>, <bdi>t</bdi></dd>");
    assert_int_equal(count_words(it.page, "<image id="), 1);
    need(it.page, "<p>2 x 3 numbers</p>\n<div class=\"grid\"><img width=\"3\" height=\"2\"");
    need(it.page, "<div class=\"scale\">\xe2\x88\x92"
                  "1.0<i></i>2.0</div>");
    assert_int_equal(need_pictures(it.page, 512), 3);
    drop(&it);
}

#define EXTRACTORS                                                                                           \
    "\"properties\":{\"extractor\":\"lexicon\",\"step\":\"labels\",\"heads\":{\"L3.H5\":\"colors\",\"L2."    \
    "H1\":\"places\"}},"                                                                                     \
    "\"extractors\":["                                                                                       \
    "{\"name\":\"spans\",\"plugin\":\"textspan\",\"options\":{\"pool\":\"pool.txt\"},\"results\":["          \
    "{\"head\":\"L3.H5\",\"texts\":[{\"text\":\"red "                                                        \
    "<1>\",\"variance\":0.5},{\"text\":\"b\",\"variance\":0.25},"                                            \
    "{\"text\":\"c\",\"variance\":0.1},{\"text\":\"d\",\"variance\":0.1},{\"text\":\"e\",\"variance\":0.1}," \
    "{\"text\":\"f\",\"variance\":0.1}],\"property\":\"colors\"},"                                           \
    "{\"head\":\"L2.H1\",\"texts\":[{\"text\":\"sand\",\"variance\":0.125}]}]},"                             \
    "{\"name\":\"labels\",\"plugin\":\"lexicon\",\"options\":{},\"results\":["                               \
    "{\"head\":\"L3.H5\",\"property\":\"colors\",\"weight\":0.75,\"evidence\":\"red & blue\"},"              \
    "{\"head\":\"L2.H1\",\"property\":\"places\",\"weight\":1,\"evidence\":\"\"}]},"                         \
    "{\"name\":\"scores\",\"plugin\":\"entanglement\",\"options\":{},\"results\":["                          \
    "{\"score\":\"entanglement\",\"layer\":\"all\",\"value\":0.5,\"low\":0.4,\"high\":0.6}]}]"

static void test_extractors_are_sections(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(write_tree(&it, "[" ANALYSIS("topic", "") "]", EXTRACTORS, &error), error);
    need(it.page, "<a href=\"#extractor-2\">labels</a>"); /* in the contents */
    need(it.page, "<section id=\"extractor-1\">");
    need(it.page, "<bdi>red &lt;1&gt;</bdi> <span class=\"quiet\">0.50</span>");
    need(it.page, "<summary>1 more</summary><ol class=\"ranks\" start=\"6\">");
    need(it.page, "<bdi>sand</bdi>");
    need(it.page, "<tr><td>L3.H5</td><td><span class=\"chip p0\">colors</span></td><td>0.750</td>"
                  "<td class=\"words\">red &amp; blue</td></tr>");
    need(it.page, "<th>score</th><th>layer</th><th>value</th><th>low</th><th>high</th>");
    need(it.page, "<td>entanglement</td><td>all</td><td>0.5</td><td>0.4</td><td>0.6</td>");
    /* and in the map, under the pointer and behind a link */
    need(it.page, "title=\"L3.H5: colors\nred &amp; blue\"");
    need(it.page, "title=\"L2.H1: places\"");
    need(it.page, "<a href=\"#extractor-2\">What this rests on</a>");
    drop(&it);
}

static int open_all(void **state) {
    (void)state;
    open_plugins(1, NULL);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    close_plugins();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_is_escaped_and_needs_nothing_else),
        cmocka_unit_test(test_same_results_same_bytes),
        cmocka_unit_test(test_failed_drawing_names_the_image),
        cmocka_unit_test(test_pictures_decode),
        cmocka_unit_test(test_pictures_are_bounded),
        cmocka_unit_test(test_cancelled_between_pictures),
        cmocka_unit_test(test_the_run_is_described),
        cmocka_unit_test(test_variants_are_told_apart),
        cmocka_unit_test(test_tables_and_pictures_of_plugins_are_shown),
        cmocka_unit_test(test_extractors_are_sections),
        cmocka_unit_test(test_difference_names_both_sides),
        cmocka_unit_test(test_masks_are_shown),
        cmocka_unit_test(test_neighbors_are_shown_and_embedded_once),
        cmocka_unit_test(test_missing_neighbor_fails_and_is_named),
        cmocka_unit_test(test_contents_lead_to_the_analyses),
        cmocka_unit_test(test_snippet_stands_at_every_picture),
        cmocka_unit_test(test_heads_are_mapped_by_property),
        cmocka_unit_test(test_big_towers_are_mapped),
        cmocka_unit_test(test_differences_of_variants_are_a_table),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
