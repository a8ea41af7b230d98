/* Properties on the page: a chip beside a head's name, and the map of all heads. */
#include "page.h"

enum { MOST = 1000 }; /* layers, and heads of a layer; no tower is near it */

/* A class that gives a property its colour; the rarest of many have none. */
static void color_class(page *self, const char *property) {
    size_t index = palette_index(&self->palette, property);
    if (index < palette_colored(&self->palette)) html_format(&self->html, " p%zu", index);
}

void page_property(page *self, const char *property) {
    html_raw(&self->html, "<span class=\"chip");
    color_class(self, property);
    html_raw(&self->html, "\">");
    html_text(&self->html, property);
    html_raw(&self->html, "</span>");
}

void page_head(page *self, const char *head) {
    const char *property = palette_property(&self->palette, head);
    bool is_property = palette_index(&self->palette, head) != SIZE_MAX;
    if (is_property) {
        page_property(self, head);
        return;
    }
    html_text(&self->html, head);
    if (!property) return;
    html_raw(&self->html, " ");
    page_property(self, property);
}

/* ---- the map ---- */

/* The layers that have labels, and how many heads the widest of them has. */
typedef struct extent {
    unsigned first, end, heads;
} extent;

static extent find_extent(const hl_node *labels) {
    extent of = {MOST, 0, 0};
    for (const hl_node *label = page_first(labels); label; label = label->next) {
        unsigned layer, head;
        if (sscanf(label->key, "L%3u.H%3u", &layer, &head) != 2) continue;
        if (layer < of.first) of.first = layer;
        if (layer >= of.end) of.end = layer + 1;
        if (head >= of.heads) of.heads = head + 1;
    }
    return of;
}

/* What the labels of a head rest on, a line for each; one that carries several properties has several. */
static void evidence(page *self, const hl_node *step, const char *head) {
    html *out = &self->html;
    const char *only = palette_property(&self->palette, head);
    for (const hl_node *label = page_first(hl_get(step, "results")); label; label = label->next) {
        const char *words = hl_get_text(label, "evidence");
        if (!*words || strcmp(hl_get_text(label, "head"), head) != 0) continue;
        html_raw(out, "\n");
        if (strcmp(hl_get_text(label, "property"), only) != 0) {
            html_text(out, hl_get_text(label, "property"));
            html_raw(out, ": ");
        }
        html_text(out, words);
    }
}

/* Whether a card of the head can be opened. */
static bool is_said(const page *self, unsigned layer, unsigned head) {
    for (size_t i = 0; self->has_cards && i < self->said.count; i++) {
        const said *of = &self->said.all[i];
        if (of->has_place && of->layer == layer && of->index == head) return true;
    }
    return false;
}

static void cell(page *self, const hl_node *step, unsigned layer, unsigned head) {
    html *out = &self->html;
    char name[32];
    snprintf(name, sizeof name, "L%u.H%u", layer, head);
    const char *property = palette_property(&self->palette, name);
    if (!property) {
        html_raw(out, "<td>");
        if (is_said(self, layer, head)) html_format(out, "<a href=\"#%s\">\xc2\xb7</a>", name);
        html_raw(out, "</td>");
        return;
    }
    html_raw(out, "<td class=\"label");
    color_class(self, property);
    html_format(out, "\" title=\"%s: ", name);
    html_text(out, property);
    evidence(self, step, name);
    html_raw(out, "\">");
    bool link = is_said(self, layer, head);
    if (link) html_format(out, "<a href=\"#%s\">", name);
    html_text(out, property);
    html_raw(out, link ? "</a></td>" : "</td>");
}

static void map(page *self, const hl_node *step, extent of) {
    html *out = &self->html;
    html_format(out, "<div class=\"table\"><table class=\"map\" style=\"--heads:%u\">\n<tr><th></th>",
                of.heads);
    for (unsigned head = 0; head < of.heads; head++) html_format(out, "<th>H%u</th>", head);
    html_raw(out, "</tr>\n");
    for (unsigned layer = of.first; layer < of.end; layer++) {
        html_format(out, "<tr><th>L%u</th>", layer);
        for (unsigned head = 0; head < of.heads; head++) cell(self, step, layer, head);
        html_raw(out, "</tr>\n");
    }
    html_raw(out, "</table></div>\n");
}

static void legend(page *self) {
    html *out = &self->html;
    html_raw(out, "<p class=\"legend\">");
    for (size_t i = 0; i < self->palette.count && self->palette.shares[i]; i++) {
        page_property(self, self->palette.names[i]);
        html_format(out, "<span> %zu</span>\n", self->palette.shares[i]);
    }
    html_raw(out, "</p>\n");
}

/* The step of the extractors that the labels come from, and its number; NULL: the results do not list it. */
static const hl_node *find_step(const page *self, size_t *number) {
    const char *name = hl_get_text(hl_get(self->root, "properties"), "step");
    const hl_node *step = page_first(hl_get(self->root, "extractors"));
    for (*number = 1; step && strcmp(hl_get_text(step, "name"), name) != 0; step = step->next) ++*number;
    return step;
}

void page_properties(page *self) {
    html *out = &self->html;
    extent of = find_extent(self->palette.heads);
    size_t number;
    const hl_node *step = find_step(self, &number);
    if (!of.heads) return;
    html_raw(out, "<section id=\"heads\">\n<h2>Heads by property</h2>\n"
                  "<p>What each head of each layer carries, and how many heads carry it.");
    if (step) html_format(out, " <a href=\"#extractor-%zu\">What this rests on</a>", number);
    html_raw(out, "</p>\n");
    legend(self);
    map(self, step, of);
    html_raw(out, "</section>\n");
}
