/* Option tables against YAML: one place for checking, defaults and documentation.
 *
 * What can be checked without a model is checked by `options_read`; heads, properties and directions are then
 * bound to a model in a second step, with the same file, line and column in their errors. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "core/io/yaml.h"
#include "core/registry/direction.h"
#include "headlight/model.h"
#include "headlight/plugin.h"

typedef struct option_values option_values;

/* Checks the mapping `node` against the plugin's table and fills in the defaults; node may be NULL: all
 * defaults. It outlives *out. Keys in `ignored` (ends with NULL) belong to the section itself, e.g. "plugin";
 * when `ignored` is NULL, keys that the table lacks are somebody else's to check. Paths are resolved against
 * the folder of the YAML file. Whether images are there is not looked at: see options_sift_images. */
hl_status options_read(const hl_plugin *plugin, const yaml_node *node, const char *const *ignored,
                       option_values **out, hl_error *error);
void options_free(option_values *values); /* accepts NULL */

/* Whether the table itself is sound: names, types, bounds, help, and defaults that it would accept. */
hl_status options_check(const hl_plugin *plugin, hl_error *error);

/* What an option takes, as the middle of a sentence: "a whole number from 1 to 64". */
void options_expected(const hl_option *option, char *out, size_t size);

/* HL_HEADS: turns the selectors and sums into selections of the model's components. Status 2 for a head that
 * it lacks, and for one that is twice in a sum. */
hl_status options_bind_heads(option_values *values, const hl_model_info *model, hl_error *error);

/* HL_PROPERTIES: gives each property its heads; from then on it goes by the selection's name, which outlives
 * the values' use. `find` NULL: the experiment says nothing of properties, so
 * that asking for one is wrong. */
typedef hl_status options_find_property(const void *user, const char *name, const hl_selection **out,
                                        hl_error *error);
hl_status options_bind_properties(option_values *values, options_find_property *find, const void *user,
                                  hl_error *error);

/* Every selection that was bound, in order; NULL past the end. */
const hl_selection *options_selection(const option_values *values, size_t index);

/* HL_DIRECTIONS: whether vectors from files fit the model; every text that will be encoded; and, once a model
 * can encode, the vector of each. All texts of one option are encoded in one go. */
hl_status options_check_directions(const option_values *values, const hl_model_info *model, hl_error *error);
hl_status options_texts(const option_values *values, direction_text *each, void *user, hl_error *error);
hl_status options_bind_directions(option_values *values, uint32_t embed_dim, const direction_encoder *encoder,
                                  hl_error *error);

/* HL_IMAGES: `judge` is asked of every image, in order, and says which to keep; without the others the values
 * must still be right. `place`: where it is written; NULL: nowhere. */
typedef hl_status options_judge(void *user, const hl_option *option, const hl_image *image,
                                const yaml_node *place, bool *keep, hl_error *error);
hl_status options_sift_images(option_values *values, options_judge *judge, void *user, hl_error *error);

/* One pointer for each row of the table, to hand to the plugin. */
const hl_value *const *options_values(const option_values *values);

/* Every image that the values name, those of directions too. NULL past the end. */
const hl_image *options_image(const option_values *values, size_t index);

/* The values as the user would write them in YAML flow style, for results.json and snippets: calls `each`
 * with the option and its value in the table's order; values left out are skipped. */
typedef hl_status options_visitor(void *user, const hl_option *option, const hl_value *value,
                                  const char *const *written, size_t written_count, hl_error *error);
hl_status options_visit(const option_values *values, options_visitor *each, void *user, hl_error *error);

/* Entry `index` of an option as it was written, where that is a mapping: a direction that is no text, which
 * results call otherwise. NULL: a text. */
const yaml_node *options_form(const option_values *values, const hl_option *option, size_t index);

/* The table as documentation. */
hl_status options_document(const hl_plugin *plugin, FILE *out, hl_error *error);

#endif
