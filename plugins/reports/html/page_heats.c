/* Heats on the page: an image, and beside it a group of pictures for each text. */
#include "page.h"

enum { FEW_HEADS = 4 }; /* more than these, and a text's pictures become a grid of small ones */

/* Whether two heats are of the same text, or the same two. */
static bool same_texts(const hl_node *a, const hl_node *b) {
    return page_same(a, b, "text") && page_same(a, b, "minus");
}

static void texts(page *self, const hl_node *item) {
    html_isolated(&self->html, hl_get_text(item, "text"));
    page_cut_mark(self, hl_get_text(item, "text"));
    if (!canvas_is_difference(item)) return;
    html_raw(&self->html, " <span class=\"quiet\">\xe2\x88\x92</span> ");
    html_isolated(&self->html, hl_get_text(item, "minus"));
    page_cut_mark(self, hl_get_text(item, "minus"));
}

/* One end of a difference: whose it is, and its number. */
static void end_of_difference(page *self, const char *text, double end) {
    html *out = &self->html;
    html_raw(out, "<span>");
    html_text(out, text);
    html_raw(out, " <b>");
    html_number(out, end, 2);
    html_raw(out, "</b></span>");
}

/* The colours with zero in their middle, and below them what either side speaks for. */
static void scale_of_difference(page *self, const hl_node *item, double end) {
    html_raw(&self->html, "<div class=\"scale difference\"><i></i>");
    end_of_difference(self, hl_get_text(item, "minus"), -end);
    end_of_difference(self, hl_get_text(item, "text"), end);
    html_raw(&self->html, "</div>");
}

static void embed(page *self, const drawing *drawn, hl_encoding encoding, const char *alternative) {
    hl_picture picture = drawing_picture(drawn);
    if (self->html.status == HL_OK) html_picture(&self->html, &picture, encoding, alternative);
}

static void mask(page *self, const hl_node *item) {
    drawing drawn = {0};
    html *out = &self->html;
    if (!canvas_has_mask(item) || out->status != HL_OK) return;
    out->status = canvas_mask(&self->pictures, item, &drawn, out->error);
    embed(self, &drawn, HL_PNG, "mask");
    drawing_free(&drawn);
}

static void figure(page *self, const hl_node *analysis, const hl_node *item) {
    drawing drawn = {0};
    double low = 0, high = 0;
    html *out = &self->html;
    if (out->status != HL_OK) return;
    out->status = canvas_heat(&self->pictures, item, &drawn, &low, &high, out->error);
    if (out->status != HL_OK) return;
    html_raw(out, "<figure>");
    embed(self, &drawn, HL_JPEG, hl_get_text(item, "text"));
    drawing_free(&drawn);
    html_raw(out, "<figcaption>");
    if (canvas_is_difference(item)) {
        scale_of_difference(self, item, high);
    } else {
        page_scale(self, low, high);
    }
    page_details(self);
    page_head(self, hl_get_text(item, "head"));
    page_end_headline(self);
    mask(self, item);
    page_end_details(self, analysis, item);
    html_raw(out, "</figcaption></figure>\n");
}

/* The items from `item` on, before `end`, that have the same text; returns the first that has not. */
static const hl_node *group(page *self, const hl_node *analysis, const hl_node *item, const hl_node *end) {
    const hl_node *next = item;
    size_t heads = 0;
    for (; next != end && same_texts(next, item); next = next->next) heads++;
    html_raw(&self->html, "<div><h4>");
    texts(self, item);
    html_raw(&self->html,
             heads > FEW_HEADS ? "</h4>\n<div class=\"heads many\">\n" : "</h4>\n<div class=\"heads\">\n");
    for (; item != next; item = item->next) figure(self, analysis, item);
    html_raw(&self->html, "</div></div>\n");
    return next;
}

/* Texts with one picture each stand side by side, else below each other. */
static bool one_head_each(const hl_node *item, const hl_node *end) {
    for (; item->next != end; item = item->next) {
        if (same_texts(item, item->next)) return false;
    }
    return true;
}

const hl_node *page_heats(page *self, const hl_node *analysis, const hl_node *item) {
    const char *name = hl_get_text(item, "image");
    const hl_node *end = item;
    html *out = &self->html;
    while (end && canvas_draws(&self->pictures, end) && page_same(end, item, "image")) end = end->next;
    page_start_group(self, page_file(name));
    page_image(self, name);
    html_raw(out, "</div>\n");
    html_raw(out, one_head_each(item, end) ? "<div class=\"texts side\">\n" : "<div class=\"texts\">\n");
    while (item != end) item = group(self, analysis, item, end);
    html_raw(out, "</div>\n</article>\n");
    return end;
}
