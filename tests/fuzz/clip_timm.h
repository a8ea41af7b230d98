/* timm.c beside config.c in one file. */
#define vision_settings timm_vision_settings
#define read_size       timm_read_size
#include "plugins/models/clip-vit/timm.c"
#undef vision_settings
#undef read_size
