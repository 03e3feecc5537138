/* Positions to nodes. */
#ifndef BLOCKSTACK_YARDSTICK_BUILD_H
#define BLOCKSTACK_YARDSTICK_BUILD_H
#include "state.h"

int build(struct engine *e, const struct plan *p);
#endif
