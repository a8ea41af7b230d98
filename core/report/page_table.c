/* Items that no other part can draw, as rows of a table, and values as words. */
#include "core/report/page_parts.h"

#include <math.h>
#include <string.h>

static void list(page *self, const cJSON *array) {
    const cJSON *element = NULL;
    cJSON_ArrayForEach(element, array) {
        if (cJSON_IsString(element)) {
            html_isolated(&self->html, element->valuestring);
        } else {
            page_value(self, element);
        }
        if (element->next) html_raw(&self->html, ", ");
    }
}

void page_value(page *self, const cJSON *value) {
    html *out = &self->html;
    if (cJSON_IsString(value)) {
        html_text(out, value->valuestring);
    } else if (cJSON_IsArray(value) && cJSON_IsArray(value->child)) {
        html_format(out, "grid of %d x %d", cJSON_GetArraySize(value), cJSON_GetArraySize(value->child));
    } else if (cJSON_IsArray(value)) {
        list(self, value);
    } else if (cJSON_IsNumber(value) && value->valuedouble != rint(value->valuedouble)) {
        html_format(out, "%.4g", value->valuedouble);
    } else {
        char *json = cJSON_PrintUnformatted(value);
        if (!json) html_no_memory(out);
        if (json) html_text(out, json);
        cJSON_free(json);
    }
}

/* Adds the names of the item's fields to the columns, an object, where they are not there yet. */
static bool add_columns(cJSON *columns, const cJSON *item) {
    const cJSON *field = NULL;
    cJSON_ArrayForEach(field, item) {
        bool shown = strcmp(field->string, "schema") != 0;
        if (shown && !page_get(columns, field->string) && !cJSON_AddNullToObject(columns, field->string))
            return false;
    }
    return true;
}

/* One row of the table; item NULL: its headings. */
static void row(page *self, const cJSON *columns, const cJSON *item) {
    const cJSON *column = NULL;
    html *out = &self->html;
    html_raw(out, "<tr>");
    cJSON_ArrayForEach(column, columns) {
        html_raw(out, item ? "<td>" : "<th>");
        if (!item) html_text(out, column->string);
        if (item && page_get(item, column->string)) page_value(self, page_get(item, column->string));
        html_raw(out, item ? "</td>" : "</th>");
    }
    html_raw(out, "</tr>\n");
}

const cJSON *page_table(page *self, const cJSON *item) {
    const cJSON *end = item;
    cJSON *columns = cJSON_CreateObject();
    bool complete = columns != NULL;
    for (; end && page_same(end, item, "schema"); end = end->next) {
        complete = complete && add_columns(columns, end);
    }
    if (!complete) html_no_memory(&self->html);
    html_raw(&self->html, "<div class=\"table\"><table>\n");
    row(self, columns, NULL);
    for (; item != end; item = item->next) row(self, columns, item);
    html_raw(&self->html, "</table></div>\n");
    cJSON_Delete(columns);
    return end;
}
