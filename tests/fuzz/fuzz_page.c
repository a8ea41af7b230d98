/* Any bytes as a text of the results: on the page they are text and nothing else, as a browser's parser
 * (gumbo) sees it, and in the snippet beside it they are YAML of which nothing but the text's value differs.
 */
#include "core/io/utf8.h"
#include "core/io/yaml.h"
#include "core/report/html.h"
#include "core/report/snippet.h"
#include "tests/fuzz/scratch.h"

#include <gumbo.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static const GumboNode *child(const GumboNode *of, unsigned index, GumboNodeType type) {
    if (of->v.element.children.length <= index) abort();
    const GumboNode *found = of->v.element.children.data[index];
    if (found->type != type && found->type != GUMBO_NODE_WHITESPACE) abort();
    return found;
}

/* Printable ASCII, of which nothing may be replaced. */
static bool is_plain(const char *text) {
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
    if (is_plain(text) && strcmp(title->value, text) != 0) abort();
    gumbo_destroy_output(&kGumboDefaultOptions, parsed);
}

static void write_page(const char *text) {
    char *markup = NULL;
    size_t count = 0;
    hl_error error;
    static output *out; /* nothing is ever committed */
    if (!out && output_open(scratch_folder(), &out, &error) != HL_OK) abort();
    html page = {.out = out, .file = open_memstream(&markup, &count), .status = HL_OK, .error = &error};
    if (!page.file) return;
    html_raw(&page, "<b title=\"");
    html_text(&page, text);
    html_raw(&page, "\">");
    html_text(&page, text);
    html_raw(&page, "</b>");
    fclose(page.file);
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

static void write_snippet(const char *text) {
    char *clean = utf8_rewrite(text, UTF8_BYTE, NULL);
    cJSON *analysis = cJSON_Parse("{\"plugin\": \"heat\", \"options\": {}}"), *item = cJSON_CreateObject();
    cJSON *texts = cJSON_AddArrayToObject(cJSON_GetObjectItem(analysis, "options"), "texts");
    if (clean && texts && item) {
        cJSON_AddItemToArray(texts, cJSON_CreateString(clean));
        cJSON_AddStringToObject(item, "text", clean);
        char *yaml;
        hl_error error;
        if (snippet_make("headlight: 1\n", analysis, item, &yaml, &error) != HL_OK) abort();
        check_snippet(yaml);
        free(yaml);
    }
    cJSON_Delete(analysis);
    cJSON_Delete(item);
    free(clean);
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
