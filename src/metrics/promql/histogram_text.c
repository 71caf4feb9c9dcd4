/* Native histograms as text, as count_values shows them. */
#include "codec/num.h"
#include "metrics/promql/histogram_fns.h"

static void put_g(struct buf *b, double v)
{
    char text[NUM_F64_BYTES_MAX];
    buf_append(b, text, num_f64_format(text, v, 'g'));
}

static void put_bucket(struct buf *b, const struct histogram_bucket *k)
{
    buf_c(b, ", ");
    buf_char(b, k->lower_inclusive ? '[' : '(');
    put_g(b, k->lower);
    buf_char(b, ',');
    put_g(b, k->upper);
    buf_char(b, k->upper_inclusive ? ']' : ')');
    buf_char(b, ':');
    put_g(b, k->count);
}

/* Buckets keep their own bounds here, even where they reach into the zero bucket. */
static void put_side(struct buf *b, const struct histogram *h, bool positive)
{
    struct histogram_side s = positive ? histogram_side_up(h, true) : histogram_side_down(h, false);
    int64_t index = 0;
    double count = 0;
    while (positive ? histogram_side_next(&s, &index, &count) : histogram_side_prev(&s, &index, &count)) {
        if (count != 0) {
            struct histogram_bucket k = histogram_bucket_at(h, positive, index, count);
            put_bucket(b, &k);
        }
    }
}

void histogram_text(struct buf *b, const struct histogram *h)
{
    buf_c(b, "{count:");
    put_g(b, h->count);
    buf_c(b, ", sum:");
    put_g(b, h->sum);
    put_side(b, h, false);
    if (h->zero_count != 0) {
        put_bucket(b, &(struct histogram_bucket){-h->zero_threshold, h->zero_threshold, h->zero_count, 0,
                                                 true, true});
    }
    put_side(b, h, true);
    buf_char(b, '}');
}
