/* Receipts: who must hear that a piece of input has been dealt with.
 *
 * An input makes one receipt for what it hands on at a time (a chunk of a file, a request). Everything that
 * keeps a line of it beyond the call takes a reference: a stage that holds a line back, a batch that waits to
 * be sent. When the last reference goes the piece is settled: delivered, or dropped on purpose and counted.
 * After receipt_fail it is settled as failed: the input must not move its position past it.
 *
 * References may be taken and dropped on any thread. */
#ifndef CAIRN_AGENT_MODEL_RECEIPT_H
#define CAIRN_AGENT_MODEL_RECEIPT_H

#include <stdatomic.h>
#include <stdbool.h>

struct receipt {
    atomic_uint refs;   /* released with acq_rel: whoever settles sees all that happened before */
    atomic_bool failed; /* set before the reference is dropped that orders it */
    /* Called once, on the thread that dropped the last reference; owns the receipt. Must not block. */
    void (*settled)(struct receipt *r, bool ok);
};

/* With one reference, the caller's. */
void receipt_init(struct receipt *r, void (*settled)(struct receipt *r, bool ok));
void receipt_ref(struct receipt *r);
/* Accepts NULL, as receipt_fail does. */
void receipt_unref(struct receipt *r);
void receipt_fail(struct receipt *r);

/* Several receipts as one, for lines that become one: settled or failed together. One thread joins; the
 * result is then used as any other. */
struct receipt_join;
/* NULL when memory is short. */
struct receipt_join *receipt_join_new(void);
/* Takes a reference on r (NULL is fine). False when memory is short: r is not in it. */
bool receipt_join_add(struct receipt_join *j, struct receipt *r);
struct receipt *receipt_join_receipt(struct receipt_join *j);

#endif
