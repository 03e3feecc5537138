/* raid4/5/6, left-symmetric, through the stripe cache. */
#ifndef BLOCKSTACK_YARDSTICK_RAID456_H
#define BLOCKSTACK_YARDSTICK_RAID456_H
#include "state.h"

size_t raid456_piece(struct engine *e, const struct node *n, size_t top, u64 sector, u64 nr);
#endif
