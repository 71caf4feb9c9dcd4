/* The process and build collectors: values of this process read from the kernel when they are asked for. */
#include "client_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Reads a small file of /proc whole; false when it can't be read. */
static bool file_read(const char *path, char *ret_text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t got = read(fd, ret_text, size - 1);
    (void)close(fd);
    ret_text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* The index-th number, from 0, of a text of numbers between spaces. */
static bool field_number(const char *text, unsigned index, double *ret_value)
{
    for (; index > 0; index--) {
        text = strchr(text, ' ');
        if (text == NULL) {
            return false;
        }
        text++;
    }
    if (*text < '0' || *text > '9') {
        return false;
    }
    double value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (*text - '0');
    }
    *ret_value = value;
    return true;
}

/* Field of /proc/self/stat, numbered from 3 as in proc(5): the first after the program's name in parentheses.
 */
static bool stat_field(unsigned field, double *ret_value)
{
    char text[1024];
    if (!file_read("/proc/self/stat", text, sizeof text)) {
        return false;
    }
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && name_end[1] == ' ' && field_number(name_end + 2, field - 3, ret_value);
}

static bool statm_bytes(unsigned index, double *ret_value)
{
    char text[256];
    double pages;
    if (!file_read("/proc/self/statm", text, sizeof text) || !field_number(text, index, &pages)) {
        return false;
    }
    *ret_value = pages * (double)sysconf(_SC_PAGESIZE);
    return true;
}

/* A counter of /proc/self/net/netstat: its line "IpExt: name ..." is followed by one with the values. */
static bool network_octets(const char *name, double *ret_value)
{
    char text[8192];
    if (!file_read("/proc/self/net/netstat", text, sizeof text)) {
        return false;
    }
    char *names = strstr(text, "IpExt: ");
    char *values = names == NULL ? NULL : strstr(names + 1, "\nIpExt: ");
    if (values == NULL) {
        return false;
    }
    *values++ = '\0';
    const char *found = strstr(names, name);
    unsigned index = 1; /* the name begins behind the space that is found */
    for (const char *at = names; found != NULL && at < found; at++) {
        index += *at == ' ';
    }
    return found != NULL && field_number(values, index, ret_value);
}

static bool network_received(double *ret_value)
{
    return network_octets(" InOctets", ret_value);
}

static bool network_sent(double *ret_value)
{
    return network_octets(" OutOctets", ret_value);
}

static bool cpu_seconds(double *ret_value)
{
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0) {
        return false;
    }
    int64_t micros = (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
    *ret_value = (double)micros / 1e6;
    return true;
}

static bool open_fds(double *ret_value)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        return false;
    }
    double count = -1; /* the directory's own */
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) { /* NOLINT(concurrency-mt-unsafe): the stream is our own */
        count += entry->d_name[0] != '.';
    }
    (void)closedir(directory);
    *ret_value = count;
    return true;
}

static bool limit_value(int resource, double *ret_value)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0) {
        return false;
    }
    *ret_value = limit.rlim_cur == RLIM_INFINITY ? 18446744073709551615.0 : (double)limit.rlim_cur;
    return true;
}

static bool max_fds(double *ret_value)
{
    return limit_value(RLIMIT_NOFILE, ret_value);
}

static bool virtual_bytes(double *ret_value)
{
    return statm_bytes(0, ret_value);
}

static bool virtual_max_bytes(double *ret_value)
{
    return limit_value(RLIMIT_AS, ret_value);
}

static bool resident_bytes(double *ret_value)
{
    return statm_bytes(1, ret_value);
}

static bool threads(double *ret_value)
{
    return stat_field(20, ret_value);
}

/* The kernel counts from boot. Rounded to hundredths, its own tick, so that it stays the same at each scrape.
 */
static bool start_seconds(double *ret_value)
{
    struct timespec wall;
    struct timespec boot;
    double ticks;
    if (!stat_field(22, &ticks) || clock_gettime(CLOCK_REALTIME, &wall) != 0 ||
        clock_gettime(CLOCK_BOOTTIME, &boot) != 0) {
        return false;
    }
    double booted = (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9;
    double start = booted + ticks / (double)sysconf(_SC_CLK_TCK);
    *ret_value = (double)(int64_t)(start * 100 + 0.5) / 100;
    return true;
}

/* One row for each family. */
static const struct process_metric {
    const char *name;
    const char *help;
    const char *unit;
    enum cairn_type type;
    bool once; /* read when registered: it never changes, and the wall clock may */
    bool (*read)(double *ret_value);
} process_metrics[] = {
    {"process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", "seconds",
     CAIRN_COUNTER, false, cpu_seconds},
    {"process_open_fds", "Number of open file descriptors.", NULL, CAIRN_GAUGE, false, open_fds},
    {"process_max_fds", "Maximum number of open file descriptors.", NULL, CAIRN_GAUGE, false, max_fds},
    {"process_virtual_memory_bytes", "Virtual memory size in bytes.", "bytes", CAIRN_GAUGE, false,
     virtual_bytes},
    {"process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.", NULL,
     CAIRN_GAUGE, false, virtual_max_bytes},
    {"process_resident_memory_bytes", "Resident memory size in bytes.", "bytes", CAIRN_GAUGE, false,
     resident_bytes},
    {"process_start_time_seconds", "Start time of the process since unix epoch in seconds.", "seconds",
     CAIRN_GAUGE, true, start_seconds},
    {"process_network_receive_bytes_total", "Number of bytes received by the process over the network.", NULL,
     CAIRN_COUNTER, false, network_received},
    {"process_network_transmit_bytes_total", "Number of bytes sent by the process over the network.", NULL,
     CAIRN_COUNTER, false, network_sent},
    {"process_threads", "Number of OS threads in the process.", NULL, CAIRN_GAUGE, false, threads},
};

static void process_collect(struct cairn_emit *emit, void *context)
{
    const struct process_metric *metric = context;
    double value;
    if (metric->read(&value)) {
        cairn_emit(emit, NULL, value);
    }
}

static enum cairn_err process_register(struct cairn_registry *registry, const struct process_metric *metric)
{
    struct cairn_family_options options = {
        .type = metric->type, .name = metric->name, .help = metric->help, .unit = metric->unit};
    if (!metric->once) {
        options.collect = process_collect;
        memcpy(&options.collect_context, &metric, sizeof options.collect_context); /* only ever read */
    }
    double value = 0;
    if (metric->once && !metric->read(&value)) {
        return CAIRN_OK;
    }
    struct cairn_family *family;
    enum cairn_err err = cairn_family_new(registry, &options, &family);
    if (err == CAIRN_OK && metric->once) {
        cairn_gauge_set(cairn_gauge(family, NULL), value);
    }
    return err;
}

enum cairn_err cairn_process_collector(struct cairn_registry *registry)
{
    for (size_t i = 0; i < sizeof process_metrics / sizeof process_metrics[0]; i++) {
        enum cairn_err err = process_register(registry, &process_metrics[i]);
        if (err != CAIRN_OK) {
            return err;
        }
    }
    return CAIRN_OK;
}

enum cairn_err cairn_build_collector(struct cairn_registry *registry, const char *application,
                                     const struct cairn_label *labels, size_t label_count)
{
    const char *names[CAIRN_LABELS_MAX];
    const char *values[CAIRN_LABELS_MAX];
    char name[CAIRN__NAME_MAX + 1];
    char help[CAIRN__NAME_MAX + 64];
    int size = snprintf(name, sizeof name, "%s_build_info", application);
    if (size < 0 || (size_t)size >= sizeof name || label_count > CAIRN_LABELS_MAX) {
        return CAIRN_ERR_LIMIT;
    }
    for (size_t i = 0; i < label_count; i++) {
        names[i] = labels[i].name;
        values[i] = labels[i].value;
        if (!cairn__label_value_valid(values[i])) {
            return CAIRN_ERR_INVALID;
        }
    }
    (void)snprintf(help, sizeof help, "What %s was built from; always 1.", application);
    struct cairn_family *family;
    enum cairn_err err = cairn_family_new(
        registry,
        &(struct cairn_family_options){
            .type = CAIRN_INFO, .name = name, .help = help, .label_names = names, .label_count = label_count},
        &family);
    if (err != CAIRN_OK) {
        return err;
    }
    return cairn_info(family, values) ? CAIRN_OK : CAIRN_ERR_OOM;
}
