/* Text that every exposition needs: UTF-8 checks, name escaping, numbers.
 * Nothing here looks at the locale: a program that calls setlocale() gets the same bytes. Any thread. */
#include "client_int.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Length of the UTF-8 sequence at text, 0 when it is none (overlong forms, surrogates and > U+10FFFF
 * included). */
static size_t sequence_length(const unsigned char *text, size_t size, uint32_t *ret_rune)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = text[0];
    size_t length = lead < 0x80   ? 1
                    : lead < 0xc2 ? 0
                    : lead < 0xe0 ? 2
                    : lead < 0xf0 ? 3
                    : lead < 0xf5 ? 4
                                  : 0;
    if (length == 0 || length > size) {
        return 0;
    }
    uint32_t rune = length == 1 ? lead : lead & (0xffU >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        rune = (rune << 6) | (text[i] & 0x3fU);
    }
    if (rune < least[length] || rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff)) {
        return 0;
    }
    *ret_rune = rune;
    return length;
}

bool cairn__utf8_valid(const char *text, size_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    while (size > 0) {
        uint32_t rune;
        size_t length = sequence_length(at, size, &rune);
        if (length == 0) {
            return false;
        }
        at += length;
        size -= length;
    }
    return true;
}

size_t cairn__utf8_runes(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return count;
}

static bool legacy_rune(uint32_t rune, size_t index)
{
    return (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z') || rune == '_' || rune == ':' ||
           (rune >= '0' && rune <= '9' && index > 0);
}

bool cairn__name_legacy(const char *name)
{
    for (size_t i = 0; name[i] != '\0'; i++) {
        if (!legacy_rune((unsigned char)name[i], i)) {
            return false;
        }
    }
    return name[0] != '\0';
}

/* One rune that the name's own alphabet lacks (or an underscore), as the scheme writes it. */
static size_t rune_escape(uint32_t rune, enum cairn_escaping escaping, char *ret)
{
    const char *text = "_";
    char hex[16];
    if (escaping == CAIRN_ESCAPE_DOTS) {
        text = rune == '.' ? "_dot_" : "__";
    } else if (escaping == CAIRN_ESCAPE_VALUES && rune == '_') {
        text = "__";
    } else if (escaping == CAIRN_ESCAPE_VALUES) {
        (void)snprintf(hex, sizeof hex, "_%x_", rune);
        text = hex;
    }
    size_t size = 0;
    for (; text[size] != '\0'; size++) {
        ret[size] = text[size];
    }
    return size;
}

size_t cairn__name_escape(const char *name, enum cairn_escaping escaping, char *ret)
{
    size_t size = strlen(name);
    bool same =
        escaping == CAIRN_ESCAPE_ALLOW_UTF8 || (escaping != CAIRN_ESCAPE_DOTS && cairn__name_legacy(name));
    if (same) {
        memcpy(ret, name, size + 1);
        return size;
    }
    size_t used = 0;
    if (escaping == CAIRN_ESCAPE_VALUES) {
        ret[used++] = 'U';
        ret[used++] = '_';
        ret[used++] = '_';
    }
    for (size_t i = 0; i < size;) {
        uint32_t rune = '?';
        size_t length = sequence_length((const unsigned char *)name + i, size - i, &rune);
        bool kept = legacy_rune(rune, i) && (rune != '_' || escaping == CAIRN_ESCAPE_UNDERSCORES);
        if (kept) {
            ret[used++] = name[i];
        } else {
            used += rune_escape(rune, escaping, ret + used);
        }
        i += length > 0 ? length : 1;
    }
    ret[used] = '\0';
    return used;
}

size_t cairn__number_u64(uint64_t value, char ret[CAIRN__NUMBER_MAX])
{
    char digits[24];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < count; i++) {
        ret[i] = digits[count - 1 - i];
    }
    ret[count] = '\0';
    return count;
}

/* A magnitude that is m / 10^k with m < 2^53 and k <= 9, the common case. Both are exact doubles and division
 * is correctly rounded, so equality proves that the decimal reads back; the first k that fits is the
 * shortest. */
static size_t number_decimal(double magnitude, char *ret)
{
    static const double scale[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    for (size_t k = 0; k < sizeof scale / sizeof scale[0]; k++) {
        double scaled = nearbyint(magnitude * scale[k]);
        if (scaled >= 9007199254740992.0) {
            return 0;
        }
        if (scaled / scale[k] != magnitude) {
            continue;
        }
        char digits[CAIRN__NUMBER_MAX];
        size_t count = cairn__number_u64((uint64_t)scaled, digits);
        size_t used = 0;
        for (size_t place = count > k ? count : k + 1; place > 0; place--) {
            ret[used++] = place > count ? '0' : digits[count - place];
            if (place == k + 1 && k > 0) {
                ret[used++] = '.';
            }
        }
        ret[used] = '\0';
        return used;
    }
    return 0;
}

static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void c_locale_make(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* The rest: the fewest digits that read back. */
static size_t number_general(double magnitude, char *ret)
{
    (void)pthread_once(&c_locale_once, c_locale_make);
    locale_t callers = c_locale == (locale_t)0 ? (locale_t)0 : uselocale(c_locale);
    int size = 0;
    for (int digits = 15; digits <= 17; digits++) {
        size = snprintf(ret, CAIRN__NUMBER_MAX - 1, "%.*g", digits, magnitude);
        if (strtod(ret, NULL) == magnitude) {
            break;
        }
    }
    if (callers != (locale_t)0) {
        (void)uselocale(callers);
    }
    return size > 0 ? (size_t)size : 0;
}

size_t cairn__number(double value, char ret[CAIRN__NUMBER_MAX])
{
    if (isnan(value) || isinf(value)) {
        const char *word = isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
        size_t size = strlen(word);
        memcpy(ret, word, size + 1);
        return size;
    }
    size_t sign = signbit(value) ? 1 : 0;
    ret[0] = '-';
    size_t size = number_decimal(fabs(value), ret + sign);
    if (size == 0) {
        size = number_general(fabs(value), ret + sign);
    }
    return sign + size;
}

size_t cairn__number_label(double value, char ret[CAIRN__NUMBER_MAX])
{
    size_t size = cairn__number(value, ret);
    if (strspn(ret, "-0123456789") == size) {
        memcpy(ret + size, ".0", 3);
        size += 2;
    }
    return size;
}
