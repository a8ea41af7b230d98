/* Values as words, tables or pictures; and the items that no other part can draw, which are made of them. */
#include "page.h"

#include <inttypes.h>
#include <math.h>

const char *page_file(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

void page_fact(page *self, const char *name) {
    html_raw(&self->html, "<div><dt>");
    html_text(&self->html, name);
    html_raw(&self->html, "</dt> <dd>");
}

void page_end_fact(page *self) {
    html_raw(&self->html, "</dd></div>\n");
}

/* ---- single values ---- */

/* As it was written, where somebody wrote it. */
static void number(page *self, const hl_node *value) {
    static const double exact = 1e15; /* below it a double's whole numbers are all their digits */
    html *out = &self->html;
    double of = value->number;
    if (value->type == HL_WHOLE) {
        if (value->text) {
            html_text(out, value->text);
        } else {
            html_format(out, "%" PRId64, value->whole);
        }
    } else if (of == rint(of) && fabs(of) < exact) {
        html_format(out, "%.0f", of + 0.0);
    } else {
        html_format(out, "%.4g", of);
    }
}

/* A picture that a plugin made, as large as the others at most. */
static void picture(page *self, const hl_node *value) {
    html *out = &self->html;
    const hl_report *report = self->report;
    hl_picture made = {.size = sizeof made, .width = value->cols, .height = value->rows, .rgb = value->rgb};
    hl_picture small = {.size = sizeof small};
    uint32_t longer = made.width > made.height ? made.width : made.height;
    double scale = (double)self->pictures.side / longer;
    if (out->status == HL_OK && scale < 1) {
        uint32_t width = (uint32_t)fmax(round(made.width * scale), 1);
        uint32_t height = (uint32_t)fmax(round(made.height * scale), 1);
        out->status = report->resize(report, &made, width, height, &small, out->error);
    }
    html_picture(out, small.rgb ? &small : &made, HL_PNG, value->key ? value->key : "");
    report->release(report, &small);
}

/* Colours every cell of a grid with a pixel. */
static void color_cells(const page *self, const hl_node *value, double low, double high, drawing *out) {
    double range = high - low;
    for (size_t i = 0; i < out->width * out->height; i++) {
        double place = range > 0 ? ((double)value->grid[i] - low) / range : 0;
        memcpy(out->rgb + 3 * i, colormap_at(&self->pictures.map, place), 3);
    }
}

/* Numbers that no schema says more about: their shape, and as colours where they are not too many. */
static void grid(page *self, const hl_node *value) {
    html *out = &self->html;
    drawing cells = {0};
    double low = INFINITY, high = -INFINITY;
    html_format(out, "<p>%u x %u numbers</p>\n", value->rows, value->cols);
    if (value->rows > self->pictures.side || value->cols > self->pictures.side) return;
    for (size_t i = 0; i < (size_t)value->rows * value->cols; i++) {
        low = fmin(low, (double)value->grid[i]);
        high = fmax(high, (double)value->grid[i]);
    }
    if (out->status == HL_OK) out->status = drawing_make(value->cols, value->rows, &cells, out->error);
    if (out->status != HL_OK) return;
    color_cells(self, value, low, high, &cells);
    hl_picture picture_of = drawing_picture(&cells);
    html_raw(out, "<div class=\"grid\">");
    html_picture(out, &picture_of, HL_PNG, value->key ? value->key : "");
    page_scale(self, low, high);
    html_raw(out, "</div>\n");
    drawing_free(&cells);
}

static void map(page *self, const hl_node *of) {
    html_raw(&self->html, "<dl class=\"facts\">");
    for (const hl_node *entry = of->first; entry; entry = entry->next) {
        page_fact(self, entry->key);
        page_value(self, entry);
        page_end_fact(self);
    }
    html_raw(&self->html, "</dl>");
}

/* Whether a list has rows instead of values. */
static bool holds_rows(const hl_node *list) {
    const hl_node *row = list->first;
    while (row && row->type == HL_MAP) row = row->next;
    return list->first && !row;
}

static void list(page *self, const hl_node *of) {
    for (const hl_node *element = of->first; element; element = element->next) {
        if (element->type == HL_TEXT) {
            html_isolated(&self->html, element->text);
        } else {
            page_value(self, element);
        }
        if (element->next) html_raw(&self->html, ", ");
    }
}

void page_value(page *self, const hl_node *value) {
    html *out = &self->html;
    switch (value->type) {
    case HL_TEXT:
        html_text(out, value->text);
        break;
    case HL_TRUTH:
        html_raw(out, value->truth ? "true" : "false");
        break;
    case HL_WHOLE:
    case HL_NUMBER:
        number(self, value);
        break;
    case HL_MAP:
        map(self, value);
        break;
    case HL_NEIGHBORS:
        page_thumbnails(self, value);
        break;
    case HL_LIST:
    case HL_TABLE:
        if (holds_rows(value)) {
            page_rows(self, value->first, NULL);
        } else {
            list(self, value);
        }
        break;
    case HL_GRID:
        grid(self, value);
        break;
    case HL_PICTURE:
        picture(self, value);
        break;
    default: /* null, and what later versions add */
        html_raw(out, "<span class=\"quiet\">none</span>");
        break;
    }
}

/* ---- cells ---- */

static bool names_file(const hl_node *entry) {
    static const char *const keys[] = {"image", "path", "file", "query"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(entry->key, keys[i]) == 0) return true;
    }
    return false;
}

/* A head is shown with its property. */
static void named(page *self, const hl_node *entry) {
    if (entry->type == HL_TEXT && strcmp(entry->key, "head") == 0) {
        page_head(self, entry->text);
    } else {
        page_value(self, entry);
    }
}

/* A file goes by its short name; the whole path can be opened. */
static void cell(page *self, const hl_node *entry) {
    html *out = &self->html;
    if (entry->type != HL_TEXT || !names_file(entry) || !strchr(entry->text, '/')) {
        named(self, entry);
    } else {
        html_raw(out, "<details class=\"path\"><summary>");
        html_text(out, page_file(entry->text));
        html_raw(out, "</summary>");
        html_text(out, entry->text);
        html_raw(out, "</details>");
    }
}

/* ---- intervals ---- */

enum { KEY = 80 };

/* The end of "value", or of a point's "y", is "low"; that of "accuracy" is "accuracy_low", or "accuracy low".
 */
static const hl_node *end_of_interval(const hl_node *row, const char *key, const char *end) {
    char name[KEY];
    if (strcmp(key, "value") == 0 || (strcmp(key, "y") == 0 && !hl_get(row, "value")))
        return hl_get(row, end);
    int length = snprintf(name, sizeof name, "%s_%s", key, end);
    if (length >= KEY) return NULL;
    const hl_node *found = hl_get(row, name);
    name[strlen(key)] = ' ';
    return found ? found : hl_get(row, name);
}

static bool has_interval(const hl_node *row, const char *key) {
    return hl_is_number(hl_get(row, key)) && hl_is_number(end_of_interval(row, key, "low")) &&
           hl_is_number(end_of_interval(row, key, "high"));
}

/* How much of a key says that it is the end of another one's interval; 0: it is none. */
static size_t length_of_end(const char *key) {
    static const char *const ends[] = {"_low", "_high", " low", " high"};
    size_t length = strlen(key);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t end = strlen(ends[i]);
        if (length > end && strcmp(key + length - end, ends[i]) == 0) return end;
    }
    return 0;
}

/* Whether a field is the end of another one's interval. */
static bool is_end(const hl_node *row, const char *key) {
    char name[KEY];
    size_t length = strlen(key), end = length_of_end(key);
    if (strcmp(key, "low") == 0 || strcmp(key, "high") == 0) {
        return has_interval(row, "value") || has_interval(row, "y");
    }
    if (!end || length - end >= KEY) return false;
    memcpy(name, key, length - end);
    name[length - end] = '\0';
    return has_interval(row, name);
}

static void interval(page *self, const hl_node *row, const char *key) {
    if (!has_interval(row, key)) return;
    html_raw(&self->html, " <span class=\"quiet\">[");
    page_value(self, end_of_interval(row, key, "low"));
    html_raw(&self->html, ", ");
    page_value(self, end_of_interval(row, key, "high"));
    html_raw(&self->html, "]</span>");
}

/* ---- tables ---- */

/* The keys of rows, in the order in which they come up. */
typedef struct columns {
    const char **keys;
    size_t count, room;
    bool of_numbers; /* with their intervals */
} columns;

static bool has_column(const columns *self, const char *key) {
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->keys[i], key) == 0) return true;
    }
    return false;
}

static bool add_column(columns *self, const char *key) {
    if (self->count == self->room) {
        size_t room = self->room ? 2 * self->room : 16;
        const char **keys = reallocarray(self->keys, room, sizeof *keys);
        if (!keys) return false;
        self->keys = keys, self->room = room;
    }
    self->keys[self->count++] = key;
    return true;
}

static bool find_columns(columns *self, const hl_node *row, const hl_node *end) {
    for (; row && row != end; row = row->next) {
        for (const hl_node *field = page_first(row); field; field = field->next) {
            bool shown = strcmp(field->key, "schema") != 0 && !(self->of_numbers && is_end(row, field->key));
            if (shown && !has_column(self, field->key) && !add_column(self, field->key)) return false;
        }
    }
    return true;
}

/* Whether all that a column has are numbers, which stand below each other. */
static bool is_numeric(const char *key, const hl_node *row, const hl_node *end) {
    for (; row && row != end; row = row->next) {
        const hl_node *field = hl_get(row, key);
        if (field && !hl_is_number(field)) return false;
    }
    return true;
}

static void headings(page *self, const columns *of, const hl_node *row, const hl_node *end) {
    html_raw(&self->html, "<tr>");
    for (size_t i = 0; i < of->count; i++) {
        bool right = of->of_numbers && is_numeric(of->keys[i], row, end);
        html_raw(&self->html, right ? "<th class=\"n\">" : "<th>");
        html_text(&self->html, of->keys[i]);
        html_raw(&self->html, "</th>");
    }
    html_raw(&self->html, "</tr>\n");
}

static void cells(page *self, const columns *of, const hl_node *row) {
    html_raw(&self->html, "<tr>");
    for (size_t i = 0; i < of->count; i++) {
        const hl_node *field = hl_get(row, of->keys[i]);
        html_raw(&self->html, of->of_numbers && hl_is_number(field) ? "<td class=\"n\">" : "<td>");
        if (field) cell(self, field);
        if (of->of_numbers) interval(self, row, of->keys[i]);
        html_raw(&self->html, "</td>");
    }
    html_raw(&self->html, "</tr>\n");
}

static void rows(page *self, columns of, const hl_node *row, const hl_node *end) {
    html *out = &self->html;
    if (!find_columns(&of, row, end)) html_no_memory(out);
    html_raw(out, "<div class=\"table\"><table>\n");
    headings(self, &of, row, end);
    for (; row && row != end && out->status == HL_OK; row = row->next) cells(self, &of, row);
    html_raw(out, "</table></div>\n");
    free(of.keys);
}

void page_rows(page *self, const hl_node *row, const hl_node *end) {
    rows(self, (columns){0}, row, end);
}

void page_number_rows(page *self, const hl_node *row, const hl_node *end) {
    rows(self, (columns){.of_numbers = true}, row, end);
}

/* ---- items of schemas that are not drawn ---- */

/* More than fits into the cell of a table. */
static bool is_large(const hl_node *value) {
    bool nested = value->type == HL_MAP || (hl_is_list(value) && holds_rows(value));
    return nested || value->type == HL_NEIGHBORS || value->type == HL_GRID || value->type == HL_PICTURE;
}

static bool has_large(const hl_node *item) {
    const hl_node *field = page_first(item);
    while (field && !is_large(field)) field = field->next;
    return field != NULL;
}

/* An item with tables or pictures of its own: what is short first, then one after the other. */
static void block(page *self, const hl_node *item) {
    html *out = &self->html;
    html_raw(out, "<div class=\"item\">\n<dl class=\"facts\">");
    for (const hl_node *field = page_first(item); field; field = field->next) {
        if (is_large(field) || strcmp(field->key, "schema") == 0) continue;
        page_fact(self, field->key);
        named(self, field);
        page_end_fact(self);
    }
    html_raw(out, "</dl>\n");
    for (const hl_node *field = page_first(item); field; field = field->next) {
        if (!is_large(field)) continue;
        html_raw(out, "<div><h4>");
        html_text(out, field->key);
        html_raw(out, "</h4>\n");
        page_value(self, field);
        html_raw(out, "</div>\n");
    }
    html_raw(out, "</div>\n");
}

static bool is_table(const hl_node *item) {
    return item && strcmp(hl_get_text(item, "schema"), HL_SCHEMA_TABLE) == 0;
}

/* What a table says besides its title and its rows. */
static void beside_rows(page *self, const hl_node *item) {
    html *out = &self->html;
    html_raw(out, "<dl class=\"facts\">");
    for (const hl_node *field = page_first(item); field; field = field->next) {
        bool shown = strcmp(field->key, "schema") == 0 || strcmp(field->key, "title") == 0;
        if (shown || strcmp(field->key, "rows") == 0) continue;
        page_fact(self, field->key);
        page_value(self, field);
        page_end_fact(self);
    }
    html_raw(out, "</dl>\n");
}

void page_number_table(page *self, const hl_node *list) {
    enum { FEW_ROWS = 24 };
    if (list->count > FEW_ROWS)
        html_format(&self->html, "<details><summary>%u rows</summary>\n", list->count);
    page_number_rows(self, list->first, NULL);
    if (list->count > FEW_ROWS) html_raw(&self->html, "</details>\n");
}

const hl_node *page_tables(page *self, const hl_node *item) {
    html *out = &self->html;
    for (; is_table(item) && out->status == HL_OK; item = item->next) {
        const hl_node *found = page_first(hl_get(item, "rows"));
        html_raw(out, "<div class=\"titled\"><h4>");
        html_text(out, hl_get_text(item, "title"));
        html_raw(out, "</h4>\n");
        if (found) page_number_table(self, hl_get(item, "rows"));
        if (!found) html_raw(out, "<p>It has no rows.</p>\n");
        beside_rows(self, item);
        html_raw(out, "</div>\n");
    }
    return item;
}

void page_items(page *self, const hl_node *item, const hl_node *end) {
    const hl_node *large = item;
    while (large != end && !has_large(large)) large = large->next;
    if (large == end) {
        page_rows(self, item, end);
        return;
    }
    html_raw(&self->html, "<div class=\"items\">\n");
    for (; item != end && self->html.status == HL_OK; item = item->next) block(self, item);
    html_raw(&self->html, "</div>\n");
}

/* ---- options ---- */

void page_options(page *self, const hl_node *options) {
    html_raw(&self->html, "<dl class=\"facts\">");
    for (const hl_node *option = page_first(options); option; option = option->next) {
        if (option->type == HL_NOTHING || (hl_is_list(option) && !option->count)) continue; /* left out */
        page_fact(self, option->key);
        page_value(self, option);
        page_end_fact(self);
    }
    html_raw(&self->html, "</dl>\n");
}

/* One of a list's elements in a line: a text, or what a mapping calls itself. */
static void name_element(page *self, const hl_node *element, bool is_file) {
    const char *name = element->type == HL_TEXT ? element->text : hl_get_text(element, "name");
    if (!*name && element->type != HL_TEXT) {
        page_value(self, element);
        return;
    }
    html_isolated(&self->html, is_file ? page_file(name) : name);
}

void page_question(page *self, const hl_node *options) {
    static const char *const names[] = {"images", "texts", "properties", "heads"};
    const char *between = "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const hl_node *of = hl_get(options, names[i]);
        if (!hl_is_list(of) || !of->count) continue;
        html_raw(&self->html, between);
        for (const hl_node *element = of->first; element; element = element->next) {
            name_element(self, element, i == 0);
            if (element->next) html_raw(&self->html, ", ");
        }
        between = " &middot; ";
    }
}
