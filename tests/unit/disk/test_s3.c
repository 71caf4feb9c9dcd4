/* The signature against AWS' published examples, the reading of places and answers, and the bucket's keys. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "disk/file.h"
#include "disk/s3_int.h"
#include "disk/s3_xml.h"
#include "harness.h"

/* -- the four examples of docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html ------------
 */

static const struct s3_signer example_signer = {
    STR_INIT("AKIAIOSFODNN7EXAMPLE"), STR_INIT("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    STR_INIT("us-east-1"), STR_INIT("s3"), STR_INIT("20130524T000000Z")};

static struct s3_request example(const char *method, const char *path, struct str body, char hash[65])
{
    s3_hash(body, hash);
    struct s3_request r = {.method = str_c(method),
                           .host = STR("examplebucket.s3.amazonaws.com"),
                           .path = str_c(path),
                           .payload_hash = str_c(hash)};
    s3_header(&r, "x-amz-content-sha256", str_c(hash));
    s3_header(&r, "x-amz-date", STR("20130524T000000Z"));
    return r;
}

static void check_signature(const struct s3_request *r, const struct s3_signer *signer, const char *names,
                            const char *signature)
{
    struct buf got AUTO_BUF = {0}, want AUTO_BUF = {0};
    buf_printf(&want,
               "AWS4-HMAC-SHA256 Credential=%.*s/%.8s/%.*s/%.*s/aws4_request,SignedHeaders=%s,Signature=%s%c",
               STR_FMT(signer->key_id), signer->date.p, STR_FMT(signer->region), STR_FMT(signer->service),
               names, signature, 0);
    CHECK_OK(s3_authorization(r, signer, &got));
    CHECK_STR(buf_view(&got), want.p);
}

TEST(the_published_examples_of_s3_are_signed_as_published)
{
    char hash[65];
    struct s3_request r = example("GET", "/test.txt", STR(""), hash);
    s3_header(&r, "Range", STR("bytes=0-9"));
    check_signature(&r, &example_signer, "host;range;x-amz-content-sha256;x-amz-date",
                    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    r = example("PUT", "/test$file.text", STR("Welcome to Amazon S3."), hash);
    s3_header(&r, "Date", STR("Fri, 24 May 2013 00:00:00 GMT"));
    s3_header(&r, "x-amz-storage-class", STR("REDUCED_REDUNDANCY"));
    check_signature(&r, &example_signer, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    r = example("GET", "/", STR(""), hash);
    s3_param(&r, "lifecycle", STR(""));
    check_signature(&r, &example_signer, "host;x-amz-content-sha256;x-amz-date",
                    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    r = example("GET", "/", STR(""), hash);
    s3_param(&r, "prefix", STR("J"));
    s3_param(&r, "max-keys", STR("2"));
    check_signature(&r, &example_signer, "host;x-amz-content-sha256;x-amz-date",
                    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

/* -- cases of the published test suite that do not depend on normalised paths ------------------------------
 */

static struct s3_request suite(const char *method, char hash[65])
{
    s3_hash(STR(""), hash);
    struct s3_request r = {.method = str_c(method),
                           .host = STR("example.amazonaws.com"),
                           .path = STR("/"),
                           .payload_hash = str_c(hash)};
    s3_header(&r, "X-Amz-Date", STR("20150830T123600Z"));
    return r;
}

TEST(cases_of_the_published_suite_are_signed_as_published)
{
    static const struct s3_signer signer = {
        STR_INIT("AKIDEXAMPLE"), STR_INIT("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), STR_INIT("us-east-1"),
        STR_INIT("service"), STR_INIT("20150830T123600Z")};
    char hash[65];
    struct s3_request r = suite("GET", hash); /* get-vanilla */
    check_signature(&r, &signer, "host;x-amz-date",
                    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    r = suite("POST", hash); /* post-vanilla */
    check_signature(&r, &signer, "host;x-amz-date",
                    "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
    r = suite("GET", hash); /* get-vanilla-query-order-key-case */
    s3_param(&r, "Param2", STR("value2"));
    s3_param(&r, "Param1", STR("value1"));
    check_signature(&r, &signer, "host;x-amz-date",
                    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

TEST(a_target_is_encoded_and_its_parameters_sorted)
{
    struct s3_request r = {.path = STR("/a b/c+d~e/\xc3\xa9")};
    struct buf b AUTO_BUF = {0};
    s3_param(&r, "b", STR("x/y=z"));
    s3_param(&r, "a-", STR("1"));
    s3_param(&r, "a", STR("2"));
    s3_target(&r, &b);
    CHECK_STR(buf_view(&b), "/a%20b/c%2Bd~e/%C3%A9?a=2&a-=1&b=x%2Fy%3Dz");
}

/* -- places ---------------------------------------------------------------------------------------------- */

static void environment_clear(void)
{
    static const char *const names[] = {"AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_PROFILE",
                                        "AWS_DEFAULT_PROFILE",
                                        "AWS_REGION",
                                        "AWS_DEFAULT_REGION",
                                        "AWS_ENDPOINT_URL",
                                        "AWS_ENDPOINT_URL_S3",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "AWS_CA_BUNDLE",
                                        "AWS_USE_DUALSTACK_ENDPOINT",
                                        "AWS_USE_FIPS_ENDPOINT",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_ROLE_ARN"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)unsetenv(names[i]); /* NOLINT(concurrency-mt-unsafe) */
    }
    (void)setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent", 1); /* NOLINT(concurrency-mt-unsafe) */
    (void)setenv("AWS_CONFIG_FILE", "/nonexistent", 1);             /* NOLINT(concurrency-mt-unsafe) */
    (void)setenv("AWS_EC2_METADATA_DISABLED", "true", 1);           /* NOLINT(concurrency-mt-unsafe) */
}

static void place_done(struct s3_store *s)
{
    char *const parts[] = {s->bucket,    s->prefix,  s->scheme, s->host,
                           s->base_path, s->profile, s->region, s->ca_file};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        mem_free(parts[i]);
    }
}

static void check_place(const char *place, const char *scheme, const char *host, const char *path,
                        const char *prefix)
{
    struct s3_store s = {0};
    CHECK_OK(s3_place_parse(&s, str_c(place), NULL));
    CHECK_STR(str_c(s.scheme), scheme);
    CHECK_STR(str_c(s.host), host);
    CHECK_STR(str_c(s.base_path), path);
    CHECK_STR(str_c(s.prefix), prefix);
    place_done(&s);
}

TEST(a_place_gives_host_and_path_in_both_styles)
{
    environment_clear();
    check_place("s3://my-bucket", "https", "my-bucket.s3.us-east-1.amazonaws.com", "/", "");
    check_place("s3://my-bucket/a/b/?region=eu-west-1", "https", "my-bucket.s3.eu-west-1.amazonaws.com", "/",
                "a/b/");
    check_place("s3://my.bucket/a", "https", "s3.us-east-1.amazonaws.com", "/my.bucket/", "a/");
    check_place("s3://my-bucket?endpoint=http://127.0.0.1:8333", "http", "127.0.0.1:8333", "/my-bucket/", "");
    check_place("s3://my-bucket?endpoint=https://minio.example:443/&style=virtual", "https",
                "my-bucket.minio.example", "/", "");
    check_place("s3://my-bucket?region=cn-north-1", "https", "my-bucket.s3.cn-north-1.amazonaws.com.cn", "/",
                "");
}

static void set(const char *name, const char *value)
{
    (void)setenv(name, value, 1); /* NOLINT(concurrency-mt-unsafe): the tests run in one thread */
}

TEST(aws_own_settings_choose_the_endpoint)
{
    char path[512];
    environment_clear();
    set("AWS_USE_DUALSTACK_ENDPOINT", "true");
    check_place("s3://my-bucket?region=eu-west-1", "https", "my-bucket.s3.dualstack.eu-west-1.amazonaws.com",
                "/", "");
    set("AWS_USE_FIPS_ENDPOINT", "true");
    check_place("s3://my-bucket", "https", "my-bucket.s3-fips.dualstack.us-east-1.amazonaws.com", "/", "");
    environment_clear();
    (void)snprintf(path, sizeof(path), "%s/config", test_dir());
    CHECK_OK(
        file_store(path,
                   STR("[default]\nregion = eu-west-2\ns3 =\n  region = nested\n"
                       "[profile store]\nendpoint_url = https://minio.example\nca_bundle = /etc/ca.pem\n"),
                   NULL));
    set("AWS_CONFIG_FILE", path);
    check_place("s3://my-bucket", "https", "my-bucket.s3.eu-west-2.amazonaws.com", "/", "");
    check_place("s3://my-bucket?profile=store", "https", "minio.example", "/my-bucket/", "");
    struct s3_store s = {0};
    CHECK_OK(s3_place_parse(&s, STR("s3://my-bucket?profile=store"), NULL));
    CHECK_STR(str_c(s.ca_file), "/etc/ca.pem");
    place_done(&s);
    environment_clear();
}

TEST(wrong_places_are_refused_with_the_form)
{
    static const char *const bad[] = {"s3://",
                                      "s3://ab",
                                      "s3://bucket/../x",
                                      "s3://bucket/a//b",
                                      "s3://bucket/a b",
                                      "s3://bucket?what=1",
                                      "s3://bucket?region=",
                                      "s3://bucket?endpoint=http://host/path",
                                      "s3://bucket?endpoint=http://user@host",
                                      "s3://bucket?style=other"};
    environment_clear();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct s3_store s = {0};
        struct err_info info = {0};
        CHECK_EQ(s3_place_parse(&s, str_c(bad[i]), &info), ERR_INVALID);
        CHECK(str_find(str_c(info.message), STR("s3://BUCKET/PREFIX"), 0) != STR_NPOS);
        place_done(&s);
    }
}

/* -- answers --------------------------------------------------------------------------------------------- */

TEST(xml_is_read_by_names)
{
    struct arena a AUTO_ARENA = {0};
    struct str xml = STR("<?xml version=\"1.0\"?><R xmlns=\"u\"><Keys>no</Keys><Key>a&amp;b&#43;&x</Key>"
                         "<C><Size>1</Size></C><C><Size>2</Size></C><Open>");
    size_t at = 0;
    CHECK_STR(s3_xml_text(xml, "Key", &a), "a&b+&x");
    CHECK_STR(s3_xml_next(xml, "C", &at), "<Size>1</Size>");
    CHECK_STR(s3_xml_next(xml, "C", &at), "<Size>2</Size>");
    CHECK(!s3_xml_next(xml, "C", &at).p);
    CHECK(!s3_xml_text(xml, "Open", &a).n && !s3_xml_text(STR(""), "Key", &a).n);
}

static void check_answer(int status, const char *headers, const char *body, enum err want, const char *says)
{
    struct s3_store s = {
        .bucket = (char[]){"bucket"}, .prefix = (char[]){"p/"}, .region = (char[]){"us-east-1"}};
    struct s3_call c = {.key = STR("k"), .answer = {.status = status}};
    struct err_info info = {0};
    bool again = false;
    buf_c(&c.answer.headers, headers);
    buf_c(&c.answer.body, body);
    enum err got = s3_explain(&s, &c, &again, &info);
    http_answer_done(&c.answer);
    CHECK_EQ(got, want);
    CHECK_EQ(again, want == ERR_UNAVAILABLE);
    if (str_find(str_c(info.message), str_c(says), 0) == STR_NPOS) {
        test_fail_str(__FILE__, __LINE__, "message", str_c(info.message), str_c(says));
    }
}

TEST(refusals_are_told_with_their_cure)
{
    check_answer(404, "", "<Error><Code>NoSuchBucket</Code></Error>", ERR_INVALID, "create it");
    check_answer(404, "", "<Error><Code>NoSuchKey</Code></Error>", ERR_NOT_FOUND, "s3://bucket/p/k");
    check_answer(404, "", "", ERR_NOT_FOUND, "HTTP 404");
    check_answer(403, "", "<Error><Code>AccessDenied</Code><Message>Denied.</Message></Error>", ERR_DENIED,
                 "s3:PutObject");
    check_answer(403, "", "<Error><Code>SignatureDoesNotMatch</Code></Error>", ERR_DENIED, "secret");
    check_answer(403, "Date: Fri, 24 May 2013 00:00:00 GMT\r\n",
                 "<Error><Code>RequestTimeTooSkewed</Code></Error>", ERR_DENIED, "s ahead of the store's");
    check_answer(301, "x-amz-bucket-region: eu-west-1\r\n", "<Error><Code>PermanentRedirect</Code></Error>",
                 ERR_INVALID, "say region=eu-west-1");
    check_answer(400, "",
                 "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>",
                 ERR_INVALID, "say region=eu-west-3");
    check_answer(412, "", "<Error><Code>PreconditionFailed</Code></Error>", ERR_EXISTS, "PreconditionFailed");
    check_answer(503, "", "<Error><Code>SlowDown</Code></Error>", ERR_UNAVAILABLE, "less often");
    check_answer(500, "", "not xml", ERR_UNAVAILABLE, "HTTP 500");
}

/* With keys that end: whether new ones are asked for. */
static void check_session(const char *method, bool of_session, int status, const char *code, bool want_again,
                          const char *says)
{
    struct s3_store s = {
        .bucket = (char[]){"bucket"}, .prefix = (char[]){"p/"}, .region = (char[]){"us-east-1"}};
    struct s3_call c = {
        .method = method, .key = STR("k"), .answer = {.status = status}, .of_session = of_session};
    struct err_info info = {0};
    bool again = !want_again;
    if (code[0]) {
        buf_printf(&c.answer.body, "<Error><Code>%s</Code></Error>", code);
    }
    CHECK_EQ(s3_explain(&s, &c, &again, &info), ERR_DENIED);
    CHECK_EQ(again, want_again);
    CHECK(str_find(str_c(info.message), str_c(says), 0) != STR_NPOS);
    http_answer_done(&c.answer);
}

TEST(a_session_that_may_have_ended_is_asked_for_anew)
{
    check_session("PUT", true, 400, "ExpiredToken", true, "get new keys");
    check_session("PUT", true, 403, "InvalidAccessKeyId", true, "get new keys");
    check_session("HEAD", true, 400, "", true, "session");
    check_session("HEAD", true, 403, "", true, "session");
    check_session("PUT", false, 403, "InvalidAccessKeyId", false, "does not know this access key");
    check_session("HEAD", false, 403, "", false, "may not do this");
    check_session("PUT", true, 403, "AccessDenied", false, "s3:PutObject");
}

static bool differs(const char *headers, const char *bytes)
{
    struct http_answer a = {0};
    buf_c(&a.headers, headers);
    bool d = s3_etag_differs(&a, str_c(bytes));
    http_answer_done(&a);
    return d;
}

TEST(an_etag_speaks_only_where_it_is_an_md5)
{
    CHECK(!differs("ETag: \"acbd18db4cc2f85cedef654fccc4a4d8\"\r\n", "foo"));
    CHECK(differs("ETag: \"acbd18db4cc2f85cedef654fccc4a4d8\"\r\n", "bar"));
    CHECK(differs("ETag: \"acbd18db4cc2f85cedef654fccc4a4d8\"\r\nx-amz-server-side-encryption: AES256\r\n",
                  "bar"));
    CHECK(!differs("ETag: \"acbd18db4cc2f85cedef654fccc4a4d8\"\r\nx-amz-server-side-encryption: aws:kms\r\n",
                   "bar"));
    CHECK(!differs("ETag: \"acbd18db4cc2f85cedef654fccc4a4d8-2\"\r\n", "bar"));
    CHECK(!differs("ETag: \"version-7\"\r\n", "bar"));
    CHECK(!differs("", "bar"));
}

/* -- keys ------------------------------------------------------------------------------------------------ */

TEST(keys_come_from_the_environment_then_from_the_shared_files)
{
    char path[512];
    struct http_client *client = NULL;
    struct s3_credentials c = {0};
    struct err_info info = {0};
    environment_clear();
    CHECK_OK(http_client_new("test", &client));
    CHECK_EQ(s3_credentials_find(client, STR(""), &c, &info), ERR_NOT_FOUND);
    (void)snprintf(path, sizeof(path), "%s/credentials", test_dir());
    CHECK_OK(file_store(path,
                        STR("# keys\n[default]\naws_access_key_id = ID1\naws_secret_access_key=S1\n"
                            "[other]\naws_access_key_id=ID2\naws_secret_access_key=S2\naws_session_token=T2\n"
                            "[half]\naws_access_key_id=ID3\n"),
                        NULL));
    set("AWS_SHARED_CREDENTIALS_FILE", path);
    CHECK_OK(s3_credentials_find(client, STR(""), &c, &info));
    CHECK_STR(str_c(c.key_id), "ID1");
    CHECK(!c.token);
    s3_credentials_done(&c);
    CHECK_OK(s3_credentials_find(client, STR("other"), &c, &info));
    CHECK_STR(str_c(c.secret), "S2");
    CHECK_STR(str_c(c.token), "T2");
    s3_credentials_done(&c);
    CHECK_EQ(s3_credentials_find(client, STR("half"), &c, &info), ERR_INVALID);
    set("AWS_ACCESS_KEY_ID", "ID0");
    CHECK_EQ(s3_credentials_find(client, STR(""), &c, &info), ERR_INVALID);
    set("AWS_SECRET_ACCESS_KEY", "S0");
    CHECK_OK(s3_credentials_find(client, STR(""), &c, &info));
    CHECK_STR(str_c(c.key_id), "ID0");
    s3_credentials_done(&c);
    CHECK_OK(s3_credentials_find(client, STR("other"), &c, &info)); /* asked for by name */
    CHECK_STR(str_c(c.key_id), "ID2");
    s3_credentials_done(&c);
    http_client_free(client);
    environment_clear();
}

static void check_no_keys(struct http_client *client, const char *profile, enum err want, const char *says)
{
    struct s3_credentials c = {0};
    struct err_info info = {0};
    CHECK_EQ(s3_credentials_find(client, str_c(profile), &c, &info), want);
    if (str_find(str_c(info.message), str_c(says), 0) == STR_NPOS) {
        test_fail_str(__FILE__, __LINE__, "message", str_c(info.message), str_c(says));
    }
    s3_credentials_done(&c);
}

TEST(a_profile_without_keys_says_why)
{
    char path[512];
    struct http_client *client = NULL;
    environment_clear();
    CHECK_OK(http_client_new("test", &client));
    (void)snprintf(path, sizeof(path), "%s/config", test_dir());
    CHECK_OK(file_store(path,
                        STR("[profile bare]\nregion = eu-west-1\n"
                            "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = bare\n"
                            "[profile round]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = back\n"
                            "[profile back]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = round\n"
                            "[profile alone]\nrole_arn = arn:aws:iam::1:role/r\n"
                            "[profile strange]\nrole_arn = arn:aws:iam::1:role/r\ncredential_source = Moon\n"
                            "[profile mfa]\nrole_arn = a\nsource_profile = bare\nmfa_serial = m\n"
                            "[profile sso]\nsso_session = s\n"),
                        NULL));
    set("AWS_CONFIG_FILE", path);
    check_no_keys(client, "none", ERR_INVALID, "no profile none");
    check_no_keys(client, "role", ERR_INVALID, "source_profile has no keys");
    check_no_keys(client, "round", ERR_INVALID, "one behind the other");
    check_no_keys(client, "alone", ERR_INVALID, "neither source_profile nor credential_source");
    check_no_keys(client, "strange", ERR_INVALID, "credential_source=Moon");
    check_no_keys(client, "mfa", ERR_UNSUPPORTED, "aws configure export-credentials --profile mfa");
    check_no_keys(client, "sso", ERR_UNSUPPORTED, "sso_session");
    check_no_keys(client, "bare", ERR_NOT_FOUND, "no keys for the bucket");
    set("AWS_PROFILE", "none");
    check_no_keys(client, "", ERR_INVALID, "AWS_PROFILE");
    http_client_free(client);
    environment_clear();
}

TEST(a_container_agent_elsewhere_gets_no_token)
{
    static const char *const bad[] = {"http://example.com/keys", "http://127.0.0.1.example.com/keys",
                                      "http://127.0.0.1@example.com/keys", "http://169.254.170.22/keys",
                                      "ftp://127.0.0.1/keys"};
    struct http_client *client = NULL;
    environment_clear();
    CHECK_OK(http_client_new("test", &client));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        set("AWS_CONTAINER_CREDENTIALS_FULL_URI", bad[i]);
        check_no_keys(client, "", ERR_INVALID, "only from this host");
    }
    http_client_free(client);
    environment_clear();
}
