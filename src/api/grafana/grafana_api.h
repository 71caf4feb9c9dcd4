/* Grafana's HTTP API and the web app's pages, as routes of the dashboards role.
 *
 * Parameters in, JSON out: the state lives in src/dashboards. Thread: handlers run on the server's workers.
 */
#ifndef CAIRN_API_GRAFANA_GRAFANA_API_H
#define CAIRN_API_GRAFANA_GRAFANA_API_H

#include "base/clock.h"
#include "base/err.h"
#include "dashboards/auth.h"
#include "dashboards/db.h"
#include "dashboards/settings.h"
#include "net/http_client.h"
#include "net/http_server.h"

/* A data source that is a role of this very process: its requests go to the role's routes without a socket.
 */
struct grafana_local_source {
    struct str url;             /* as data_source.url: "http://127.0.0.1:9090" */
    struct http_server *server; /* NULL ends the list */
};

enum {
    GRAFANA_LOCAL_SOURCES_MAX = 4
};

struct grafana_api {
    struct db *db;
    struct clock *clock;
    struct auth_tries *tries;
    const struct settings *settings;
    struct http_client *client;
    struct grafana_local_source local[GRAFANA_LOCAL_SOURCES_MAX];
    struct str cairn_version;
    enum auth_role anonymous_role; /* ROLE_NONE: visitors must sign in */
    /* Reads the provisioning folder anew. NULL: there is none. */
    enum err (*provision)(void *ctx, struct err_info *reterr_info);
    void *provision_ctx;
};

/* Adds every route; `api` must outlive the server. Errors: OOM. */
MUST_USE enum err grafana_api_routes(struct grafana_api *api, struct http_server *server);

/* Boot data for page.h; ctx is the struct grafana_api. */
void grafana_page_boot(void *ctx, struct http_req *r, struct buf *b);

/* The version that tools look at. */
#define GRAFANA_VERSION_TEXT "12.0.0"

#endif
