/* Families and the table that finds a series by its label values.
 *
 * Invariants: (1) a published series and its values never move and are freed with the family only; (2) the
 * table is at most half full, so a search ends; (3) a reader that holds an old table misses at most a series
 * that was made after it looked, and then asks under the lock. Looking up takes no lock; making a series
 * takes family->lock. Does not expose anything: see expose.c. */
#include "client_int.h"

#include <stdlib.h>

static void strings_free(char **strings, size_t count)
{
    for (size_t i = 0; strings != NULL && i < count; i++) {
        free(strings[i]);
    }
    free(strings);
}

/* A copy of count strings; NULL when memory is short (an empty list is one allocation too). */
static char **strings_copy(const char *const *strings, size_t count)
{
    char **copy = calloc(count + 1, sizeof *copy);
    if (copy == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        copy[i] = strdup(strings[i]);
        if (copy[i] == NULL) {
            strings_free(copy, count);
            return NULL;
        }
    }
    return copy;
}

static struct cairn__table *table_new(size_t slot_count)
{
    struct cairn__table *table = calloc(1, sizeof *table + slot_count * sizeof table->slots[0]);
    if (table != NULL) {
        table->mask = slot_count - 1;
    }
    return table;
}

/* ---- series ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
    return hash ^ (hash >> 32);
}

static uint64_t values_hash(const struct cairn_family *family, const char *const *values)
{
    uint64_t hash = family->registry->seed;
    for (size_t i = 0; i < family->label_count; i++) {
        const char *at = values[i];
        size_t size = strlen(at);
        hash = mix(hash, size);
        for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), at += sizeof(uint64_t)) {
            uint64_t word;
            memcpy(&word, at, sizeof word);
            hash = mix(hash, word);
        }
        uint64_t rest = 0;
        memcpy(&rest, at, size);
        hash = mix(hash, rest);
    }
    return hash;
}

static bool values_equal(const struct cairn__series *series, const char *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(series->values[i], values[i]) != 0) {
            return false;
        }
    }
    return true;
}

static struct cairn__series *series_find(const struct cairn_family *family, uint64_t hash,
                                         const char *const *values)
{
    /* Acquire: pairs with the release in table_add(), so that a slot's series is seen whole. */
    struct cairn__table *table = atomic_load_explicit(&family->table, memory_order_acquire);
    for (size_t i = (size_t)hash & table->mask;; i = (i + 1) & table->mask) {
        struct cairn__series *series = atomic_load_explicit(&table->slots[i], memory_order_acquire);
        if (series == NULL) {
            return NULL;
        }
        if (series->hash == hash && values_equal(series, values, family->label_count)) {
            return series;
        }
    }
}

static void table_fill(struct cairn__table *table, struct cairn__series *series)
{
    size_t i = (size_t)series->hash & table->mask;
    while (atomic_load_explicit(&table->slots[i], memory_order_relaxed) != NULL) {
        i = (i + 1) & table->mask;
    }
    atomic_store_explicit(&table->slots[i], series, memory_order_release);
}

/* Under the lock: room for one more series. False when memory is short. */
static bool table_reserve(struct cairn_family *family)
{
    struct cairn__table *table = atomic_load_explicit(&family->table, memory_order_relaxed);
    size_t count = atomic_load_explicit(&family->series_count, memory_order_relaxed);
    if ((count + 1) * 2 <= table->mask + 1) {
        return true;
    }
    struct cairn__table *larger = table_new((table->mask + 1) * 2);
    if (larger == NULL) {
        return false;
    }
    for (size_t i = 0; i <= table->mask; i++) {
        struct cairn__series *series = atomic_load_explicit(&table->slots[i], memory_order_relaxed);
        if (series != NULL) {
            table_fill(larger, series);
        }
    }
    larger->retired = table;
    atomic_store_explicit(&family->table, larger, memory_order_release);
    return true;
}

static void series_free(struct cairn__series *series)
{
    if (series->family->row->done != NULL) {
        series->family->row->done(series);
    }
    strings_free(series->values, series->family->label_count);
    free(series);
}

static struct cairn__series *series_new(struct cairn_family *family, uint64_t hash, const char *const *values)
{
    for (size_t i = 0; i < family->label_count; i++) {
        if (!cairn__label_value_valid(values[i])) {
            return NULL;
        }
    }
    size_t size = family->row->size(family);
    size = (size + CAIRN__LINE_BYTES - 1) / CAIRN__LINE_BYTES * CAIRN__LINE_BYTES;
    struct cairn__series *series = aligned_alloc(CAIRN__LINE_BYTES, size);
    if (series == NULL) {
        return NULL;
    }
    memset(series, 0, size);
    series->values = strings_copy(values, family->label_count);
    if (series->values == NULL) {
        free(series);
        return NULL;
    }
    series->family = family;
    series->hash = hash;
    series->created_ms = cairn__wall_ns() / 1000000;
    series->stripe_mask = cairn__stripe_mask();
    family->row->init(series);
    return series;
}

/* Under the lock. NULL when refused. */
static struct cairn__series *series_add(struct cairn_family *family, uint64_t hash, const char *const *values)
{
    struct cairn__series *series = series_find(family, hash, values);
    size_t count = atomic_load_explicit(&family->series_count, memory_order_relaxed);
    if (series != NULL) {
        return series;
    }
    if (count >= family->series_max || !table_reserve(family)) {
        return NULL;
    }
    series = series_new(family, hash, values);
    if (series == NULL) {
        return NULL;
    }
    table_fill(atomic_load_explicit(&family->table, memory_order_relaxed), series);
    if (family->last == NULL) {
        atomic_store_explicit(&family->first, series, memory_order_release);
    } else {
        atomic_store_explicit(&family->last->next, series, memory_order_release);
    }
    family->last = series;
    atomic_store_explicit(&family->series_count, count + 1, memory_order_relaxed);
    return series;
}

static struct cairn__series *series_make(struct cairn_family *family, uint64_t hash,
                                         const char *const *values)
{
    /* A full family refuses without the lock: a flood of new label values must not queue up behind it. */
    if (atomic_load_explicit(&family->series_count, memory_order_relaxed) >= family->series_max) {
        return NULL;
    }
    (void)pthread_mutex_lock(&family->lock);
    struct cairn__series *series = series_add(family, hash, values);
    (void)pthread_mutex_unlock(&family->lock);
    return series;
}

static bool values_given(const struct cairn_family *family, const char *const *values)
{
    for (size_t i = 0; i < family->label_count; i++) {
        if (values == NULL || values[i] == NULL) {
            return false;
        }
    }
    return true;
}

struct cairn__series *cairn__series_get(struct cairn_family *family, enum cairn_type type,
                                        const char *const *values)
{
    if (family == NULL) {
        return NULL;
    }
    struct cairn__series *series = NULL;
    if (family->type == type && family->collect == NULL && values_given(family, values)) {
        uint64_t hash = values_hash(family, values);
        series = series_find(family, hash, values);
        if (series == NULL) {
            series = series_make(family, hash, values);
        }
    }
    if (series == NULL) {
        (void)atomic_fetch_add_explicit(&family->refused, 1, memory_order_relaxed);
        return NULL;
    }
    if (atomic_load_explicit(&series->hidden, memory_order_relaxed)) {
        atomic_store_explicit(&series->hidden, false, memory_order_relaxed);
    }
    return series;
}

bool cairn_family_hide(struct cairn_family *family, const char *const *values)
{
    if (family == NULL || family->collect != NULL || !values_given(family, values)) {
        return false;
    }
    struct cairn__series *series = series_find(family, values_hash(family, values), values);
    return series != NULL && !atomic_exchange_explicit(&series->hidden, true, memory_order_relaxed);
}

uint64_t cairn_family_refused(const struct cairn_family *family)
{
    return family == NULL ? 0 : atomic_load_explicit(&family->refused, memory_order_relaxed);
}

/* ---- families ---- */

static bool numbers_copy(struct cairn_family *family, const struct cairn_family_options *options)
{
    static const double usual[] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
    const double *from = usual;
    if (options->type == CAIRN_HISTOGRAM) {
        from = options->bounds != NULL ? options->bounds : usual;
        family->number_count =
            options->bounds != NULL ? options->bound_count : sizeof usual / sizeof usual[0];
    } else if (options->type == CAIRN_SUMMARY && options->quantiles != NULL) {
        from = options->quantiles;
        family->number_count = options->quantile_count;
    }
    family->numbers = calloc(family->number_count + 1, sizeof *family->numbers);
    if (family->numbers == NULL) {
        return false;
    }
    for (size_t i = 0; i < family->number_count; i++) {
        family->numbers[i] = from[i];
    }
    return true;
}

static bool options_copy(struct cairn_family *family, const struct cairn_family_options *options)
{
    double window_s = options->window_s > 0 ? options->window_s : 600;
    family->type = options->type;
    family->row = &cairn__types[options->type];
    family->series_max = options->series_max > 0 ? options->series_max : CAIRN_SERIES_DEFAULT;
    family->window_ns = (int64_t)(window_s * 1e9);
    family->collect = options->collect;
    family->collect_context = options->collect_context;
    family->name = strdup(options->name);
    family->help = strdup(options->help);
    family->unit = options->unit != NULL ? strdup(options->unit) : NULL;
    family->label_names = strings_copy(options->label_names, options->label_count);
    family->label_count = options->label_count;
    family->states = strings_copy(options->states, options->state_count);
    family->state_count = options->state_count;
    struct cairn__table *table = table_new(options->label_count == 0 ? 2 : 8);
    atomic_init(&family->table, table);
    return numbers_copy(family, options) && family->name != NULL && family->help != NULL &&
           (family->unit != NULL || options->unit == NULL) && family->label_names != NULL &&
           family->states != NULL && table != NULL;
}

enum cairn_err cairn__family_make(struct cairn_registry *registry, const struct cairn_family_options *options,
                                  struct cairn_family **ret_family)
{
    struct cairn_family *family = calloc(1, sizeof *family);
    if (family == NULL) {
        return CAIRN_ERR_OOM;
    }
    family->registry = registry;
    (void)pthread_mutex_init(&family->lock, NULL);
    bool made = options_copy(family, options);
    if (made && family->label_count == 0 && family->collect == NULL && family->type != CAIRN_INFO) {
        made = cairn__series_get(family, family->type, NULL) != NULL;
    }
    if (!made) {
        cairn__family_free(family);
        return CAIRN_ERR_OOM;
    }
    *ret_family = family;
    return CAIRN_OK;
}

void cairn__family_free(struct cairn_family *family)
{
    struct cairn__series *series = atomic_load_explicit(&family->first, memory_order_acquire);
    while (series != NULL) {
        struct cairn__series *next = atomic_load_explicit(&series->next, memory_order_acquire);
        series_free(series);
        series = next;
    }
    struct cairn__table *table = atomic_load_explicit(&family->table, memory_order_relaxed);
    while (table != NULL) {
        struct cairn__table *older = table->retired;
        free(table);
        table = older;
    }
    if (family->collect_free != NULL) {
        family->collect_free(family->collect_context);
    }
    strings_free(family->label_names, family->label_count);
    strings_free(family->states, family->state_count);
    free(family->numbers);
    free(family->name);
    free(family->help);
    free(family->unit);
    (void)pthread_mutex_destroy(&family->lock);
    free(family);
}
