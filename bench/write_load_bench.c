/* DEPS codec base */
/* Sends remote write 1.0 to a server as fast as it answers: a capture of an exporter (bench/node_capture.py),
 * replicated to many targets, 15 s (--interval) between scrapes, the newest one now. --histograms
 * adds the classic histogram of a web server to each target: 4 paths of 11 buckets.
 *
 *   write_load_bench --url=HOST:PORT/PATH --capture=FILE [--targets=N] [--scrapes=N] [--interval=SECONDS]
 *                    [--samples-per-request=N] [--connections=N] [--churn] [--histograms]
 *
 * Prints what was sent and how long it took: requests, samples, series, seconds. Requests are encoded while
 * the server works on the ones before, on threads of this process; the server's own CPU time is what
 * bench/ingest.sh reads. --churn gives every scrape new instances, so that every series is new. Exits with 1
 * when a request was refused. */
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "codec/compress.h"
#include "codec/exposition.h"
#include "codec/remote_write.h"

enum {
    CONNECTIONS_MAX = 64,
    INTERVAL_MS = 15000,
    ANSWER_BYTES = 4096,
    LABELS_PER_SERIES = 32
};

struct capture {
    size_t series_count, scrape_count;
    const struct wire_label **labels;
    size_t *label_counts;
    const double *values; /* scrape_count rows of series_count */
};

struct load {
    char host[128], port[16], path[256];
    const char *capture_file;
    size_t targets, scrapes, per_request, connections;
    bool churn, histograms;
    struct capture c;
    ts_ms start, interval;
    atomic_uint_fast64_t requests, samples, refused;
};

struct sender {
    struct load *load;
    size_t number;
    int fd;
    struct buf body, packed, head;
    struct arena memory;
    struct wire_series *series;
    struct wire_sample *samples;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "write_load_bench: %s\n", what);
    exit(1);
}

/* -- capture --------------------------------------------------------------------------------------------- */

static void capture_labels(struct capture *c, struct arena *a, size_t i, struct str line)
{
    struct err_info info = {0};
    const struct wire_label *l = NULL;
    size_t n = 0;
    if (exposition_labels(a, line, &l, &n, &info)) {
        die(info.message);
    }
    struct wire_label *all = arena_array(a, n + 2, sizeof(*all));
    if (!all || n + 2 > LABELS_PER_SERIES) {
        die("a series has too many labels");
    }
    memcpy(all, l, n * sizeof(*all));
    c->labels[i] = all;
    c->label_counts[i] = n;
}

static void capture_load(struct capture *c, struct arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    char *line = NULL;
    size_t cap = 0;
    if (!f || getline(&line, &cap, f) < 0 ||
        sscanf(line, "cairn-capture %zu %zu", &c->series_count, &c->scrape_count) != 2) {
        die("the capture cannot be read; make one with bench/node_capture.py");
    }
    c->labels = mem_zarray(c->series_count, sizeof(struct wire_label *));
    c->label_counts = mem_zarray(c->series_count, sizeof(size_t));
    for (size_t i = 0; i < c->series_count; i++) {
        ssize_t n = getline(&line, &cap, f);
        struct str copy = n > 0 ? arena_str(a, str_of(line, (size_t)n - 1)) : (struct str){0};
        if (!copy.p) {
            die("the capture is cut short");
        }
        capture_labels(c, a, i, copy);
    }
    size_t count = c->series_count * c->scrape_count;
    double *values = mem_array(count, sizeof(*values));
    if (!values || fread(values, sizeof(*values), count, f) != count) {
        die("the capture is cut short");
    }
    c->values = values;
    free(line);
    (void)fclose(f);
}

enum {
    PATHS = 4,
    BUCKETS = 11
};

/* Requests counted by scrape `t` in buckets up to `bucket`; they rise. */
static double bucket_count(size_t t, size_t path, size_t bucket)
{
    uint64_t sum = 0;
    for (size_t k = 0; k <= bucket; k++) {
        sum += (t * (BUCKETS - k) * (path + 1) + t / 7 * k) / 3;
    }
    return (double)sum;
}

/* Puts the series of histograms behind those captured. */
static void capture_add_histograms(struct capture *c, struct arena *a)
{
    size_t old = c->series_count, n = old + (size_t)PATHS * BUCKETS;
    const struct wire_label **labels = mem_array(n, sizeof(*labels));
    size_t *counts = mem_array(n, sizeof(*counts));
    double *values = mem_array(n * c->scrape_count, sizeof(*values));
    if (!labels || !counts || !values) {
        die("no memory");
    }
    memcpy(labels, c->labels, old * sizeof(*labels));
    memcpy(counts, c->label_counts, old * sizeof(*counts));
    for (size_t i = old; i < n; i++) {
        size_t path = (i - old) / BUCKETS, bucket = (i - old) % BUCKETS;
        struct wire_label *l = arena_array(a, 3, sizeof(*l));
        if (!l) {
            die("no memory");
        }
        l[0] = (struct wire_label){STR("__name__"), STR("http_request_duration_seconds_bucket")};
        l[1].name = STR("le");
        l[1].value =
            bucket == BUCKETS - 1 ? STR("+Inf") : arena_printf(a, "%g", 0.005 * (double)(1u << bucket));
        l[2] = (struct wire_label){STR("path"), arena_printf(a, "/api/%zu", path)};
        labels[i] = l;
        counts[i] = 3;
    }
    for (size_t t = 0; t < c->scrape_count; t++) {
        memcpy(values + t * n, c->values + t * old, old * sizeof(*values));
        for (size_t i = old; i < n; i++) {
            values[t * n + i] = bucket_count(t, (i - old) / BUCKETS, (i - old) % BUCKETS);
        }
    }
    *c = (struct capture){n, c->scrape_count, labels, counts, values};
}

/* -- sending --------------------------------------------------------------------------------------------- */

static int connect_to(const struct load *l)
{
    struct addrinfo *list = NULL;
    int fd = -1;
    if (getaddrinfo(l->host, l->port, &(struct addrinfo){.ai_socktype = SOCK_STREAM}, &list) != 0) {
        die("the host is not known");
    }
    for (struct addrinfo *i = list; i && fd < 0; i = i->ai_next) {
        fd = socket(i->ai_family, i->ai_socktype, i->ai_protocol);
        if (fd >= 0 && connect(fd, i->ai_addr, i->ai_addrlen) != 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd < 0) {
        die("no connection");
    }
    return fd;
}

static void send_all(int fd, struct str s)
{
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n <= 0) {
            die("the server closed the connection");
        }
        s = str_slice(s, (size_t)n, s.n);
    }
}

/* Status of an answer with a body that fits the buffer, or none. */
static int answer(int fd)
{
    char text[ANSWER_BYTES];
    size_t n = 0, body = 0, length = 0;
    while (!body || n < body + length) {
        ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
        if (got <= 0) {
            die("the server closed the connection");
        }
        n += (size_t)got;
        text[n] = '\0';
        const char *end = body ? NULL : strstr(text, "\r\n\r\n");
        if (end) {
            const char *header = strcasestr(text, "content-length:");
            body = (size_t)(end - text) + 4;
            length = header && header < end ? strtoul(header + 15, NULL, 10) : 0;
        }
    }
    int status = atoi(text + 9);
    static atomic_bool told;
    if (status / 100 != 2 && !atomic_exchange(&told, true)) { /* the first says it all */
        (void)fprintf(stderr, "%.*s\n", (int)(n - body), text + body);
    }
    return status;
}

static void post(struct sender *s, size_t series, size_t samples)
{
    struct wire_write w = {.series = s->series, .series_count = series};
    buf_reset(&s->body);
    buf_reset(&s->packed);
    buf_reset(&s->head);
    remote_write_encode_v1(&s->body, &w);
    if (s->body.err || compress_bytes(COMPRESS_SNAPPY, 0, buf_view(&s->body), &s->packed)) {
        die("no memory for a request");
    }
    buf_printf(
        &s->head,
        "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
        "X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: %zu\r\n\r\n",
        s->load->path, s->load->host, s->packed.n);
    buf_str(&s->head,
            buf_view(&s->packed)); /* one segment: two would wait for each other's acknowledgement */
    send_all(s->fd, buf_view(&s->head));
    atomic_fetch_add(&s->load->requests, 1);
    atomic_fetch_add(answer(s->fd) / 100 == 2 ? &s->load->samples : &s->load->refused, samples);
}

/* One scrape of one target into the request being filled; *n counts its series. */
static void scrape_add(struct sender *s, size_t target, size_t scrape, size_t *n)
{
    const struct load *l = s->load;
    const struct capture *c = &l->c;
    /* Targets are at other places of the capture, so that they do not move in step. */
    const double *row = c->values + ((scrape + target * 37) % c->scrape_count) * c->series_count;
    ts_ms ts = l->start + (ts_ms)scrape * l->interval + (ts_ms)(target * 7919) % l->interval;
    struct str instance =
        arena_printf(&s->memory, l->churn ? "host-%zu-%zu:9100" : "host-%zu:9100", target, scrape);
    for (size_t i = 0; i < c->series_count; i++) {
        if (isnan(row[i])) {
            continue;
        }
        size_t k = c->label_counts[i];
        struct wire_label *labels = arena_array(&s->memory, k + 2, sizeof(*labels));
        if (!labels || !instance.p) {
            die("no memory for a request");
        }
        memcpy(labels, c->labels[i], k * sizeof(*labels));
        labels[k] = (struct wire_label){STR("instance"), instance};
        labels[k + 1] = (struct wire_label){STR("job"), STR("node")};
        s->samples[*n] = (struct wire_sample){.value = row[i], .ts = ts};
        s->series[*n] = (struct wire_series){
            .labels = labels, .label_count = k + 2, .samples = &s->samples[*n], .sample_count = 1};
        if (++*n == l->per_request) {
            post(s, *n, *n);
            *n = 0;
            arena_reset(&s->memory);
            instance =
                arena_printf(&s->memory, l->churn ? "host-%zu-%zu:9100" : "host-%zu:9100", target, scrape);
        }
    }
}

static void run(void *ctx)
{
    struct sender *s = ctx;
    struct load *l = s->load;
    size_t n = 0;
    for (size_t scrape = 0; scrape < l->scrapes; scrape++) {
        for (size_t target = s->number; target < l->targets; target += l->connections) {
            scrape_add(s, target, scrape, &n);
        }
        if (n) {
            post(s, n, n);
            n = 0;
        }
        arena_reset(&s->memory);
    }
}

/* -- command line ---------------------------------------------------------------------------------------- */

static bool value_of(const char *arg, const char *name, const char **ret_value)
{
    size_t n = strlen(name);
    *ret_value = arg + n;
    return strncmp(arg, name, n) == 0;
}

static void url_split(struct load *l, const char *url)
{
    if (sscanf(url, "%127[^:]:%15[^/]%255s", l->host, l->port, l->path) != 3) {
        die("--url=HOST:PORT/PATH");
    }
}

static void options_read(struct load *l, int argc, char **argv)
{
    *l = (struct load){
        .targets = 100, .scrapes = 10, .per_request = 2000, .connections = 1, .interval = INTERVAL_MS};
    for (int i = 1; i < argc; i++) {
        const char *v;
        if (value_of(argv[i], "--url=", &v)) {
            url_split(l, v);
        } else if (value_of(argv[i], "--capture=", &v)) {
            l->capture_file = v;
        } else if (value_of(argv[i], "--targets=", &v)) {
            l->targets = strtoul(v, NULL, 10);
        } else if (value_of(argv[i], "--scrapes=", &v)) {
            l->scrapes = strtoul(v, NULL, 10);
        } else if (value_of(argv[i], "--samples-per-request=", &v)) {
            l->per_request = strtoul(v, NULL, 10);
        } else if (value_of(argv[i], "--connections=", &v)) {
            l->connections = strtoul(v, NULL, 10);
        } else if (value_of(argv[i], "--interval=", &v)) {
            l->interval = (ts_ms)strtoul(v, NULL, 10) * 1000;
        } else if (strcmp(argv[i], "--histograms") == 0) {
            l->histograms = true;
        } else if (strcmp(argv[i], "--churn") == 0) {
            l->churn = true;
        } else {
            die("see the head of the source for the flags");
        }
    }
    if (!l->host[0] || !l->capture_file || !l->per_request || !l->connections || !l->interval ||
        l->connections > CONNECTIONS_MAX) {
        die("--url and --capture are needed; 1 to 64 connections");
    }
}

int main(int argc, char **argv)
{
    static struct load l;
    static struct sender senders[CONNECTIONS_MAX];
    static struct thread threads[CONNECTIONS_MAX];
    struct arena a AUTO_ARENA = {0};
    options_read(&l, argc, argv);
    capture_load(&l.c, &a, l.capture_file);
    if (l.histograms) {
        capture_add_histograms(&l.c, &a);
    }
    l.start = clock_wall_ms(clock_real()) - (ts_ms)l.scrapes * l.interval;
    int64_t from = clock_mono_ns(clock_real());
    for (size_t i = 0; i < l.connections; i++) {
        struct sender *s = &senders[i];
        *s = (struct sender){.load = &l, .number = i, .fd = connect_to(&l)};
        s->series = mem_array(l.per_request, sizeof(*s->series));
        s->samples = mem_array(l.per_request, sizeof(*s->samples));
        if (!s->series || !s->samples || thread_start(&threads[i], "sender", run, s)) {
            die("no memory");
        }
    }
    for (size_t i = 0; i < l.connections; i++) {
        thread_join(&threads[i]);
    }
    double seconds = (double)(clock_mono_ns(clock_real()) - from) / 1e9;
    (void)printf("requests %llu samples %llu refused %llu series %zu seconds %.2f\n",
                 (unsigned long long)atomic_load(&l.requests), (unsigned long long)atomic_load(&l.samples),
                 (unsigned long long)atomic_load(&l.refused), l.c.series_count * l.targets, seconds);
    return atomic_load(&l.refused) ? 1 : 0;
}
