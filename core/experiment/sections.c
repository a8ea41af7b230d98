/* An experiment without its analyses, written out again as YAML: what the page's snippets begin with. */
#include "core/experiment/experiment.h"

#include <stdlib.h>

/* A tree that is cut down step by step. */
typedef struct section_tree {
    const experiment *plan;
    const yaml_node *root;
    hl_error *error;
} section_tree;

/* What a snippet says itself, or no longer needs: a variant's changes have been made in its own tree. */
static hl_status leave_out(section_tree *self, const char *key) {
    return yaml_without(self->plan->file, self->root, key, &self->root, self->error);
}

/* Puts a folder beside the page, below the experiment's output. */
static hl_status put_below_output(section_tree *self, const char *path, const char *name) {
    const yaml_node *output = yaml_get(self->plan->root, "output"), *value;
    const char *variant = self->plan->variant;
    char *folder;
    if (asprintf(&folder, "%s/%s%s%s", output->text, variant ? variant : "", variant ? "/" : "", name) < 0) {
        return hl_no_memory(self->error, "the experiment's sections");
    }
    hl_status status = yaml_new_text(self->plan->file, output, folder, &value, self->error);
    free(folder);
    if (status != HL_OK) return status;
    return yaml_put(self->plan->file, self->root, path, value, &self->root, self->error);
}

hl_status experiment_sections(const experiment *plan, char **out, hl_error *error) {
    *out = NULL;
    section_tree self = {plan, plan->root, error};
    const yaml_node *gallery = yaml_get(plan->root, "gallery");
    bool has_output = plan->output != NULL;
    hl_status status = leave_out(&self, "analyses");
    if (status == HL_OK) status = leave_out(&self, "variants");
    /* So that what a snippet leaves does not take the place of the page that it came from. */
    if (status == HL_OK && has_output) status = put_below_output(&self, "output", "snippet");
    /* The atlas is among the page's results where the experiment does not say; a snippet finds it there. */
    bool atlas_below = has_output && gallery && !yaml_get(gallery, "atlas");
    if (status == HL_OK && atlas_below) status = put_below_output(&self, "gallery.atlas", "atlas");
    return status == HL_OK ? yaml_write(self.root, out, error) : status;
}
