/* Receipts in order, with a text that says where each ends: for inputs whose position is a cursor. The mark
 * of the last receipt before which everything is settled is what may be written down. */
#ifndef CAIRN_AGENT_INPUTS_ORDER_H
#define CAIRN_AGENT_INPUTS_ORDER_H

#include "agent/model/receipt.h"
#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"

enum {
    ORDER_MARK_BYTES = 256
};

struct order_receipt;

struct order {
    struct mutex lock;
    struct order_receipt *first, *last;
    char mark[ORDER_MARK_BYTES]; /* empty: nothing settled yet */
    bool stuck;                  /* a receipt failed: the mark stays before it */
};

void order_init(struct order *o);
/* All receipts must be settled. */
void order_done(struct order *o);
/* With the caller's reference. The mark must be set before that is dropped. NULL: out of memory. */
struct order_receipt *order_begin(struct order *o);
struct receipt *order_receipt(struct order_receipt *r);
/* Errors: LIMIT (longer than ORDER_MARK_BYTES - 1): the mark stays empty and is passed over. */
MUST_USE enum err order_set_mark(struct order_receipt *r, struct str mark);
/* The mark that may be written down; 0 bytes when there is none. */
size_t order_mark(struct order *o, char ret_mark[ORDER_MARK_BYTES]);

#endif
