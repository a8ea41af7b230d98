/* Properties on the page: a chip beside a head's name, and the map of all heads. */
#include "core/report/page_parts.h"

#include <stdint.h>
#include <stdio.h>

enum { MOST = 1000 }; /* layers, and heads of a layer; no tower is near it */

/* A class that gives a property its colour; the rarest of many have none. */
static void color_class(page *self, const char *property) {
    size_t index = palette_index(&self->palette, property);
    if (index < palette_colored(&self->palette)) html_format(&self->html, " p%zu", index);
}

static void chip(page *self, const char *property) {
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
        chip(self, head);
        return;
    }
    html_text(&self->html, head);
    if (!property) return;
    html_raw(&self->html, " ");
    chip(self, property);
}

/* The layers that have labels, and how many heads the widest of them has. */
typedef struct extent {
    unsigned first, end, heads;
} extent;

static extent find_extent(const cJSON *labels) {
    extent of = {MOST, 0, 0};
    const cJSON *label = NULL;
    cJSON_ArrayForEach(label, labels) {
        unsigned layer, head;
        if (sscanf(label->string, "L%3u.H%3u", &layer, &head) != 2) continue;
        if (layer < of.first) of.first = layer;
        if (layer >= of.end) of.end = layer + 1;
        if (head >= of.heads) of.heads = head + 1;
    }
    return of;
}

static void cell(page *self, unsigned layer, unsigned head) {
    html *out = &self->html;
    char name[32];
    snprintf(name, sizeof name, "L%u.H%u", layer, head);
    const char *property = palette_property(&self->palette, name);
    if (!property) {
        html_raw(out, "<td></td>");
        return;
    }
    html_raw(out, "<td class=\"label");
    color_class(self, property);
    html_format(out, "\" title=\"%s: ", name);
    html_text(out, property);
    html_raw(out, "\">");
    html_text(out, property);
    html_raw(out, "</td>");
}

static void map(page *self, extent of) {
    html *out = &self->html;
    html_format(out, "<div class=\"table\"><table class=\"map\" style=\"--heads:%u\">\n<tr><th></th>",
                of.heads);
    for (unsigned head = 0; head < of.heads; head++) html_format(out, "<th>H%u</th>", head);
    html_raw(out, "</tr>\n");
    for (unsigned layer = of.first; layer < of.end; layer++) {
        html_format(out, "<tr><th>L%u</th>", layer);
        for (unsigned head = 0; head < of.heads; head++) cell(self, layer, head);
        html_raw(out, "</tr>\n");
    }
    html_raw(out, "</table></div>\n");
}

static void legend(page *self) {
    html *out = &self->html;
    html_raw(out, "<p class=\"legend\">");
    for (size_t i = 0; i < self->palette.count; i++) {
        chip(self, self->palette.names[i]);
        html_format(out, "<span> %zu</span>\n", self->palette.shares[i]);
    }
    html_raw(out, "</p>\n");
}

void page_properties(page *self) {
    extent of = find_extent(self->palette.heads);
    if (!of.heads) return;
    html_raw(&self->html, "<section id=\"heads\">\n<h2>Heads by property</h2>\n"
                          "<p>What each head of each layer carries, and how many heads carry it.</p>\n");
    legend(self);
    map(self, of);
    html_raw(&self->html, "</section>\n");
}
