/* All routes of the Prometheus API. */
#include "api/prom/prom_call.h"

enum err prom_api_routes(struct prom_api *api, struct http_server *server)
{
    const struct prom_routes tables[] = {
        prom_routes_query(), prom_routes_series(),   prom_routes_status(),        prom_routes_targets(),
        prom_routes_rules(), prom_routes_federate(), prom_routes_read(),          prom_routes_features(),
        prom_routes_write(), prom_routes_search(),   prom_routes_notifications(), prom_routes_self_metrics()};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        enum err e = http_server_routes(server, tables[i].rows, tables[i].n, api);
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}
