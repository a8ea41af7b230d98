/* The results as a page. Pictures lie in it as data, styles too; there is no script, and a policy in its head
 * forbids the browser to fetch anything. It names no time and no machine, so the same run gives the same
 * bytes. Never knows which analyses there are: what a schema does not say how to draw becomes a table. */
#include "core/report/page.h"
#include "core/report/html.h"
#include "core/report/style.h"

#include <math.h>
#include <string.h>

enum {
    SIDE_MOST = 512,  /* pixels of a picture's longer side in the page */
    SIDE_LEAST = 128, /* however many pictures there are */
    FEW_HEADS = 4     /* more than these, and a text's pictures become a grid of small ones */
};

/* What all pictures of a page may hold together, so that a big experiment stays a page that opens. */
static const double page_pixels = 16e6;

static const cJSON *get(const cJSON *object, const char *key) {
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static bool same_text(const cJSON *a, const cJSON *b, const char *key) {
    return strcmp(canvas_text(a, key), canvas_text(b, key)) == 0;
}

/* A value in one line: "a red star, snow"; of a grid only its shape. */
static void value(html *page, const cJSON *item) {
    if (cJSON_IsString(item)) {
        html_text(page, item->valuestring);
    } else if (cJSON_IsArray(item) && cJSON_IsArray(item->child)) {
        char shape[64];
        snprintf(shape, sizeof shape, "grid of %d x %d", cJSON_GetArraySize(item),
                 cJSON_GetArraySize(item->child));
        html_text(page, shape);
    } else if (cJSON_IsArray(item)) {
        const cJSON *element = NULL;
        cJSON_ArrayForEach(element, item) {
            value(page, element);
            if (element->next) html_raw(page, ", ");
        }
    } else {
        char *json = cJSON_PrintUnformatted(item);
        if (!json && page->status == HL_OK) page->status = hl_no_memory(page->error, "the page");
        if (json) html_text(page, json);
        cJSON_free(json);
    }
}

static void fact(html *page, const char *name) {
    html_raw(page, "<div><dt>");
    html_text(page, name);
    html_raw(page, "</dt> <dd>");
}

static void end_fact(html *page) {
    html_raw(page, "</dd></div>\n");
}

/* The colour map as a CSS gradient. */
static void heat_gradient(html *page, const colormap *map) {
    enum { STOPS = 17 };
    html_raw(page, ":root{--heat:linear-gradient(90deg");
    for (int i = 0; i < STOPS; i++) {
        const uint8_t *rgb = colormap_at(map, (double)i / (STOPS - 1));
        char stop[16];
        snprintf(stop, sizeof stop, ",#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
        html_raw(page, stop);
    }
    html_raw(page, ")}\n");
}

static void head(html *page, const colormap *map, const char *title) {
    html_raw(page, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "img-src data:; style-src 'unsafe-inline'\">\n<title>");
    html_text(page, title);
    html_raw(page, "</title>\n<style>\n");
    html_raw(page, page_style);
    heat_gradient(page, map);
    html_raw(page, "</style>\n</head>\n");
}

/* An object's texts in one line; its numbers are left to results.json. */
static void description(html *page, const char *name, const cJSON *object) {
    const cJSON *field = NULL;
    const char *between = "";
    fact(page, name);
    cJSON_ArrayForEach(field, object) {
        if (!cJSON_IsString(field)) continue;
        html_raw(page, between);
        value(page, field);
        between = " &middot; ";
    }
    end_fact(page);
}

static void introduction(html *page, const cJSON *root, const char *title, const char *experiment) {
    html_raw(page, "<header>\n<h1>");
    html_text(page, title);
    html_raw(page, "</h1>\n<dl class=\"facts\">\n");
    description(page, "model", get(root, "model"));
    description(page, "compute", get(root, "compute"));
    html_raw(page, "</dl>\n<details><summary>The experiment</summary><pre>");
    html_text(page, experiment);
    html_raw(page, "</pre></details>\n</header>\n");
}

/* Low end, colours, high end. */
static void scale(html *page, double low, double high) {
    html_raw(page, "<span class=\"scale\">");
    html_number(page, low);
    html_raw(page, "<i></i>");
    html_number(page, high);
    html_raw(page, "</span>");
}

static void heat_figure(html *page, canvas *pictures, const cJSON *item, size_t side) {
    picture drawn = {0};
    double low = 0, high = 0;
    if (page->status != HL_OK) return;
    page->status = canvas_heat(pictures, item, side, &drawn, &low, &high, page->error);
    if (page->status != HL_OK) return;
    html_raw(page, "<figure>");
    html_picture(page, &drawn, canvas_text(item, "text"));
    picture_free(&drawn);
    html_raw(page, "<figcaption>");
    html_text(page, canvas_text(item, "head"));
    scale(page, low, high);
    html_raw(page, "</figcaption></figure>\n");
}

/* The items from `item` on, before `end`, that have the same text; returns the first that has not. */
static const cJSON *heat_text(html *page, canvas *pictures, const cJSON *item, const cJSON *end,
                              size_t side) {
    const cJSON *next = item;
    size_t heads = 0;
    for (; next != end && same_text(next, item, "text"); next = next->next) heads++;
    html_raw(page, "<div><h4>");
    html_text(page, canvas_text(item, "text"));
    html_raw(page,
             heads > FEW_HEADS ? "</h4>\n<div class=\"heads many\">\n" : "</h4>\n<div class=\"heads\">\n");
    for (; item != next; item = item->next) heat_figure(page, pictures, item, side);
    html_raw(page, "</div></div>\n");
    return next;
}

/* Texts with one picture each stand side by side, else below each other. */
static bool one_head_each(const cJSON *item, const cJSON *end) {
    for (; item->next != end; item = item->next) {
        if (same_text(item, item->next, "text")) return false;
    }
    return true;
}

/* The heats over one image: itself, then a group for each text. Returns the first item that is not its. */
static const cJSON *heat_image(html *page, canvas *pictures, const cJSON *item, size_t side) {
    const char *name = canvas_text(item, "image");
    const cJSON *end = item;
    while (end && canvas_draws(end) && same_text(end, item, "image")) end = end->next;
    const picture *image = NULL;
    if (page->status == HL_OK) page->status = canvas_image(pictures, name, side, &image, page->error);
    if (page->status != HL_OK) return end;
    const char *slash = strrchr(name, '/');
    html_raw(page, "<article>\n<div><h3>");
    html_text(page, slash ? slash + 1 : name);
    html_raw(page, "</h3>");
    html_picture(page, image, name);
    html_raw(page, "</div>\n");
    html_raw(page, one_head_each(item, end) ? "<div class=\"texts side\">\n" : "<div class=\"texts\">\n");
    while (item != end) item = heat_text(page, pictures, item, end, side);
    html_raw(page, "</div>\n</article>\n");
    return end;
}

/* Adds the names of the item's fields to the columns, an object, where they are not there yet. */
static bool add_columns(cJSON *columns, const cJSON *item) {
    const cJSON *field = NULL;
    cJSON_ArrayForEach(field, item) {
        bool shown = strcmp(field->string, "schema") != 0;
        if (shown && !get(columns, field->string) && !cJSON_AddNullToObject(columns, field->string))
            return false;
    }
    return true;
}

/* One row of the table; item NULL: its headings. */
static void row(html *page, const cJSON *columns, const cJSON *item) {
    const cJSON *column = NULL;
    html_raw(page, "<tr>");
    cJSON_ArrayForEach(column, columns) {
        html_raw(page, item ? "<td>" : "<th>");
        if (!item) html_text(page, column->string);
        if (item && get(item, column->string)) value(page, get(item, column->string));
        html_raw(page, item ? "</td>" : "</th>");
    }
    html_raw(page, "</tr>\n");
}

/* Items of one schema that nothing here can draw. Returns the first item of another. */
static const cJSON *table(html *page, const cJSON *item) {
    const cJSON *end = item;
    cJSON *columns = cJSON_CreateObject();
    bool complete = columns != NULL;
    for (; end && same_text(end, item, "schema"); end = end->next) {
        complete = complete && add_columns(columns, end);
    }
    if (!complete && page->status == HL_OK) page->status = hl_no_memory(page->error, "the page");
    html_raw(page, "<div class=\"table\"><table>\n");
    row(page, columns, NULL);
    for (; item != end; item = item->next) row(page, columns, item);
    html_raw(page, "</table></div>\n");
    cJSON_Delete(columns);
    return end;
}

static void analysis(html *page, canvas *pictures, const cJSON *of, size_t side) {
    html_raw(page, "<section>\n<h2>");
    html_text(page, canvas_text(of, "plugin"));
    html_raw(page, "</h2>\n<p>");
    html_text(page, canvas_text(of, "summary"));
    html_raw(page, "</p>\n<dl class=\"facts\">\n");
    const cJSON *option = NULL;
    cJSON_ArrayForEach(option, get(of, "options")) {
        fact(page, option->string);
        value(page, option);
        end_fact(page);
    }
    html_raw(page, "</dl>\n");
    const cJSON *item = get(of, "results")->child;
    while (item && page->status == HL_OK) {
        item = canvas_draws(item) ? heat_image(page, pictures, item, side) : table(page, item);
    }
    html_raw(page, "</section>\n");
}

/* The longer side of every picture, such that all together stay within the page's share. */
static size_t choose_side(const cJSON *analyses) {
    size_t pictures = 0;
    const cJSON *of = NULL, *item = NULL;
    cJSON_ArrayForEach(of, analyses) {
        cJSON_ArrayForEach(item, get(of, "results")) pictures += canvas_draws(item);
    }
    double side = sqrt(page_pixels / (double)(pictures ? pictures : 1));
    return (size_t)fmin(fmax(side, SIDE_LEAST), SIDE_MOST);
}

hl_status page_write(const cJSON *root, canvas *pictures, const char *title, const char *experiment,
                     output *out, hl_error *error) {
    html page = {.out = out, .error = error};
    hl_status status = output_file(out, "report.html", &page.file, error);
    if (status != HL_OK) return status;
    const cJSON *analyses = get(root, "analyses"), *of = NULL;
    size_t side = choose_side(analyses);
    head(&page, &pictures->map, title);
    html_raw(&page, "<body>\n");
    introduction(&page, root, title, experiment);
    cJSON_ArrayForEach(of, analyses) analysis(&page, pictures, of, side);
    html_raw(&page, "</body>\n</html>\n");
    return page.status;
}
