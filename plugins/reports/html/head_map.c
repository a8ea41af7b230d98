/* See head_map.h. */
#include "head_map.h"
#include "drawing/series.h"
#include "svg.h"

#include <math.h>

enum {
    WIDTH = 440,
    MOST = 1000, /* layers, and heads of a layer; no tower is near it */
    WIDEST = 48, /* a cell */
    NARROWEST = 14,
    WITH_WORDS = 36, /* a cell that has room for what it says */
    HIGHEST = 24,
    LINE = 16,
    SCALE = 165 /* of colours */
};

/* ---- reading ---- */

bool head_map_place(const char *name, unsigned *layer, unsigned *head) {
    int end = 0;
    return sscanf(name, "L%3u.H%3u%n", layer, head, &end) == 2 && name[end] == '\0';
}

/* "L3.MLP": the layer, and the word after the point. */
static const char *beside_layer(const char *name, unsigned *layer) {
    int end = 0;
    if (sscanf(name, "L%3u.%n", layer, &end) != 1 || !end || !name[end]) return NULL;
    return name + end;
}

static const hl_node *rows_of(const hl_node *item, const char *key) {
    const hl_node *rows = hl_get(item, key);
    return hl_is_list(rows) ? rows->first : NULL;
}

static size_t count_rows(const hl_node *row) {
    size_t count = 0;
    for (; row; row = row->next) count++;
    return count;
}

static void read_cells(head_map *self) {
    for (const hl_node *row = rows_of(self->item, "heads"); row; row = row->next) {
        self->cells[self->count++] = (head_cell){.row = row, .name = hl_get_text(row, "head")};
    }
    self->heads = self->count;
    for (const hl_node *row = rows_of(self->item, "rest"); row; row = row->next) {
        self->cells[self->count++] = (head_cell){.row = row, .name = hl_get_text(row, "name")};
    }
}

static void place_heads(head_map *self) {
    self->first_layer = MOST;
    for (size_t i = 0; i < self->heads; i++) {
        head_cell *cell = &self->cells[i];
        unsigned layer, head;
        if (!head_map_place(cell->name, &layer, &head)) continue;
        cell->layer = layer, cell->column = head, cell->placed = true;
        if (layer < self->first_layer) self->first_layer = layer;
        if (layer >= self->end_layer) self->end_layer = layer + 1;
        if (head >= self->columns) self->columns = head + 1;
    }
}

/* What every layer has one of stands at the end of its row, where all that is so named has one name. */
static void place_beside(head_map *self) {
    unsigned layer;
    self->beside = "";
    for (size_t i = self->heads; i < self->count; i++) {
        const char *word = beside_layer(self->cells[i].name, &layer);
        if (!word) continue;
        if (*self->beside && strcmp(word, self->beside) != 0) {
            self->beside = "";
            return;
        }
        self->beside = word;
    }
    for (size_t i = self->heads; i < self->count && *self->beside; i++) {
        head_cell *cell = &self->cells[i];
        if (!beside_layer(cell->name, &layer)) continue;
        cell->placed = layer >= self->first_layer && layer < self->end_layer;
        cell->layer = layer, cell->column = self->columns;
    }
}

static void find_scale(head_map *self) {
    double low = INFINITY, high = -INFINITY;
    self->are_whole = true;
    const hl_node *is_signed = hl_get(self->item, "signed");
    self->is_signed = is_signed && is_signed->type == HL_TRUTH && is_signed->truth;
    for (size_t i = 0; i < self->count; i++) {
        const hl_node *value = hl_get(self->cells[i].row, "value");
        bool label = *hl_get_text(self->cells[i].row, "label") != '\0';
        if (i < self->heads && label) self->has_labels = true;
        if (!hl_is_number(value)) continue;
        self->are_whole &= value->number == rint(value->number) && fabs(value->number) < 1000;
        if (i >= self->heads && self->has_values) continue; /* heads give the scale where there are any */
        self->has_values = true;
        low = fmin(low, value->number), high = fmax(high, value->number);
    }
    self->low = hl_get_number(self->item, "low", self->has_values ? low : 0);
    self->high = hl_get_number(self->item, "high", self->has_values ? high : 0);
    if (!self->is_signed) return;
    self->high = fmax(fabs(self->low), fabs(self->high));
    self->low = -self->high;
}

/* A label is worth more than a number to a reader who sees both. */
static bool shows_values(const head_map *self) {
    return self->has_values && !self->has_labels;
}

/* ---- places ---- */

static double columns_of(const head_map *self) {
    return self->columns + (*self->beside ? 1.4 : 0);
}

/* Those that have no layer's row, in lines below. */
static void place_below(head_map *self) {
    double x = self->left, y = self->below;
    bool any = false;
    for (size_t i = 0; i < self->count; i++) {
        head_cell *cell = &self->cells[i];
        if (cell->placed) continue;
        cell->width = fmax(fmin(svg_width(cell->name, SVG_SMALL) + 10, self->width / 2), self->cell);
        if (any && x + cell->width > self->width) x = self->left, y += 2 * LINE + 6;
        cell->x = x, cell->y = y + LINE;
        x += cell->width + 2;
        any = true;
    }
    self->legend = any ? y + 2 * LINE + 12 : self->below;
}

static double legend_entry(const head_map *self, size_t label) {
    return fmin(svg_width(self->labels->names[label], SVG_TEXT) + 50, self->width);
}

/* How many heads of this map have each label. */
static size_t share_of(const head_map *self, size_t label) {
    size_t count = 0;
    for (size_t i = 0; i < self->heads; i++) {
        count += strcmp(hl_get_text(self->cells[i].row, "label"), self->labels->names[label]) == 0;
    }
    return count;
}

static double legend_height(const head_map *self) {
    double x = 0, y = LINE;
    if (!self->has_labels) return self->has_values ? 2 * LINE + (self->is_clipped ? LINE : 0) : 0;
    for (size_t i = 0; i < self->labels->count; i++) {
        if (!share_of(self, i)) continue;
        if (x > 0 && x + legend_entry(self, i) > self->width) x = 0, y += LINE + 2;
        x += legend_entry(self, i);
    }
    return y + 4;
}

static void find_places(head_map *self) {
    self->left = 32;
    self->top = 2 * LINE + 2;
    double room = WIDTH - self->left, columns = fmax(columns_of(self), 1);
    self->cell = fmin(fmax(room / columns, NARROWEST), WIDEST);
    self->row = fmin(self->cell, HIGHEST);
    self->width = fmax(WIDTH, self->left + self->cell * columns);
    unsigned layers = self->end_layer > self->first_layer ? self->end_layer - self->first_layer : 0;
    self->below = layers ? self->top + self->row * layers + 8 : 4;
    for (size_t i = 0; i < self->count; i++) {
        head_cell *cell = &self->cells[i];
        if (!cell->placed) continue;
        double gap = cell->column == self->columns ? 0.4 * self->cell : 0;
        cell->width = self->cell - 1;
        cell->x = self->left + self->cell * cell->column + gap;
        cell->y = self->top + self->row * (cell->layer - self->first_layer);
    }
    place_below(self);
    self->height = self->legend + legend_height(self);
}

static double place_of(const head_map *self, double value) {
    double range = self->high / 2 - self->low / 2;
    return range > 0 ? (value / 2 - self->low / 2) / range : 0.5;
}

static void find_clipped(head_map *self) {
    for (size_t i = 0; i < self->count; i++) {
        const hl_node *value = hl_get(self->cells[i].row, "value");
        if (!hl_is_number(value)) continue;
        self->is_clipped |= value->number < self->low || value->number > self->high;
    }
}

hl_status head_map_open(head_map *self, const hl_node *item, const palette *labels, hl_error *error) {
    size_t rows = count_rows(rows_of(item, "heads")) + count_rows(rows_of(item, "rest"));
    *self = (head_map){.item = item, .labels = labels};
    self->cells = calloc(rows + 1, sizeof *self->cells);
    if (!self->cells) return hl_no_memory(error, "a map of heads");
    read_cells(self);
    place_heads(self);
    place_beside(self);
    find_scale(self);
    find_clipped(self);
    find_places(self);
    return HL_OK;
}

void head_map_close(head_map *self) {
    free(self->cells);
    *self = (head_map){0};
}

/* ---- cells ---- */

/* "A" to "Z", then "27": what stands for a label where its name has no room. */
static void code_of(size_t label, char out[8]) {
    if (label < 26) snprintf(out, 8, "%c", (int)('A' + label));
    if (label >= 26) snprintf(out, 8, "%zu", label % 100000 + 1);
}

static size_t level_of(const head_map *self, double value) {
    return level_at(place_of(self, value));
}

/* Whether the cell is so far from the ground that its words must be of the other kind. */
static bool is_deep(const head_map *self, size_t level) {
    size_t middle = LEVELS / 2, away = level > middle ? level - middle : middle - level;
    return self->is_signed ? 3 * away > 2 * middle : level > middle + 1;
}

/* So many digits that the ends of the scale have two, and those of a scale up to 1 as many. */
static bool words_of(const head_map *self, double value, char out[24]) {
    double end = fmax(fabs(self->low), fabs(self->high));
    int power = end > 0 ? (int)floor(log10(end)) : 0, decimals = power == 0 ? 2 : 1 - power;
    if (self->are_whole) decimals = 0;
    if (decimals > 4 || decimals < -3 || fabs(value) >= 1e6) return false;
    snprintf(out, 24, "%.*f", decimals > 0 ? decimals : 0, fabs(value));
    bool negative = value < 0 && strpbrk(out, "123456789") != NULL;
    snprintf(out, 24, "%s%.*f", negative ? "\xe2\x88\x92" : "", decimals > 0 ? decimals : 0, fabs(value));
    return true;
}

static void cell_title(const head_cell *cell, html *out) {
    const char *label = hl_get_text(cell->row, "label");
    const hl_node *value = hl_get(cell->row, "value");
    svg_start_title(out);
    html_text(out, cell->name);
    if (*label) html_raw(out, ": ");
    html_text(out, label);
    if (hl_is_number(value)) {
        html_raw(out, ": ");
        svg_number(out, value->number);
    }
    svg_end_title(out);
}

static void cell_rect(const head_map *self, const head_cell *cell, html *out, const char *class,
                      size_t number) {
    html_format(out, "<rect class=\"%s%zu\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">", class,
                number, cell->x, cell->y, cell->width, self->row - 1);
    cell_title(cell, out);
    html_raw(out, "</rect>");
}

static void cell_words(const head_map *self, const head_cell *cell, html *out, const char *class,
                       const char *words) {
    svg_text(out, cell->x + cell->width / 2, cell->y + self->row / 2 + 3, SVG_MIDDLE, class, words,
             cell->width + 4); /* a little beyond what is a wide font's at most */
}

static void draw_label(const head_map *self, const head_cell *cell, html *out) {
    const char *label = hl_get_text(cell->row, "label");
    size_t index = palette_index(self->labels, label);
    bool colored = index < palette_colored(self->labels), link = self->links && cell->placed;
    char code[8];
    code_of(index, code);
    if (link) html_format(out, "<a href=\"#L%u.H%u\">", cell->layer, cell->column);
    cell_rect(self, cell, out, colored ? "k" : "u", colored ? index : 0);
    cell_words(self, cell, out, "s", cell->width >= WITH_WORDS ? label : code);
    if (link) html_raw(out, "</a>\n");
}

static void draw_value(const head_map *self, const head_cell *cell, double value, html *out) {
    size_t level = level_of(self, value);
    char words[24];
    cell_rect(self, cell, out, self->is_signed ? "d" : "v", level);
    if (cell->width < WITH_WORDS - 4 || !words_of(self, value, words)) {
        html_raw(out, "\n");
        return;
    }
    cell_words(self, cell, out, is_deep(self, level) ? "s o" : "s", words);
}

static void draw_cell(const head_map *self, const head_cell *cell, html *out) {
    const hl_node *value = hl_get(cell->row, "value");
    if (*hl_get_text(cell->row, "label") && self->has_labels) {
        draw_label(self, cell, out);
    } else if (shows_values(self) && hl_is_number(value)) {
        draw_value(self, cell, value->number, out);
    } else {
        cell_rect(self, cell, out, "u", 0);
    }
    if (!cell->placed) svg_text(out, cell->x, cell->y - 4, SVG_START, "s q", cell->name, cell->width + 2);
}

/* ---- around the cells ---- */

/* Numbers of heads above, names of layers beside; where rows are low, only some of them. */
static void draw_axes(const head_map *self, html *out) {
    char words[16];
    unsigned shown = self->cell < 18 ? 2 : 1, layers = self->row < 11 ? 2 : 1;
    if (!self->columns) return;
    svg_text(out, self->left + self->cell * self->columns / 2, LINE - 4, SVG_MIDDLE, "q", "head", WIDTH);
    for (unsigned head = 0; head < self->columns; head += shown) {
        snprintf(words, sizeof words, "%u", head);
        svg_text(out, self->left + self->cell * (head + 0.5) - 0.5, self->top - 5, SVG_MIDDLE, "s q", words,
                 WIDTH);
    }
    if (*self->beside) {
        svg_text(out, self->left + self->cell * (self->columns + 0.9), self->top - 5, SVG_MIDDLE, "s q",
                 self->beside, 2 * self->cell);
    }
    for (unsigned layer = self->first_layer; layer < self->end_layer; layer += layers) {
        snprintf(words, sizeof words, "L%u", layer);
        svg_text(out, self->left - 6, self->top + self->row * (layer - self->first_layer + 0.5) + 3, SVG_END,
                 "s q", words, self->left);
    }
    html_format(out, "<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                self->left - 1, self->top - 1, self->cell * self->columns + 1,
                self->row * (self->end_layer - self->first_layer) + 1);
}

static void draw_scale(const head_map *self, html *out) {
    double step = (double)SCALE / LEVELS, left = self->left, top = self->legend + 4;
    for (size_t i = 0; i < LEVELS; i++) {
        html_format(out, "<rect class=\"%s%zu\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"9\"/>",
                    self->is_signed ? "d" : "v", i, left + step * (double)i, top, step + 0.3);
    }
    html_raw(out, "\n");
    for (int i = 0; i < (self->is_signed ? 3 : 2); i++) {
        double share = self->is_signed ? 0.5 * i : i, value = self->low + share * (self->high - self->low);
        char words[32];
        snprintf(words, sizeof words, "%s%.2g", value < 0 ? "\xe2\x88\x92" : "", fabs(value));
        svg_text(out, left + share * SCALE, top + 21,
                 share < 0.25   ? SVG_START
                 : share > 0.75 ? SVG_END
                                : SVG_MIDDLE,
                 "s q", words, SCALE);
    }
    if (!self->is_clipped) return;
    svg_text(out, left, top + 21 + LINE, SVG_START, "s q",
             "what lies beyond the scale has the colour of its end", self->width - left);
}

/* "colors 3" */
static void draw_entry(const char *label, size_t share, double x, double y, double most, html *out) {
    char count[24];
    snprintf(count, sizeof count, " %zu", share);
    char *words = malloc(strlen(label) + sizeof count);
    if (!words) {
        html_no_memory(out);
        return;
    }
    strcpy(words, label);
    strcat(words, count);
    svg_text(out, x, y, SVG_START, "", words, most);
    free(words);
}

static void draw_legend(const head_map *self, html *out) {
    double x = 0, y = self->legend;
    char code[8];
    for (size_t i = 0; i < self->labels->count; i++) {
        size_t share = share_of(self, i);
        double wide = legend_entry(self, i);
        bool colored = i < palette_colored(self->labels);
        if (!share) continue;
        if (x > 0 && x + wide > self->width) x = 0, y += LINE + 2;
        html_format(out, "<rect class=\"%s%zu\" x=\"%.1f\" y=\"%.1f\" width=\"16\" height=\"14\"/>",
                    colored ? "k" : "u", colored ? i : 0, x, y);
        code_of(i, code);
        svg_text(out, x + 8, y + 10.5, SVG_MIDDLE, "s", code, 18);
        draw_entry(self->labels->names[i], share, x + 20, y + 11, wide - 26, out);
        x += wide;
    }
}

void head_map_draw(const head_map *self, html *out) {
    draw_axes(self, out);
    for (size_t i = 0; i < self->count; i++) draw_cell(self, &self->cells[i], out);
    if (shows_values(self)) draw_scale(self, out);
    if (self->has_labels) draw_legend(self, out);
    if (!self->count) svg_text(out, WIDTH / 2.0, LINE, SVG_MIDDLE, "q", "no heads", WIDTH);
}
