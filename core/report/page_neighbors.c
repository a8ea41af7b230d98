/* Neighbours on the page: a query, and beside it for each head the gallery's images that are nearest. */
#include "core/report/page_parts.h"

enum {
    THUMBNAIL_SIDE = 160,
    FEW = 5 /* neighbours, and they are shown larger */
};

static bool shows_image(const cJSON *item) {
    return cJSON_GetNumberValue(page_get(item, "query_is_image")) == 1;
}

/* One query, and of one kind: a text may be the name of an image. */
static bool same_query(const cJSON *a, const cJSON *b) {
    return page_same(a, b, "schema") && page_same(a, b, "query") && shows_image(a) == shows_image(b);
}

static void start_thumbnail(page *self, const int place[3], const char *words) {
    html_format(
        &self->html,
        "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"xMidYMid slice\" role=\"img\" aria-label=\"",
        place[1], place[2]);
    html_text(&self->html, words);
    html_raw(&self->html, "\">");
}

/* The image itself, under a number by which it can be shown again. */
static void embed(page *self, const char *path, const char *words) {
    html *out = &self->html;
    picture image = {0};
    size_t side = self->side < THUMBNAIL_SIDE ? self->side : THUMBNAIL_SIDE;
    if (out->status == HL_OK) out->status = canvas_neighbor(self->pictures, path, side, &image, out->error);
    if (out->status != HL_OK) return;
    int place[3] = {cJSON_GetArraySize(self->embedded), (int)image.width, (int)image.height};
    start_thumbnail(self, place, words);
    html_format(out, "<image id=\"g%d\" width=\"%d\" height=\"%d\" href=\"", place[0], place[1], place[2]);
    html_picture_data(out, &image, HTML_PHOTO);
    html_raw(out, "\"/></svg>");
    picture_free(&image);
    cJSON *kept = cJSON_CreateIntArray(place, 3);
    if (kept && cJSON_AddItemToObject(self->embedded, path, kept)) return;
    cJSON_Delete(kept);
    html_no_memory(out);
}

/* An image of the gallery, which is in the page once, however many neighbours it is. */
static void thumbnail(page *self, const char *path, const char *words) {
    const cJSON *kept = page_get(self->embedded, path);
    if (!kept) {
        embed(self, path, words);
        return;
    }
    int place[3];
    for (int i = 0; i < 3; i++) place[i] = cJSON_GetArrayItem(kept, i)->valueint;
    start_thumbnail(self, place, words);
    html_format(&self->html, "<use href=\"#g%d\"/></svg>", place[0]);
}

static void neighbor(page *self, const cJSON *of) {
    html *out = &self->html;
    const char *path = canvas_text(of, "path"), *caption = canvas_text(of, "caption");
    html_raw(out, "<figure>");
    thumbnail(self, path, *caption ? caption : path);
    html_raw(out, "<figcaption><b>");
    html_number(out, cJSON_GetNumberValue(page_get(of, "score")), 3);
    html_raw(out, "</b> ");
    html_text(out, caption);
    html_raw(out, "<span class=\"file\">");
    html_text(out, page_file(path));
    html_raw(out, "</span></figcaption></figure>\n");
}

/* One head's neighbours. */
static void head_row(page *self, const cJSON *analysis, const cJSON *item) {
    const cJSON *of = NULL;
    html_raw(&self->html, "<div>");
    page_details(self);
    page_head(self, canvas_text(item, "head"));
    page_end_headline(self);
    page_end_details(self, analysis, item);
    const cJSON *list = page_get(item, "neighbors");
    html_raw(&self->html, cJSON_GetArraySize(list) > FEW ? "<div class=\"neighbors\">\n"
                                                         : "<div class=\"neighbors few\">\n");
    cJSON_ArrayForEach(of, list) neighbor(self, of);
    html_raw(&self->html, "</div></div>\n");
}

const cJSON *page_neighbors(page *self, const cJSON *analysis, const cJSON *item) {
    const cJSON *first = item;
    const char *query = canvas_text(item, "query");
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
