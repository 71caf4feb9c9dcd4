/* All routes of the Prometheus API. */
#include "api/prom/prom_call.h"

size_t prom_route_tables(struct prom_routes ret_tables[PROM_TABLES])
{
    const struct prom_routes tables[] = {
        prom_routes_query(),  prom_routes_series(),   prom_routes_status(),        prom_routes_targets(),
        prom_routes_rules(),  prom_routes_federate(), prom_routes_read(),          prom_routes_features(),
        prom_routes_write(),  prom_routes_search(),   prom_routes_notifications(), prom_routes_self_metrics(),
        prom_routes_openapi()};
    _Static_assert(ARRAY_LEN(tables) == PROM_TABLES, "a table for each file");
    memcpy(ret_tables, tables, sizeof(tables));
    return ARRAY_LEN(tables);
}

enum err prom_api_routes(struct prom_api *api, struct http_server *server)
{
    struct prom_routes tables[PROM_TABLES];
    size_t n = prom_route_tables(tables);
    for (size_t i = 0; i < n; i++) {
        enum err e = http_server_routes(server, tables[i].rows, tables[i].n, api);
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}
