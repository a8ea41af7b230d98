/* A card for each head: all that was found of it, step by step and analysis by analysis. Cards lie closed,
 * layer by layer; the maps of heads lead to them. */
#include "page.h"

#include <math.h>

enum {
    FEW_CARDS = 48, /* of more, whole layers are closed too */
    FEW_TEXTS = 10, /* of a list show at once */
    FEW_ROWS = 8,   /* of an analysis's numbers */
    EXTREMES = 4,   /* images at either end of a component */
    IMAGES = 450    /* different ones on all cards together */
};

typedef struct cards {
    page *page;
    const gathered *of;
    size_t heads;
    size_t extremes, pictured; /* images at either end of a part; parts that show them */
    size_t bare;               /* heads, from the first on, that show none */
} cards;

/* One head's. */
typedef struct card {
    page *page;
    const said *first, *end;
    size_t extremes, pictured; /* as of all cards; of those that show none 0 */
} card;

static const hl_node *subject(const said *of) {
    return of->row ? of->row : of->item;
}

static bool same_head(const said *a, const said *b) {
    return strcmp(a->head, b->head) == 0;
}

/* ---- kinds of what is said ---- */

static bool is_description(const said *of) {
    return of->by_step && !of->row && hl_is_list(hl_get(of->item, "texts"));
}

static bool is_verdict(const said *of) {
    return of->by_step && !of->row && *hl_get_text(of->item, "score") &&
           hl_is_number(hl_get(of->item, "value"));
}

static bool is_label(const said *of) {
    return of->by_step && !of->row && *hl_get_text(of->item, "property");
}

static bool is_drawn(const said *of) {
    const char *schema = hl_get_text(of->item, "schema");
    return strcmp(schema, HL_SCHEMA_HEAT) == 0 || strcmp(schema, HL_SCHEMA_NEIGHBORS) == 0;
}

/* What is looked at where it is: a card leads there. */
static bool is_pictured(const hl_node *field) {
    return field->type == HL_GRID || field->type == HL_PICTURE || field->type == HL_NEIGHBORS;
}

static bool has_picture(const said *of) {
    const hl_node *field = of->row ? NULL : page_first(of->item);
    while (field && !is_pictured(field)) field = field->next;
    return field != NULL;
}

/* ---- which step's descriptions a judge has judged ---- */

static const hl_node *find_step(const page *self, const char *name) {
    const hl_node *step = page_first(hl_get(self->root, "extractors"));
    while (step && strcmp(hl_get_text(step, "name"), name) != 0) step = step->next;
    return step;
}

/* The first of the steps that a step builds on. */
static const char *source_of(const hl_node *step) {
    const hl_node *from = hl_get(step, "from");
    if (hl_is_list(from)) from = from->first;
    return from && from->type == HL_TEXT ? from->text : "";
}

static bool describes(const hl_node *step) {
    return hl_is_list(hl_get(page_first(hl_get(step, "results")), "texts"));
}

static const hl_node *judged_step(const page *self, const hl_node *step) {
    enum { DEEPEST = 64 }; /* a chain has no circles, but a tree that was made up might */
    for (int i = 0; step && !describes(step) && i < DEEPEST; i++) step = find_step(self, source_of(step));
    return step;
}

/* What judges say of the text of a rank: a mark each, of the first score that a judge gives it. */
static void marks(const card *self, const hl_node *step, size_t rank) {
    html *out = &self->page->html;
    const hl_node *judge = NULL;
    for (const said *of = self->first; of != self->end; of++) {
        if (!is_verdict(of) || of->whose == judge || hl_get_number(of->item, "rank", 0) != (double)rank)
            continue;
        if (judged_step(self->page, of->whose) != step) continue;
        judge = of->whose;
        html_raw(out, " <span class=\"mark\" title=\"");
        html_text(out, hl_get_text(of->whose, "name"));
        html_raw(out, ": ");
        html_text(out, hl_get_text(of->item, "score"));
        html_raw(out, hl_get_number(of->item, "value", 0) >= 0.5 ? "\">\xe2\x9c\x93</span>"
                                                                 : ": no\">\xe2\x9c\x97</span>");
    }
}

/* ---- texts with their variance ---- */

static void percent(html *out, double share) {
    html_format(out, "%.*f\xc2\xa0%%", share < 0.0995 ? 1 : 0, 100 * fmin(fmax(share, 0), 9.99));
}

/* A bar as long as the share. */
static void bar(html *out, double share) {
    html_format(out, "<i class=\"bar\"><b style=\"width:%.1f%%\"></b></i>", 100 * fmin(fmax(share, 0), 1));
}

static void text_row(const card *self, const said *of, const hl_node *text, size_t rank, double all) {
    html *out = &self->page->html;
    const char *words = text->type == HL_TEXT ? text->text : hl_get_text(text, "text");
    const hl_node *variance = hl_get(text, "variance"), *total = hl_get(text, "total");
    html_raw(out, "<li>");
    if (*words) html_isolated(out, words);
    if (!*words) html_raw(out, "<span class=\"quiet\">a direction without words</span>");
    marks(self, of->whose, rank);
    if (hl_is_number(variance) && all > 0) {
        html_raw(out, "<span class=\"part\">");
        bar(out, variance->number / all);
        percent(out, variance->number / all);
        if (hl_is_number(total) && rank > 1) {
            html_raw(out, ", together ");
            percent(out, total->number / all);
        }
        html_raw(out, "</span>");
    }
    html_raw(out, "</li>\n");
}

/* Of what shares are: of the head's whole variance, where somebody says it, else of what all texts explain.
 */
static double whole_variance(const hl_node *item) {
    double all = hl_get_number(item, "variance", 0), sum = 0;
    if (all > 0) return all;
    for (const hl_node *text = page_first(hl_get(item, "texts")); text; text = text->next) {
        sum += hl_get_number(text, "variance", 0);
    }
    return sum;
}

static void description(const card *self, const said *of) {
    html *out = &self->page->html;
    const hl_node *texts = hl_get(of->item, "texts");
    double all = whole_variance(of->item);
    size_t rank = 0;
    html_raw(out, "<ol class=\"ranks\">\n");
    for (const hl_node *text = texts->first; text; text = text->next) {
        if (rank++ == FEW_TEXTS) {
            html_format(out, "</ol><details><summary>%zu more</summary><ol class=\"ranks\" start=\"%d\">\n",
                        (size_t)texts->count - FEW_TEXTS, FEW_TEXTS + 1);
        }
        text_row(self, of, text, rank, all);
    }
    html_raw(out, rank > FEW_TEXTS ? "</ol></details>\n" : "</ol>\n");
}

/* ---- parts of a head: components, directions ---- */

/* Whether a list's entries are parts: with texts of their own, or images at their ends. */
static bool holds_parts(const hl_node *list) {
    const hl_node *first = hl_is_list(list) && list->type == HL_LIST ? list->first : NULL;
    return first && first->type == HL_MAP &&
           (hl_is_list(hl_get(first, "texts")) || hl_get(hl_get(first, "top"), "neighbors"));
}

/* The list of an item's parts that says more of each description than its text; NULL: there is none. */
static const hl_node *parts_of(const said *of) {
    const hl_node *field = page_first(of->item), *texts = hl_get(of->item, "texts");
    while (field && !(holds_parts(field) && field != texts && field->count >= texts->count))
        field = field->next;
    return field;
}

static void texts_of_part(html *out, const hl_node *list, const char *sign) {
    if (!hl_is_list(list) || !list->count) return;
    html_raw(out, "<p><b>");
    html_raw(out, sign);
    html_raw(out, "</b> ");
    for (const hl_node *text = list->first; text; text = text->next) {
        html_isolated(out, text->type == HL_TEXT ? text->text : hl_get_text(text, "text"));
        if (text->next) html_raw(out, ", ");
    }
    html_raw(out, "</p>\n");
}

static void images_of_part(const card *self, const hl_node *end, const char *sign) {
    html *out = &self->page->html;
    const hl_node *list = hl_get(end, "neighbors");
    size_t shown = 0;
    if (!list || !list->count) return;
    html_raw(out, "<div class=\"ends\"><b>");
    html_raw(out, sign);
    html_raw(out, "</b>");
    for (const hl_node *of = list->first; of && shown < self->extremes; of = of->next, shown++) {
        page_small_image(self->page, of);
    }
    html_raw(out, "</div>\n");
}

static void parts(const card *self, const said *of, const hl_node *list) {
    static const char plus[] = "+", minus[] = "\xe2\x88\x92";
    html *out = &self->page->html;
    size_t rank = 0;
    html_raw(out, "<ol class=\"parts\">\n");
    for (const hl_node *part = list->first; part; part = part->next) {
        const hl_node *share = hl_get(part, "share"), *explained = hl_get(part, "explained");
        if (rank++ == FEW_TEXTS) {
            html_format(out, "</ol><details><summary>%zu more</summary><ol class=\"parts\" start=\"%d\">\n",
                        (size_t)list->count - FEW_TEXTS, FEW_TEXTS + 1);
        }
        html_raw(out, "<li><span class=\"part\">");
        if (hl_is_number(share)) bar(out, share->number), percent(out, share->number);
        if (hl_is_number(explained)) {
            html_raw(out, ", texts explain ");
            percent(out, explained->number);
        }
        if (is_description(of)) marks(self, of->whose, rank);
        html_raw(out, "</span>\n");
        texts_of_part(out, hl_get(part, "texts"), plus);
        texts_of_part(out, hl_get(part, "opposite"), minus);
        if (rank <= self->pictured) images_of_part(self, hl_get(part, "top"), plus);
        if (rank <= self->pictured) images_of_part(self, hl_get(part, "bottom"), minus);
        html_raw(out, "</li>\n");
    }
    html_raw(out, rank > FEW_TEXTS ? "</ol></details>\n" : "</ol>\n");
}

/* ---- facts ---- */

/* What the card shows in another way. */
static bool is_shown(const char *key) {
    static const char *const keys[] = {"head", "texts", "property", "weight", "evidence", "score",
                                       "rank", "value", "low",      "high",   "schema",   "label"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(key, keys[i]) == 0) return true;
    }
    return false;
}

static bool is_rank_of_head(const said *of, const char *key) {
    return strcmp(key, "rank") == 0 && !is_verdict(of);
}

static void named_fact(page *self, const char *prefix, const hl_node *field) {
    html_raw(&self->html, "<div><dt>");
    if (*prefix) {
        html_text(&self->html, prefix);
        html_raw(&self->html, " ");
    }
    for (const char *at = field->key; *at; at++)
        html_text(&self->html, *at == '_' ? " " : (char[]){*at, '\0'});
    html_raw(&self->html, "</dt> <dd>");
    page_value(self, field);
    page_end_fact(self);
}

/* One level of maps is told in the same line: overlap gallery halves 0.8. */
static void facts(const card *self, const said *of) {
    html *out = &self->page->html;
    html_raw(out, "<dl class=\"facts\">");
    for (const hl_node *field = page_first(subject(of)); field; field = field->next) {
        if (is_pictured(field) || (is_shown(field->key) && !is_rank_of_head(of, field->key))) continue;
        if (field->type == HL_MAP) {
            for (const hl_node *one = field->first; one; one = one->next)
                named_fact(self->page, field->key, one);
        } else if (!hl_is_list(field) || !field->first || field->first->type != HL_MAP) {
            named_fact(self->page, "", field);
        }
    }
    html_raw(out, "</dl>\n");
    for (const hl_node *field = page_first(subject(of)); field; field = field->next) {
        bool rows = hl_is_list(field) && field->first && field->first->type == HL_MAP;
        if (!rows || is_pictured(field) || is_shown(field->key)) continue;
        html_raw(out, "<h5>");
        html_text(out, field->key);
        html_raw(out, "</h5>\n");
        if (holds_parts(field)) parts(self, of, field);
        if (!holds_parts(field)) page_value(self->page, field);
    }
}

/* ---- labels and verdicts ---- */

static void label(const card *self, const said *of) {
    html *out = &self->page->html;
    const hl_node *weight = hl_get(of->item, "weight");
    html_raw(out, "<p>");
    page_property(self->page, hl_get_text(of->item, "property"));
    if (hl_is_number(weight)) {
        html_raw(out, " ");
        html_number(out, weight->number, 3);
    }
    html_raw(out, " <span class=\"quiet\">");
    html_text(out, hl_get_text(of->item, "evidence"));
    html_raw(out, "</span></p>\n");
}

static void verdict(const card *self, const hl_node *item) {
    page *page_of = self->page;
    const hl_node *low = hl_get(item, "low"), *high = hl_get(item, "high");
    page_fact(page_of, hl_get_text(item, "score"));
    page_value(page_of, hl_get(item, "value"));
    if (hl_is_number(low) && hl_is_number(high)) {
        html_raw(&page_of->html, " [");
        page_value(page_of, low);
        html_raw(&page_of->html, ", ");
        page_value(page_of, high);
        html_raw(&page_of->html, "]");
    }
    page_end_fact(page_of);
}

static bool judges_text(const said *of) {
    return is_verdict(of) && hl_get_number(of->item, "rank", 0) > 0;
}

/* Of a judge of texts: how many of them, once for each score, where the first of them is. */
static void count_verdicts(const card *self, const said *of) {
    html *out = &self->page->html;
    const char *score = hl_get_text(of->item, "score");
    size_t count = 0, yes = 0;
    for (const said *other = self->first; other != self->end; other++) {
        bool same = judges_text(other) && other->whose == of->whose;
        if (!same || strcmp(hl_get_text(other->item, "score"), score) != 0) continue;
        if (other < of) return;
        count++;
        yes += hl_get_number(other->item, "value", 0) >= 0.5;
    }
    page_fact(self->page, score);
    html_format(out, "%zu of %zu", yes, count);
    page_end_fact(self->page);
}

static void verdicts(const card *self, const said *from, const said *end) {
    html_raw(&self->page->html, "<dl class=\"facts\">");
    for (const said *of = from; of != end; of++) {
        if (judges_text(of)) count_verdicts(self, of);
        if (is_verdict(of) && !judges_text(of)) verdict(self, of->item);
    }
    html_raw(&self->page->html, "</dl>\n");
}

/* ---- numbers of analyses ---- */

static void number_row(const card *self, const said *of) {
    html *out = &self->page->html;
    const hl_node *row = of->row, *value = hl_get(row, "value");
    const char *words = hl_get_text(row, "label");
    html_raw(out, "<tr><td>");
    html_text(out, hl_get_text(of->item, "title"));
    html_raw(out, "</td><td class=\"n\">");
    if (*words) page_property(self->page, words);
    if (value) page_value(self->page, value);
    html_raw(out, "</td><td>");
    facts(self, of);
    html_raw(out, "</td></tr>\n");
}

static void numbers(const card *self, const said *from, const said *end) {
    html *out = &self->page->html;
    size_t rows = 0;
    for (const said *of = from; of != end; of++) rows += of->row != NULL;
    if (!rows) return;
    if (rows > FEW_ROWS) html_format(out, "<details><summary>%zu numbers</summary>\n", rows);
    html_raw(out, "<div class=\"table\"><table>\n");
    for (const said *of = from; of != end; of++) {
        if (of->row) number_row(self, of);
    }
    html_raw(out, rows > FEW_ROWS ? "</table></div></details>\n" : "</table></div>\n");
}

/* ---- a source: a step, or an analysis ---- */

static void source_heading(const card *self, const said *of) {
    html *out = &self->page->html;
    const char *kind = of->by_step ? "extractor" : "analysis", *plugin = hl_get_text(of->whose, "plugin");
    const char *name = hl_get_text(of->whose, of->by_step ? "name" : "title");
    html_format(out, "<h4><a href=\"#%s-%zu\">", kind, of->number);
    html_text(out, *name ? name : plugin);
    html_raw(out, "</a>");
    if (*name && strcmp(name, plugin) != 0) {
        html_raw(out, " <span class=\"quiet\">");
        html_text(out, plugin);
        html_raw(out, "</span>");
    }
    html_raw(out, "</h4>\n");
}

/* Pictures stay where they are. */
static void pictures(const card *self, const said *from, const said *end) {
    size_t count = 0;
    for (const said *of = from; of != end; of++) count += has_picture(of);
    if (!count) return;
    html_format(&self->page->html, "<p><a href=\"#%s-%zu\">%zu picture%s</a></p>\n",
                from->by_step ? "extractor" : "analysis", from->number, count, count == 1 ? "" : "s");
}

static void source(const card *self, const said *from, const said *end) {
    html_raw(&self->page->html, "<div class=\"said\">\n");
    source_heading(self, from);
    verdicts(self, from, end);
    for (const said *of = from; of != end; of++) {
        if (is_description(of) && !parts_of(of)) description(self, of);
        if (is_label(of)) label(self, of);
        if (!of->row && !is_verdict(of) && !is_drawn(of)) facts(self, of);
    }
    numbers(self, from, end);
    pictures(self, from, end);
    html_raw(&self->page->html, "</div>\n");
}

/* ---- a card ---- */

/* What it is, in a line: the property, and the first words of the first description. */
static void headline(const card *self) {
    html *out = &self->page->html;
    html_raw(out, "<b>");
    page_head(self->page, self->first->head);
    html_raw(out, "</b> <span>");
    const said *of = self->first;
    while (of != self->end && !is_description(of)) of++;
    const hl_node *text = of != self->end ? page_first(hl_get(of->item, "texts")) : NULL;
    for (int i = 0; text && i < 3; text = text->next, i++) {
        const char *words = text->type == HL_TEXT ? text->text : hl_get_text(text, "text");
        if (i && *words) html_raw(out, ", ");
        if (*words) html_isolated(out, words);
    }
    html_raw(out, "</span>");
}

static void draw_card(const card *self) {
    html *out = &self->page->html;
    html_raw(out, "<details class=\"head\"><summary>");
    headline(self);
    html_raw(out, "</summary>\n<div class=\"card\"");
    if (self->first->has_place) html_format(out, " id=\"L%u.H%u\"", self->first->layer, self->first->index);
    html_raw(out, ">\n");
    for (const said *from = self->first; from != self->end && out->status == HL_OK;) {
        const said *end = from;
        while (end != self->end && end->whose == from->whose) end++;
        source(self, from, end);
        from = end;
    }
    html_raw(out, "</div></details>\n");
}

/* ---- all cards ---- */

static const said *end_of_head(const cards *self, const said *first) {
    const said *end = first;
    while (end != self->of->all + self->of->count && same_head(end, first)) end++;
    return end;
}

static bool same_layer(const said *a, const said *b) {
    return a->has_place == b->has_place && a->layer == b->layer;
}

static size_t count_images(const hl_node *list) {
    size_t count = 0;
    for (const hl_node *part = holds_parts(list) ? list->first : NULL; part; part = part->next) {
        const hl_node *top = hl_get(hl_get(part, "top"), "neighbors"),
                      *bottom = hl_get(hl_get(part, "bottom"), "neighbors");
        count += top ? (top->count < EXTREMES ? top->count : EXTREMES) : 0;
        count += bottom ? (bottom->count < EXTREMES ? bottom->count : EXTREMES) : 0;
    }
    return count;
}

/* Every head's extremes, where they or the gallery are few; else the same share for each head, and where that
 * is none, for those of the last layers, which write most. */
static void share_images(cards *self) {
    double images = 0, gallery = hl_get_number(hl_get(self->page->root, "gallery"), "images", INFINITY);
    for (size_t i = 0; i < self->of->count; i++) {
        const said *of = &self->of->all[i];
        for (const hl_node *field = of->row ? NULL : page_first(of->item); field; field = field->next) {
            images += (double)count_images(field);
        }
    }
    self->extremes = EXTREMES, self->pictured = SIZE_MAX;
    if (fmin(images, gallery) <= IMAGES) return;
    size_t share = IMAGES / self->heads;
    self->extremes = share >= 2 * EXTREMES ? EXTREMES : share >= EXTREMES ? EXTREMES / 2 : 1;
    self->pictured = share >= 4 * self->extremes ? share / (2 * self->extremes) : 1;
    if (share < 2) self->bare = self->heads - IMAGES / 2;
}

static const said *layer(cards *self, const said *from) {
    html *out = &self->page->html;
    const said *last = self->of->all + self->of->count, *end = from;
    size_t heads = 0;
    for (; end != last && same_layer(end, from); end = end_of_head(self, end)) heads++;
    html_format(out, "<details%s><summary>", self->heads > FEW_CARDS ? "" : " open");
    if (from->has_place) html_format(out, "Layer %u", from->layer);
    if (!from->has_place) html_raw(out, "Others");
    html_format(out, ", %zu head%s</summary>\n", heads, heads == 1 ? "" : "s");
    while (from != end && out->status == HL_OK) {
        const said *next = end_of_head(self, from);
        card one = {self->page, from, next, self->extremes, self->bare ? 0 : self->pictured};
        self->bare -= self->bare > 0;
        draw_card(&one);
        from = next;
    }
    html_raw(out, "</details>\n");
    return end;
}

void page_cards(page *self) {
    html *out = &self->html;
    cards all = {.page = self, .of = &self->said};
    if (!self->has_cards) return;
    const said *last = all.of->all + all.of->count;
    for (const said *of = all.of->all; of != last; of = end_of_head(&all, of)) all.heads++;
    share_images(&all);
    html_raw(out,
             "<section id=\"cards\">\n<h2><a href=\"#cards\">Head by head</a></h2>\n"
             "<p>All that was found of each head. Shares are of the variance of what the head writes.</p>\n");
    for (const said *of = all.of->all; of != last && out->status == HL_OK;) of = layer(&all, of);
    html_raw(out, "</section>\n");
}
