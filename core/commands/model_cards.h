/* What is known of published models: one YAML file each, NAME.yaml, installed with the library
 * (configs/models in its source). Data for people and for whoever fetches a model; nothing that is computed
 * depends on it. */
#ifndef MODEL_CARDS_H
#define MODEL_CARDS_H

#include "core/registry/options.h"

typedef struct model_card {
    char *name; /* the file's, without .yaml */
    yaml_file *file;
    option_values *values;
    const char *title, *tower, *activation, *pixels, *tokenizer, *training, *licence, *page, *from;
    const char *plugin;       /* that loads it; NULL: none does yet */
    const char *lacking;      /* then: what that would take */
    double parameters;        /* millions, of both towers */
    double megabytes;         /* of its weights, as near as parameters tell */
    const char *const *files; /* below `from`; the weights come first */
    size_t file_count;
} model_card;

typedef struct model_cards {
    model_card *items;
    size_t count;
} model_cards;

/* Adds all of `folder`, which need not be there, to the cards; one takes the place of an earlier one of its
 * name. HL_USAGE for a file that is no card. Free with model_cards_free, also after a failure. */
hl_status model_cards_read(const char *folder, model_cards *cards, hl_error *error);
void model_cards_free(model_cards *cards);

const model_card *model_cards_find(const model_cards *cards, const char *name); /* NULL: there is none */

#endif
