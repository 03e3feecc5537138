/* What one driver call emits. */
#ifndef BLOCKSTACK_YARDSTICK_MAP_H
#define BLOCKSTACK_YARDSTICK_MAP_H
#include "state.h"

size_t map_call(struct engine *e, struct node *n, u64 sector, u64 nr, size_t top);
#endif
