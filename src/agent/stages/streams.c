/* A map with a list through it. */
#include "agent/stages/streams.h"

#include "base/hash.h"
#include "base/mem.h"

static struct str key_of(const struct stream_state *s)
{
    return str_of((const char *)s->key, sizeof(s->key));
}

static void unlink_state(struct streams *t, struct stream_state *s)
{
    *(s->older ? &s->older->newer : &t->oldest) = s->newer;
    *(s->newer ? &s->newer->older : &t->newest) = s->older;
}

static void link_newest(struct streams *t, struct stream_state *s)
{
    s->newer = NULL;
    s->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = s;
    t->newest = s;
}

void streams_remove(struct streams *t, struct stream_state *s)
{
    unlink_state(t, s);
    (void)strmap_remove(&t->map, key_of(s));
    t->n--;
    if (t->leave) {
        t->leave(t->ctx, s);
    }
    mem_free(s);
}

struct stream_state *streams_get(struct streams *t, struct labels ls, bool make)
{
    struct hash128 h = labels_hash128(ls);
    uint64_t key[2] = {h.lo, h.hi};
    struct stream_state *s = t->newest;
    if (!s || memcmp(s->key, key, sizeof(key)) != 0) {
        s = strmap_get(&t->map, str_of((const char *)key, sizeof(key)));
    }
    if (s) {
        unlink_state(t, s);
        link_newest(t, s);
        return s;
    }
    if (!make) {
        return NULL;
    }
    if (t->n >= t->max) {
        streams_remove(t, t->oldest);
    }
    s = mem_zalloc(t->size_bytes);
    if (!s) {
        return NULL;
    }
    memcpy(s->key, key, sizeof(key));
    if (strmap_put(&t->map, key_of(s), s, NULL)) {
        mem_free(s);
        return NULL;
    }
    link_newest(t, s);
    t->n++;
    return s;
}

void streams_done(struct streams *t)
{
    while (t->oldest) {
        streams_remove(t, t->oldest);
    }
    strmap_done(&t->map);
}
