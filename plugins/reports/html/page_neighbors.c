/* Neighbours on the page: a query, and beside it for each head the gallery's images that are nearest. */
#include "page.h"

#include <search.h>

enum {
    THUMBNAIL_SIDE = 160,
    SMALL_SIDE = 56,  /* beside texts */
    MOST_SMALL = 600, /* images that small ones may add to the page */
    FEW = 5           /* neighbours, and they are shown larger */
};

static bool shows_image(const hl_node *item) {
    return hl_get_number(item, "query_is_image", 0) == 1;
}

/* One query, and of one kind: a text may be the name of an image. */
static bool same_query(const hl_node *a, const hl_node *b) {
    return page_same(a, b, "schema") && page_same(a, b, "query") && shows_image(a) == shows_image(b);
}

/* ---- images of the gallery, each of which is in the page once, however many neighbours it is ---- */

typedef struct thumbnail {
    const char *path;
    size_t number; /* by which it can be shown again */
    uint32_t width, height;
} thumbnail;

static int compare_paths(const void *a, const void *b) {
    return strcmp(((const thumbnail *)a)->path, ((const thumbnail *)b)->path);
}

void page_forget_thumbnails(page *self) {
    tdestroy(self->gallery, free);
    self->gallery = NULL;
}

/* `words` NULL: they stand beside it. */
static void start_thumbnail(page *self, const thumbnail *of, const char *words) {
    html_format(&self->html, "<svg viewBox=\"0 0 %u %u\" preserveAspectRatio=\"xMidYMid slice\"", of->width,
                of->height);
    if (words) {
        html_raw(&self->html, " role=\"img\" aria-label=\"");
        html_text(&self->html, words);
        html_raw(&self->html, "\"");
    }
    html_raw(&self->html, ">");
}

static void remember(page *self, const thumbnail *of) {
    thumbnail *kept = malloc(sizeof *kept);
    if (kept) *kept = *of;
    if (kept && tsearch(kept, &self->gallery, compare_paths)) return;
    free(kept);
    html_no_memory(&self->html);
}

static void embed(page *self, const char *path, const char *words, size_t most) {
    html *out = &self->html;
    const hl_report *report = self->report;
    hl_picture image = {.size = sizeof image};
    size_t side = self->pictures.side < most ? self->pictures.side : most;
    if (out->status != HL_OK) return;
    out->status = report->neighbor(report, path, (uint32_t)side, &image, out->error);
    if (out->status != HL_OK) return;
    thumbnail of = {path, self->gallery_count++, image.width, image.height};
    start_thumbnail(self, &of, words);
    html_format(out, "<image id=\"g%zu\" width=\"%u\" height=\"%u\" href=\"", of.number, of.width, of.height);
    html_picture_data(out, &image, HL_JPEG);
    html_raw(out, "\"/></svg>");
    report->release(report, &image);
    remember(self, &of);
}

static const thumbnail *find_thumbnail(const page *self, const char *path) {
    thumbnail like = {.path = path};
    void *const *found = tfind(&like, &self->gallery, compare_paths);
    return found ? *found : NULL;
}

static void show_image(page *self, const char *path, const char *words, size_t most) {
    const thumbnail *of = find_thumbnail(self, path);
    if (!of) {
        embed(self, path, words, most);
        return;
    }
    start_thumbnail(self, of, words);
    html_format(&self->html, "<use href=\"#g%zu\"/></svg>", of->number);
}

static void neighbor(page *self, const hl_node *of) {
    html *out = &self->html;
    const char *path = hl_get_text(of, "path"), *caption = hl_get_text(of, "caption");
    html_raw(out, "<figure>");
    show_image(self, path, *caption ? caption : path, THUMBNAIL_SIDE);
    html_raw(out, "<figcaption><b>");
    html_number(out, hl_get_number(of, "score", 0), 3);
    html_raw(out, "</b> ");
    html_text(out, caption);
    html_raw(out, "<span class=\"file\" title=\"");
    html_text(out, path);
    html_raw(out, "\">");
    html_text(out, page_file(path));
    html_raw(out, "</span></figcaption></figure>\n");
}

void page_small_image(page *self, const hl_node *of) {
    const char *path = hl_get_text(of, "path"), *caption = hl_get_text(of, "caption");
    html_raw(&self->html, "<span title=\"");
    html_text(&self->html, *caption ? caption : path);
    html_raw(&self->html, "\">");
    if (self->gallery_count < MOST_SMALL || find_thumbnail(self, path)) {
        show_image(self, path, NULL, SMALL_SIDE);
    } else {
        html_text(&self->html, page_file(path));
    }
    html_raw(&self->html, "</span>");
}

void page_thumbnails(page *self, const hl_node *neighbors) {
    bool many = neighbors && neighbors->count > FEW;
    html_raw(&self->html, many ? "<div class=\"neighbors\">\n" : "<div class=\"neighbors few\">\n");
    for (const hl_node *of = page_first(neighbors); of; of = of->next) neighbor(self, of);
    html_raw(&self->html, "</div>");
}

/* ---- the items ---- */

/* One head's neighbours. */
static void head_row(page *self, const hl_node *analysis, const hl_node *item) {
    html_raw(&self->html, "<div>");
    page_details(self);
    page_head(self, hl_get_text(item, "head"));
    page_end_headline(self);
    page_end_details(self, analysis, item);
    page_thumbnails(self, hl_get(item, "neighbors"));
    html_raw(&self->html, "</div>\n");
}

const hl_node *page_neighbors(page *self, const hl_node *analysis, const hl_node *item) {
    const hl_node *first = item;
    const char *query = hl_get_text(item, "query");
    html *out = &self->html;
    page_start_group(self, shows_image(item) ? page_file(query) : "text");
    if (shows_image(item)) {
        page_image(self, query);
    } else {
        html_raw(out, "<p class=\"query\">");
        html_text(out, query);
        page_cut_mark(self, query);
        html_raw(out, "</p>");
    }
    html_raw(out, "</div>\n<div class=\"texts\">\n");
    for (; item && same_query(item, first); item = item->next) head_row(self, analysis, item);
    html_raw(out, "</div>\n</article>\n");
    return item;
}
