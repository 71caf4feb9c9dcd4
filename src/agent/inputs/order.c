/* A list of receipts that is eaten from its front. */
#include "agent/inputs/order.h"

#include "base/mem.h"

struct order_receipt {
    struct receipt base;
    struct order *order;
    struct order_receipt *next;
    bool done, ok; /* under the order's lock */
    char mark[ORDER_MARK_BYTES];
};

void order_init(struct order *o)
{
    *o = (struct order){0};
    mutex_init(&o->lock);
}

void order_done(struct order *o)
{
    mutex_done(&o->lock);
}

static void settled(struct receipt *base, bool ok)
{
    struct order_receipt *r = (struct order_receipt *)base, *finished = NULL;
    struct order *o = r->order;
    mutex_lock(&o->lock);
    r->done = true;
    r->ok = ok;
    while (o->first && o->first->done) {
        struct order_receipt *head = o->first;
        o->first = head->next;
        o->stuck |= !head->ok;
        if (!o->stuck && head->mark[0]) {
            memcpy(o->mark, head->mark, sizeof(o->mark));
        }
        head->next = finished;
        finished = head;
    }
    if (!o->first) {
        o->last = NULL;
    }
    mutex_unlock(&o->lock);
    while (finished) {
        struct order_receipt *next = finished->next;
        mem_free(finished);
        finished = next;
    }
}

struct order_receipt *order_begin(struct order *o)
{
    struct order_receipt *r = mem_zalloc(sizeof(*r));
    if (!r) {
        return NULL;
    }
    receipt_init(&r->base, settled);
    r->order = o;
    mutex_lock(&o->lock);
    if (o->last) {
        o->last->next = r;
    } else {
        o->first = r;
    }
    o->last = r;
    mutex_unlock(&o->lock);
    return r;
}

struct receipt *order_receipt(struct order_receipt *r)
{
    return &r->base;
}

enum err order_set_mark(struct order_receipt *r, struct str mark)
{
    if (mark.n >= ORDER_MARK_BYTES) {
        return ERR_LIMIT;
    }
    memcpy(r->mark, mark.p, mark.n);
    r->mark[mark.n] = '\0';
    return ERR_OK;
}

size_t order_mark(struct order *o, char ret_mark[ORDER_MARK_BYTES])
{
    mutex_lock(&o->lock);
    memcpy(ret_mark, o->mark, ORDER_MARK_BYTES);
    mutex_unlock(&o->lock);
    return strlen(ret_mark);
}
