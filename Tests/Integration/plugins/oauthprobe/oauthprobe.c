/* SPDX-License-Identifier: Apache-2.0
 *
 * Drives the daemon's requests and credentials against berth-mock's protected API: reads /api/items, makes any request
 * on demand, and checks the credential by /api/me. It knows nothing of tokens: that is what it is there to show.
 */
#define BERTH_PLUGIN_IMPLEMENTATION
#include <berth/actions.h>
#include <berth/credentials.h>
#include <berth/http.h>
#include <berth/json_reader.h>
#include <berth/plugin.h>
#include <berth/read_stream.h>

#include <stdlib.h>

static const berth_host_v1 *host;
static const berth_http_v1 *http;

#define TEXT(literal) ((berth_plugin_slice){(const uint8_t *)(literal), sizeof(literal) - 1})
#define TIMES_MAX 100000

static berth_plugin_slice slice(const void *bytes, size_t count) { return (berth_plugin_slice){(const uint8_t *)bytes, count}; }

static int32_t fail(berth_operation op, int32_t status, uint32_t remote, const char *message) {
    berth_failure_v1 failure = {.struct_size = sizeof failure, .status = status, .item = BERTH_NO_ITEM, .remote_status = remote,
                                .message = slice(message, strlen(message))};
    host->fail(host->host, op, &failure);
    return status;
}

/* BERTH_OK for a 200, or the status to return, with its reason told. */
static int32_t judge(berth_operation op, const berth_http_response_v1 *response) {
    switch (response->status) {
    case 200: return BERTH_OK;
    case 401: return fail(op, BERTH_AUTH_DENIED, 401, "the API refuses the token");
    case 403: return fail(op, BERTH_AUTH_DENIED, 403, "the token's scope does not allow this");
    case 429: return fail(op, BERTH_THROTTLED, 429, "the API asks for fewer requests");
    default: return fail(op, BERTH_REMOTE_DOWN, response->status, "the API answered neither 200 nor a known error");
    }
}

static int32_t get(berth_operation op, const char *path, berth_plugin_slice request_class, berth_http_response_v1 *response) {
    berth_http_request_v1 request = {.struct_size = sizeof request, .method = TEXT("GET"), .url = slice(path, strlen(path)),
                                     .request_class = request_class};
    response->struct_size = sizeof *response;
    int32_t status = http->send(host->host, op, &request, response);
    return status != BERTH_OK ? status : judge(op, response);
}

static int32_t emit_item(berth_operation op, berth_json item) {
    char fields[512];
    berth_json_out out;
    berth_json id = berth_json_member(item, "id");
    if (id.kind != '"' || id.len == 0) return fail(op, BERTH_REMOTE_DOWN, 200, "an item has no id");
    berth_json_begin(&out, fields, sizeof fields);
    berth_json_copy(&out, "name", berth_json_member(item, "name"));
    berth_json_copy(&out, "value", berth_json_member(item, "value"));
    if (!berth_json_end(&out)) return fail(op, BERTH_REMOTE_DOWN, 200, "an item is too large");
    berth_record_v1 record = {
        .struct_size = sizeof record, .kind = BERTH_RECORD_UPSERT, .item = BERTH_NO_ITEM, .source_time = BERTH_NO_TIME,
        .stream = TEXT("items"), .key = slice(id.ptr, id.len), .payload = slice(fields, out.len), .raw = slice(item.ptr, item.len),
    };
    return host->emit(host->host, op, &record, 1);
}

/* The checkpoint is the number of the next page, as text. */
static int32_t read_items(void *instance, berth_operation op, const berth_read_request_v1 *request) {
    (void)instance;
    berth_json state = {request->state.ptr, request->state.len, '0'};
    int64_t page = request->state.len > 0 ? berth_json_int(state, 1) : 1;
    while (!host->is_cancelled(host->host, op)) {
        char path[64], next_state[24];
        berth_http_response_v1 response = {0};
        snprintf(path, sizeof path, "/api/items?page=%lld", (long long)page);
        int32_t status = get(op, path, TEXT("items"), &response);
        if (status != BERTH_OK) return status;
        berth_json body = berth_json_parse(response.body.ptr, response.body.len);
        berth_json items = berth_json_member(body, "items"), item;
        if (items.kind != '[') return fail(op, BERTH_REMOTE_DOWN, 200, "the API's answer is no list of items");
        for (size_t at = 0; berth_json_next(items, &at, &item);) {
            status = emit_item(op, item);
            if (status != BERTH_OK) return status;
        }
        int64_t next = berth_json_int(berth_json_member(body, "next_page"), 0);
        int length = snprintf(next_state, sizeof next_state, "%lld", (long long)(next > 0 ? next : page));
        status = host->checkpoint(host->host, op, 1, 0, slice(next_state, (size_t)length));
        if (status != BERTH_OK) return status;
        if (next <= 0) return BERTH_OK;
        page = next;
    }
    return BERTH_CANCELLED;
}

/* Writes `bytes` as the inside of a JSON string. Invalid UTF-8 is the caller's: the mock sends none. */
static size_t escape(char *out, const uint8_t *bytes, size_t count) {
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\') {
            out[length++] = '\\';
            out[length++] = (char)bytes[i];
        } else if (bytes[i] < 0x20) {
            length += (size_t)snprintf(out + length, 7, "\\u%04x", bytes[i]);
        } else {
            out[length++] = (char)bytes[i];
        }
    }
    return length;
}

/* Undoes the escapes \" \\ \/ \n of a JSON string in place of `out`; others stay as they are. */
static size_t unescape(uint8_t *out, berth_json text) {
    size_t length = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\\' && i + 1 < text.len && strchr("\"\\/n", text.ptr[i + 1])) {
            i++;
            out[length++] = text.ptr[i] == 'n' ? '\n' : text.ptr[i];
        } else {
            out[length++] = text.ptr[i];
        }
    }
    return length;
}

/* {"path","method"?,"body"?,"class"?,"idempotency_key"?,"idempotent"?,"no_auth"?,"times"?}: makes the request, `times` over, and
 * answers {"status","body","statuses":{"200":n}} of the last one. A request without answer ends it with the host's status. */
static int32_t call_api(berth_operation op, berth_json input) {
    berth_json path = berth_json_member(input, "path"), method = berth_json_member(input, "method");
    berth_json body = berth_json_member(input, "body"), class = berth_json_member(input, "class");
    berth_json key = berth_json_member(input, "idempotency_key");
    int64_t times = berth_json_int(berth_json_member(input, "times"), 1);
    if (path.kind != '"') return fail(op, BERTH_INVALID_ARGUMENT, 0, "path is missing");
    if (times < 1 || times > TIMES_MAX) return fail(op, BERTH_INVALID_ARGUMENT, 0, "times is 1 to 100000");
    uint8_t *data = malloc(body.len + 1);
    uint64_t *counts = calloc(600, sizeof *counts);
    char *reply = NULL;
    berth_http_response_v1 response = {.struct_size = sizeof response};
    int32_t status = data && counts ? BERTH_OK : BERTH_INTERNAL;
    berth_request_header_v1 headers[2] = {{TEXT("Content-Type"), TEXT("application/json")},
                                          {TEXT("Idempotency-Key"), slice(key.ptr, key.kind == '"' ? key.len : 0)}};
    berth_http_request_v1 request = {.struct_size = sizeof request, .method = TEXT("GET"), .url = slice(path.ptr, path.len)};
    if (berth_json_member(input, "idempotent").kind == 't') request.flags |= BERTH_HTTP_IDEMPOTENT;
    if (berth_json_member(input, "no_auth").kind == 't') request.flags |= BERTH_HTTP_NO_AUTH;
    if (method.kind == '"') request.method = slice(method.ptr, method.len);
    if (class.kind == '"') request.request_class = slice(class.ptr, class.len);
    if (body.kind == '"' && data) request.body = slice(data, unescape(data, body));
    request.headers = request.body.len > 0 ? headers : headers + 1;
    request.header_count = (request.body.len > 0 ? 1u : 0u) + (key.kind == '"' ? 1u : 0u);
    for (int64_t i = 0; i < times && status == BERTH_OK; i++) {
        if (host->is_cancelled(host->host, op)) status = BERTH_CANCELLED;
        if (status == BERTH_OK) status = http->send(host->host, op, &request, &response);
        if (status == BERTH_OK && response.status < 600) counts[response.status]++;
    }
    if (status == BERTH_OK && (reply = malloc(response.body.len * 6 + 32 * 600 + 128)) == NULL) status = BERTH_INTERNAL;
    if (status == BERTH_OK) {
        size_t length = (size_t)sprintf(reply, "{\"status\":%u,\"body\":\"", response.status);
        length += escape(reply + length, response.body.ptr, response.body.len);
        length += (size_t)sprintf(reply + length, "\",\"statuses\":{");
        const char *comma = "";
        for (unsigned code = 0; code < 600; code++) {
            if (counts[code] == 0) continue;
            length += (size_t)sprintf(reply + length, "%s\"%u\":%llu", comma, code, (unsigned long long)counts[code]);
            comma = ",";
        }
        length += (size_t)sprintf(reply + length, "}}");
        status = host->reply(host->host, op, slice(reply, length));
    }
    free(data);
    free(counts);
    free(reply);
    return status;
}

static int32_t perform(void *instance, berth_operation op, berth_host_slice name, berth_host_slice input, berth_host_slice key) {
    (void)instance, (void)key;
    if (name.len == 8 && memcmp(name.ptr, "call_api", 8) == 0) return call_api(op, berth_json_parse(input.ptr, input.len));
    return fail(op, BERTH_NOT_FOUND, 0, "no such action");
}

static int32_t check(void *instance, berth_operation op) {
    (void)instance;
    berth_http_response_v1 response = {0};
    int32_t status = get(op, "/api/me", TEXT(""), &response);
    if (status != BERTH_OK) return status;
    char reply[512];
    berth_json_out out;
    berth_json_begin(&out, reply, sizeof reply);
    berth_json_copy(&out, "account", berth_json_member(berth_json_parse(response.body.ptr, response.body.len), "account"));
    if (!berth_json_end(&out)) return fail(op, BERTH_REMOTE_DOWN, 200, "the account's name is too long");
    return host->reply(host->host, op, slice(reply, out.len));
}

static const berth_read_stream_v1 read_v1 = {.struct_size = sizeof(berth_read_stream_v1), .revision = 1, .read = read_items};
static const berth_actions_v1 actions_v1 = {.struct_size = sizeof(berth_actions_v1), .revision = 1, .perform = perform};
static const berth_credentials_v1 credentials_v1 = {.struct_size = sizeof(berth_credentials_v1), .revision = 1, .check = check};

static const void *query(void *plugin, berth_host_slice id, uint32_t min_revision) {
    (void)plugin;
#define OFFERS(name, table) if (min_revision <= 1 && id.len == sizeof(name) - 1 && memcmp(id.ptr, name, id.len) == 0) return &(table)
    OFFERS(BERTH_READ_STREAM_ID, read_v1);
    OFFERS(BERTH_ACTIONS_ID, actions_v1);
    OFFERS(BERTH_CREDENTIALS_ID, credentials_v1);
    return NULL;
}

/* Nothing is kept per connection; the host needs a pointer all the same. */
static int32_t create(void *plugin, const berth_instance_config_v1 *config, void **instance) {
    (void)config;
    *instance = plugin;
    return BERTH_OK;
}
static void destroy(void *plugin, void *instance) { (void)plugin, (void)instance; }
static void shutdown_plugin(void *plugin) { (void)plugin; }

int32_t berth_plugin_entry_v1(const berth_host_v1 *given, berth_plugin_v1 *out) {
    host = given;
    http = host->query(host->host, TEXT(BERTH_HTTP_ID), 1);
    if (http == NULL) return BERTH_UNSUPPORTED;
    out->struct_size = sizeof *out;
    out->abi_version = BERTH_ABI_VERSION;
    out->create = create;
    out->destroy = destroy;
    out->query = query;
    out->shutdown = shutdown_plugin;
    return BERTH_OK;
}
