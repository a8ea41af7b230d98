/* Shapes and activations behind timm's names, of which a published configuration says the name alone. */
#include "config.h"

#include <string.h>

enum { BASE = 768, LARGE = 1024, SO400M = 1152, GIANT_OPT = 1536 };

static const timm_shape shapes[] = {
    {"vit_base_patch16_siglip_224", 224, {16, BASE, 12, 12, 4}, HL_GELU},
    {"vit_base_patch16_siglip_256", 256, {16, BASE, 12, 12, 4}, HL_GELU},
    {"vit_base_patch16_siglip_384", 384, {16, BASE, 12, 12, 4}, HL_GELU},
    {"vit_base_patch16_siglip_512", 512, {16, BASE, 12, 12, 4}, HL_GELU},
    {"vit_base_patch32_siglip_256", 256, {32, BASE, 12, 12, 4}, HL_GELU_TANH},
    {"vit_large_patch16_siglip_256", 256, {16, LARGE, 24, 16, 4}, HL_GELU},
    {"vit_large_patch16_siglip_384", 384, {16, LARGE, 24, 16, 4}, HL_GELU},
    {"vit_large_patch16_siglip_512", 512, {16, LARGE, 24, 16, 4}, HL_GELU_TANH},
    {"vit_so400m_patch14_siglip_224", 224, {14, SO400M, 27, 16, 3.7362}, HL_GELU},
    {"vit_so400m_patch14_siglip_378", 378, {14, SO400M, 27, 16, 3.7362}, HL_GELU},
    {"vit_so400m_patch14_siglip_384", 384, {14, SO400M, 27, 16, 3.7362}, HL_GELU},
    {"vit_so400m_patch16_siglip_256", 256, {16, SO400M, 27, 16, 3.7362}, HL_GELU_TANH},
    {"vit_so400m_patch16_siglip_384", 384, {16, SO400M, 27, 16, 3.7362}, HL_GELU_TANH},
    {"vit_so400m_patch16_siglip_512", 512, {16, SO400M, 27, 16, 3.7362}, HL_GELU_TANH},
    {"vit_giantopt_patch16_siglip_256", 256, {16, GIANT_OPT, 40, 16, 4}, HL_GELU_TANH},
    {"vit_giantopt_patch16_siglip_384", 384, {16, GIANT_OPT, 40, 16, 4}, HL_GELU_TANH},
};

const timm_shape *timm_find(const char *name) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) {
        if (strcmp(shapes[i].name, name) == 0) return &shapes[i];
    }
    return NULL;
}
