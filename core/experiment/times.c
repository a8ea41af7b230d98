/* See times.h. */
#include "core/experiment/times.h"

#include "core/tree/tree.h"
#include <stdlib.h>
#include <string.h>

static double total(const watch *self) {
    double sum = 0;
    for (size_t i = 0; i < self->count; ++i) sum += self->all[i].seconds;
    return sum;
}

/* Microseconds are more than anybody can measure. */
static double rounded(double seconds) {
    return (double)(long long)(seconds * 1e6 + 0.5) / 1e6;
}

static void describe(const watch *self, hl_item *root) {
    item_double(root, "seconds", rounded(total(self)));
    hl_item *list = item_list(root, "phases", HL_LIST);
    for (size_t i = 0; i < self->count; ++i) {
        const watch_phase *phase = &self->all[i];
        hl_item *item = item_map(list, NULL);
        item_text(item, "phase", phase->name);
        if (phase->variant) item_text(item, "variant", phase->variant);
        item_double(item, "seconds", rounded(phase->seconds));
    }
}

static hl_status print(const watch *self, char **json, hl_error *error) {
    tree *made = NULL;
    hl_status status = tree_open(&made, error);
    if (status == HL_OK) describe(self, tree_root(made));
    if (status == HL_OK) status = tree_check(made, error);
    if (status == HL_OK) status = tree_print_json(tree_node(made), true, json, error);
    tree_close(made);
    return status;
}

hl_status times_write(const watch *self, output *files, hl_error *error) {
    char *json = NULL;
    FILE *file;
    watch_leave(watch_enter("other")); /* all that has passed is counted */
    hl_status status = print(self, &json, error);
    if (status == HL_OK) status = output_file(files, TIMES_FILE, &file, error);
    if (status == HL_OK) status = output_write(files, file, json, strlen(json), error);
    free(json);
    return status;
}

/* Of all variants, if it is the first of its name. */
static double seconds_of(const watch *self, size_t index) {
    const char *name = self->all[index].name;
    double sum = 0;
    for (size_t i = 0; i < self->count; ++i) {
        if (strcmp(self->all[i].name, name) != 0) continue;
        if (i < index) return 0;
        sum += self->all[i].seconds;
    }
    return sum;
}

void times_tell(const watch *self, char *line, size_t size) {
    double all = total(self), told = 0;
    int digits = all < 10 ? 2 : all < 100 ? 1 : 0;
    hl_format(line, size, "%.*f s", digits, all);
    for (size_t i = 0; i < self->count; ++i) {
        double seconds = seconds_of(self, i);
        if (i == 0 || seconds < all / 100) continue;
        size_t used = strlen(line);
        hl_format(line + used, size - used, "%s %s %.*f", told > 0 ? "," : ":", self->all[i].name, digits,
                  seconds);
        told += seconds;
    }
    size_t used = strlen(line);
    if (told > 0) hl_format(line + used, size - used, ", other %.*f", digits, all - told);
}
