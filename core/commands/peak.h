/* What this machine's cores could do at most: fused multiply-adds in f32, as fast as they come. */
#ifndef PEAK_H
#define PEAK_H

#include "headlight/host.h"

/* Floating-point operations a second (a multiply-add is two) of all the host's threads together, measured
 * once, in some hundredths of a second: the largest of several calls is the peak. 0 on processors that this
 * cannot measure. */
double peak_flops(const hl_host *host);

/* The same of products of bf16 in tiles (AMX). 0 where the processor or the operating system has none. */
double peak_tile_flops(const hl_host *host);

/* Seconds on a clock that only goes forward. */
double peak_clock(void);

#endif
