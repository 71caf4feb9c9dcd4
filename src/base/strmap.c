/* Linear probing; a removed slot keeps hash REMOVED until the next rehash. */
#include "base/strmap.h"

#include "base/hash.h"
#include "base/mem.h"

struct strmap_slot {
    uint64_t hash; /* 0 = free, 1 = removed */
    char *key;
    size_t key_n;
    void *value;
};

enum {
    SLOT_FREE = 0,
    SLOT_REMOVED = 1,
    CAP_MIN = 16
};

static uint64_t slot_hash(struct str key)
{
    uint64_t h = hash_seeded(key.p, key.n, hash_seed());
    return h < 2 ? h + 2 : h;
}

void strmap_clear(struct strmap *m, void (*free_value)(void *value))
{
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].hash > SLOT_REMOVED) {
            mem_free(m->slots[i].key);
            if (free_value) {
                free_value(m->slots[i].value);
            }
        }
        m->slots[i].hash = SLOT_FREE;
    }
    m->count = m->tombstones = 0;
}

void strmap_done(struct strmap *m)
{
    strmap_clear(m, NULL);
    mem_free(m->slots);
    *m = (struct strmap){0};
}

static struct strmap_slot *find(const struct strmap *m, struct str key, uint64_t hash)
{
    if (m->cap == 0) {
        return NULL;
    }
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct strmap_slot *s = &m->slots[i];
        if (s->hash == SLOT_FREE) {
            return NULL;
        }
        if (s->hash == hash && s->key_n == key.n && (key.n == 0 || memcmp(s->key, key.p, key.n) == 0)) {
            return s;
        }
    }
}

void *strmap_get(const struct strmap *m, struct str key)
{
    const struct strmap_slot *s = find(m, key, slot_hash(key));
    return s ? s->value : NULL;
}

static struct strmap_slot *free_slot(struct strmap_slot *slots, size_t cap, uint64_t hash)
{
    size_t i = hash & (cap - 1);
    while (slots[i].hash > SLOT_REMOVED) {
        i = (i + 1) & (cap - 1);
    }
    return &slots[i];
}

static enum err rehash(struct strmap *m)
{
    size_t cap = m->cap < CAP_MIN ? CAP_MIN : m->count * 2 > m->cap ? m->cap * 2 : m->cap;
    struct strmap_slot *slots = mem_zarray(cap, sizeof(*slots));
    if (!slots) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].hash > SLOT_REMOVED) {
            *free_slot(slots, cap, m->slots[i].hash) = m->slots[i];
        }
    }
    mem_free(m->slots);
    m->slots = slots;
    m->cap = cap;
    m->tombstones = 0;
    return ERR_OK;
}

enum err strmap_put(struct strmap *m, struct str key, void *value, void **ret_old)
{
    uint64_t hash = slot_hash(key);
    struct strmap_slot *s = find(m, key, hash);
    if (s) {
        if (ret_old) {
            *ret_old = s->value;
        }
        s->value = value;
        return ERR_OK;
    }
    if ((m->count + m->tombstones + 1) * 4 > m->cap * 3) {
        enum err e = rehash(m);
        if (e != ERR_OK) {
            return e;
        }
    }
    char *copy = mem_dup(key.p, key.n);
    if (!copy) {
        return ERR_OOM;
    }
    s = free_slot(m->slots, m->cap, hash);
    if (s->hash == SLOT_REMOVED) {
        m->tombstones--;
    }
    *s = (struct strmap_slot){hash, copy, key.n, value};
    m->count++;
    if (ret_old) {
        *ret_old = NULL;
    }
    return ERR_OK;
}

void *strmap_remove(struct strmap *m, struct str key)
{
    struct strmap_slot *s = find(m, key, slot_hash(key));
    if (!s) {
        return NULL;
    }
    void *value = s->value;
    mem_free(s->key);
    *s = (struct strmap_slot){.hash = SLOT_REMOVED};
    m->count--;
    m->tombstones++;
    return value;
}

bool strmap_next(const struct strmap *m, size_t *pos, struct str *ret_key, void **ret_value)
{
    while (*pos < m->cap) {
        const struct strmap_slot *s = &m->slots[(*pos)++];
        if (s->hash > SLOT_REMOVED) {
            if (ret_key) {
                *ret_key = str_of(s->key, s->key_n);
            }
            if (ret_value) {
                *ret_value = s->value;
            }
            return true;
        }
    }
    return false;
}
