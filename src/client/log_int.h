/* One log line under construction, shared by log.c (the destination) and log_line.c (the formats). */
#ifndef CAIRN_CLIENT_LOG_INT_H
#define CAIRN_CLIENT_LOG_INT_H

#include <cairn/log.h>

/* Room at a line's end that only punctuation may use, so that a line that is cut stays well-formed. */
enum {
    CAIRN__LOG_RESERVE = 64
};

struct cairn__line {
    size_t size;
    bool cut;
    char data[CAIRN_LOG_LINE_MAX];
};

struct cairn__event {
    enum cairn_log_level level;
    bool utc;
    int64_t wall_ns;
    const char *logger;
    const char *message;
    const struct cairn_log_field *fields;
    size_t field_count;
};

/* Writes the event as one line that ends in its only newline. */
void cairn__line_format(struct cairn__line *line, enum cairn_log_format format,
                        const struct cairn__event *event);

#endif
