/* Hash map from byte strings to pointers. Open addressing, seeded against crafted keys.
 *
 * Keys are copied. Not thread-safe. Iteration order is unspecified. */
#ifndef CAIRN_BASE_STRMAP_H
#define CAIRN_BASE_STRMAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct strmap_slot;

struct strmap {
    struct strmap_slot *slots;
    size_t count;
    size_t cap; /* 0 or a power of two */
    size_t tombstones;
};

void strmap_done(struct strmap *m);
/* Removes all entries; free_value (may be NULL) is called for each value. */
void strmap_clear(struct strmap *m, void (*free_value)(void *value));
/* The value, or NULL when absent. */
void *strmap_get(const struct strmap *m, struct str key);
/* Inserts or replaces; *ret_old (may be NULL) gets the value replaced, or NULL. value must not be NULL.
 * Errors: OOM, with the map unchanged. */
MUST_USE enum err strmap_put(struct strmap *m, struct str key, void *value, void **ret_old);
/* Removes and returns the value, or NULL. */
void *strmap_remove(struct strmap *m, struct str key);
/* Iteration: *pos starts at 0; false at the end. The entry just returned may be removed. */
bool strmap_next(const struct strmap *m, size_t *pos, struct str *ret_key, void **ret_value);

#endif
