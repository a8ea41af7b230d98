/* Any bytes as a text of the results: on the page they are text and nothing else, as a browser's parser
 * (gumbo) sees it, and in the snippet beside it they are YAML of which nothing but the text's value differs.
 */
#include "core/io/utf8.h"
#include "core/io/yaml.h"
#include "core/tree/tree.h"
#include "plugins/reports/html/html.c"
#include "plugins/reports/html/snippet.c"

#include <gumbo.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static const GumboNode *child(const GumboNode *of, unsigned index, GumboNodeType type) {
    if (of->v.element.children.length <= index) abort();
    const GumboNode *found = of->v.element.children.data[index];
    if (found->type != type && found->type != GUMBO_NODE_WHITESPACE) abort();
    return found;
}

/* Printable ASCII, of which nothing may be replaced. */
static bool is_ascii(const char *text) {
    while (*text >= ' ' && *text <= '~') ++text;
    return *text == '\0';
}

/* <b title="TEXT">TEXT</b>, and nothing more. */
static void check_page(const char *markup, size_t count, const char *text) {
    GumboOutput *parsed = gumbo_parse_with_options(&kGumboDefaultOptions, markup, count);
    const GumboNode *body = child(parsed->root, 1, GUMBO_NODE_ELEMENT);
    if (body->v.element.tag != GUMBO_TAG_BODY || body->v.element.children.length != 1) abort();
    const GumboNode *bold = child(body, 0, GUMBO_NODE_ELEMENT);
    if (bold->v.element.tag != GUMBO_TAG_B || bold->v.element.attributes.length != 1) abort();
    const GumboAttribute *title = gumbo_get_attribute(&bold->v.element.attributes, "title");
    if (!title || bold->v.element.children.length != (*text ? 1 : 0)) abort();
    if (*text && strcmp(child(bold, 0, GUMBO_NODE_TEXT)->v.text.text, title->value) != 0) abort();
    if (is_ascii(text) && strcmp(title->value, text) != 0) abort();
    gumbo_destroy_output(&kGumboDefaultOptions, parsed);
}

static hl_status keep_bytes(const hl_report *report, hl_file *file, const void *bytes, size_t count,
                            hl_error *error) {
    (void)report;
    return fwrite(bytes, 1, count, (FILE *)file) == count ? HL_OK : hl_no_memory(error, "the page");
}

static void write_page(const char *text) {
    char *markup = NULL;
    size_t count = 0;
    hl_error error;
    const hl_report report = {.size = sizeof report, .write = keep_bytes};
    FILE *file = open_memstream(&markup, &count);
    if (!file) return;
    html page = {.report = &report, .file = (hl_file *)file, .status = HL_OK, .error = &error};
    html_raw(&page, "<b title=\"");
    html_text(&page, text);
    html_raw(&page, "\">");
    html_text(&page, text);
    html_raw(&page, "</b>");
    fclose(file);
    if (page.status != HL_OK || utf8_check("page", 1, markup, count, &error) != HL_OK) abort();
    check_page(markup, count, text);
    free(markup);
}

static const yaml_node *need(const yaml_node *node, const char *name) {
    const yaml_node *found = yaml_get(node, name);
    if (!found) abort();
    return found;
}

/* An experiment of one analysis with one text. */
static void check_snippet(const char *yaml) {
    yaml_file *file;
    hl_error error;
    if (yaml_parse("snippet", (const uint8_t *)yaml, strlen(yaml), &file, &error) != HL_OK) abort();
    const yaml_node *analysis = yaml_item(need(yaml_root(file), "analyses"), 0);
    if (!analysis || yaml_item(need(yaml_root(file), "analyses"), 1)) abort();
    if (strcmp(need(analysis, "plugin")->text, "heat") != 0) abort();
    if (!yaml_item(need(analysis, "texts"), 0) || yaml_item(need(analysis, "texts"), 1)) abort();
    yaml_close(file);
}

/* {"plugin": "heat", "options": {"texts": [TEXT]}}, and as an item {"text": TEXT}. */
static hl_status make_trees(const char *text, tree **analysis, tree **item) {
    hl_error error;
    hl_status status = tree_open(analysis, &error);
    if (status == HL_OK) status = tree_open(item, &error);
    if (status != HL_OK) return status;
    item_text(tree_root(*analysis), "plugin", "heat");
    item_text(item_list(item_map(tree_root(*analysis), "options"), "texts", HL_LIST), NULL, text);
    item_text(tree_root(*item), "text", text);
    status = tree_check(*analysis, &error);
    return status == HL_OK ? tree_check(*item, &error) : status;
}

static void write_snippet(const char *text) {
    tree *analysis = NULL, *item = NULL;
    char *yaml;
    hl_error error;
    if (make_trees(text, &analysis, &item) != HL_OK) abort();
    if (snippet_make("headlight: 1\n", tree_node(analysis), tree_node(item), &yaml, &error) != HL_OK) abort();
    check_snippet(yaml);
    free(yaml);
    tree_close(analysis);
    tree_close(item);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    char *text = malloc(count + 1);
    if (!text) return 0;
    memcpy(text, bytes, count);
    text[count] = '\0';
    write_page(text);
    write_snippet(text);
    free(text);
    return 0;
}
