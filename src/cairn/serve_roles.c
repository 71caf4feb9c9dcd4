/* The table of roles, and what their files share. To add a role: its file, its row here. */
#include "cairn/serve_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/mem.h"
#include "disk/file.h"

/* In the order of start: whoever is asked before whoever asks. */
static const struct role_ops *const table[] = {
    &role_demo, &role_metrics, &role_logs, &role_agent, &role_dashboards,
};

const struct role_ops *const *role_table(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(table);
    return table;
}

char *role_address(const struct role *r, const struct serve *s, struct str own)
{
    struct str given = r->address.n ? r->address : own;
    struct buf b AUTO_BUF = {.size_bytes_max = 1024};
    if (given.n) {
        buf_str(&b, given);
    } else {
        struct str host = s->listen.n ? s->listen : s->alone ? STR("") : STR("127.0.0.1");
        bool bare_v6 = str_find_char(host, ':', 0) != STR_NPOS && host.p[0] != '[';
        buf_printf(&b, bare_v6 ? "[%.*s]:%u" : "%.*s:%u", STR_FMT(host), r->ops->port);
    }
    return buf_take(&b, NULL);
}

int role_listen_fd(const struct role *r)
{
    char **names = NULL;
    int n = sd_listen_fds_with_names(0, &names), fd = 0;
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], r->ops->name) == 0) {
            fd = SD_LISTEN_FDS_START + i;
        }
        free(names[i]);
    }
    free(names); /* the library's own memory */
    return fd;
}

char *role_data_dir(const struct serve *s, const char *sub, struct err_info *reterr_info)
{
    struct buf b AUTO_BUF = {.size_bytes_max = 4096};
    buf_printf(&b, "%.*s/%s", STR_FMT(s->data), sub);
    char *path = buf_take(&b, NULL);
    if (!path) {
        (void)err_set(reterr_info, ERR_OOM, "no memory for a path");
        return NULL;
    }
    if (dir_make(path, reterr_info)) {
        mem_free(path);
        return NULL;
    }
    return path;
}

bool role_address_is_open(struct str address)
{
    return !str_starts(address, STR("127.")) && !str_starts(address, STR("[::1]")) &&
           !str_starts(address, STR("localhost:"));
}
