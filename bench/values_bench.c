/* DEPS metrics/tsdb codec base */
/* Bytes a sample and nanoseconds a sample of the value codec, on a capture of an exporter
 * (bench/node_capture.py).
 *
 *   values_bench CAPTURE [SAMPLES_PER_CHUNK]
 *
 * Prints a line for each mode: its share of samples and of bytes, and the time to encode and to decode. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/values.h"

enum {
    CHUNK_MAX = 2000,
    ROUNDS = 50
};

struct sum {
    uint64_t samples, bytes;
    int64_t encode_ns, decode_ns;
};

static double *load(const char *path, size_t *ret_series, size_t *ret_scrapes)
{
    FILE *f = fopen(path, "rb");
    char *line = NULL;
    size_t cap = 0;
    if (!f || getline(&line, &cap, f) < 0 ||
        sscanf(line, "cairn-capture %zu %zu", ret_series, ret_scrapes) != 2) {
        (void)fprintf(stderr, "values_bench: %s is no capture\n", path);
        exit(1);
    }
    for (size_t i = 0; i < *ret_series; i++) {
        if (getline(&line, &cap, f) < 0) {
            exit(1);
        }
    }
    size_t n = *ret_series * *ret_scrapes;
    double *v = mem_array(n, sizeof(*v));
    if (!v || fread(v, sizeof(*v), n, f) != n) {
        exit(1);
    }
    free(line);
    (void)fclose(f);
    return v;
}

static void chunk(const uint64_t *v, size_t n, struct sum *sums)
{
    static uint8_t out[CHUNK_MAX * XOR_BYTES_PER_VALUE_MAX + 64];
    static uint64_t back[CHUNK_MAX];
    uint8_t mode = 0;
    size_t bytes = 0;
    int64_t from = clock_thread_cpu_ns();
    for (int i = 0; i < ROUNDS; i++) {
        bytes = values_encode(v, n, out, &mode);
    }
    int64_t between = clock_thread_cpu_ns();
    for (int i = 0; i < ROUNDS; i++) {
        if (values_decode(mode, out, bytes, n, back)) {
            exit(1);
        }
    }
    int64_t to = clock_thread_cpu_ns();
    if (memcmp(v, back, n * sizeof(*v)) != 0) {
        (void)fprintf(stderr, "values_bench: not bit-exact\n");
        exit(1);
    }
    sums[mode].samples += n;
    sums[mode].bytes += bytes;
    sums[mode].encode_ns += (between - from) / ROUNDS;
    sums[mode].decode_ns += (to - between) / ROUNDS;
}

int main(int argc, char **argv)
{
    size_t series = 0, scrapes = 0, per_chunk = argc > 2 ? strtoul(argv[2], NULL, 10) : 480;
    struct sum sums[VALUES_MODE_COUNT] = {{0}}, all = {0};
    uint64_t v[CHUNK_MAX];
    if (argc < 2 || per_chunk == 0 || per_chunk > CHUNK_MAX) {
        (void)fprintf(stderr, "usage: values_bench CAPTURE [SAMPLES_PER_CHUNK]\n");
        return 2;
    }
    const double *values = load(argv[1], &series, &scrapes);
    for (size_t s = 0; s < series; s++) {
        for (size_t at = 0; at < scrapes; at += per_chunk) {
            size_t n = 0;
            for (size_t i = at; i < scrapes && i < at + per_chunk; i++) {
                double x = values[i * series + s];
                if (!isnan(x)) {
                    v[n++] = f64_bits(x);
                }
            }
            if (n) {
                chunk(v, n, sums);
            }
        }
    }
    for (size_t m = 0; m < VALUES_MODE_COUNT; m++) {
        all.samples += sums[m].samples;
        all.bytes += sums[m].bytes;
        all.encode_ns += sums[m].encode_ns;
        all.decode_ns += sums[m].decode_ns;
    }
    (void)printf("mode   samples %%  bytes %%  bytes/sample  encode ns  decode ns\n");
    for (size_t m = 0; m <= VALUES_MODE_COUNT; m++) {
        const struct sum *x = m < VALUES_MODE_COUNT ? &sums[m] : &all;
        double n = x->samples ? (double)x->samples : 1;
        (void)printf("%-6s %9.2f %8.2f %13.3f %10.2f %10.2f\n",
                     m < VALUES_MODE_COUNT ? (char[]){(char)('0' + m), 0} : "all",
                     100 * n / (double)all.samples, 100 * (double)x->bytes / (double)all.bytes,
                     (double)x->bytes / n, (double)x->encode_ns / n, (double)x->decode_ns / n);
    }
    return 0;
}
