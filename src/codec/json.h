/* JSON: a writer into a buffer, and a parser into a small tree in an arena (RFC 8259).
 *
 * Writer: commas and colons are placed by it; the caller balances begin and end. Text is escaped as Go's
 * encoding/json does without HTML escaping; bytes that are not UTF-8 become U+FFFD. Failure is sticky in the
 * buffer.
 *
 * Tree: every value keeps its raw text, so that what is not touched can be written back byte for byte.
 * Strings are unescaped into the arena, or borrowed from the input when they hold no escape. Any thread;
 * nothing is shared. */
#ifndef CAIRN_CODEC_JSON_H
#define CAIRN_CODEC_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct json_writer {
    struct buf *b;
    bool comma; /* a value was written at this level */
    bool html;  /* escape < > & too, as Go does unless told otherwise */
};

struct json_writer json_writer(struct buf *b);
void json_object_begin(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array_begin(struct json_writer *w);
void json_array_end(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);
void json_key_str(struct json_writer *w, struct str key);
void json_str(struct json_writer *w, struct str s);
void json_i64(struct json_writer *w, int64_t v);
void json_u64(struct json_writer *w, uint64_t v);
void json_bool(struct json_writer *w, bool v);
void json_null(struct json_writer *w);
/* A value that is JSON text already. */
void json_raw(struct json_writer *w, struct str text);
/* A quoted, escaped string without the writer. */
void json_quote(struct buf *b, struct str s);

enum json_kind {
    JSON_NULL = 0,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_value {
    enum json_kind kind;
    bool boolean;
    struct str raw;                 /* the text in the input, without surrounding white space */
    struct str string;              /* JSON_STRING, unescaped */
    struct str key;                 /* when it is a member of an object, unescaped */
    const struct json_value *child; /* first element or member */
    const struct json_value *next;  /* next sibling */
    size_t count;                   /* of children */
};

enum {
    JSON_DEPTH_MAX = 128
};

/* Errors: INVALID (info has byte position, line and column), LIMIT (deeper than JSON_DEPTH_MAX), OOM. */
MUST_USE enum err json_parse(struct arena *a, struct str text, const struct json_value **ret_value,
                             struct err_info *reterr_info);
/* Member of an object (the last one when a key occurs twice), NULL when absent or when `object` is NULL or no
 * object. */
const struct json_value *json_get(const struct json_value *object, struct str key);
/* The number as an integer, truncated towards zero. Errors: INVALID (no number, or out of range). */
MUST_USE enum err json_to_i64(const struct json_value *v, int64_t *ret_value);

#endif
