/* All routes of the Loki API. */
#include "api/loki/loki_call.h"

enum err loki_api_routes(struct loki_api *api, struct http_server *server)
{
    const struct loki_routes tables[] = {loki_routes_query(),    loki_routes_series(), loki_routes_volume(),
                                         loki_routes_detected(), loki_routes_tail(),   loki_routes_legacy(),
                                         loki_routes_push(),     loki_routes_status()};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        enum err e = http_server_routes(server, tables[i].rows, tables[i].n, api);
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}
