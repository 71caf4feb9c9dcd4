/* One request to a program on this host. */
#include "cairn/snapshot_client.h"

#include "backup/backup.h"
#include "cairn/snapshot.h"
#include "codec/json.h"
#include "disk/file.h"
#include "net/http_client.h"

enum {
    SNAPSHOT_TIMEOUT_MS = 600 * 1000
};

/* Asks the running program; *ret_folder is DATA/snapshots/NAME. */
static enum err snapshot_ask(struct arena *a, struct str data, struct str url, struct str secret,
                             struct str *ret_folder, struct err_info *info)
{
    struct http_client *client = NULL;
    struct http_answer answer = {0};
    const struct json_value *root = NULL;
    const struct http_header header = {STR(SNAPSHOT_SECRET_HEADER), secret};
    struct http_call call = {.method = STR("POST"),
                             .url = url,
                             .headers = &header,
                             .header_count = 1,
                             .timeout_ms = SNAPSHOT_TIMEOUT_MS};
    enum err e = http_client_new("backup", &client);
    e = e ? e : http_client_do(client, &call, &answer, info);
    http_client_free(client);
    e = e ? e : json_parse(a, buf_view(&answer.body), &root, info);
    const struct json_value *name = e ? NULL : json_get(root, STR("name")),
                            *why = json_get(root, STR("error"));
    if (!e && (answer.status != 200 || !name || !backup_name_valid(name->string))) {
        e = err_set(info, ERR_EXECUTION, "the program refused a snapshot (%d): %.*s", answer.status,
                    STR_FMT(why ? why->string : STR("without a reason")));
    }
    if (!e) {
        *ret_folder = arena_printf(a, "%.*s/" SNAPSHOT_FOLDER "/%.*s", STR_FMT(data), STR_FMT(name->string));
        e = ret_folder->p ? ERR_OK : err_set(info, ERR_OOM, "out of memory");
    }
    http_answer_done(&answer);
    return e;
}

enum err snapshot_of_running(struct arena *a, struct str data, struct str *ret_folder, struct err_info *info)
{
    struct buf text AUTO_BUF = {.size_bytes_max = 4096};
    struct str path = arena_printf(a, "%.*s/" SNAPSHOT_CONTROL, STR_FMT(data));
    enum err e = path.p ? file_load(path.p, &text, info) : err_set(info, ERR_OOM, "out of memory");
    if (e) {
        return e;
    }
    struct str secret = str_trim(buf_view(&text)), url = str_cut(&secret, ' ');
    return snapshot_ask(a, data, url, secret, ret_folder, info);
}
