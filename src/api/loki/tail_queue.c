/* The queue between the store and one tail. */
#include "api/loki/tail_queue.h"

#include "base/mem.h"
#include "base/thread.h"

enum {
    QUEUE_ITEMS_MAX = 10000,
    QUEUE_BYTES_MAX = 16 << 20,
    DROPS_MAX = 1000
};

struct list {
    struct tail_item *first, **last;
    size_t count, bytes;
};

struct tail_queue {
    struct mutex lock;
    struct list items, dropped;
    uint64_t number;
};

enum err tail_queue_new(struct tail_queue **ret_queue)
{
    struct tail_queue *q = mem_zalloc(sizeof(*q));
    if (!q) {
        return ERR_OOM;
    }
    mutex_init(&q->lock);
    q->items.last = &q->items.first;
    q->dropped.last = &q->dropped.first;
    *ret_queue = q;
    return ERR_OK;
}

void tail_items_free(struct tail_item *list)
{
    while (list) {
        struct tail_item *next = list->next;
        mem_free(list);
        list = next;
    }
}

void tail_queue_free(struct tail_queue *q)
{
    if (q) {
        tail_items_free(q->items.first);
        tail_items_free(q->dropped.first);
        mutex_done(&q->lock);
        mem_free(q);
    }
}

/* -- items ----------------------------------------------------------------------------------------------- */

static size_t text_bytes(struct labels ls)
{
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++) {
        n += ls.l[i].name.n + ls.l[i].value.n;
    }
    return n;
}

static struct str pack_str(char **at, struct str s)
{
    char *to = *at;
    if (s.n) {
        memcpy(to, s.p, s.n);
    }
    *at += s.n;
    return str_of(to, s.n);
}

static struct labels pack_labels(struct label *to, char **at, struct labels ls)
{
    for (size_t i = 0; i < ls.n; i++) {
        to[i].name = pack_str(at, ls.l[i].name);
        to[i].value = pack_str(at, ls.l[i].value);
    }
    return (struct labels){.l = to, .n = ls.n};
}

static struct tail_item *item_new(struct labels stream, ts_ns ts, struct str line, struct labels metadata)
{
    size_t tables = (stream.n + metadata.n) * sizeof(struct label);
    size_t bytes = sizeof(struct tail_item) + tables + text_bytes(stream) + text_bytes(metadata) + line.n;
    struct tail_item *item = mem_alloc(bytes + 1);
    if (!item) {
        return NULL;
    }
    struct label *labels = (struct label *)(item + 1);
    char *at = (char *)(labels + stream.n + metadata.n);
    *item = (struct tail_item){.ts = ts, .bytes = bytes};
    item->stream = pack_labels(labels, &at, stream);
    item->metadata = pack_labels(labels + stream.n, &at, metadata);
    item->line = pack_str(&at, line);
    return item;
}

/* -- the queue ------------------------------------------------------------------------------------------- */

static void append(struct list *l, struct tail_item *item)
{
    *l->last = item;
    l->last = &item->next;
    l->count++;
    l->bytes += item->bytes;
}

static bool full(struct tail_queue *q, size_t more)
{
    mutex_lock(&q->lock);
    bool yes = q->items.count >= QUEUE_ITEMS_MAX || q->items.bytes + more > QUEUE_BYTES_MAX;
    mutex_unlock(&q->lock);
    return yes;
}

void tail_queue_put(void *ctx, const struct log_stream_view *stream, ts_ns ts, struct str line,
                    struct labels metadata)
{
    struct tail_queue *q = ctx;
    struct labels none = {0};
    bool drop = full(q, line.n);
    struct tail_item *item = drop ? item_new(stream->labels, ts, (struct str){0}, none)
                                  : item_new(stream->labels, ts, line, metadata);
    if (!item) {
        return; /* no memory to say so either */
    }
    mutex_lock(&q->lock);
    item->number = q->number++;
    if (!drop) {
        append(&q->items, item);
        item = NULL;
    } else if (q->dropped.count < DROPS_MAX) {
        append(&q->dropped, item);
        item = NULL;
    }
    mutex_unlock(&q->lock);
    mem_free(item);
}

static struct tail_item *take(struct list *l)
{
    struct tail_item *first = l->first;
    *l = (struct list){0};
    l->last = &l->first;
    return first;
}

void tail_queue_take(struct tail_queue *q, struct tail_item **ret_items, struct tail_item **ret_dropped)
{
    mutex_lock(&q->lock);
    *ret_items = take(&q->items);
    *ret_dropped = take(&q->dropped);
    mutex_unlock(&q->lock);
}
