/* The results as a page. Pictures lie in it as data, styles too; there is no script, and a policy in its head
 * forbids the browser to fetch anything. It names no time and no machine, so the same run gives the same
 * bytes. Never knows which analyses there are: what a schema does not say how to draw becomes a table. */
#include "core/report/page.h"
#include "core/report/page_parts.h"
#include "core/report/snippet.h"
#include "core/report/style.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIDE_MOST = 512, /* pixels of a picture's longer side in the page */
    SIDE_LEAST = 96  /* however many pictures there are */
};

/* What all pictures of a page may hold together, so that a big experiment stays a page that opens. */
static const double page_pixels = 16e6;

const cJSON *page_get(const cJSON *object, const char *key) {
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

bool page_same(const cJSON *a, const cJSON *b, const char *key) {
    return strcmp(canvas_text(a, key), canvas_text(b, key)) == 0;
}

const char *page_file(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void fact(page *self, const char *name) {
    html_raw(&self->html, "<div><dt>");
    html_text(&self->html, name);
    html_raw(&self->html, "</dt> <dd>");
}

static void end_fact(page *self) {
    html_raw(&self->html, "</dd></div>\n");
}

/* ---- what the parts share ---- */

void page_start_group(page *self, const char *title) {
    html_raw(&self->html, "<article>\n<div><h3>");
    html_text(&self->html, title);
    html_raw(&self->html, "</h3>");
}

void page_image(page *self, const char *name) {
    html *out = &self->html;
    const picture *image = NULL;
    if (out->status != HL_OK) return;
    out->status = canvas_image(self->pictures, name, self->side, &image, out->error);
    if (out->status == HL_OK) html_picture(out, image, HTML_PHOTO, name);
}

static bool is_cut(const cJSON *root, const char *text) {
    const cJSON *entry = NULL;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(root, "truncated")) {
        const char *cut = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "text"));
        if (cut && strcmp(cut, text) == 0) return true;
    }
    return false;
}

void page_cut_mark(page *self, const char *text) {
    if (is_cut(self->root, text)) html_raw(&self->html, " <span class=\"chip\">cut</span>");
}

void page_details(page *self) {
    html_raw(&self->html, "<details><summary>");
}

void page_end_headline(page *self) {
    html_raw(&self->html, "</summary>\n");
}

/* Fields that say which item it is; they are in its headline and in its experiment. */
static bool names_item(const char *key) {
    static const char *const names[] = {"schema", "image", "text",          "minus",
                                        "head",   "query", "query_is_image"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(key, names[i]) == 0) return true;
    }
    return false;
}

static void fields(page *self, const cJSON *item) {
    const cJSON *field = NULL;
    html_raw(&self->html, "<dl class=\"facts\">");
    cJSON_ArrayForEach(field, item) {
        if (names_item(field->string) || cJSON_IsArray(field)) continue;
        fact(self, field->string);
        page_value(self, field);
        end_fact(self);
    }
    html_raw(&self->html, "</dl>\n");
}

void page_end_details(page *self, const cJSON *analysis, const cJSON *item) {
    html *out = &self->html;
    char *yaml = NULL;
    fields(self, item);
    if (out->status == HL_OK) out->status = snippet_make(self->sections, analysis, item, &yaml, out->error);
    html_raw(out, "<pre class=\"copy\">");
    if (yaml) html_text(out, yaml);
    html_raw(out, "</pre></details>\n");
    free(yaml);
}

/* ---- the head ---- */

/* A colour map as a CSS gradient. */
static void gradient(html *out, const char *name, const colormap *map) {
    enum { STOPS = 17 };
    html_format(out, ":root{--%s:linear-gradient(90deg", name);
    for (int i = 0; i < STOPS; i++) {
        const uint8_t *rgb = colormap_at(map, (double)i / (STOPS - 1));
        html_format(out, ",#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
    }
    html_raw(out, ")}\n");
}

/* The properties' colours, of equal lightness, so that no property seems to matter more. */
static void property_colors(page *self, double lightness, double chroma) {
    size_t count = palette_colored(&self->palette);
    for (size_t i = 0; i < count; i++) {
        uint8_t rgb[3];
        colormap_category(i, count, lightness, chroma, rgb);
        html_format(&self->html, ".p%zu{--color:#%02x%02x%02x}", i, rgb[0], rgb[1], rgb[2]);
    }
}

static void head(page *self, const char *title) {
    html *out = &self->html;
    html_raw(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                  "img-src data:; style-src 'unsafe-inline'\">\n<title>");
    html_text(out, title);
    html_raw(out, "</title>\n<style>\n");
    html_raw(out, page_style);
    gradient(out, "heat", &self->pictures->map);
    gradient(out, "difference", &self->pictures->difference);
    property_colors(self, 0.85, 0.08);
    html_raw(out, "\n@media(prefers-color-scheme:dark){");
    property_colors(self, 0.42, 0.075);
    html_raw(out, "}\n</style>\n</head>\n");
}

/* ---- the introduction ---- */

/* Fields whose value says by itself what it is. */
static bool explains_itself(const char *key) {
    static const char *const keys[] = {"name", "plugin", "summary", "backend", "description"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(key, keys[i]) == 0) return true;
    }
    return false;
}

/* "image_size": image size */
static void field_name(page *self, const char *key) {
    for (const char *word = key; *word; word += strspn(word, "_")) {
        char part[64];
        size_t length = strcspn(word, "_");
        snprintf(part, sizeof part, "%.*s ", (int)length, word);
        html_text(&self->html, part);
        word += length;
    }
}

/* Whether an earlier text of the object says it already: a description names its kernel. */
static bool is_said(const cJSON *object, const cJSON *field) {
    for (const cJSON *earlier = object->child; earlier != field; earlier = earlier->next) {
        if (cJSON_IsString(earlier) && cJSON_IsString(field) &&
            strstr(earlier->valuestring, field->valuestring))
            return true;
    }
    return false;
}

/* An object's texts in one line, and the size of the images; other numbers are left to results.json. */
static void description(page *self, const char *name, const cJSON *object) {
    const cJSON *field = NULL;
    const char *between = "";
    if (!object) return;
    fact(self, name);
    cJSON_ArrayForEach(field, object) {
        if (!cJSON_IsString(field) && strcmp(field->string, "image_size") != 0) continue;
        if (!explains_itself(field->string) && is_said(object, field)) continue;
        html_raw(&self->html, between);
        if (!explains_itself(field->string)) field_name(self, field->string);
        if (cJSON_IsString(field)) {
            html_isolated(&self->html, field->valuestring);
        } else {
            page_value(self, field);
        }
        between = " &middot; ";
    }
    end_fact(self);
}

static void count_of(page *self, const cJSON *gallery, const char *what) {
    double count = cJSON_GetNumberValue(page_get(gallery, what));
    if (count > 0) html_format(&self->html, " &middot; %.0f %s", count, what);
}

/* How much of the gallery was searched: "400 images, 398 searched". */
static void gallery(page *self) {
    const cJSON *found = page_get(self->root, "gallery");
    if (!found) return;
    int skipped = cJSON_GetArraySize(page_get(found, "skipped"));
    fact(self, "gallery");
    html_format(&self->html, "%.0f images", cJSON_GetNumberValue(page_get(found, "images")));
    count_of(self, found, "searched");
    count_of(self, found, "missing");
    if (skipped > 0) html_format(&self->html, " &middot; %d skipped", skipped);
    end_fact(self);
}

/* The texts that the model did not read to their end. */
static void cut_texts(page *self) {
    const cJSON *list = page_get(self->root, "truncated"), *entry = NULL;
    html *out = &self->html;
    int count = cJSON_GetArraySize(list);
    if (!count) return;
    html_format(out,
                "<details open><summary>%d text%s cut: what follows the last token that the model reads "
                "changes nothing</summary>\n<ul>\n",
                count, count == 1 ? " is" : "s are");
    cJSON_ArrayForEach(entry, list) {
        html_raw(out, "<li>");
        html_isolated(out, canvas_text(entry, "text"));
        html_format(out, " <span class=\"quiet\">%.0f tokens, %.0f read</span></li>\n",
                    cJSON_GetNumberValue(page_get(entry, "tokens")),
                    cJSON_GetNumberValue(page_get(entry, "context")));
    }
    html_raw(out, "</ul></details>\n");
}

static void introduction(page *self, const char *title, const char *experiment) {
    html *out = &self->html;
    html_raw(out, "<header>\n<h1>");
    html_text(out, title);
    html_raw(out, "</h1>\n<dl class=\"facts\">");
    description(self, "model", page_get(self->root, "model"));
    description(self, "compute", page_get(self->root, "compute"));
    gallery(self);
    html_raw(out, "</dl>\n<details><summary>The experiment</summary><pre class=\"copy\">");
    html_text(out, experiment);
    html_raw(out, "</pre></details>\n");
    cut_texts(self);
    html_raw(out, "</header>\n");
}

/* What an analysis was asked, in a line: its images, texts, properties and heads. */
static void question(page *self, const cJSON *options) {
    static const char *const names[] = {"images", "texts", "properties", "heads"};
    const char *between = "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const cJSON *list = page_get(options, names[i]), *element = NULL;
        if (!cJSON_GetArraySize(list)) continue;
        html_raw(&self->html, between);
        cJSON_ArrayForEach(element, list) {
            const char *text = cJSON_IsString(element) ? element->valuestring : "";
            html_isolated(&self->html, i == 0 ? page_file(text) : text);
            if (element->next) html_raw(&self->html, ", ");
        }
        between = " &middot; ";
    }
}

/* An analysis's heading: the title that its user gave it, else the plugin's name. */
static const char *heading(const cJSON *analysis) {
    const char *title = canvas_text(analysis, "title");
    return *title ? title : canvas_text(analysis, "plugin");
}

static void variant(page *self, const cJSON *analysis) {
    const char *name = canvas_text(analysis, "variant");
    if (!*name) return;
    html_raw(&self->html, " <span class=\"chip\">");
    html_text(&self->html, name);
    html_raw(&self->html, "</span>");
}

static void contents(page *self, const cJSON *analyses) {
    html *out = &self->html;
    const cJSON *of = NULL;
    size_t number = 0;
    if (cJSON_GetArraySize(analyses) < 2) return;
    html_raw(out, "<nav>\n<ol>\n");
    cJSON_ArrayForEach(of, analyses) {
        html_format(out, "<li><a href=\"#analysis-%zu\">", ++number);
        html_text(out, heading(of));
        html_raw(out, "</a>");
        variant(self, of);
        html_raw(out, " <span>");
        question(self, page_get(of, "options"));
        html_raw(out, "</span></li>\n");
    }
    html_raw(out, "</ol>\n</nav>\n");
}

/* The variants' own pages, each in the folder of its name. */
static void reports(page *self) {
    const cJSON *list = page_get(self->root, "reports"), *report = NULL;
    if (!cJSON_GetArraySize(list)) return;
    html_raw(&self->html, "<section>\n<h2>Reports</h2>\n<p>What each variant found.</p>\n");
    cJSON_ArrayForEach(report, list) {
        html_raw(&self->html, "<h3><a href=\"");
        html_text(&self->html, canvas_text(report, "variant"));
        html_raw(&self->html, "/report.html\">");
        html_text(&self->html, canvas_text(report, "variant"));
        html_raw(&self->html, "</a></h3>\n<dl class=\"facts\">");
        description(self, "model", page_get(report, "model"));
        description(self, "compute", page_get(report, "compute"));
        html_raw(&self->html, "</dl>\n");
    }
    html_raw(&self->html, "</section>\n");
}

/* How far the variants' results lie apart (compare.h). */
static void variants(page *self) {
    const cJSON *differences = page_get(self->root, "variants");
    if (!cJSON_GetArraySize(differences)) return;
    html_raw(&self->html, "<section id=\"variants\">\n<h2>Variants</h2>\n"
                          "<p>How far each variant's results lie from those of the first.</p>\n");
    page_table(self, differences->child);
    html_raw(&self->html, "</section>\n");
}

/* ---- the analyses ---- */

static void options(page *self, const cJSON *list) {
    const cJSON *option = NULL;
    html_raw(&self->html, "<dl class=\"facts\">");
    cJSON_ArrayForEach(option, list) {
        if (cJSON_IsNull(option)) continue; /* left out */
        fact(self, option->string);
        page_value(self, option);
        end_fact(self);
    }
    html_raw(&self->html, "</dl>\n");
}

static const cJSON *show(page *self, const cJSON *of, const cJSON *item) {
    if (canvas_draws(item)) return page_heats(self, of, item);
    bool neighbors = strcmp(canvas_text(item, "schema"), HL_SCHEMA_NEIGHBORS) == 0;
    return neighbors ? page_neighbors(self, of, item) : page_table(self, item);
}

static void analysis(page *self, const cJSON *of, size_t number) {
    html *out = &self->html;
    html_format(out, "<section id=\"analysis-%zu\">\n<h2><a href=\"#analysis-%zu\">", number, number);
    html_text(out, heading(of));
    html_raw(out, "</a>");
    variant(self, of);
    html_raw(out, "</h2>\n<p>");
    if (*canvas_text(of, "title")) {
        html_text(out, canvas_text(of, "plugin"));
        html_raw(out, ": ");
    }
    html_text(out, canvas_text(of, "summary"));
    html_raw(out, "</p>\n");
    options(self, page_get(of, "options"));
    const cJSON *item = page_get(of, "results")->child;
    while (item && out->status == HL_OK) item = show(self, of, item);
    html_raw(out, "</section>\n");
}

/* The longer side of every picture, such that all together stay within the page's share. */
static size_t choose_side(const cJSON *analyses) {
    int pictures = 1;
    const cJSON *of = NULL, *item = NULL;
    cJSON_ArrayForEach(of, analyses) {
        cJSON_ArrayForEach(item, page_get(of, "results")) {
            pictures += canvas_draws(item) + canvas_has_mask(item);
            pictures += cJSON_GetArraySize(page_get(item, "neighbors"));
        }
    }
    return (size_t)fmin(fmax(sqrt(page_pixels / pictures), SIDE_LEAST), SIDE_MOST);
}

static void body(page *self, const char *title, const char *experiment) {
    const cJSON *analyses = page_get(self->root, "analyses"), *of = NULL;
    size_t number = 0;
    html_raw(&self->html, "<body>\n");
    introduction(self, title, experiment);
    contents(self, analyses);
    reports(self);
    variants(self);
    page_properties(self);
    cJSON_ArrayForEach(of, analyses) analysis(self, of, ++number);
    html_raw(&self->html, "</body>\n</html>\n");
}

hl_status page_write(const cJSON *root, canvas *pictures, const page_texts *texts, output *out,
                     hl_error *error) {
    page self = {.html = {.out = out, .error = error}, .pictures = pictures, .root = root};
    self.sections = texts->sections ? texts->sections : "";
    self.side = choose_side(page_get(root, "analyses"));
    hl_status status = palette_open(&self.palette, page_get(root, "properties"), error);
    if (status != HL_OK) return status;
    self.embedded = cJSON_CreateObject();
    if (!self.embedded) html_no_memory(&self.html);
    if (self.html.status == HL_OK) self.html.status = output_file(out, "report.html", &self.html.file, error);
    head(&self, texts->title);
    body(&self, texts->title, texts->experiment);
    cJSON_Delete(self.embedded);
    palette_close(&self.palette);
    return self.html.status;
}
