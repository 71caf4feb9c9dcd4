/* Inside of templates: values, the tree, the table of functions. */
#ifndef CAIRN_AGENT_STAGES_TEMPLATE_INT_H
#define CAIRN_AGENT_STAGES_TEMPLATE_INT_H

#include "agent/stages/template.h"
#include "base/strmap.h"
#include "labels/regex.h"

enum {
    TEMPLATE_DEPTH_MAX = 64,
    TEMPLATE_ARGS_MAX = 32,
    TEMPLATE_VARS_MAX = 64,
    TEMPLATE_OUT_BYTES_MAX = 16 << 20,
    TEMPLATE_STEPS_MAX = 1000000, /* of one run: a range within a range over a large list */
    TEMPLATE_REGEXES_MAX = 64
};

enum tval_kind {
    TV_NIL = 0, /* also a missing key */
    TV_BOOL,
    TV_INT,
    TV_FLOAT,
    TV_STR,
    TV_LIST,
    TV_MAP, /* keys sorted */
    TV_DATA /* the root: extracted values */
};

struct tval {
    enum tval_kind kind;
    bool b;
    int64_t i;
    double f;
    struct str s;
    struct tval *items;
    struct str *keys;
    size_t n;
};

struct texec;
typedef bool tfunc(struct texec *x, const struct tval *args, size_t n, struct tval *ret);

struct tfunc_row {
    const char *name;
    tfunc *fn;
    size_t min, max;
};

const struct tfunc_row *tfunc_find(struct str name);
/* The functions of each file. */
const struct tfunc_row *tfuncs_text(size_t *ret_n);
const struct tfunc_row *tfuncs_value(size_t *ret_n);
const struct tfunc_row *tfuncs_print(size_t *ret_n);

struct tvar {
    struct str name;
    struct tval value;
};

/* One run. */
struct texec {
    struct template *t;
    struct arena *a;
    const struct template_data *data;
    struct buf *out;
    struct tvar vars[TEMPLATE_VARS_MAX];
    size_t var_count;
    unsigned depth;
    size_t steps;
    enum {
        LOOP_NONE = 0,
        LOOP_BREAK,
        LOOP_CONTINUE
    } loop;
};

/* helpers for functions */
static inline struct tval tv_str(struct str s)
{
    return (struct tval){.kind = TV_STR, .s = s};
}

static inline struct tval tv_int(int64_t i)
{
    return (struct tval){.kind = TV_INT, .i = i};
}

static inline struct tval tv_bool(bool b)
{
    return (struct tval){.kind = TV_BOOL, .b = b};
}

static inline struct tval tv_float(double f)
{
    return (struct tval){.kind = TV_FLOAT, .f = f};
}

/* Arguments of functions. nil is an empty text; what is no number is 0, as sprig has it. */
bool targ_text(struct texec *x, const struct tval *v, struct str *ret);
bool targ_int(struct texec *x, const struct tval *v, int64_t *ret);
double targ_float(struct texec *x, const struct tval *v);
/* The first n arguments as texts s[0], s[1], ...; the function fails when one is none. */
bool targ_texts(struct texec *x, const struct tval *args, size_t n, struct str *ret);
bool tfn_list(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
bool tfn_dict(struct texec *x, const struct tval *args, size_t n, struct tval *ret);

bool tv_truth(const struct texec *x, const struct tval *v);
/* As print shows it. */
bool tv_text(struct texec *x, const struct tval *v, struct str *ret);
void tv_print(struct texec *x, struct buf *out, const struct tval *v);
/* A copy of the buffer's text in the arena; false when either failed. */
bool tv_take(struct texec *x, struct buf *b, struct tval *ret);
/* The member of a map, of the root, or nil. False when v has no members. */
bool tv_member(struct texec *x, const struct tval *v, struct str name, struct tval *ret);
/* The compiled expression, from the template's cache; NULL when it is wrong. */
struct regex *template_regex(struct template *t, struct str pattern);

#endif
