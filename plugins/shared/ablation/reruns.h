/* The embeddings of some images with components ablated in the pass itself. */
#ifndef RERUNS_H
#define RERUNS_H

#include "ablation/ablation.h"

/* answers[(case * task_count + task) * image_count + i], the first case, which is nothing, included. Images:
 * numbers in the gallery. */
hl_status reruns_answer(const classifier *of, const case_list *cases, ablation_settings settings,
                        const size_t *images, size_t image_count, uint16_t *answers, hl_error *error);

#endif
