/* Models under their names: folders of the user's own, `models/NAME` below $HEADLIGHT_HOME where that is set,
 * else below `headlight` in the XDG data folder ($XDG_DATA_HOME, else ~/.local/share). Never looks into a
 * model's folder. */
#ifndef MODEL_HOME_H
#define MODEL_HOME_H

#include "headlight/error.h"
#include <stdbool.h>

/* The folder that holds them, whether it is there or not; free() it. NULL: no environment variable says where
 * (an absolute path), or no memory. */
char *model_home(void);

/* Whether models may be called so: a name is no path. */
bool model_name_is_valid(const char *name);

/* Where the model of this name is, or would be; free() it. HL_USAGE for what is no name, and where no
 * environment variable says where home is. */
hl_status model_home_place(const char *name, char **out, hl_error *error);

#endif
