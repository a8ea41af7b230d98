/* What this machine's cores could do at most: multiply-adds in registers, as fast as they come. */
#ifndef PEAK_H
#define PEAK_H

#include "headlight/host.h"

/* Whose multiply-adds: fused ones of f32 in vectors of each width, and products of bf16 in tiles (AMX). */
typedef enum peak_kind { PEAK_FMA_512, PEAK_FMA_256, PEAK_TILES, PEAK_KINDS } peak_kind;

/* Floating-point operations a second (a multiply-add is two) of all the host's threads together, measured
 * once, in some hundredths of a second: the largest of several calls is the peak. 0 where the processor or
 * the operating system has no such thing, or this cannot measure it. */
double peak_flops(const hl_host *host, peak_kind kind);

/* Seconds on a clock that only goes forward. */
double peak_clock(void);

#endif
