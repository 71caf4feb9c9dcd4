/* What a family may look like: the rules of the formats, checked once when it is registered. Pure functions.
 */
#include "client_int.h"

#include <math.h>

bool cairn__ends_with(const char *text, const char *suffix)
{
    size_t text_size = strlen(text);
    size_t suffix_size = strlen(suffix);
    return text_size > suffix_size && memcmp(text + text_size - suffix_size, suffix, suffix_size) == 0;
}

size_t cairn__stem_length(enum cairn_type type, const char *name)
{
    size_t size = strlen(name);
    if (type == CAIRN_COUNTER && cairn__ends_with(name, "_total")) {
        return size - strlen("_total");
    }
    if (type == CAIRN_INFO && cairn__ends_with(name, "_info")) {
        return size - strlen("_info");
    }
    return size;
}

static bool name_valid(const char *name)
{
    if (name == NULL || name[0] == '\0') {
        return false;
    }
    size_t size = strnlen(name, CAIRN__NAME_MAX + 1);
    return size <= CAIRN__NAME_MAX && cairn__utf8_valid(name, size);
}

bool cairn__label_value_valid(const char *value)
{
    if (value == NULL) {
        return false;
    }
    size_t size = strnlen(value, CAIRN_LABEL_VALUE_MAX + 1);
    return size <= CAIRN_LABEL_VALUE_MAX && cairn__utf8_valid(value, size);
}

static bool label_name_valid(const struct cairn_family_options *options, size_t index)
{
    const char *name = options->label_names[index];
    if (!name_valid(name) || strncmp(name, "__", 2) == 0 || strchr(name, ':') != NULL) {
        return false;
    }
    bool reserved = (options->type == CAIRN_HISTOGRAM && strcmp(name, "le") == 0) ||
                    (options->type == CAIRN_SUMMARY && strcmp(name, "quantile") == 0) ||
                    (options->type == CAIRN_STATESET && strcmp(name, options->name) == 0);
    for (size_t i = 0; i < index && !reserved; i++) {
        reserved = strcmp(options->label_names[i], name) == 0;
    }
    return !reserved;
}

static bool ascending(const double *numbers, size_t count, double least, double most)
{
    for (size_t i = 0; i < count; i++) {
        bool in_order = i == 0 || numbers[i] > numbers[i - 1];
        if (!isfinite(numbers[i]) || numbers[i] < least || numbers[i] > most || !in_order) {
            return false;
        }
    }
    return true;
}

static bool states_valid(const struct cairn_family_options *options)
{
    if (options->state_count == 0 || options->states == NULL) {
        return false;
    }
    for (size_t i = 0; i < options->state_count; i++) {
        if (!cairn__label_value_valid(options->states[i])) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(options->states[i], options->states[j]) == 0) {
                return false;
            }
        }
    }
    return true;
}

static bool unit_valid(const struct cairn_family_options *options)
{
    if (options->unit == NULL) {
        return true;
    }
    if (options->type == CAIRN_INFO || options->type == CAIRN_STATESET ||
        !cairn__name_legacy(options->unit)) {
        return false;
    }
    size_t stem = cairn__stem_length(options->type, options->name);
    size_t unit = strlen(options->unit);
    return stem > unit + 1 && options->name[stem - unit - 1] == '_' &&
           memcmp(options->name + stem - unit, options->unit, unit) == 0;
}

static bool type_valid(const struct cairn_family_options *options)
{
    bool from_callback = options->collect != NULL;
    switch (options->type) {
    case CAIRN_COUNTER:
    case CAIRN_GAUGE:
        return true;
    case CAIRN_HISTOGRAM:
        return !from_callback &&
               ascending(options->bounds, options->bounds ? options->bound_count : 0, -HUGE_VAL, HUGE_VAL);
    case CAIRN_SUMMARY:
        return !from_callback && isfinite(options->window_s) && options->window_s >= 0 &&
               options->window_s <= 1e6 &&
               ascending(options->quantiles, options->quantiles ? options->quantile_count : 0, 0, 1);
    case CAIRN_INFO:
        return cairn__ends_with(options->name, "_info");
    case CAIRN_STATESET:
        return !from_callback && states_valid(options);
    case CAIRN_UNKNOWN:
        return from_callback;
    }
    return false;
}

enum cairn_err cairn__options_check(const struct cairn_family_options *options)
{
    if (options->label_count > CAIRN_LABELS_MAX || options->bound_count > CAIRN_BUCKETS_MAX ||
        options->quantile_count > CAIRN_QUANTILES_MAX || options->state_count > CAIRN_STATES_MAX ||
        options->series_max > CAIRN__SERIES_CEILING) {
        return CAIRN_ERR_LIMIT;
    }
    if (!name_valid(options->name) || options->help == NULL ||
        strnlen(options->help, CAIRN__HELP_MAX + 1) > CAIRN__HELP_MAX ||
        !cairn__utf8_valid(options->help, strlen(options->help)) || !type_valid(options) ||
        !unit_valid(options) || (options->label_count > 0 && options->label_names == NULL)) {
        return CAIRN_ERR_INVALID;
    }
    for (size_t i = 0; i < options->label_count; i++) {
        if (!label_name_valid(options, i)) {
            return CAIRN_ERR_INVALID;
        }
    }
    return CAIRN_OK;
}

/* The names that a family's samples and header take, as suffixes of its stem, over all formats. */
static const char *const *claimed_suffixes(const struct cairn_family *family)
{
    static const char *const plain[] = {"", NULL};
    static const char *const counter[] = {"", "_total", "_created", NULL};
    static const char *const histogram[] = {"", "_bucket", "_count", "_sum", "_created", NULL};
    static const char *const info[] = {"", "_info", NULL};
    switch (family->type) {
    case CAIRN_COUNTER:
        return cairn__ends_with(family->name, "_total") ? counter : plain;
    case CAIRN_HISTOGRAM:
        return histogram;
    case CAIRN_SUMMARY:
        return histogram; /* _bucket is kept free: a reader could take it for a histogram's */
    case CAIRN_INFO:
        return info;
    case CAIRN_GAUGE:
    case CAIRN_STATESET:
    case CAIRN_UNKNOWN:
        break;
    }
    return plain;
}

bool cairn__families_clash(const struct cairn_family *a, const struct cairn_family *b)
{
    if (cairn__stem_length(a->type, a->name) > cairn__stem_length(b->type, b->name)) {
        const struct cairn_family *longer = a;
        a = b;
        b = longer;
    }
    size_t a_stem = cairn__stem_length(a->type, a->name);
    size_t b_stem = cairn__stem_length(b->type, b->name);
    if (memcmp(a->name, b->name, a_stem) != 0) {
        return false;
    }
    /* a's stem starts b's: a suffix of a must equal what b's stem has more, followed by a suffix of b. */
    size_t more = b_stem - a_stem;
    for (const char *const *of_a = claimed_suffixes(a); *of_a != NULL; of_a++) {
        if (strlen(*of_a) < more || memcmp(*of_a, b->name + a_stem, more) != 0) {
            continue;
        }
        for (const char *const *of_b = claimed_suffixes(b); *of_b != NULL; of_b++) {
            if (strcmp(*of_a + more, *of_b) == 0) {
                return true;
            }
        }
    }
    return false;
}
