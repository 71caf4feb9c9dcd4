/* The boot data of the dashboards role: who asks, the settings that matter, the data sources. */
#include "api/grafana/call_int.h"

static void boot_settings(struct call *c)
{
    struct json_writer *w = &c->w;
    json_key(w, "settings");
    json_object_begin(w);
    json_key(w, "appSubUrl");
    json_str(w, c->api->settings->sub_path);
    json_key(w, "anonymous");
    json_bool(w, c->api->anonymous_role != ROLE_NONE);
    json_key(w, "defaultTheme");
    json_str(w, c->api->settings->default_theme);
    json_key(w, "version");
    json_str(w, c->api->cairn_version);
    json_object_end(w);
}

void grafana_page_boot(void *ctx, struct http_req *r, struct buf *b)
{
    struct call c;
    call_open(&c, ctx, r);
    bool known = call_identify(&c) == ERR_OK;
    c.w.html = true;
    json_object_begin(&c.w);
    json_key(&c.w, "user");
    if (known) {
        call_user_object(&c);
    } else {
        json_null(&c.w);
    }
    boot_settings(&c);
    if (known) {
        json_key(&c.w, "datasources");
        if (call_data_sources(&c) != ERR_OK) {
            json_raw(&c.w, STR("[]"));
        }
    }
    json_object_end(&c.w);
    buf_str(b, buf_view(&c.out));
    call_done(&c);
}
