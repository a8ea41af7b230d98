/* Images that do not count, by key: in the results, where they stay when nothing is computed again. */
#include "classifier.h"

void classifier_show_left_out(const classifier *self, hl_result *to) {
    hl_item *item = to->item(to, HL_SCHEMA_TABLE);
    to->text(item, "title", "Images by what the gallery says of them");
    hl_item *rows = to->list(item, "rows", HL_TABLE);
    for (size_t t = 0; t < self->task_count; ++t) {
        const classifier_task *task = &self->tasks[t];
        hl_item *row = to->map(rows, NULL);
        to->text(row, "classes", task->key);
        to->whole(row, "of a class", (int64_t)task->labelled);
        to->whole(row, "without a value", (int64_t)task->without_value);
        to->whole(row, "of no class", (int64_t)task->unknown);
    }
}
