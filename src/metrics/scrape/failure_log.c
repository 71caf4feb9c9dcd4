/* scrape_failure_log_file: one JSON line for every scrape that failed. The file is opened for each line, so
 * that it may be moved away at any time. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "codec/json.h"
#include "metrics/scrape/scrape_int.h"

static void member(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, key);
    json_str(w, value);
}

void scrape_failure_log(const struct scrape_job *job, struct str url, const char *error)
{
    struct buf line AUTO_BUF = {0};
    struct json_writer w = json_writer(&line);
    char now[40];
    if (job->d.failure_log_file.n == 0) {
        return;
    }
    json_object_begin(&w);
    member(&w, "time", str_c(clock_format_rfc3339(clock_wall_ns(clock_real()), now, sizeof(now))));
    member(&w, "level", STR("ERROR"));
    member(&w, "msg", str_c(error));
    member(&w, "job_name", job->name);
    member(&w, "target", url);
    json_object_end(&w);
    buf_char(&line, '\n');
    int fd = line.err ? -1 : open(job->d.failure_log_file.p, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    bool written = fd >= 0 && write(fd, line.p, line.n) == (ssize_t)line.n;
    int saved = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (!written) {
        struct err_info info = {0};
        (void)err_set_errno(&info, saved, "%.*s", STR_FMT(job->d.failure_log_file));
        LOG_EVENT(LVL_WARN, "scrape_failure_log_failed", F_C("err", info.message));
    }
}
