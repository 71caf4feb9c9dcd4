/* How a string must be written so that it is read back as one, and the writing. */
#include "codec/yaml_text.h"

#include <string.h>

enum {
    FOLD_COLUMN = 80
};

/* -- what a plain text would be read as --------------------------------------------------------------------
 */

static bool one_of(struct str s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq_c(s, words[i])) {
            return true;
        }
    }
    return false;
}

static bool is_word(struct str s)
{
    static const char *const words[] = {"y",     "Y",     "yes",   "Yes",   "YES",   "true",  "True", "TRUE",
                                        "on",    "On",    "ON",    "n",     "N",     "no",    "No",   "NO",
                                        "false", "False", "FALSE", "off",   "Off",   "OFF",   "",     "~",
                                        "null",  "Null",  "NULL",  ".nan",  ".NaN",  ".NAN",  ".inf", ".Inf",
                                        ".INF",  "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"};
    return one_of(s, words, ARRAY_LEN(words));
}

static bool digits_of(struct str s, const char *set)
{
    bool any = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '_' && !strchr(set, s.p[i])) {
            return false;
        }
        any |= s.p[i] != '_';
    }
    return any;
}

static bool is_based(struct str s)
{
    static const struct {
        const char *letters, *digits;
    } bases[] = {{"xX", "0123456789abcdefABCDEF"}, {"oO", "01234567"}, {"bB", "01"}};
    for (size_t i = 0; s.n > 2 && s.p[0] == '0' && i < ARRAY_LEN(bases); i++) {
        if (strchr(bases[i].letters, s.p[1])) {
            return digits_of(str_of(s.p + 2, s.n - 2), bases[i].digits);
        }
    }
    return false;
}

static size_t skip_digits(struct str s, size_t i)
{
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') {
        i++;
    }
    return i;
}

/* Digits, a point, digits, and an exponent. */
static bool is_decimal(struct str s)
{
    size_t whole = skip_digits(s, 0), i = whole, fraction;
    i += i < s.n && s.p[i] == '.';
    fraction = skip_digits(s, i);
    if (fraction == i && whole == 0) {
        return false;
    }
    if (fraction == s.n) {
        return true;
    }
    size_t digits = fraction + 1;
    digits += digits < s.n && (s.p[digits] == '-' || s.p[digits] == '+');
    bool exponent = (s.p[fraction] == 'e' || s.p[fraction] == 'E') && digits < s.n;
    return exponent && skip_digits(s, digits) == s.n;
}

static bool is_number(struct str s)
{
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) {
        s = str_of(s.p + 1, s.n - 1);
    }
    return s.n && s.p[0] != '_' && (digits_of(s, "0123456789") || is_based(s) || is_decimal(s));
}

/* 190:20:30 was a number once, and still is for some. */
static bool is_base_60(struct str s)
{
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+'), parts = 0;
    size_t end = skip_digits(s, i);
    if (end == i) {
        return false;
    }
    for (i = end; i < s.n && s.p[i] == ':'; i = end, parts++) {
        end = skip_digits(s, i + 1);
        if (end == i + 1 || end > i + 3 || (end == i + 3 && s.p[i + 1] > '5')) {
            return false;
        }
    }
    return parts && (i == s.n || (s.p[i] == '.' && skip_digits(s, i + 1) == s.n));
}

static bool is_date(struct str s)
{
    size_t year = skip_digits(s, 0);
    if (year != 4 || year == s.n || s.p[4] != '-') {
        return false;
    }
    size_t month = skip_digits(s, 5);
    if (month == 5 || month > 7 || month == s.n || s.p[month] != '-') {
        return false;
    }
    size_t day = skip_digits(s, month + 1);
    return day > month + 1 && day <= month + 3 &&
           (day == s.n || s.p[day] == 'T' || s.p[day] == 't' || s.p[day] == ' ');
}

static bool reads_as_string(struct str s)
{
    return !is_word(s) && !is_number(s) && !is_base_60(s) && !is_date(s);
}

/* -- what its characters allow -----------------------------------------------------------------------------
 */

struct look {
    bool special;     /* characters that only double quotes can carry */
    bool lines;       /* line breaks */
    bool block, flow; /* may stand plain there */
    bool blank_end;   /* begins or ends with a blank */
};

/* Bytes of the character at s.p[i]; *ret_printable as YAML 1.1 means it, without those beyond U+FFFF. */
static size_t character(struct str s, size_t i, bool *ret_printable)
{
    unsigned char c = (unsigned char)s.p[i], d = i + 1 < s.n ? (unsigned char)s.p[i + 1] : 0;
    unsigned char e = i + 2 < s.n ? (unsigned char)s.p[i + 2] : 0;
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    *ret_printable = c == '\n' || (c >= 0x20 && c <= 0x7e) || (c == 0xc2 && d >= 0xa0) ||
                     (c > 0xc2 && c < 0xed) || (c == 0xed && d < 0xa0) || c == 0xee ||
                     (c == 0xef && !(d == 0xbb && e == 0xbf) && !(d == 0xbf && (e == 0xbe || e == 0xbf)));
    return i + n <= s.n ? n : s.n - i;
}

static void look_at_first(char c, bool space_after, struct look *l)
{
    if (strchr("#,[]{}&*!|>'\"%@`", c) || (c == '-' && space_after)) {
        l->block = l->flow = false;
    } else if (c == '?' || c == ':') {
        l->flow = false;
        l->block &= !space_after;
    }
}

static void look_at_other(char c, bool space_before, bool space_after, struct look *l)
{
    if (strchr(",?[]{}", c)) {
        l->flow = false;
    } else if (c == ':') {
        l->flow = false;
        l->block &= !space_after;
    } else if (c == '#' && space_before) {
        l->block = l->flow = false;
    }
}

static struct look look_at(struct str s)
{
    struct look l = {.block = true, .flow = true};
    if (str_starts(s, STR("---")) || str_starts(s, STR("..."))) {
        l.block = l.flow = false;
    }
    for (size_t i = 0, n; i < s.n; i += n) {
        bool printable = false;
        n = character(s, i, &printable);
        char c = s.p[i];
        bool after = i + n >= s.n || s.p[i + n] == ' ' || s.p[i + n] == '\n' || s.p[i + n] == '\t';
        if (i == 0) {
            look_at_first(c, after, &l);
        } else {
            look_at_other(c, s.p[i - 1] == ' ' || s.p[i - 1] == '\n', after, &l);
        }
        l.special |= !printable;
        l.lines |= c == '\n';
    }
    l.blank_end = s.n && (s.p[0] == ' ' || s.p[s.n - 1] == ' ');
    l.block &= !l.blank_end && !l.special && !l.lines;
    l.flow &= !l.blank_end && !l.special && !l.lines;
    return l;
}

/* -- writing -----------------------------------------------------------------------------------------------
 */

struct out {
    struct buf *b;
    size_t column, indent;
    bool folds;
};

static void put(struct out *o, const char *p, size_t n)
{
    buf_append(o->b, p, n);
    o->column++;
}

static void new_line(struct out *o)
{
    buf_char(o->b, '\n');
    for (size_t i = 0; i < o->indent; i++) {
        buf_char(o->b, ' ');
    }
    o->column = o->indent;
}

/* A blank behind the column becomes a line's end, unless blanks stand beside it. */
static bool folds_here(const struct out *o, struct str s, size_t i)
{
    return o->folds && s.p[i] == ' ' && o->column > FOLD_COLUMN && i && i + 1 < s.n && s.p[i + 1] != ' ' &&
           s.p[i - 1] != ' ';
}

static void write_single(struct out *o, struct str s, bool quoted)
{
    bool printable;
    for (size_t i = 0, n; i < s.n; i += n) {
        n = character(s, i, &printable);
        if (folds_here(o, s, i)) {
            new_line(o);
            continue;
        }
        if (quoted && s.p[i] == '\'') {
            put(o, "'", 1);
        }
        put(o, s.p + i, n);
    }
}

static uint32_t code_point(const char *p, size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    uint32_t c = n == 1 ? u[0] : n == 2 ? u[0] & 0x1fu : n == 3 ? u[0] & 0x0fu : u[0] & 0x07u;
    for (size_t i = 1; i < n; i++) {
        c = c << 6 | (u[i] & 0x3fu);
    }
    return c;
}

static void write_escape(struct out *o, const char *p, size_t n)
{
    static const char named[] = "\0\a\b\t\n\v\f\r\x1b\"\\", letters[] = "0abtnvfre\"\\";
    uint32_t c = code_point(p, n);
    for (size_t i = 0; i + 1 < sizeof(named); i++) {
        if (c == (unsigned char)named[i]) {
            char text[] = {'\\', letters[i]};
            put(o, text, 2);
            o->column++;
            return;
        }
    }
    size_t before = o->b->n;
    if (c == 0x85 || c == 0xa0 || c == 0x2028 || c == 0x2029) {
        buf_printf(o->b, "\\%c", c == 0x85 ? 'N' : c == 0xa0 ? '_' : c == 0x2028 ? 'L' : 'P');
    } else {
        buf_printf(o->b, c <= 0xff ? "\\x%02X" : c <= 0xffff ? "\\u%04X" : "\\U%08X", (unsigned)c);
    }
    o->column += o->b->n - before;
}

static void write_double(struct out *o, struct str s)
{
    put(o, "\"", 1);
    for (size_t i = 0, n; i < s.n; i += n) {
        bool printable = false;
        n = character(s, i, &printable);
        if (!printable || s.p[i] == '\n' || s.p[i] == '"' || s.p[i] == '\\') {
            write_escape(o, s.p + i, n);
        } else if (folds_here(o, s, i)) {
            new_line(o);
        } else {
            put(o, s.p + i, n);
        }
    }
    put(o, "\"", 1);
}

static void write_lines(struct out *o, struct str s)
{
    bool open = s.p[s.n - 1] != '\n', more = s.n > 1 && !open && s.p[s.n - 2] == '\n';
    buf_c(o->b, s.p[0] == ' ' || s.p[0] == '\n' ? "|2" : "|");
    buf_c(o->b, open ? "-" : more || s.n == 1 ? "+" : "");
    for (struct str rest = s; rest.n;) {
        size_t end = str_find_char(rest, '\n', 0);
        struct str line = str_of(rest.p, end == STR_NPOS ? rest.n : end);
        if (line.n) {
            new_line(o);
            buf_str(o->b, line);
        } else {
            buf_char(o->b, '\n');
        }
        rest = end == STR_NPOS ? STR("") : str_of(rest.p + end + 1, rest.n - end - 1);
    }
}

void yaml_text(struct buf *b, struct str s, enum yaml_place place, size_t column, size_t indent)
{
    struct out o = {b, column, indent, place != YAML_AS_KEY};
    struct look l = look_at(s);
    if (l.lines && !l.special && place == YAML_IN_BLOCK) {
        write_lines(&o, s);
    } else if (l.special || l.lines || !reads_as_string(s)) {
        write_double(&o, s);
    } else if (place == YAML_IN_FLOW ? l.flow : l.block) {
        write_single(&o, s, false);
    } else {
        put(&o, "'", 1);
        write_single(&o, s, true);
        put(&o, "'", 1);
    }
}

/* -- order of keys -----------------------------------------------------------------------------------------
 */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static uint64_t number_at(struct str s, size_t i, uint64_t from, size_t *ret_end)
{
    uint64_t n = from;
    for (; i < s.n && is_digit(s.p[i]); i++) {
        n = n * 10 + (uint64_t)(s.p[i] - '0');
    }
    *ret_end = i;
    return n;
}

/* At the first difference: whether the digits before it are not all zeros. */
static bool number_before(struct str s, size_t i)
{
    for (; i > 0 && is_digit(s.p[i - 1]); i--) {
        if (s.p[i - 1] != '0') {
            return true;
        }
    }
    return false;
}

int yaml_key_cmp(struct str a, struct str b)
{
    size_t i = 0;
    while (i < a.n && i < b.n && a.p[i] == b.p[i]) {
        i++;
    }
    if (i == a.n || i == b.n) {
        return (a.n > b.n) - (a.n < b.n);
    }
    unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];
    bool letter_a = is_letter(a.p[i]), letter_b = is_letter(b.p[i]);
    if (letter_a != letter_b) {
        return letter_a ? 1 : -1;
    }
    if (letter_a) {
        return x < y ? -1 : 1;
    }
    uint64_t from = (x == '0' || y == '0') && number_before(a, i);
    size_t end_a, end_b;
    uint64_t n = number_at(a, i, from, &end_a), m = number_at(b, i, from, &end_b);
    if (n != m) {
        return n < m ? -1 : 1;
    }
    return end_a != end_b ? (end_a < end_b ? -1 : 1) : (x < y ? -1 : 1);
}
