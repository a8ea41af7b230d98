/* What an experiment says that no page may show: options that their plugin calls secret. Of these, what is
 * read as an option is hidden when it is read; here, whatever else the file says of them, such as what the
 * command line or a variant replaces. */
#ifndef SECRETS_H
#define SECRETS_H

#include "core/io/yaml.h"
#include "core/registry/registry.h"

void secrets_hide(const registry *plugins, const yaml_node *root);

#endif
