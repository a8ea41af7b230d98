/* What the extractors found, a section for each step: descriptions of heads, labels, scores. */
#include "page.h"

enum {
    FEW_TEXTS = 5, /* of a head's description show at once */
    FEW_ROWS = 12, /* more than these, and a table of heads is opened by who wants it */
    MANY_ROWS = 40 /* of other tables */
};

typedef enum found { DESCRIPTION, LABEL, OTHER } found;

static found kind_of(const hl_node *item) {
    if (!*hl_get_text(item, "head")) return OTHER;
    if (hl_is_list(hl_get(item, "texts"))) return DESCRIPTION;
    return *hl_get_text(item, "property") ? LABEL : OTHER;
}

static void number_cell(page *self, const hl_node *number) {
    html_raw(&self->html, "<td>");
    if (hl_is_number(number)) html_number(&self->html, number->number, 3);
    html_raw(&self->html, "</td>");
}

static void head_cell(page *self, const hl_node *item) {
    html_raw(&self->html, "<tr><td>");
    html_text(&self->html, hl_get_text(item, "head"));
    html_raw(&self->html, "</td><td>");
    const char *own = hl_get_text(item, "property");
    const char *known = palette_property(&self->palette, hl_get_text(item, "head"));
    if (*own || known) page_property(self, *own ? own : known);
    html_raw(&self->html, "</td>");
}

/* ---- descriptions ---- */

static void description(page *self, const hl_node *of) {
    const hl_node *variance = hl_get(of, "variance");
    html_raw(&self->html, "<li>");
    const char *text = of->type == HL_TEXT ? of->text : hl_get_text(of, "text");
    if (*text) {
        html_isolated(&self->html, text);
    } else {
        html_raw(&self->html, "<span class=\"quiet\">a direction without words</span>");
    }
    if (hl_is_number(variance)) {
        html_raw(&self->html, " <span class=\"quiet\">");
        html_number(&self->html, variance->number, 2);
        html_raw(&self->html, "</span>");
    }
    html_raw(&self->html, "</li>\n");
}

static void described_head(page *self, const hl_node *item) {
    html *out = &self->html;
    const hl_node *texts = hl_get(item, "texts");
    size_t number = 0;
    head_cell(self, item);
    html_raw(out, "<td><ol class=\"ranks\">\n");
    for (const hl_node *text = texts->first; text; text = text->next) {
        if (number++ == FEW_TEXTS) {
            html_format(out, "</ol><details><summary>%zu more</summary><ol class=\"ranks\" start=\"%d\">\n",
                        (size_t)texts->count - FEW_TEXTS, FEW_TEXTS + 1);
        }
        description(self, text);
    }
    html_raw(out, number > FEW_TEXTS ? "</ol></details></td></tr>\n" : "</ol></td></tr>\n");
}

static void descriptions(page *self, const hl_node *item, const hl_node *end) {
    html_raw(&self->html, "<table>\n<tr><th>head</th><th>property</th><th>texts, each with the variance that "
                          "it explains</th></tr>\n");
    for (; item != end && self->html.status == HL_OK; item = item->next) described_head(self, item);
    html_raw(&self->html, "</table>");
}

/* ---- labels ---- */

/* Whether all rest on the same. */
static bool share_evidence(const hl_node *item, const hl_node *end) {
    const hl_node *other = item;
    while (other != end && page_same(other, item, "evidence")) other = other->next;
    return other == end;
}

static void labels(page *self, const hl_node *item, const hl_node *end) {
    html *out = &self->html;
    bool shared = share_evidence(item, end);
    html_raw(out, "<table>\n<tr><th>head</th><th>property</th><th>weight</th>");
    html_raw(out, shared ? "</tr>\n" : "<th>evidence</th></tr>\n");
    for (; item != end && out->status == HL_OK; item = item->next) {
        head_cell(self, item);
        number_cell(self, hl_get(item, "weight"));
        if (!shared) {
            html_raw(out, "<td class=\"words\">");
            html_text(out, hl_get_text(item, "evidence"));
            html_raw(out, "</td>");
        }
        html_raw(out, "</tr>\n");
    }
    html_raw(out, "</table>");
}

/* What all labels rest on. */
static void shared_evidence(page *self, const hl_node *item, const hl_node *end) {
    const char *words = hl_get_text(item, "evidence");
    if (!*words || !share_evidence(item, end)) return;
    html_raw(&self->html, "<p>evidence: ");
    html_text(&self->html, words);
    html_raw(&self->html, "</p>\n");
}

/* ---- a step ---- */

/* A table of heads, which are as many as the tower has. */
static void heads(page *self, found kind, const hl_node *item, const hl_node *end) {
    html *out = &self->html;
    size_t rows = 0;
    for (const hl_node *row = item; row != end; row = row->next) rows++;
    const char *what = kind == LABEL ? "label" : "head";
    if (kind == LABEL) shared_evidence(self, item, end);
    html_format(out, "<details%s><summary>%zu %s%s</summary>\n<div class=\"table\">",
                rows > FEW_ROWS ? "" : " open", rows, what, rows == 1 ? "" : "s");
    if (kind == LABEL) {
        labels(self, item, end);
    } else {
        descriptions(self, item, end);
    }
    html_raw(out, "</div></details>\n");
}

/* Verdicts, and what plugins add; those on single texts are many. */
static void others(page *self, const hl_node *item, const hl_node *end) {
    size_t rows = 0;
    for (const hl_node *row = item; row != end; row = row->next) rows++;
    if (rows > MANY_ROWS) html_format(&self->html, "<details><summary>%zu rows</summary>\n", rows);
    page_items(self, item, end);
    if (rows > MANY_ROWS) html_raw(&self->html, "</details>\n");
}

static const hl_node *show(page *self, const hl_node *step, const hl_node *item) {
    found kind = kind_of(item);
    const hl_node *behind = page_conversations(self, item);
    if (behind != item) return behind;
    if (page_draws_figure(item) || strcmp(hl_get_text(item, "schema"), HL_SCHEMA_TABLE) == 0) {
        return page_item(self, step, item);
    }
    const hl_node *end = item;
    while (end && kind_of(end) == kind && page_same(end, item, "schema")) end = end->next;
    if (kind == OTHER) {
        others(self, item, end);
    } else {
        heads(self, kind, item, end);
    }
    return end;
}

/* The steps that it builds on: a text, or a list of them. */
static void sources(page *self, const hl_node *from, bool begins) {
    html *out = &self->html;
    if (!from) return;
    html_raw(out, begins ? "from " : ", from ");
    if (from->type == HL_TEXT) html_text(out, from->text);
    for (const hl_node *name = from->first; name; name = name->next) {
        html_text(out, name->type == HL_TEXT ? name->text : "");
        if (name->next) html_raw(out, ", ");
    }
}

void page_extractor(page *self, const hl_node *step, size_t number) {
    html *out = &self->html;
    const char *plugin = hl_get_text(step, "plugin"), *name = hl_get_text(step, "name");
    const char *summary = hl_get_text(step, "summary");
    const hl_node *from = hl_get(step, "from");
    html_format(out, "<section id=\"extractor-%zu\">\n<h2><a href=\"#extractor-%zu\">", number, number);
    html_text(out, *name ? name : plugin);
    html_raw(out, "</a></h2>\n<p>");
    bool by_plugin = !*name || strcmp(name, plugin) == 0;
    if (!by_plugin) html_text(out, plugin);
    sources(self, from, by_plugin);
    if (*summary && (from || !by_plugin)) html_raw(out, ": ");
    html_text(out, summary);
    html_raw(out, "</p>\n");
    page_options(self, hl_get(step, "options"));
    const hl_node *item = page_first(hl_get(step, "results"));
    if (!item) html_raw(out, "<p>It found nothing.</p>\n");
    while (item && out->status == HL_OK) item = show(self, step, item);
    html_raw(out, "</section>\n");
}
