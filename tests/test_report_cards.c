/* The page's cards: all that results say of one head stands together, whoever said it, and the maps of heads
 * lead there; the page stays one that opens, however many heads and images there are. */
#include "tests/reporting.h"

#include <stdlib.h>
#include <string.h>

typedef struct written {
    tree *tree;
    reporting by;
    const char *page;
} written;

/* The page of a root's further keys. */
static written write_root(const char *keys) {
    written self;
    hl_error error;
    char *json = text("{\"version\":1,%s}", keys);
    self.tree = make_tree(json);
    free(json);
    open_reporting(&self.by, tree_node(self.tree));
    assert_ok(write_html(&self.by, 0, 0, &error), error);
    self.page = self.by.page;
    return self;
}

static void drop(written *self) {
    close_reporting(&self->by);
    tree_close(self->tree);
}

static void need(const char *in, const char *what) {
    if (!strstr(in, what)) fail_msg("lacks %s", what);
}

/* The card of a head, for free(). */
static char *card_of(const written *it, const char *id) {
    char *start = text("<div class=\"card\" id=\"%s\">", id);
    const char *at = strstr(it->page, start);
    if (!at) fail_msg("%s has no card", id);
    const char *next = strstr(at, "<details class=\"head\">"), *end = strstr(at, "</section>");
    free(start);
    return strndup(at, (size_t)((next && next < end ? next : end) - at));
}

#define STEP(NAME, PLUGIN, FROM, RESULTS)                                                                    \
    "{\"name\":\"" NAME "\",\"plugin\":\"" PLUGIN "\"," FROM "\"options\":{},\"results\":[" RESULTS "]}"
#define TEXT(WORDS, VARIANCE, TOTAL) "{\"text\":\"" WORDS "\",\"variance\":" VARIANCE ",\"total\":" TOTAL "}"
/* Descriptions, labels, a judge of both, and scores. */
#define SPANS                                                                                                \
    "{\"name\":\"spans\",\"plugin\":\"textspan\",\"options\":{},\"results\":[{\"head\":\"L3.H5\",\"texts\":" \
    "["                                                                                                      \
    "{\"text\":\"red "                                                                                       \
    "<1>\",\"variance\":0.5,\"total\":0.5},{\"text\":\"two\",\"variance\":0.25,\"total\":0.75}],"            \
    "\"rank\":19,\"effective_rank\":2.5,\"variance\":1,\"overlap\":{\"gallery_halves\":0.75}},"              \
    "{\"head\":\"L2.H1\",\"texts\":[{\"text\":\"sand\",\"variance\":0.125,\"total\":0.125}]}]}"
#define LABELS                                                                                               \
    "{\"name\":\"labels\",\"plugin\":\"lexicon\",\"from\":\"spans\",\"options\":{},\"results\":[{\"head\":"  \
    "\"L3.H5\","                                                                                             \
    "\"property\":\"colors\",\"weight\":0.75,\"evidence\":\"red & blue\"},"                                  \
    "{\"head\":\"L2.H1\",\"mixed\":\"none explains half\"}]}"
#define JUDGED                                                                                               \
    "{\"name\":\"judged\",\"plugin\":\"judge\",\"from\":[\"labels\"],\"options\":{},\"results\":["           \
    "{\"score\":\"consistent\",\"head\":\"L3.H5\",\"rank\":1,\"value\":1},"                                  \
    "{\"score\":\"consistent with another\",\"head\":\"L3.H5\",\"rank\":1,\"value\":0},"                     \
    "{\"score\":\"consistent\",\"head\":\"L3.H5\",\"rank\":2,\"value\":0}]}"
#define SCORES                                                                                               \
    "{\"name\":\"scores\",\"plugin\":\"consistency\",\"from\":\"judged\",\"options\":{},\"results\":["       \
    "{\"score\":\"ccs\",\"head\":\"L3.H5\",\"value\":3,\"low\":2,\"high\":4},{\"score\":\"ccr\",\"layer\":"  \
    "\"all\",\"value\":0.5}]}"
#define CHAIN                                                                                                \
    "\"properties\":{\"step\":\"labels\",\"heads\":{\"L3.H5\":\"colors\"}},"                                 \
    "\"extractors\":[" SPANS "," LABELS "," JUDGED "," SCORES "]"
#define ANALYSES                                                                                             \
    "\"analyses\":[{\"plugin\":\"effects\",\"summary\":\"s\",\"options\":{},\"results\":["                   \
    "{\"schema\":\"head-map\",\"title\":\"effect on "                                                        \
    "<sun>\",\"heads\":[{\"head\":\"L3.H5\",\"value\":0.125},"                                               \
    "{\"head\":\"L0.H0\",\"value\":-0.5}]},"                                                                 \
    "{\"schema\":\"table\",\"title\":\"alone\",\"rows\":[{\"head\":\"L3.H5\",\"accuracy\":0.875},"           \
    "{\"head\":\"embedding\",\"accuracy\":1}]},"                                                             \
    "{\"schema\":\"heat\",\"image\":\"a.jpg\",\"text\":\"sun\",\"head\":\"L3.H5\",\"grid\":[[0,1],[2,3]]}]}" \
    "]"

static void a_card_gathers_what_is_said_of_a_head(void **state) {
    (void)state;
    written it = write_root(CHAIN "," ANALYSES);
    char *card = card_of(&it, "L3.H5");
    need(card, "<h4><a href=\"#extractor-1\">spans</a> <span class=\"quiet\">textspan</span></h4>");
    need(card,
         "<bdi>red &lt;1&gt;</bdi> <span class=\"mark\" title=\"judged: consistent\">\xe2\x9c\x93</span>");
    need(card, "<bdi>two</bdi> <span class=\"mark\" title=\"judged: consistent: no\">\xe2\x9c\x97</span>");
    need(card, "<b style=\"width:50.0%\"></b></i>50\xc2\xa0%</span>");
    need(card, "25\xc2\xa0%, together 75\xc2\xa0%</span>");
    need(card, "<dt>rank</dt> <dd>19</dd>");
    need(card, "<dt>effective rank</dt> <dd>2.5</dd>");
    need(card, "<dt>overlap gallery halves</dt> <dd>0.75</dd>");
    need(card, "<span class=\"chip p0\">colors</span> 0.750 <span class=\"quiet\">red &amp; blue</span>");
    need(card, "<dt>consistent</dt> <dd>1 of 2</dd>");
    need(card, "<dt>consistent with another</dt> <dd>0 of 1</dd>");
    assert_int_equal(count_words(card, "class=\"mark\""), 2);
    need(card, "<dt>ccs</dt> <dd>3 [2, 4]</dd>");
    need(card, "effect on &lt;sun&gt;</td><td class=\"n\">0.125</td>");
    need(card, "<dt>accuracy</dt> <dd>0.875</dd>");
    need(card, "<a href=\"#analysis-1\">1 picture</a>");
    assert_null(strstr(card, "ccr"));
    assert_null(strstr(card, "sand"));
    free(card);
    card = card_of(&it, "L2.H1");
    need(card, "<bdi>sand</bdi>");
    need(card, "<dt>mixed</dt> <dd>none explains half</dd>");
    assert_null(strstr(card, "colors"));
    free(card);
    /* a head of which an analysis alone speaks, and nothing that is no head */
    free(card_of(&it, "L0.H0"));
    assert_int_equal(count_words(it.page, "<details class=\"head\">"), 3);
    assert_int_equal(it.by.images, 1); /* pictures stay where they are */
    drop(&it);
}

static void maps_lead_to_the_cards(void **state) {
    (void)state;
    written it = write_root(CHAIN "," ANALYSES);
    need(it.page, "title=\"L3.H5: colors\nred &amp; blue\"><a href=\"#L3.H5\">colors</a></td>");
    drop(&it);
    it = write_root(
        "\"analyses\":[{\"plugin\":\"p\",\"summary\":\"s\",\"options\":{},\"results\":[{\"schema\":"
        "\"head-map\",\"title\":\"t\",\"heads\":[{\"head\":\"L1.H2\",\"label\":\"sizes\"}]}]}]");
    need(it.page, "<a href=\"#L1.H2\"><rect");
    free(card_of(&it, "L1.H2"));
    assert_null(strstr(it.by.figure, "href"));
    drop(&it);
}

/* Where nothing is said but that there are pictures and labels, the page shows them all. */
static void pictures_alone_make_no_cards(void **state) {
    (void)state;
    written it = write_root("\"properties\":{\"heads\":{\"L3.H5\":\"colors\"}},\"extractors\":[" STEP(
        "labels", "file", "",
        "{\"head\":\"L3.H5\",\"property\":\"colors\",\"weight\":1}") "],\"analyses\":[{\"plugin\":\"p\","
                                                                     "\"summary\":\"s\",\"options\":{},"
                                                                     "\"results\":[{\"schema\":\"heat\","
                                                                     "\"image\":\"a.jpg\","
                                                                     "\"text\":\"sun\",\"head\":\"L3.H5\","
                                                                     "\"grid\":[[0,1],[2,3]]}]}]");
    assert_null(strstr(it.page, "id=\"cards\""));
    assert_null(strstr(it.page, "class=\"card\""));
    assert_null(strstr(it.page, "href=\"#L3.H5\""));
    drop(&it);
}

/* ---- components ---- */

#define NEIGHBOR(PATH) "{\"path\":\"" PATH "\",\"score\":1,\"caption\":\"a \\\"<b>\\\"\"}"

static void components_show_texts_and_extremes(void **state) {
    (void)state;
    written it = write_root("\"extractors\":[" STEP(
        "parts", "components", "",
        "{\"head\":\"L1.H0\",\"texts\":[" TEXT(
            "sun", "0.5",
            "0.5") "],\"variance\":2,\"components\":[{\"rank\":1,"
                   "\"variance\":1,\"share\":0.5,\"texts\":[{\"text\":\"day\",\"score\":1},{\"text\":"
                   "\"<noon>\",\"score\":0.5}],"
                   "\"opposite\":[{\"text\":\"night\",\"score\":-1}],\"top\":{\"neighbors\":"
                   "[" NEIGHBOR("x/1.jpg") "," NEIGHBOR("x/2.jpg") "]},\"bottom\":{\"neighbors\":[" NEIGHBOR(
                       "x/1.jpg") "]}}]},"
                                  "{\"head\":"
                                  "\"L1.H1\","
                                  "\"texts\":[],"
                                  "\"directions\""
                                  ":[{\"rank\":1,"
                                  "\"share\":0."
                                  "25,"
                                  "\"explained\":"
                                  "0.75,"
                                  "\"texts\":[{"
                                  "\"text\":"
                                  "\"one\","
                                  "\"weight\":1}]"
                                  "}]}") "]");
    char *card = card_of(&it, "L1.H0");
    need(card, "<h5>components</h5>");
    need(card, "50\xc2\xa0%</span>");
    need(card, "<b>+</b> <bdi>day</bdi>, <bdi>&lt;noon&gt;</bdi>");
    need(card, "<b>\xe2\x88\x92</b> <bdi>night</bdi>");
    need(card, "<span title=\"a &quot;&lt;b&gt;&quot;\"><svg");
    assert_int_equal(count_words(card, "<image id="), 2); /* three extremes, two images */
    assert_int_equal(count_words(card, "<use href="), 1);
    assert_int_equal(it.by.neighbors, 2);
    free(card);
    card = card_of(&it, "L1.H1");
    need(card, "<h5>directions</h5>");
    need(card, "25\xc2\xa0%, texts explain 75\xc2\xa0%");
    free(card);
    drop(&it);
}

/* 384 heads with eight texts, four components with eight images at either end, out of 3,000. */
static void big_towers_stay_a_page_that_opens(void **state) {
    (void)state;
    char *items = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&items, &bytes);
    unsigned image = 0;
    assert_non_null(out);
    for (unsigned head = 0; head < 384; head++) {
        fprintf(out, "%s{\"head\":\"L%u.H%u\",\"variance\":1,\"texts\":[", head ? "," : "", head / 16,
                head % 16);
        for (unsigned i = 0; i < 8; i++) {
            fprintf(out, "%s{\"text\":\"a text of some length, number %u\",\"variance\":0.1,\"total\":0.2}",
                    i ? "," : "", i);
        }
        fprintf(out, "],\"components\":[");
        for (unsigned i = 0; i < 4; i++) {
            fprintf(out, "%s{\"rank\":%u,\"share\":0.1,\"texts\":[{\"text\":\"some words\",\"score\":1}]",
                    i ? "," : "", i + 1);
            for (unsigned end = 0; end < 2; end++) {
                fprintf(out, ",\"%s\":{\"neighbors\":[", end ? "bottom" : "top");
                for (unsigned k = 0; k < 8; k++) {
                    fprintf(out, "%s{\"path\":\"some/folder/%u.jpg\",\"score\":1}", k ? "," : "",
                            image++ * 7 % 3000);
                }
                fprintf(out, "]}");
            }
            fprintf(out, "}");
        }
        fprintf(out, "]}");
    }
    fclose(out);
    char *keys =
        text("\"extractors\":[{\"name\":\"parts\",\"plugin\":\"p\",\"options\":{},\"results\":[%s]}]", items);
    written it = write_root(keys);
    assert_int_equal(count_words(it.page, "<details class=\"head\">"), 384);
    assert_int_equal(count_words(it.page, "<details><summary>Layer "), 24);
    assert_in_range(it.by.neighbors, 100, 320);
    assert_true(it.by.bytes < 3000000);
    /* the last layers write most */
    char *first = card_of(&it, "L0.H0"), *last = card_of(&it, "L23.H15");
    assert_null(strstr(first, "<svg"));
    assert_int_equal(count_words(last, "<svg"), 2);
    free(first);
    free(last);
    drop(&it);
    free(keys);
    free(items);
}

/* ---- names ---- */

/* A model whose heads have other names has cards for them too; a name that is no head's has none. */
static void heads_of_other_names_have_cards(void **state) {
    (void)state;
    static const hl_component components[] = {{.name = "block <3> head \"5\"", .kind = HL_HEAD},
                                              {.name = "an mlp", .kind = HL_MLP}};
    static const char json[] =
        "{\"version\":1,\"extractors\":[{\"name\":\"a\",\"plugin\":\"p\",\"from\":\"b\",\"options\":{},"
        "\"results\":["
        "{\"head\":\"block <3> head \\\"5\\\"\",\"score\":\"s\",\"rank\":1,\"value\":1},"
        "{\"head\":\"an mlp\",\"score\":\"s\",\"value\":1},{\"head\":\"L1.H2x\",\"score\":\"s\",\"value\":1},"
        "{\"head\":5,\"score\":\"s\",\"value\":1}]},"
        "{\"name\":\"b\",\"plugin\":\"p\",\"from\":[\"a\"],\"options\":{},\"results\":[]}]}"; /* and a circle
                                                                                               */
    written it;
    hl_error error;
    it.tree = make_tree(json);
    open_reporting(&it.by, tree_node(it.tree));
    it.by.model.components = components;
    it.by.model.component_count = COUNT(components);
    it.by.model.component_size = sizeof *components;
    assert_ok(write_html(&it.by, 0, 0, &error), error);
    it.page = it.by.page;
    assert_int_equal(count_words(it.page, "<details class=\"head\">"), 1);
    need(it.page, "<b>block &lt;3&gt; head &quot;5&quot;</b>");
    need(it.page, "<summary>Others, 1 head</summary>");
    drop(&it);
}

/* ---- variants ---- */

static void variants_are_compared(void **state) {
    (void)state;
    written it = write_root(
        "\"analyses\":[],\"reports\":[{\"variant\":\"a\",\"model\":{},\"compute\":{}}],"
        "\"skipped_variants\":[{\"variant\":\"big\",\"folder\":\"models/<big>\",\"reason\":\"no weights\"}],"
        "\"scores\":[{\"variant\":\"a\",\"step\":\"scores\",\"score\":\"entanglement\",\"value\":0.375,"
        "\"low\":0.25,"
        "\"high\":0.5,\"parameters\":1000}],\"comparison\":[{\"schema\":\"head-map\",\"title\":\"heads of "
        "a\","
        "\"heads\":[{\"head\":\"L0.H0\",\"label\":\"colors\"}]},{\"schema\":\"head-map\",\"title\":\"heads "
        "of b\","
        "\"heads\":[{\"head\":\"L0.H1\",\"label\":\"colors\"}]},{\"schema\":\"chart\",\"title\":\"size\","
        "\"kind\":"
        "\"scatter\",\"x\":\"parameters\",\"y\":\"entanglement\",\"series\":[]}]");
    need(it.page, "1 variant was not run");
    need(it.page, "models/&lt;big&gt;");
    need(it.page, "<td class=\"n\">0.375 <span class=\"quiet\">[0.25, 0.5]</span></td>");
    assert_int_equal(it.by.figures, 3);
    /* the same label, the same colour */
    assert_int_equal(count_words(it.page, "<rect class=\"k0\""), 4);
    assert_null(strstr(it.page, "id=\"cards\""));
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
        cmocka_unit_test(a_card_gathers_what_is_said_of_a_head),
        cmocka_unit_test(maps_lead_to_the_cards),
        cmocka_unit_test(pictures_alone_make_no_cards),
        cmocka_unit_test(components_show_texts_and_extremes),
        cmocka_unit_test(big_towers_stay_a_page_that_opens),
        cmocka_unit_test(heads_of_other_names_have_cards),
        cmocka_unit_test(variants_are_compared),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
