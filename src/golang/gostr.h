/* Strings as Go's standard library (and the libraries Loki uses) see them: runes, quoting, numbers with their
 * error texts. Pure functions, any thread. */
#ifndef CAIRN_GOLANG_GOSTR_H
#define CAIRN_GOLANG_GOSTR_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
    GO_RUNE_ERROR = 0xfffd
};

/* The first rune of s (not empty) and its length in bytes; a broken sequence is GO_RUNE_ERROR of length 1. */
size_t go_rune(struct str s, int32_t *ret_rune);
size_t go_rune_count(struct str s);
void go_put_rune(struct buf *b, int32_t c);
bool go_is_letter(int32_t c);
bool go_is_digit(int32_t c);
bool go_is_number(int32_t c);
bool go_is_space(int32_t c);
int32_t go_lower(int32_t c);
int32_t go_upper(int32_t c);
/* Without the white space of any script around. */
struct str go_trim_space(struct str s);
/* True when s holds U+FFFD or bytes that are not UTF-8. */
bool go_has_rune_error(struct str s);

/* A quoted string ("", '', ``) into the arena. Errors: INVALID ("invalid syntax"), OOM. */
MUST_USE enum err go_unquote(struct arena *a, struct str s, struct str *ret_text);

/* What stands between the quotes of a JSON string, leniently: broken runes become U+FFFD. False: not valid,
 * or no memory. */
bool go_json_unquote(struct arena *a, struct str s, struct str *ret_text);

/* strconv.ParseFloat, time.ParseDuration, humanize.ParseBytes. INVALID: info->message is the original's text.
 */
MUST_USE enum err go_float_parse(struct str s, double *ret_value, struct err_info *reterr_info);
MUST_USE enum err go_duration_parse(struct str s, int64_t *ret_ns, struct err_info *reterr_info);
MUST_USE enum err go_bytes_parse(struct str s, uint64_t *ret_bytes, struct err_info *reterr_info);
/* Why Prometheus' model.ParseDuration refused s with `e`. */
void go_duration_complaint(struct err_info *info, struct str s, enum err e);
/* humanize.Bytes without its blank: "5.0kB". */
void go_bytes_format(struct buf *b, uint64_t n);
/* What is left of n when it is printed so and read again: Loki's front end sends queries on as text, so that
 * 10KiB compares as 10kB. */
uint64_t go_bytes_rounded(uint64_t n);

#endif
