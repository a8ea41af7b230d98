/* All of the contract; each header says what it is for. */
#ifndef HEADLIGHT_HEADLIGHT_H
#define HEADLIGHT_HEADLIGHT_H

#include "analysis.h"
#include "ask.h"
#include "compute.h"
#include "error.h"
#include "extractor.h"
#include "host.h"
#include "library.h"
#include "model.h"
#include "option.h"
#include "plugin.h"
#include "report.h"
#include "result.h"
#include "weights.h"

#endif
