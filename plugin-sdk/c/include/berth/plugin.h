/* SPDX-License-Identifier: Apache-2.0
 *
 * Berth plugin ABI, version 1: the core.
 *
 * A plugin is a shared library that exports exactly one symbol, berth_plugin_entry_v1. The daemon (the
 * host) calls it once after loading, hands it a table of host functions and receives a table of plugin
 * functions. Everything a provider adapter can do beyond living and dying is an optional, named,
 * revisioned interface, asked for with query(id, min_revision); see the other headers of this folder:
 *
 *   berth/events.h       berth.events/1        webhook deliveries in batches            (plugin offers)
 *   berth/read_stream.h  berth.read-stream/1   paged reads with checkpoints             (plugin offers)
 *   berth/write.h        berth.write-records/1 records pushed to the provider           (plugin offers)
 *   berth/actions.h      berth.actions/1       named operations on demand               (plugin offers)
 *   berth/credentials.h  berth.credentials/1   is this connection's credential good?    (plugin offers)
 *   berth/verify.h       berth.verify/1        signatures a manifest cannot declare     (plugin offers)
 *   berth/http.h         berth.http/1          requests to the provider                 (host offers)
 *   berth/signature.h    berth.signature/1     HMAC with a secret the plugin never sees (host offers)
 *
 * Rules that hold for every declaration here, and will go on holding:
 *  - Only fixed-width integers, pointers, function pointers and slices. No implicit padding.
 *  - Every struct begins with struct_size, set by whoever allocates or fills it. A reader treats what lies
 *    beyond struct_size as absent. Structs only ever grow at the end; a released member never changes.
 *    What stands in arrays (records, events, headers) never grows: each side steps by the size it knows.
 *  - A slice is borrowed until the call it was passed to returns. It is not NUL-terminated. Nothing
 *    allocated on one side is freed on the other; there is no allocator here on purpose.
 *  - Text is UTF-8. Times are milliseconds since 1970-01-01T00:00:00Z.
 *  - Calls are synchronous. Write plain blocking code: each operation runs on a thread of the host's pool.
 *  - A plugin never installs signal handlers, forks, changes directory, umask or environment, writes to
 *    stdout, opens sockets or files. In a worker process the kernel refuses it.
 *
 * The contract of each function stands in brackets after it:
 *   [instance-serial]   never two at once for one instance
 *   [operation-serial]  only from the thread that runs the operation, while it runs
 *   [any-thread]        from every thread of the plugin, at any time between entry and shutdown
 */
#ifndef BERTH_PLUGIN_H
#define BERTH_PLUGIN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_ABI_VERSION 1u

/* Bytes that belong to the host; a plugin reads them and copies what it keeps. */
typedef struct berth_host_slice {
    const uint8_t *ptr;
    uint64_t len;
} berth_host_slice;

/* Bytes that belong to the plugin; the host copies them before the call returns. */
typedef struct berth_plugin_slice {
    const uint8_t *ptr;
    uint64_t len;
} berth_plugin_slice;

/* One running operation. A generation-tagged number, never a pointer: a call with an operation that has
 * ended answers BERTH_STALE and touches nothing. 0 is never a valid operation. */
typedef uint64_t berth_operation;

/* Outcomes. Fixed numbers; unknown ones are read as BERTH_INTERNAL. */
#define BERTH_OK 0
#define BERTH_RETRY 1         /* passing trouble, try again later (retry_after_ms, if known) */
#define BERTH_THROTTLED 2     /* the provider asks for fewer requests */
#define BERTH_AUTH_EXPIRED 3  /* the credential has run out and may be renewed */
#define BERTH_AUTH_DENIED 4   /* the credential is wrong or lacks a right: a person must act */
#define BERTH_INVALID_EVENT 5 /* the event can never be processed: parked at once with the reason */
#define BERTH_NOT_FOUND 6
#define BERTH_CONFLICT 7
#define BERTH_REMOTE_DOWN 8 /* the provider fails (5xx, unreachable) */
#define BERTH_TIMEOUT 9
#define BERTH_CANCELLED 10
#define BERTH_UNSUPPORTED 11 /* nobody handles this kind: kept and marked, not an error */
#define BERTH_INTERNAL 12    /* a defect in the plugin */
#define BERTH_STALE 13       /* the operation has ended */
#define BERTH_INVALID_ARGUMENT 14
#define BERTH_DENIED 15 /* the host refuses: egress rule, missing permission */

#define BERTH_LOG_DEBUG 0u
#define BERTH_LOG_INFO 1u
#define BERTH_LOG_WARNING 2u
#define BERTH_LOG_ERROR 3u

/* "Concerns no single item of the batch." */
#define BERTH_NO_ITEM 0xFFFFFFFFu
/* "Time unknown." */
#define BERTH_NO_TIME INT64_MIN

/* Why something failed. Copied at once; read by operators. */
typedef struct berth_failure_v1 {
    uint32_t struct_size;
    int32_t status;          /* a BERTH_ status other than BERTH_OK */
    uint32_t item;           /* index in the batch it concerns, or BERTH_NO_ITEM */
    uint32_t remote_status;  /* the provider's HTTP status, 0 if none */
    uint64_t retry_after_ms; /* 0: the host decides */
    berth_plugin_slice message;
    berth_plugin_slice remote_code; /* the provider's own error code, if any */
    berth_plugin_slice fields;      /* JSON object of field to reason, may be empty */
} berth_failure_v1;

#define BERTH_RECORD_UPSERT 1u
#define BERTH_RECORD_DELETE 2u

/* One record for the store. The host upserts by (connection, entity of the stream, key); an older
 * source_time than the stored one changes nothing. */
typedef struct berth_record_v1 {
    uint32_t struct_size;
    uint32_t kind;       /* BERTH_RECORD_UPSERT or BERTH_RECORD_DELETE */
    uint32_t item;       /* the event (or written record) this belongs to; BERTH_NO_ITEM in a read */
    uint32_t reserved0;  /* 0 */
    int64_t source_time; /* when the provider last changed it, or BERTH_NO_TIME */
    berth_plugin_slice stream;
    berth_plugin_slice key;     /* the provider's id of the record, 1 to 512 bytes, no NUL */
    berth_plugin_slice payload; /* JSON object with the entity's fields, at most 1 MiB; empty for a delete */
    berth_plugin_slice raw;     /* the provider's original, JSON; empty: payload is the original.
                                 * The host leaves one of more than 1 MiB out, and logs it. */
} berth_record_v1;

/* What the host does for a plugin. Lives as long as the plugin is loaded. Pass `host` back unchanged. */
typedef struct berth_host_v1 {
    uint32_t struct_size;
    uint32_t abi_version; /* BERTH_ABI_VERSION of the host */
    void *host;

    /* One line for the operator. Never put secrets or whole payloads in it. op may be 0. [any-thread] */
    void (*log)(void *host, berth_operation op, uint32_t level, berth_plugin_slice message);

    /* Details of a failure, before returning its status. The last one per item counts. [operation-serial] */
    int32_t (*fail)(void *host, berth_operation op, const berth_failure_v1 *failure);

    /* 1 when the operation should end soon, else 0. Cheap: call it in loops. [any-thread] */
    uint32_t (*is_cancelled)(void *host, berth_operation op);

    /* Milliseconds left until the deadline; 0 when passed. [any-thread] */
    uint64_t (*remaining_ms)(void *host, berth_operation op);

    /* Hands over records. Waits while the host is behind; wakes with BERTH_CANCELLED. What is emitted takes
     * effect only with the operation's next checkpoint, or its event's BERTH_OK. A record with too long a key or
     * payload, or a NUL in its key, ends its item as BERTH_INVALID_EVENT, whatever the plugin's status for it; a read is answered with
     * BERTH_INVALID_EVENT and ends so. [operation-serial] */
    int32_t (*emit)(void *host, berth_operation op, const berth_record_v1 *records, uint64_t count);

    /* Everything emitted so far by this read and this position become durable together, or neither does.
     * state is opaque to the host, at most 64 KiB; schema numbers its format. [operation-serial] */
    int32_t (*checkpoint)(void *host, berth_operation op, uint32_t schema, uint32_t reserved0, berth_plugin_slice state);

    /* The operation's result document (JSON), where the interface says there is one. [operation-serial] */
    int32_t (*reply)(void *host, berth_operation op, berth_plugin_slice json);

    /* A host interface such as "berth.http/1", or NULL. The pointer lives as long as the plugin. [any-thread] */
    const void *(*query)(void *host, berth_plugin_slice id, uint32_t min_revision);
} berth_host_v1;

/* One connection as the plugin sees it. Holds no secret: credentials are added by the host to requests. */
typedef struct berth_instance_config_v1 {
    uint32_t struct_size;
    uint32_t reserved0;
    berth_host_slice connection; /* "con_..." */
    berth_host_slice settings;   /* JSON object by the manifest's settings schema, secrets left out */
    berth_host_slice base_url;   /* where requests with a relative URL go, without trailing slash */
} berth_instance_config_v1;

/* What a plugin gives. The host zeroes it before entry and fills what is absent with a stub. */
typedef struct berth_plugin_v1 {
    uint32_t struct_size; /* sizeof(berth_plugin_v1) as the plugin was compiled */
    uint32_t abi_version; /* BERTH_ABI_VERSION as the plugin was compiled */
    void *plugin;         /* handed back in every call below */

    /* A new instance for one connection; *instance is the plugin's own. May be called again with the same
     * connection after settings changed. Answers a status. [any-thread] */
    int32_t (*create)(void *plugin, const berth_instance_config_v1 *config, void **instance);

    /* The instance is used no more. Called after its last operation returned. [instance-serial] */
    void (*destroy)(void *plugin, void *instance);

    /* A plugin interface such as "berth.events/1", or NULL. The pointer lives as long as the plugin; its
     * functions take the instance. [any-thread] */
    const void *(*query)(void *plugin, berth_host_slice id, uint32_t min_revision);

    /* The last call. The library stays mapped. [instance-serial] */
    void (*shutdown)(void *plugin);
} berth_plugin_v1;

/* The one exported symbol. Fill *out, keep `host`, answer BERTH_OK; any other answer refuses the load. */
#define BERTH_ENTRY_SYMBOL "berth_plugin_entry_v1"
typedef int32_t (*berth_plugin_entry_v1_fn)(const berth_host_v1 *host, berth_plugin_v1 *out);

#if defined(BERTH_PLUGIN_IMPLEMENTATION)
__attribute__((visibility("default"))) int32_t berth_plugin_entry_v1(const berth_host_v1 *host, berth_plugin_v1 *out);
#endif

#ifdef __cplusplus
}
#endif

#endif
