/* Nodes and values of templates; private to the tmpl_*.c files. */
#ifndef CAIRN_GOLANG_TMPL_INT_H
#define CAIRN_GOLANG_TMPL_INT_H

#include "golang/limits.h"
#include "golang/tmpl.h"

/* -- tokens ---------------------------------------------------------------------------------------------- */

enum tmpl_item {
    ITEM_EOF = 0,
    ITEM_ERROR,
    ITEM_TEXT,
    ITEM_LEFT_DELIM,
    ITEM_RIGHT_DELIM,
    ITEM_SPACE,
    ITEM_ASSIGN,
    ITEM_DECLARE,
    ITEM_PIPE,
    ITEM_STRING,
    ITEM_RAW_STRING,
    ITEM_CHAR_CONSTANT,
    ITEM_NUMBER,
    ITEM_VARIABLE,
    ITEM_FIELD,
    ITEM_DOT,
    ITEM_IDENTIFIER,
    ITEM_BOOL,
    ITEM_NIL,
    ITEM_LEFT_PAREN,
    ITEM_RIGHT_PAREN,
    ITEM_CHAR,
    ITEM_KEYWORD, /* those below */
    ITEM_BLOCK,
    ITEM_BREAK,
    ITEM_CONTINUE,
    ITEM_DEFINE,
    ITEM_ELSE,
    ITEM_END,
    ITEM_IF,
    ITEM_RANGE,
    ITEM_TEMPLATE,
    ITEM_WITH
};

struct tmpl_token {
    enum tmpl_item kind;
    size_t pos;
    unsigned line;
    struct str text; /* ERROR: the complaint */
};

/* The whole text as tokens, the last one EOF or ERROR. Errors: OOM. */
MUST_USE enum err tmpl_lex(struct arena *a, struct str text, struct tmpl_token **ret_tokens, size_t *ret_n);

/* -- nodes ----------------------------------------------------------------------------------------------- */

enum tmpl_node_kind {
    NODE_TEXT = 0,
    NODE_LIST,
    NODE_ACTION,
    NODE_IF,
    NODE_RANGE,
    NODE_WITH,
    NODE_TEMPLATE,
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_END,
    NODE_ELSE,
    NODE_PIPE,
    NODE_COMMAND,
    NODE_FIELD,
    NODE_VARIABLE,
    NODE_DOT,
    NODE_NIL,
    NODE_BOOL,
    NODE_NUMBER,
    NODE_STRING,
    NODE_IDENTIFIER,
    NODE_CHAIN
};

struct tmpl_function;

struct tmpl_node {
    enum tmpl_node_kind kind;
    size_t pos;
    struct str text;    /* TEXT, STRING (unquoted), IDENTIFIER, TEMPLATE (name); as written: NUMBER */
    struct str quoted;  /* STRING as written */
    struct str *idents; /* FIELD, VARIABLE ("$x" first), CHAIN */
    size_t ident_count;
    struct tmpl_node *child; /* first of LIST, PIPE (commands), COMMAND (arguments); CHAIN: the operand */
    const struct tmpl_function *function; /* IDENTIFIER */
    struct tmpl_node *next;
    struct tmpl_node *decl; /* PIPE: variables */
    bool is_assign;
    struct tmpl_node *pipe, *list, *else_list;
    bool boolean;
    bool is_int, is_float;
    int64_t integer;
    double number;
};

struct tmpl_def {
    struct str name;
    struct tmpl_node *root;
    struct tmpl_def *next;
};

struct tmpl {
    enum tmpl_dialect dialect;
    struct str name, text;
    struct tmpl_node *root;
    struct tmpl_def *defs;
};

/* A node as Go writes it in messages. */
void tmpl_node_text(struct buf *b, const struct tmpl_node *n);

/* -- values ---------------------------------------------------------------------------------------------- */

enum tmpl_kind {
    VAL_NONE = 0, /* no value: nil, an absent key of JSON */
    VAL_MISSING,  /* no argument was piped in */
    VAL_BOOL,
    VAL_INT,
    VAL_INT64,
    VAL_FLOAT,
    VAL_BYTE, /* an element of a string */
    VAL_STRING,
    VAL_TIME,
    VAL_MONTH,
    VAL_WEEKDAY,
    VAL_LABELS, /* map[string]string, the root */
    VAL_MAP,    /* map[string]interface {} */
    VAL_LIST    /* []interface {} */
};

/* The elements of a list, or the members of a map: keys sorted, without repeats. */
struct tmpl_items {
    struct tmpl_value *v;
    struct str *keys; /* NULL: a list */
    size_t n;
};

struct tmpl_time {
    int64_t s; /* since 1970 */
    int32_t ns;
    bool zero; /* Go's zero time */
    int32_t offset_s;
    char zone[8]; /* abbreviation; "": the offset is written */
};

struct tmpl_value {
    enum tmpl_kind kind;
    bool boxed; /* came out of an interface: its type is told as interface {} */
    bool b;
    int64_t i;
    double f;
    struct str s;
    struct tmpl_time t;
    const struct labels *labels;
    const struct tmpl_items *items;
};

static inline struct tmpl_value tmpl_none(void)
{
    return (struct tmpl_value){.kind = VAL_NONE};
}

static inline struct tmpl_value tmpl_string(struct str s)
{
    return (struct tmpl_value){.kind = VAL_STRING, .s = s};
}

static inline struct tmpl_value tmpl_int(int64_t i)
{
    return (struct tmpl_value){.kind = VAL_INT, .i = i};
}

static inline struct tmpl_value tmpl_int64(int64_t i)
{
    return (struct tmpl_value){.kind = VAL_INT64, .i = i};
}

static inline struct tmpl_value tmpl_float(double f)
{
    return (struct tmpl_value){.kind = VAL_FLOAT, .f = f};
}

static inline struct tmpl_value tmpl_bool(bool b)
{
    return (struct tmpl_value){.kind = VAL_BOOL, .b = b};
}

const char *tmpl_type(const struct tmpl_value *v);
bool tmpl_true(const struct tmpl_value *v);
/* Lists and maps in the arena. Errors: OOM. */
MUST_USE enum err tmpl_list(struct arena *a, const struct tmpl_value *v, size_t n, struct tmpl_value *ret_v);
/* Pairs in any order; the last of equal keys counts. */
MUST_USE enum err tmpl_map(struct arena *a, const struct str *keys, const struct tmpl_value *v, size_t n,
                           struct tmpl_value *ret_v);
/* The member, or none. */
struct tmpl_value tmpl_member(const struct tmpl_value *map, struct str key);
/* As fmt's %v. */
void tmpl_print(struct buf *b, const struct tmpl_value *v);
/* fmt.Sprint and fmt.Sprintf. */
void tmpl_sprint(struct buf *b, const struct tmpl_value *v, size_t n, bool newline);
void tmpl_sprintf(struct buf *b, struct str format, const struct tmpl_value *v, size_t n);
int64_t tmpl_to_int(const struct tmpl_value *v);
double tmpl_to_float(const struct tmpl_value *v);

/* -- time ------------------------------------------------------------------------------------------------ */

struct tmpl_time tmpl_time_unix(int64_t s, int64_t ns);
void tmpl_time_format(struct buf *b, const struct tmpl_time *t, struct str layout);
/* Go's time.ParseInLocation; what fails gives the zero time. */
struct tmpl_time tmpl_time_parse(struct str layout, struct str text, struct str zone);
/* The time as read in a zone; an unknown one is UTC. */
struct tmpl_time tmpl_time_in(struct tmpl_time t, struct str zone);
/* Methods and fields: .Unix, .Format "..." and so on. False: there is none of this name. *ret_argc: how many
 * arguments it takes. */
bool tmpl_time_method(const struct tmpl_time *t, struct str name, const struct tmpl_value *args, size_t n,
                      struct arena *a, struct tmpl_value *ret_value, size_t *ret_argc);

/* -- functions ------------------------------------------------------------------------------------------- */

enum tmpl_arg {
    ARG_NONE = 0,
    ARG_STRING,
    ARG_INT,
    ARG_FLOAT,
    ARG_TIME,
    ARG_ANY,
    ARG_VALUE /* reflect.Value: as ANY, and nil stays out */
};

enum {
    TMPL_ARGS_MAX = 64
};

struct tmpl_call {
    const struct tmpl_input *in;
    struct arena *a;
    const struct tmpl_value *args;
    size_t n;
    struct tmpl_value result;
    char fault[300]; /* why the function failed; empty: it did not */
    bool out_of_memory;
};

struct tmpl_function {
    const char *name;
    enum tmpl_arg args[4];  /* the fixed ones */
    enum tmpl_arg variadic; /* ARG_NONE: no more */
    void (*fn)(struct tmpl_call *c);
};

/* The label, or what a missing one is. */
struct tmpl_value tmpl_label(const struct tmpl_input *in, struct str name);
/* NULL: not defined. */
const struct tmpl_function *tmpl_function(enum tmpl_dialect dialect, struct str name);

#endif
