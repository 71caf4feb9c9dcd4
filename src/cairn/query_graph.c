/* A range query as charts for a terminal: braille characters, each two dots wide and four high. */
#include <math.h>

#include "cairn/query_int.h"
#include "codec/num.h"

enum {
    ROWS = 8,
    COLUMNS_MAX = 400,
    DOTS_PER_COLUMN = 2,
    DOTS_PER_ROW = 4,
    SCALE_WIDTH = 12
};

struct chart {
    uint8_t cells[ROWS][COLUMNS_MAX]; /* bits of U+2800 + cell */
    unsigned width;
    double low, high, from, to;
};

/* Bit of a dot inside its cell, by column and by row from the top (Unicode, Braille Patterns). */
static const uint8_t dot_bits[DOTS_PER_ROW][DOTS_PER_COLUMN] = {
    {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};

static bool point_numbers(const struct answer_point *p, double *ret_t, double *ret_v)
{
    return num_f64_parse(p->time, ret_t) == ERR_OK && num_f64_parse(p->value, ret_v) == ERR_OK &&
           isfinite(*ret_v);
}

static bool bounds(const struct answer *x, const struct answer_series *s, struct chart *c)
{
    double t, v;
    bool any = false;
    c->from = HUGE_VAL;
    c->to = -HUGE_VAL;
    for (size_t i = 0; i < x->n; i++) { /* one time axis for all, so that charts can be compared */
        for (size_t k = 0; k < x->series[i].n; k++) {
            if (point_numbers(&x->series[i].points[k], &t, &v)) {
                c->from = fmin(c->from, t);
                c->to = fmax(c->to, t);
            }
        }
    }
    for (size_t k = 0; k < s->n; k++) {
        if (point_numbers(&s->points[k], &t, &v)) {
            c->low = any ? fmin(c->low, v) : v;
            c->high = any ? fmax(c->high, v) : v;
            any = true;
        }
    }
    return any;
}

static void dot(struct chart *c, double t, double v)
{
    double span_t = c->to - c->from, span_v = c->high - c->low;
    unsigned columns = c->width * DOTS_PER_COLUMN, rows = ROWS * DOTS_PER_ROW;
    double fx = span_t > 0 ? (t - c->from) / span_t : 0, fy = span_v > 0 ? (v - c->low) / span_v : 0.5;
    unsigned px = (unsigned)(fx * (columns - 1) + 0.5), py = rows - 1 - (unsigned)(fy * (rows - 1) + 0.5);
    c->cells[py / DOTS_PER_ROW][px / DOTS_PER_COLUMN] |= dot_bits[py % DOTS_PER_ROW][px % DOTS_PER_COLUMN];
}

static void scale(struct buf *b, double v)
{
    char text[NUM_F64_BYTES_MAX];
    double shown = fabs(v) >= 1 ? round(v * 1000) / 1000 : v;
    size_t n = num_f64_format(text, shown, fabs(shown) >= 1 && fabs(shown) < 1e6 ? 'f' : 'g');
    buf_printf(b, "%*.*s ", SCALE_WIDTH, (int)(n > SCALE_WIDTH ? SCALE_WIDTH : n), text);
}

static void chart_print(struct buf *b, const struct chart *c)
{
    for (unsigned r = 0; r < ROWS; r++) {
        if (r == 0 || r == ROWS - 1) {
            scale(b, r == 0 ? c->high : c->low);
        } else {
            buf_printf(b, "%*s ", SCALE_WIDTH, "");
        }
        for (unsigned k = 0; k < c->width; k++) { /* U+2800 + cell in UTF-8 */
            uint8_t cell = c->cells[r][k];
            buf_char(b, (char)0xe2);
            buf_char(b, (char)(0xa0 | cell >> 6));
            buf_char(b, (char)(0x80 | (cell & 0x3f)));
        }
        buf_char(b, '\n');
    }
}

void answer_graph(struct buf *b, const struct answer *x, unsigned width)
{
    if (!x->n) {
        buf_c(b, "no data\n");
    }
    for (size_t i = 0; i < x->n; i++) {
        const struct answer_series *s = &x->series[i];
        struct chart c = {.width = width < COLUMNS_MAX ? width : COLUMNS_MAX};
        double t, v;
        buf_printf(b, "%.*s\n", STR_FMT(s->name));
        if (!bounds(x, s, &c)) {
            buf_c(b, "  (no finite values)\n");
            continue;
        }
        for (size_t k = 0; k < s->n; k++) {
            if (point_numbers(&s->points[k], &t, &v)) {
                dot(&c, t, v);
            }
        }
        chart_print(b, &c);
    }
}
