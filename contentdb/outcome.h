#pragma once

/* Short names for the outcomes of the wire contract. */

#include "lib/base/status.h"
#include "proto/content.pb-c.h"

#define OUTCOME(name) TRIAD__CONTENT__OUTCOME__##name
