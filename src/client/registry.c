/* Registries: a list of families that only grows, so that an exposition can walk it without the lock.
 * The default registry is the one global of libcairn, made on first use. */
#include "client_int.h"

#include <stdlib.h>
#include <sys/auxv.h>

static pthread_once_t default_once = PTHREAD_ONCE_INIT;
static struct cairn_registry *default_registry; /* written once under default_once */

const char *cairn_err_text(enum cairn_err err)
{
    switch (err) {
    case CAIRN_OK:
        return "ok";
    case CAIRN_ERR_OOM:
        return "out of memory";
    case CAIRN_ERR_INVALID:
        return "invalid argument";
    case CAIRN_ERR_EXISTS:
        return "name already in use";
    case CAIRN_ERR_LIMIT:
        return "limit reached";
    case CAIRN_ERR_IO:
        return "input/output error";
    }
    return "unknown error";
}

/* Families whose label values ran past their limit: the library's own counter. */
static void refused_collect(struct cairn_emit *emit, void *context)
{
    const struct cairn_registry *registry = context;
    const struct cairn_family *family = atomic_load_explicit(&registry->first, memory_order_acquire);
    for (; family != NULL; family = atomic_load_explicit(&family->next, memory_order_acquire)) {
        uint64_t refused = cairn_family_refused(family);
        if (refused > 0) {
            const char *values[] = {family->name};
            cairn_emit(emit, values, (double)refused);
        }
    }
}

/* Seeds the hash of label values with the kernel's random bytes for this process, so that outsiders who
 * choose label values can't aim at one slot. */
static uint64_t process_seed(void)
{
    uint64_t seed = UINT64_C(0x2545f4914f6cdd1d);
    const void *random = (const void *)getauxval(AT_RANDOM); /* 16 bytes, or 0 */
    if (random != NULL) {
        memcpy(&seed, random, sizeof seed);
    }
    return seed;
}

enum cairn_err cairn_registry_new(struct cairn_registry **ret_registry)
{
    static const char *const labels[] = {"family"};
    struct cairn_registry *registry = calloc(1, sizeof *registry);
    if (registry == NULL) {
        return CAIRN_ERR_OOM;
    }
    (void)pthread_mutex_init(&registry->lock, NULL);
    registry->seed = process_seed();
    struct cairn_family *refused;
    enum cairn_err err = cairn_family_new(
        registry,
        &(struct cairn_family_options){.type = CAIRN_COUNTER,
                                       .name = "cairn_client_series_refused_total",
                                       .help = "Requests for a new series that its family refused.",
                                       .label_names = labels,
                                       .label_count = 1,
                                       .collect = refused_collect,
                                       .collect_context = registry},
        &refused);
    if (err != CAIRN_OK) {
        cairn_registry_free(registry);
        return err;
    }
    *ret_registry = registry;
    return CAIRN_OK;
}

void cairn_registry_free(struct cairn_registry *registry)
{
    if (registry == NULL || registry == default_registry) {
        return;
    }
    struct cairn_family *family = atomic_load_explicit(&registry->first, memory_order_acquire);
    while (family != NULL) {
        struct cairn_family *next = atomic_load_explicit(&family->next, memory_order_acquire);
        cairn__family_free(family);
        family = next;
    }
    (void)pthread_mutex_destroy(&registry->lock);
    free(registry);
}

static void default_make(void)
{
    struct cairn_registry *registry = NULL;
    if (cairn_registry_new(&registry) == CAIRN_OK) {
        default_registry = registry;
    }
}

struct cairn_registry *cairn_registry_default(void)
{
    (void)pthread_once(&default_once, default_make);
    return default_registry;
}

struct cairn_registry *cairn__registry_or_default(struct cairn_registry *registry)
{
    return registry != NULL ? registry : cairn_registry_default();
}

void cairn_registry_created(struct cairn_registry *registry, bool on)
{
    registry = cairn__registry_or_default(registry);
    if (registry != NULL) {
        atomic_store_explicit(&registry->created, on, memory_order_relaxed);
    }
}

/* Under the lock. False when a family there gives one of its sample names already. */
static bool registry_append(struct cairn_registry *registry, struct cairn_family *family)
{
    struct cairn_family *other = atomic_load_explicit(&registry->first, memory_order_relaxed);
    for (; other != NULL; other = atomic_load_explicit(&other->next, memory_order_relaxed)) {
        if (cairn__families_clash(other, family)) {
            return false;
        }
    }
    /* Release: pairs with the acquire loads of whoever walks the list. */
    if (registry->last == NULL) {
        atomic_store_explicit(&registry->first, family, memory_order_release);
    } else {
        atomic_store_explicit(&registry->last->next, family, memory_order_release);
    }
    registry->last = family;
    return true;
}

enum cairn_err cairn_family_new(struct cairn_registry *registry, const struct cairn_family_options *options,
                                struct cairn_family **ret_family)
{
    enum cairn_err err = cairn__options_check(options);
    if (err != CAIRN_OK) {
        return err;
    }
    registry = cairn__registry_or_default(registry);
    if (registry == NULL) {
        return CAIRN_ERR_OOM;
    }
    struct cairn_family *family;
    err = cairn__family_make(registry, options, &family);
    if (err != CAIRN_OK) {
        return err;
    }
    (void)pthread_mutex_lock(&registry->lock);
    bool added = registry_append(registry, family);
    (void)pthread_mutex_unlock(&registry->lock);
    if (!added) {
        cairn__family_free(family);
        return CAIRN_ERR_EXISTS;
    }
    *ret_family = family;
    return CAIRN_OK;
}
