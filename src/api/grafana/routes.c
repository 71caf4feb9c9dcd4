/* All routes of the Grafana API. */
#include "api/grafana/call_int.h"

enum err grafana_api_routes(struct grafana_api *api, struct http_server *server)
{
    const struct route_table tables[] = {routes_login(),        routes_dashboards(), routes_folders(),
                                         routes_data_sources(), routes_proxy(),      routes_ds_query(),
                                         routes_annotations(),  routes_org(),        routes_users(),
                                         routes_services(),     routes_server()};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        enum err e = http_server_routes(server, tables[i].rows, tables[i].n, api);
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}
