/* Exemplars: the newest labelled observation of a counter or bucket. A slot is guarded by a flag that is held
 * for the time of a copy. A writer that finds it held gives up (some newer exemplar is being written); a
 * reader tries again. */
#include "client_int.h"

#include <sched.h>
#include <stdlib.h>

enum {
    READ_ATTEMPTS = 1000
};

static bool exemplar_append(struct cairn__exemplar *exemplar, const char *text, size_t size)
{
    if (size > sizeof exemplar->text - exemplar->size) {
        return false;
    }
    memcpy(exemplar->text + exemplar->size, text, size);
    exemplar->size += size;
    return true;
}

static bool value_append(struct cairn__exemplar *exemplar, const char *value)
{
    bool fits = true;
    for (const char *at = value; *at != '\0' && fits; at++) {
        if (*at == '\\' || *at == '"') {
            fits = exemplar_append(exemplar, "\\", 1) && exemplar_append(exemplar, at, 1);
        } else if (*at == '\n') {
            fits = exemplar_append(exemplar, "\\n", 2);
        } else {
            fits = exemplar_append(exemplar, at, 1);
        }
    }
    return fits;
}

static enum cairn_err labels_render(const struct cairn_label *labels, size_t label_count,
                                    struct cairn__exemplar *ret_exemplar)
{
    size_t runes = 0;
    ret_exemplar->size = 0;
    for (size_t i = 0; i < label_count; i++) {
        const char *name = labels[i].name;
        const char *value = labels[i].value;
        if (name == NULL || !cairn__name_legacy(name) || strchr(name, ':') != NULL ||
            !cairn__label_value_valid(value)) {
            return CAIRN_ERR_INVALID;
        }
        runes += strlen(name) + cairn__utf8_runes(value, strlen(value));
        bool fits = (i == 0 || exemplar_append(ret_exemplar, ",", 1)) &&
                    exemplar_append(ret_exemplar, name, strlen(name)) &&
                    exemplar_append(ret_exemplar, "=\"", 2) && value_append(ret_exemplar, value) &&
                    exemplar_append(ret_exemplar, "\"", 1);
        if (!fits || runes > CAIRN_EXEMPLAR_RUNES_MAX) {
            return CAIRN_ERR_LIMIT;
        }
    }
    return CAIRN_OK;
}

static struct cairn__exemplar *slots_take(_Atomic(struct cairn__exemplar *) *slots, size_t count)
{
    struct cairn__exemplar *present = atomic_load_explicit(slots, memory_order_acquire);
    if (present != NULL) {
        return present;
    }
    struct cairn__exemplar *fresh = calloc(count, sizeof *fresh); /* a clear atomic_flag is all zero here */
    if (fresh == NULL) {
        return NULL;
    }
    if (atomic_compare_exchange_strong_explicit(slots, &present, fresh, memory_order_acq_rel,
                                                memory_order_acquire)) {
        return fresh;
    }
    free(fresh); /* another thread was first */
    return present;
}

enum cairn_err cairn__exemplar_keep(_Atomic(struct cairn__exemplar *) *slots, size_t count, size_t index,
                                    double value, const struct cairn_label *labels, size_t label_count)
{
    struct cairn__exemplar fresh;
    enum cairn_err err = labels_render(labels, label_count, &fresh);
    if (err != CAIRN_OK) {
        return err;
    }
    struct cairn__exemplar *kept = slots_take(slots, count);
    if (kept == NULL) {
        return CAIRN_ERR_OOM;
    }
    kept += index;
    if (atomic_flag_test_and_set_explicit(&kept->busy, memory_order_acquire)) {
        return CAIRN_OK;
    }
    kept->present = true;
    kept->size = fresh.size;
    kept->value = value;
    kept->ts_ms = cairn__wall_ns() / 1000000;
    memcpy(kept->text, fresh.text, fresh.size);
    atomic_flag_clear_explicit(&kept->busy, memory_order_release);
    return CAIRN_OK;
}

bool cairn__exemplar_read(_Atomic(struct cairn__exemplar *) const *slots, size_t index,
                          struct cairn__exemplar *ret_exemplar)
{
    struct cairn__exemplar *kept = atomic_load_explicit(slots, memory_order_acquire);
    if (kept == NULL) {
        return false;
    }
    kept += index;
    for (int i = 0; atomic_flag_test_and_set_explicit(&kept->busy, memory_order_acquire); i++) {
        if (i == READ_ATTEMPTS) {
            return false;
        }
        (void)sched_yield();
    }
    bool present = kept->present;
    if (present) {
        ret_exemplar->size = kept->size;
        ret_exemplar->value = kept->value;
        ret_exemplar->ts_ms = kept->ts_ms;
        memcpy(ret_exemplar->text, kept->text, kept->size);
    }
    atomic_flag_clear_explicit(&kept->busy, memory_order_release);
    return present;
}
