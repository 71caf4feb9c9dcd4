/* How the configuration of each discovery mechanism is shown, whether it runs here or not: its keys in their
 * order, and what stands where the file says nothing. */
#include "metrics/scrape/config_show.h"

static const struct show_field filter_fields[] = {
    SHOWN_ALWAYS("name", STR),
    SHOWN_ALWAYS("values", STRS),
};
static const struct show_section filter = {filter_fields, ARRAY_LEN(filter_fields)};

static const struct show_field selector_fields[] = {
    SHOWN("role", STR),
    SHOWN("label", STR),
    SHOWN("field", STR),
};
static const struct show_section selector = {selector_fields, ARRAY_LEN(selector_fields)};

static const struct show_field namespaces_fields[] = {
    SHOWN_ALWAYS("own_namespace", BOOL),
    SHOWN_ALWAYS("names", STRS),
};
static const struct show_section namespaces = {namespaces_fields, ARRAY_LEN(namespaces_fields)};

static const struct show_field attach_metadata_fields[] = {
    SHOWN_ALWAYS("node", BOOL), SHOWN_ALWAYS("namespace", BOOL), SHOWN_ALWAYS("deployment", BOOL),
    SHOWN_ALWAYS("job", BOOL),  SHOWN_ALWAYS("cronjob", BOOL),
};
static const struct show_section attach_metadata = {attach_metadata_fields,
                                                    ARRAY_LEN(attach_metadata_fields)};

/* The client of a mechanism that begins without defaults. */
static const struct show_field no_http_fields[] = {
    SHOWN_PART("basic_auth", ONE, show_basic_auth),
    SHOWN_PART("authorization", AUTHORIZATION, show_authorization_parts),
    SHOWN_PART("tls_config", VALUE, show_tls),
    SHOWN_ALWAYS("follow_redirects", BOOL),
    SHOWN_ALWAYS("enable_http2", BOOL),
    SHOWN("proxy_url", URL),
    SHOWN("no_proxy", STR),
};
static const struct show_section no_http = {no_http_fields, ARRAY_LEN(no_http_fields)};

static const struct show_field aws_fields[] = {
    SHOWN_ALWAYS("role", STR),
    SHOWN("region", STR),
    SHOWN("endpoint", STR),
    SHOWN("access_key", STR),
    SHOWN("secret_key", SECRET),
    SHOWN("profile", STR),
    SHOWN("role_arn", STR),
    SHOWN("external_id", STR),
    SHOWN_OR("refresh_interval", DURATION, "0s"),
    SHOWN("port", INT),
    SHOWN_PART("", INLINE, no_http),
    SHOWN_PART("filters", MANY, filter),
    SHOWN("clusters", STRS),
};
static const struct show_section aws = {aws_fields, ARRAY_LEN(aws_fields)};

static const struct show_field azure_fields[] = {
    SHOWN_OR("environment", STR, "AzurePublicCloud"),
    SHOWN_ALWAYS_OR("port", INT, "80"),
    SHOWN_ALWAYS("subscription_id", STR),
    SHOWN("tenant_id", STR),
    SHOWN("client_id", STR),
    SHOWN("client_secret", SECRET),
    SHOWN_OR("refresh_interval", DURATION, "5m"),
    SHOWN_OR("authentication_method", STR, "OAuth"),
    SHOWN("resource_group", STR),
    SHOWN_PART("", INLINE, show_http),
};
static const struct show_section azure = {azure_fields, ARRAY_LEN(azure_fields)};

static const struct show_field consul_fields[] = {
    SHOWN_OR("server", STR, "localhost:8500"),
    SHOWN("path_prefix", STR),
    SHOWN("token", SECRET),
    SHOWN("datacenter", STR),
    SHOWN("namespace", STR),
    SHOWN("partition", STR),
    SHOWN_OR("tag_separator", STR, ","),
    SHOWN_OR("scheme", STR, "http"),
    SHOWN("username", STR),
    SHOWN("password", SECRET),
    SHOWN_ALWAYS_OR("allow_stale", BOOL, "true"),
    SHOWN_OR("refresh_interval", DURATION, "30s"),
    SHOWN("services", STRS),
    SHOWN("tags", STRS),
    SHOWN("node_meta", MAP),
    SHOWN("filter", STR),
    SHOWN("health_filter", STR),
    SHOWN_PART("", INLINE, show_http),
};
static const struct show_section consul = {consul_fields, ARRAY_LEN(consul_fields)};

static const struct show_field digitalocean_fields[] = {
    SHOWN_PART("", INLINE, show_http),  SHOWN_ALWAYS_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS_OR("port", INT, "80"), SHOWN_ALWAYS_OR("role", STR, "droplets"),
    SHOWN_ALWAYS("httpclient", NULL),
};
static const struct show_section digitalocean = {digitalocean_fields, ARRAY_LEN(digitalocean_fields)};

static const struct show_field dns_fields[] = {
    SHOWN_ALWAYS("names", STRS),
    SHOWN_OR("refresh_interval", DURATION, "30s"),
    SHOWN_ALWAYS_OR("type", STR, "SRV"),
    SHOWN_ALWAYS_OR("port", INT, "0"),
};
static const struct show_section dns = {dns_fields, ARRAY_LEN(dns_fields)};

static const struct show_field docker_fields[] = {
    SHOWN_PART("", INLINE, show_http),
    SHOWN_ALWAYS("host", STR),
    SHOWN_ALWAYS_OR("port", INT, "80"),
    SHOWN_ALWAYS_PART("filters", MANY, filter),
    SHOWN_ALWAYS_OR("host_networking_host", STR, "localhost"),
    SHOWN_ALWAYS_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS_OR("match_first_network", BOOL, "true"),
};
static const struct show_section docker = {docker_fields, ARRAY_LEN(docker_fields)};

static const struct show_field dockerswarm_fields[] = {
    SHOWN_PART("", INLINE, show_http),
    SHOWN_ALWAYS("host", STR),
    SHOWN_ALWAYS("role", STR),
    SHOWN_ALWAYS_OR("port", INT, "80"),
    SHOWN_ALWAYS_PART("filters", MANY, filter),
    SHOWN_ALWAYS_OR("refresh_interval", DURATION, "1m"),
};
static const struct show_section dockerswarm = {dockerswarm_fields, ARRAY_LEN(dockerswarm_fields)};

static const struct show_field ec2_fields[] = {
    SHOWN_ALWAYS("endpoint", STR),
    SHOWN_ALWAYS("region", STR),
    SHOWN("access_key", STR),
    SHOWN("secret_key", SECRET),
    SHOWN("profile", STR),
    SHOWN("role_arn", STR),
    SHOWN("external_id", STR),
    SHOWN_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS_OR("port", INT, "80"),
    SHOWN_ALWAYS_PART("filters", MANY, filter),
    SHOWN_PART("", INLINE, show_http),
};
static const struct show_section ec2 = {ec2_fields, ARRAY_LEN(ec2_fields)};

static const struct show_field eureka_fields[] = {
    SHOWN("server", STR),
    SHOWN_PART("", INLINE, show_http),
    SHOWN_OR("refresh_interval", DURATION, "30s"),
};
static const struct show_section eureka = {eureka_fields, ARRAY_LEN(eureka_fields)};

static const struct show_field file_fields[] = {
    SHOWN_ALWAYS("files", PATHS),
    SHOWN_OR("refresh_interval", DURATION, "5m"),
};
static const struct show_section file = {file_fields, ARRAY_LEN(file_fields)};

static const struct show_field gce_fields[] = {
    SHOWN_ALWAYS("project", STR),
    SHOWN_ALWAYS("zone", STR),
    SHOWN("filter", STR),
    SHOWN_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS_OR("port", INT, "80"),
    SHOWN_OR("tag_separator", STR, ","),
};
static const struct show_section gce = {gce_fields, ARRAY_LEN(gce_fields)};

static const struct show_field hetzner_fields[] = {
    SHOWN_PART("", INLINE, show_http),  SHOWN_ALWAYS_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS_OR("port", INT, "80"), SHOWN_ALWAYS("role", STR),
    SHOWN("label_selector", STR),
};
static const struct show_section hetzner = {hetzner_fields, ARRAY_LEN(hetzner_fields)};

static const struct show_field http_fields[] = {
    SHOWN_PART("", INLINE, show_http),
    SHOWN_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS("url", STR),
};
static const struct show_section http = {http_fields, ARRAY_LEN(http_fields)};

static const struct show_field ionos_fields[] = {
    SHOWN_ALWAYS("datacenter_id", STR),
    SHOWN_PART("", INLINE, show_http),
    SHOWN_ALWAYS_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS_OR("port", INT, "80"),
};
static const struct show_section ionos = {ionos_fields, ARRAY_LEN(ionos_fields)};

static const struct show_field kubernetes_fields[] = {
    SHOWN("api_server", URL),
    SHOWN_ALWAYS("role", STR),
    SHOWN_ALWAYS("kubeconfig_file", PATH),
    SHOWN_PART("", INLINE, show_http),
    SHOWN_PART("namespaces", VALUE, namespaces),
    SHOWN_PART("selectors", MANY, selector),
    SHOWN_PART("attach_metadata", VALUE, attach_metadata),
};
static const struct show_section kubernetes = {kubernetes_fields, ARRAY_LEN(kubernetes_fields)};

static const struct show_field kuma_fields[] = {
    SHOWN_PART("", INLINE, show_http),
    SHOWN_OR("refresh_interval", DURATION, "15s"),
    SHOWN_OR("fetch_timeout", DURATION, "2m"),
    SHOWN("server", STR),
    SHOWN("client_id", STR),
};
static const struct show_section kuma = {kuma_fields, ARRAY_LEN(kuma_fields)};

static const struct show_field lightsail_fields[] = {
    SHOWN_ALWAYS("endpoint", STR),
    SHOWN_ALWAYS("region", STR),
    SHOWN("access_key", STR),
    SHOWN("secret_key", SECRET),
    SHOWN("profile", STR),
    SHOWN("role_arn", STR),
    SHOWN("external_id", STR),
    SHOWN_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS_OR("port", INT, "80"),
    SHOWN_PART("", INLINE, show_http),
};
static const struct show_section lightsail = {lightsail_fields, ARRAY_LEN(lightsail_fields)};

static const struct show_field linode_fields[] = {
    SHOWN_PART("", INLINE, show_http),
    SHOWN_ALWAYS_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS_OR("port", INT, "80"),
    SHOWN_OR("tag_separator", STR, ","),
    SHOWN("region", STR),
};
static const struct show_section linode = {linode_fields, ARRAY_LEN(linode_fields)};

static const struct show_field marathon_fields[] = {
    SHOWN("servers", STRS),
    SHOWN_OR("refresh_interval", DURATION, "30s"),
    SHOWN("auth_token", SECRET),
    SHOWN("auth_token_file", PATH),
    SHOWN_PART("", INLINE, show_http),
};
static const struct show_section marathon = {marathon_fields, ARRAY_LEN(marathon_fields)};

static const struct show_field nerve_fields[] = {
    SHOWN_ALWAYS("servers", STRS),
    SHOWN_ALWAYS("paths", STRS),
    SHOWN_OR("timeout", DURATION, "10s"),
};
static const struct show_section nerve = {nerve_fields, ARRAY_LEN(nerve_fields)};

static const struct show_field nomad_fields[] = {
    SHOWN_ALWAYS_OR("allow_stale", BOOL, "true"), SHOWN_PART("", INLINE, show_http),
    SHOWN_ALWAYS_OR("namespace", STR, "default"), SHOWN_ALWAYS_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS_OR("region", STR, "global"),     SHOWN_ALWAYS_OR("server", STR, "http://localhost:4646"),
    SHOWN_OR("tag_separator", STR, ","),
};
static const struct show_section nomad = {nomad_fields, ARRAY_LEN(nomad_fields)};

static const struct show_field oci_fields[] = {
    SHOWN_OR("auth", STR, "api_key"),
    SHOWN("tenancy", STR),
    SHOWN("user", STR),
    SHOWN("fingerprint", STR),
    SHOWN("key_file", PATH),
    SHOWN("key_passphrase", SECRET),
    SHOWN("key_passphrase_file", PATH),
    SHOWN_ALWAYS("region", STR),
    SHOWN("compartments", STRS),
    SHOWN_PART("", INLINE, show_http),
    SHOWN_ALWAYS_OR("port", INT, "80"),
    SHOWN_ALWAYS_OR("refresh_interval", DURATION, "1m"),
};
static const struct show_section oci = {oci_fields, ARRAY_LEN(oci_fields)};

static const struct show_field openstack_fields[] = {
    SHOWN_ALWAYS("identity_endpoint", STR),
    SHOWN_ALWAYS("username", STR),
    SHOWN_ALWAYS("userid", STR),
    SHOWN_ALWAYS("password", SECRET),
    SHOWN_ALWAYS("project_name", STR),
    SHOWN_ALWAYS("project_id", STR),
    SHOWN_ALWAYS("domain_name", STR),
    SHOWN_ALWAYS("domain_id", STR),
    SHOWN_ALWAYS("application_credential_name", STR),
    SHOWN_ALWAYS("application_credential_id", STR),
    SHOWN_ALWAYS("application_credential_secret", SECRET),
    SHOWN_ALWAYS("role", STR),
    SHOWN_ALWAYS("region", STR),
    SHOWN_ALWAYS_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS_OR("port", INT, "80"),
    SHOWN("all_tenants", BOOL),
    SHOWN_PART("tls_config", VALUE, show_tls),
    SHOWN_OR("availability", STR, "public"),
};
static const struct show_section openstack = {openstack_fields, ARRAY_LEN(openstack_fields)};

static const struct show_field outscale_fields[] = {
    SHOWN("endpoint", STR),
    SHOWN_ALWAYS_OR("region", STR, "eu-west-2"),
    SHOWN_ALWAYS("access_key", STR),
    SHOWN_ALWAYS("secret_key", SECRET),
    SHOWN_ALWAYS("secret_key_file", PATH),
    SHOWN_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS_OR("port", INT, "80"),
    SHOWN_PART("", INLINE, show_http),
};
static const struct show_section outscale = {outscale_fields, ARRAY_LEN(outscale_fields)};

static const struct show_field ovhcloud_fields[] = {
    SHOWN_ALWAYS_OR("endpoint", STR, "ovh-eu"),          SHOWN_ALWAYS("application_key", STR),
    SHOWN_ALWAYS("application_secret", SECRET),          SHOWN_ALWAYS("consumer_key", SECRET),
    SHOWN_ALWAYS_OR("refresh_interval", DURATION, "1m"), SHOWN_ALWAYS("service", STR),
};
static const struct show_section ovhcloud = {ovhcloud_fields, ARRAY_LEN(ovhcloud_fields)};

static const struct show_field puppetdb_fields[] = {
    SHOWN_PART("", INLINE, show_http),
    SHOWN_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS("url", STR),
    SHOWN_ALWAYS("query", STR),
    SHOWN_ALWAYS("include_parameters", BOOL),
    SHOWN_ALWAYS_OR("port", INT, "80"),
};
static const struct show_section puppetdb = {puppetdb_fields, ARRAY_LEN(puppetdb_fields)};

static const struct show_field scaleway_fields[] = {
    SHOWN_ALWAYS("project_id", STR),
    SHOWN_OR("api_url", STR, "https://api.scaleway.com"),
    SHOWN_ALWAYS_OR("zone", STR, "fr-par-1"),
    SHOWN_ALWAYS("access_key", STR),
    SHOWN_ALWAYS("secret_key", SECRET),
    SHOWN_ALWAYS("secret_key_file", PATH),
    SHOWN("name_filter", STR),
    SHOWN("tags_filter", STRS),
    SHOWN_PART("", INLINE, show_http),
    SHOWN_ALWAYS_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS_OR("port", INT, "80"),
    SHOWN_ALWAYS("role", STR),
};
static const struct show_section scaleway = {scaleway_fields, ARRAY_LEN(scaleway_fields)};

static const struct show_field serverset_fields[] = {
    SHOWN_ALWAYS("servers", STRS),
    SHOWN_ALWAYS("paths", STRS),
    SHOWN_OR("timeout", DURATION, "10s"),
};
static const struct show_section serverset = {serverset_fields, ARRAY_LEN(serverset_fields)};

static const struct show_field stackit_fields[] = {
    SHOWN_PART("", INLINE, show_http),
    SHOWN_ALWAYS("project", STR),
    SHOWN_OR("refresh_interval", DURATION, "1m"),
    SHOWN_OR("port", INT, "80"),
    SHOWN_OR("region", STR, "eu01"),
    SHOWN("endpoint", STR),
    SHOWN("service_account_key", SECRET),
    SHOWN("private_key", SECRET),
    SHOWN("service_account_key_path", PATH),
    SHOWN("private_key_path", PATH),
    SHOWN("credentials_file_path", PATH),
};
static const struct show_section stackit = {stackit_fields, ARRAY_LEN(stackit_fields)};

static const struct show_field triton_fields[] = {
    SHOWN_ALWAYS("account", STR),
    SHOWN_ALWAYS_OR("role", STR, "container"),
    SHOWN_ALWAYS("dns_suffix", STR),
    SHOWN_ALWAYS("endpoint", STR),
    SHOWN("groups", STRS),
    SHOWN_ALWAYS_OR("port", INT, "9163"),
    SHOWN_OR("refresh_interval", DURATION, "1m"),
    SHOWN_PART("tls_config", VALUE, show_tls),
    SHOWN_ALWAYS_OR("version", INT, "1"),
};
static const struct show_section triton = {triton_fields, ARRAY_LEN(triton_fields)};

static const struct show_field uyuni_fields[] = {
    SHOWN_ALWAYS("server", STR),
    SHOWN_ALWAYS("username", STR),
    SHOWN_ALWAYS("password", SECRET),
    SHOWN_PART("", INLINE, show_http),
    SHOWN_OR("entitlement", STR, "monitoring_entitled"),
    SHOWN_OR("separator", STR, ","),
    SHOWN_OR("refresh_interval", DURATION, "1m"),
};
static const struct show_section uyuni = {uyuni_fields, ARRAY_LEN(uyuni_fields)};

static const struct show_field vultr_fields[] = {
    SHOWN_PART("", INLINE, show_http),
    SHOWN_ALWAYS_OR("refresh_interval", DURATION, "1m"),
    SHOWN_ALWAYS_OR("port", INT, "80"),
};
static const struct show_section vultr = {vultr_fields, ARRAY_LEN(vultr_fields)};

static const struct show_field show_discovery_fields[] = {
    SHOWN_PART("aws_sd_configs", MANY, aws),
    SHOWN_PART("azure_sd_configs", MANY, azure),
    SHOWN_PART("consul_sd_configs", MANY, consul),
    SHOWN_PART("digitalocean_sd_configs", MANY, digitalocean),
    SHOWN_PART("dns_sd_configs", MANY, dns),
    SHOWN_PART("docker_sd_configs", MANY, docker),
    SHOWN_PART("dockerswarm_sd_configs", MANY, dockerswarm),
    SHOWN_PART("ec2_sd_configs", MANY, ec2),
    SHOWN_PART("eureka_sd_configs", MANY, eureka),
    SHOWN_PART("file_sd_configs", MANY, file),
    SHOWN_PART("gce_sd_configs", MANY, gce),
    SHOWN_PART("hetzner_sd_configs", MANY, hetzner),
    SHOWN_PART("http_sd_configs", MANY, http),
    SHOWN_PART("ionos_sd_configs", MANY, ionos),
    SHOWN_PART("kubernetes_sd_configs", MANY, kubernetes),
    SHOWN_PART("kuma_sd_configs", MANY, kuma),
    SHOWN_PART("lightsail_sd_configs", MANY, lightsail),
    SHOWN_PART("linode_sd_configs", MANY, linode),
    SHOWN_PART("marathon_sd_configs", MANY, marathon),
    SHOWN_PART("nerve_sd_configs", MANY, nerve),
    SHOWN_PART("nomad_sd_configs", MANY, nomad),
    SHOWN_PART("oci_sd_configs", MANY, oci),
    SHOWN_PART("openstack_sd_configs", MANY, openstack),
    SHOWN_PART("outscale_sd_configs", MANY, outscale),
    SHOWN_PART("ovhcloud_sd_configs", MANY, ovhcloud),
    SHOWN_PART("puppetdb_sd_configs", MANY, puppetdb),
    SHOWN_PART("scaleway_sd_configs", MANY, scaleway),
    SHOWN_PART("serverset_sd_configs", MANY, serverset),
    SHOWN_PART("stackit_sd_configs", MANY, stackit),
    SHOWN("static_configs", GROUPS),
    SHOWN_PART("triton_sd_configs", MANY, triton),
    SHOWN_PART("uyuni_sd_configs", MANY, uyuni),
    SHOWN_PART("vultr_sd_configs", MANY, vultr),
};
const struct show_section show_discovery = {show_discovery_fields, ARRAY_LEN(show_discovery_fields)};
