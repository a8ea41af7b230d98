/* What a language model was asked and what it answered, each word of it: long, and folded until somebody
 * wants to know. */
#include "page.h"

static bool is_conversation(const hl_node *item) {
    return item && strcmp(hl_get_text(item, "schema"), HL_SCHEMA_CONVERSATION) == 0;
}

static void words(page *self, const char *title, const char *text) {
    html_format(&self->html, "<p class=\"quiet\">%s</p>\n<pre class=\"copy\">", title);
    html_text(&self->html, text);
    html_raw(&self->html, "</pre>\n");
}

static void exchange(page *self, const hl_node *item, size_t number) {
    html_format(&self->html, "<details><summary>%zu</summary>\n", number);
    words(self, "asked", hl_get_text(item, "prompt"));
    words(self, "answered", hl_get_text(item, "answer"));
    html_raw(&self->html, "</details>\n");
}

const hl_node *page_conversations(page *self, const hl_node *item) {
    html *out = &self->html;
    size_t count = 0, number = 0;
    if (!is_conversation(item)) return item;
    const hl_node *end = item;
    for (; is_conversation(end); end = end->next) ++count;
    html_format(out, "<details><summary>%zu question%s to ", count, count == 1 ? "" : "s");
    html_text(out, hl_get_text(item, "model"));
    html_raw(out, "</summary>\n");
    for (; item != end; item = item->next) exchange(self, item, ++number);
    html_raw(out, "</details>\n");
    return end;
}
