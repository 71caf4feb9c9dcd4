"""Configurations for config_diff.py: every section, what is left out, what must be quoted."""

FILES = {
    "rules/a.yml": "groups: []\n",
    "sub/jobs.yml": "scrape_configs: [{job_name: from-file, static_configs: [{targets: ['a:1']}]}]\n",
    "secret": "hush\n",
    "targets.json": "[]",
}

CASES = {
    "empty": ("", []),
    "global_empty": ("global:\n", []),
    "minimal": ("scrape_configs: [{job_name: a, static_configs: [{targets: ['localhost:9090']}]}]\n", []),
    "global": ("""
global:
  scrape_interval: 90s
  scrape_timeout: 5000ms
  evaluation_interval: 1h30m
  rule_query_offset: 7d
  query_log_file: q.log
  scrape_failure_log_file: ./sub/../fail.log
  external_labels: {zone: a, region: "1", b10: x, b9: 'yes', quoted: 'a: b', empty: "", num: 0x1f}
  body_size_limit: 10MB
  sample_limit: 5
  target_limit: 6
  label_limit: 7
  label_name_length_limit: 8
  label_value_length_limit: 9
  keep_dropped_targets: 10
  scrape_protocols: [PrometheusText0.0.4, OpenMetricsText1.0.0]
  metric_name_validation_scheme: legacy
  always_scrape_classic_histograms: true
  scrape_native_histograms: true
  extra_scrape_metrics: true
scrape_configs:
  - job_name: inherits
  - job_name: own
    scrape_interval: 2m
    scrape_timeout: 1m1s
    body_size_limit: 1GB
    sample_limit: 50
    scrape_protocols: [PrometheusProto]
    fallback_scrape_protocol: PrometheusText0.0.4
    scrape_native_histograms: false
    always_scrape_classic_histograms: false
    metric_name_validation_scheme: utf8
    metric_name_escaping_scheme: dots
    native_histogram_bucket_limit: 100
    native_histogram_min_bucket_factor: 1.1
    scrape_failure_log_file: own.log
""", []),
    "native": ("global: {scrape_native_histograms: true, scrape_interval: 5s}\nscrape_configs: [{job_name: n}, {job_name: o, scrape_native_histograms: false}]\n", []),
    "relabel": ("""
scrape_configs:
  - job_name: r
    relabel_configs:
      - {source_labels: [__address__, 'b c', "d"], regex: '(.*):\\d+', target_label: x, replacement: '${1}-$2'}
      - {regex: 'gone.*', action: labeldrop}
      - {source_labels: [a], modulus: 8, target_label: shard, action: HashMod}
      - {source_labels: [a], target_label: b, action: keepequal}
      - {source_labels: [a], regex: '', action: drop}
      - {source_labels: [a], regex: 'yes', separator: '', action: keep}
      - {source_labels: [a], target_label: y, replacement: ''}
      - {action: labelmap, regex: '__meta_(.+)'}
      - {source_labels: [a], target_label: l, action: lowercase}
    metric_relabel_configs:
      - {source_labels: [__name__], regex: 'a|b', action: drop}
""", []),
    "http": ("""
scrape_configs:
  - job_name: basic
    basic_auth: {username: u, password: hush}
    scheme: https
    metrics_path: /m?x=1
    params: {b: ['1', two], a: [''], z: []}
    honor_labels: true
    honor_timestamps: false
    track_timestamps_staleness: true
    enable_compression: false
  - job_name: files
    basic_auth: {username_file: secret, password_file: ./secret}
    tls_config: {insecure_skip_verify: true, server_name: s, min_version: TLS12, max_version: TLS13}
  - job_name: bearer
    bearer_token: hush
  - job_name: bearer_file
    bearer_token_file: secret
  - job_name: authorization
    authorization: {credentials: hush}
    follow_redirects: false
    enable_http2: false
  - job_name: authorization_type
    authorization: {type: Custom, credentials_file: sub/../secret}
    proxy_url: http://user:pw@proxy:3128/x
    no_proxy: a.b,c
    proxy_connect_header: {X-B: [one], X-A: [two, three]}
  - job_name: headers
    http_headers:
      X-Two: {values: [v, 'true'], secrets: [s]}
      X-One: {files: [secret]}
    proxy_from_environment: true
""", []),
    "discovery": ("""
scrape_configs:
  - job_name: 'sd: all'
    static_configs:
      - targets: ['a:1', '[::1]:2', 'h-1']
        labels: {b: 'x y', a: '#1', c: '- d', d: '1:30', e: '2020-01-02', f: ' lead', g: 'tab	x', h: "two\\nlines\\n", i: "it's", j: '"q"', k: '1e3', l: '1e+3', m: '089', n: 'y'}
      - targets: []
    file_sd_configs: [{files: ['targets.json', 'sub/*.yml'], refresh_interval: 1m}]
    dns_sd_configs:
      - {names: [a.b, c.d], type: A, port: 53}
      - {names: [_x._tcp.y]}
    http_sd_configs: [{url: 'http://127.0.0.1:1/x', basic_auth: {username: u, password: p}}]
""", []),
    "clouds": ("""
scrape_configs:
  - job_name: clouds
    azure_sd_configs: [{subscription_id: s, tenant_id: t, client_id: c, client_secret: p}]
    consul_sd_configs: [{server: 'localhost:1', token: hush, services: [a, b], tags: [t], node_meta: {rack: '1'}, allow_stale: false}]
    digitalocean_sd_configs: [{bearer_token: x}]
    docker_sd_configs: [{host: 'unix:///var/run/docker.sock', filters: [{name: n, values: [v]}]}]
    dockerswarm_sd_configs: [{host: 'http://127.0.0.1:1', role: nodes}]
    ec2_sd_configs: [{region: eu-west-1, access_key: a, secret_key: s, filters: [{name: 'tag:x', values: [y, z]}], port: 9100}]
    eureka_sd_configs: [{server: 'http://127.0.0.1:1/eureka'}]
    gce_sd_configs: []
    hetzner_sd_configs: [{role: hcloud, bearer_token: x}]
    kubernetes_sd_configs:
      - {role: pod, api_server: 'https://127.0.0.1:1', namespaces: {names: [a]}, selectors: [{role: pod, label: 'a=b'}], attach_metadata: {node: true}}
    kuma_sd_configs: [{server: 'http://127.0.0.1:1'}]
    lightsail_sd_configs: [{region: eu-west-1, access_key: a, secret_key: s}]
    linode_sd_configs: [{bearer_token: x}]
    marathon_sd_configs: [{servers: ['http://127.0.0.1:1'], auth_token: t}]
    nomad_sd_configs: [{server: 'http://127.0.0.1:1'}]
    ovhcloud_sd_configs: [{application_key: a, application_secret: b, consumer_key: c, service: vps}]
    openstack_sd_configs: [{role: instance, region: R}]
    puppetdb_sd_configs: [{url: 'http://127.0.0.1:1', query: 'resources { type = "x" }'}]
    scaleway_sd_configs: [{role: instance, project_id: 11111111-1111-1111-1111-111111111112, access_key: SCWXXXXXXXXXXXXXXXXX, secret_key: 11111111-1111-1111-1111-111111111111}]
    uyuni_sd_configs: [{server: 'http://127.0.0.1:1', username: u, password: p}]
    vultr_sd_configs: [{bearer_token: x}]
""", []),
    "files": ("rule_files: ['rules/*.yml', /nowhere/x.yml]\nscrape_config_files: [sub/*.yml]\nscrape_configs: [{job_name: main}]\n", []),
    "alerting": ("""
alerting:
  alert_relabel_configs: [{regex: replica, action: labeldrop}]
  alertmanagers:
    - scheme: https
      path_prefix: /am
      timeout: 3s
      basic_auth: {username: u, password: hush}
      static_configs: [{targets: ['127.0.0.1:1']}]
      relabel_configs: [{source_labels: [x], target_label: y}]
      alert_relabel_configs: [{regex: z, action: labeldrop}]
    - static_configs: [{targets: ['127.0.0.1:2']}]
""", []),
    "remote": ("""
remote_write:
  - url: http://u:p@127.0.0.1:1/w
  - url: http://127.0.0.1:1/w2
    name: second
    remote_timeout: 5s
    headers: {X-B: '1', X-A: two}
    send_exemplars: true
    send_native_histograms: true
    protobuf_message: io.prometheus.write.v2.Request
    write_relabel_configs: [{source_labels: [__name__], regex: 'x.*', action: keep}]
    queue_config: {capacity: 5000, max_shards: 10, min_backoff: 100ms, retry_on_http_429: true, sample_age_limit: 1h}
    metadata_config: {send: false}
    enable_http2: true
  - url: http://127.0.0.1:1/w3
    sigv4: {region: eu-west-1, access_key: a, secret_key: s}
    metadata_config: {send_interval: 2m, max_samples_per_send: 500}
remote_read:
  - url: http://127.0.0.1:1/r
  - url: http://127.0.0.1:1/r2
    name: r2
    read_recent: true
    required_matchers: {b: x, a: y}
    filter_external_labels: false
    chunked_read_limit: 1000
    basic_auth: {username: u, password_file: secret}
""", []),
    "storage": ("storage: {tsdb: {out_of_order_time_window: 2h, retention: {time: 30d, size: 10GB}}}\n", []),
    "storage_size": ("storage: {tsdb: {out_of_order_time_window: 1h30m, retention: {size: 1536MB}}}\n", []),
    "storage_flags": ("storage: {tsdb: {out_of_order_time_window: 0s}}\n", ["--storage.tsdb.retention.time=1w", "--storage.tsdb.retention.size=2GB"]),
    "exemplars": ("storage: {exemplars: {max_exemplars: 500}}\n", ["--enable-feature=exemplar-storage"]),
    "exemplars_default": ("global: {scrape_interval: 1m}\n", ["--enable-feature=exemplar-storage"]),
    "otlp": ("otlp: {translation_strategy: NoTranslation, promote_resource_attributes: [a.b, c], keep_identifying_resource_attributes: true, convert_histograms_to_nhcb: true}\n"
             "runtime: {gogc: 50}\n", []),
    "tracing": ("tracing: {endpoint: 'localhost:1', sampling_fraction: 0.25, headers: {b: '1', a: x}, timeout: 3s, insecure: true}\n", []),
    "text": ("""
global:
  external_labels:
    long: one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    quoted_long: "'one two three four five six seven eight nine ten eleven twelve thirteen: fourteen fifteen sixteen seventeen"
    unicode: 'grüße'
    emoji: "\\U0001F600"
    control: "\\x01"
    star: '*a'
    at: '@a'
    percent: '%a'
    hash: 'a#b'
    hash2: 'a #b'
    colon: 'a:b'
    colon_end: 'a:'
    dash: '-'
    dashes: '---'
    question: '? a'
    tilde: '~'
    dots: '...'
    float: '1.5'
    float2: '.5'
    float3: '1.'
    hex: '0x1F'
    octal: '0o17'
    binary: '0b11'
    under: '1_000'
    inf: '.inf'
    nan: '.NaN'
    null_word: 'null'
    off_word: 'Off'
    date: '2001-12-14t21:59:43.10-05:00'
    brace: '{a'
    comma: 'a, b'
    comma_first: ', b'
    lines: "a\\n  b\\n"
    lines_open: "a\\nb"
    lines_more: "a\\n\\n"
    lines_lead: "  a\\nb"
    trail: 'a '
    backslash: 'a\\b'
    merge: '<<'
    equals: '='
""", []),
}
