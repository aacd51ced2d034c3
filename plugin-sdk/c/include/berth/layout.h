/* SPDX-License-Identifier: Apache-2.0
 *
 * The layout of the ABI as static assertions. Written by Scripts/abi/abi-lock --update from abi.lock, never by hand. Include
 * it in one file of a plugin to prove that your compiler and flags agree with the host's. Not part of the ABI. */
#ifndef BERTH_LAYOUT_H
#define BERTH_LAYOUT_H

#include <berth/actions.h>
#include <berth/credentials.h>
#include <berth/events.h>
#include <berth/http.h>
#include <berth/plugin.h>
#include <berth/read_stream.h>
#include <berth/signature.h>
#include <berth/verify.h>
#include <berth/write.h>
#include <stddef.h>

#if defined(__cplusplus) && __cplusplus >= 201103L
#define BERTH_LAYOUT_HOLDS(condition, what) static_assert(condition, what)
#define BERTH_LAYOUT_TYPE(value, type, what) static_assert(true, what)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define BERTH_LAYOUT_HOLDS(condition, what) _Static_assert(condition, what)
#define BERTH_LAYOUT_TYPE(value, type, what) _Static_assert(_Generic((value), type: 1, default: 0), what)
#endif

#if defined(BERTH_LAYOUT_HOLDS)
BERTH_LAYOUT_HOLDS(sizeof(berth_host_slice) == 16, "berth_host_slice: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_host_slice) == 8, "berth_host_slice: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_host_slice, ptr) == 0, "berth_host_slice.ptr: offset");
BERTH_LAYOUT_TYPE(((berth_host_slice *)0)->ptr, const uint8_t *, "berth_host_slice.ptr: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_host_slice, len) == 8, "berth_host_slice.len: offset");
BERTH_LAYOUT_TYPE(((berth_host_slice *)0)->len, uint64_t, "berth_host_slice.len: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_plugin_slice) == 16, "berth_plugin_slice: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_plugin_slice) == 8, "berth_plugin_slice: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_plugin_slice, ptr) == 0, "berth_plugin_slice.ptr: offset");
BERTH_LAYOUT_TYPE(((berth_plugin_slice *)0)->ptr, const uint8_t *, "berth_plugin_slice.ptr: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_plugin_slice, len) == 8, "berth_plugin_slice.len: offset");
BERTH_LAYOUT_TYPE(((berth_plugin_slice *)0)->len, uint64_t, "berth_plugin_slice.len: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_operation) == 8, "berth_operation: size");
BERTH_LAYOUT_HOLDS(sizeof(berth_failure_v1) >= 72, "berth_failure_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_failure_v1) == 8, "berth_failure_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_failure_v1, struct_size) == 0, "berth_failure_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_failure_v1 *)0)->struct_size, uint32_t, "berth_failure_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_failure_v1, status) == 4, "berth_failure_v1.status: offset");
BERTH_LAYOUT_TYPE(((berth_failure_v1 *)0)->status, int32_t, "berth_failure_v1.status: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_failure_v1, item) == 8, "berth_failure_v1.item: offset");
BERTH_LAYOUT_TYPE(((berth_failure_v1 *)0)->item, uint32_t, "berth_failure_v1.item: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_failure_v1, remote_status) == 12, "berth_failure_v1.remote_status: offset");
BERTH_LAYOUT_TYPE(((berth_failure_v1 *)0)->remote_status, uint32_t, "berth_failure_v1.remote_status: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_failure_v1, retry_after_ms) == 16, "berth_failure_v1.retry_after_ms: offset");
BERTH_LAYOUT_TYPE(((berth_failure_v1 *)0)->retry_after_ms, uint64_t, "berth_failure_v1.retry_after_ms: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_failure_v1, message) == 24, "berth_failure_v1.message: offset");
BERTH_LAYOUT_TYPE(((berth_failure_v1 *)0)->message, berth_plugin_slice, "berth_failure_v1.message: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_failure_v1, remote_code) == 40, "berth_failure_v1.remote_code: offset");
BERTH_LAYOUT_TYPE(((berth_failure_v1 *)0)->remote_code, berth_plugin_slice, "berth_failure_v1.remote_code: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_failure_v1, fields) == 56, "berth_failure_v1.fields: offset");
BERTH_LAYOUT_TYPE(((berth_failure_v1 *)0)->fields, berth_plugin_slice, "berth_failure_v1.fields: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_record_v1) == 88, "berth_record_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_record_v1) == 8, "berth_record_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_record_v1, struct_size) == 0, "berth_record_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_record_v1 *)0)->struct_size, uint32_t, "berth_record_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_record_v1, kind) == 4, "berth_record_v1.kind: offset");
BERTH_LAYOUT_TYPE(((berth_record_v1 *)0)->kind, uint32_t, "berth_record_v1.kind: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_record_v1, item) == 8, "berth_record_v1.item: offset");
BERTH_LAYOUT_TYPE(((berth_record_v1 *)0)->item, uint32_t, "berth_record_v1.item: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_record_v1, reserved0) == 12, "berth_record_v1.reserved0: offset");
BERTH_LAYOUT_TYPE(((berth_record_v1 *)0)->reserved0, uint32_t, "berth_record_v1.reserved0: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_record_v1, source_time) == 16, "berth_record_v1.source_time: offset");
BERTH_LAYOUT_TYPE(((berth_record_v1 *)0)->source_time, int64_t, "berth_record_v1.source_time: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_record_v1, stream) == 24, "berth_record_v1.stream: offset");
BERTH_LAYOUT_TYPE(((berth_record_v1 *)0)->stream, berth_plugin_slice, "berth_record_v1.stream: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_record_v1, key) == 40, "berth_record_v1.key: offset");
BERTH_LAYOUT_TYPE(((berth_record_v1 *)0)->key, berth_plugin_slice, "berth_record_v1.key: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_record_v1, payload) == 56, "berth_record_v1.payload: offset");
BERTH_LAYOUT_TYPE(((berth_record_v1 *)0)->payload, berth_plugin_slice, "berth_record_v1.payload: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_record_v1, raw) == 72, "berth_record_v1.raw: offset");
BERTH_LAYOUT_TYPE(((berth_record_v1 *)0)->raw, berth_plugin_slice, "berth_record_v1.raw: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_host_v1) >= 80, "berth_host_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_host_v1) == 8, "berth_host_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_host_v1, struct_size) == 0, "berth_host_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_host_v1 *)0)->struct_size, uint32_t, "berth_host_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_host_v1, abi_version) == 4, "berth_host_v1.abi_version: offset");
BERTH_LAYOUT_TYPE(((berth_host_v1 *)0)->abi_version, uint32_t, "berth_host_v1.abi_version: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_host_v1, host) == 8, "berth_host_v1.host: offset");
BERTH_LAYOUT_TYPE(((berth_host_v1 *)0)->host, void *, "berth_host_v1.host: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_host_v1, log) == 16, "berth_host_v1.log: offset");
BERTH_LAYOUT_TYPE(((berth_host_v1 *)0)->log, void (*)(void *, berth_operation, uint32_t, berth_plugin_slice), "berth_host_v1.log: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_host_v1, fail) == 24, "berth_host_v1.fail: offset");
BERTH_LAYOUT_TYPE(((berth_host_v1 *)0)->fail, int32_t (*)(void *, berth_operation, const berth_failure_v1 *), "berth_host_v1.fail: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_host_v1, is_cancelled) == 32, "berth_host_v1.is_cancelled: offset");
BERTH_LAYOUT_TYPE(((berth_host_v1 *)0)->is_cancelled, uint32_t (*)(void *, berth_operation), "berth_host_v1.is_cancelled: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_host_v1, remaining_ms) == 40, "berth_host_v1.remaining_ms: offset");
BERTH_LAYOUT_TYPE(((berth_host_v1 *)0)->remaining_ms, uint64_t (*)(void *, berth_operation), "berth_host_v1.remaining_ms: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_host_v1, emit) == 48, "berth_host_v1.emit: offset");
BERTH_LAYOUT_TYPE(((berth_host_v1 *)0)->emit,
                  int32_t (*)(void *, berth_operation, const berth_record_v1 *, uint64_t), "berth_host_v1.emit: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_host_v1, checkpoint) == 56, "berth_host_v1.checkpoint: offset");
BERTH_LAYOUT_TYPE(((berth_host_v1 *)0)->checkpoint,
                  int32_t (*)(void *, berth_operation, uint32_t, uint32_t, berth_plugin_slice), "berth_host_v1.checkpoint: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_host_v1, reply) == 64, "berth_host_v1.reply: offset");
BERTH_LAYOUT_TYPE(((berth_host_v1 *)0)->reply, int32_t (*)(void *, berth_operation, berth_plugin_slice), "berth_host_v1.reply: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_host_v1, query) == 72, "berth_host_v1.query: offset");
BERTH_LAYOUT_TYPE(((berth_host_v1 *)0)->query, const void *(*)(void *, berth_plugin_slice, uint32_t), "berth_host_v1.query: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_instance_config_v1) >= 56, "berth_instance_config_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_instance_config_v1) == 8, "berth_instance_config_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_instance_config_v1, struct_size) == 0, "berth_instance_config_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_instance_config_v1 *)0)->struct_size, uint32_t, "berth_instance_config_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_instance_config_v1, reserved0) == 4, "berth_instance_config_v1.reserved0: offset");
BERTH_LAYOUT_TYPE(((berth_instance_config_v1 *)0)->reserved0, uint32_t, "berth_instance_config_v1.reserved0: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_instance_config_v1, connection) == 8, "berth_instance_config_v1.connection: offset");
BERTH_LAYOUT_TYPE(((berth_instance_config_v1 *)0)->connection, berth_host_slice, "berth_instance_config_v1.connection: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_instance_config_v1, settings) == 24, "berth_instance_config_v1.settings: offset");
BERTH_LAYOUT_TYPE(((berth_instance_config_v1 *)0)->settings, berth_host_slice, "berth_instance_config_v1.settings: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_instance_config_v1, base_url) == 40, "berth_instance_config_v1.base_url: offset");
BERTH_LAYOUT_TYPE(((berth_instance_config_v1 *)0)->base_url, berth_host_slice, "berth_instance_config_v1.base_url: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_plugin_v1) >= 48, "berth_plugin_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_plugin_v1) == 8, "berth_plugin_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_plugin_v1, struct_size) == 0, "berth_plugin_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_plugin_v1 *)0)->struct_size, uint32_t, "berth_plugin_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_plugin_v1, abi_version) == 4, "berth_plugin_v1.abi_version: offset");
BERTH_LAYOUT_TYPE(((berth_plugin_v1 *)0)->abi_version, uint32_t, "berth_plugin_v1.abi_version: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_plugin_v1, plugin) == 8, "berth_plugin_v1.plugin: offset");
BERTH_LAYOUT_TYPE(((berth_plugin_v1 *)0)->plugin, void *, "berth_plugin_v1.plugin: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_plugin_v1, create) == 16, "berth_plugin_v1.create: offset");
BERTH_LAYOUT_TYPE(((berth_plugin_v1 *)0)->create,
                  int32_t (*)(void *, const berth_instance_config_v1 *, void **), "berth_plugin_v1.create: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_plugin_v1, destroy) == 24, "berth_plugin_v1.destroy: offset");
BERTH_LAYOUT_TYPE(((berth_plugin_v1 *)0)->destroy, void (*)(void *, void *), "berth_plugin_v1.destroy: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_plugin_v1, query) == 32, "berth_plugin_v1.query: offset");
BERTH_LAYOUT_TYPE(((berth_plugin_v1 *)0)->query, const void *(*)(void *, berth_host_slice, uint32_t), "berth_plugin_v1.query: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_plugin_v1, shutdown) == 40, "berth_plugin_v1.shutdown: offset");
BERTH_LAYOUT_TYPE(((berth_plugin_v1 *)0)->shutdown, void (*)(void *), "berth_plugin_v1.shutdown: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_actions_v1) >= 16, "berth_actions_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_actions_v1) == 8, "berth_actions_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_actions_v1, struct_size) == 0, "berth_actions_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_actions_v1 *)0)->struct_size, uint32_t, "berth_actions_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_actions_v1, revision) == 4, "berth_actions_v1.revision: offset");
BERTH_LAYOUT_TYPE(((berth_actions_v1 *)0)->revision, uint32_t, "berth_actions_v1.revision: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_actions_v1, perform) == 8, "berth_actions_v1.perform: offset");
BERTH_LAYOUT_TYPE(((berth_actions_v1 *)0)->perform,
                  int32_t (*)(void *, berth_operation, berth_host_slice, berth_host_slice, berth_host_slice), "berth_actions_v1.perform: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_credentials_v1) >= 16, "berth_credentials_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_credentials_v1) == 8, "berth_credentials_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_credentials_v1, struct_size) == 0, "berth_credentials_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_credentials_v1 *)0)->struct_size, uint32_t, "berth_credentials_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_credentials_v1, revision) == 4, "berth_credentials_v1.revision: offset");
BERTH_LAYOUT_TYPE(((berth_credentials_v1 *)0)->revision, uint32_t, "berth_credentials_v1.revision: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_credentials_v1, check) == 8, "berth_credentials_v1.check: offset");
BERTH_LAYOUT_TYPE(((berth_credentials_v1 *)0)->check, int32_t (*)(void *, berth_operation), "berth_credentials_v1.check: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_header_v1) == 32, "berth_header_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_header_v1) == 8, "berth_header_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_header_v1, name) == 0, "berth_header_v1.name: offset");
BERTH_LAYOUT_TYPE(((berth_header_v1 *)0)->name, berth_host_slice, "berth_header_v1.name: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_header_v1, value) == 16, "berth_header_v1.value: offset");
BERTH_LAYOUT_TYPE(((berth_header_v1 *)0)->value, berth_host_slice, "berth_header_v1.value: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_event_v1) == 112, "berth_event_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_event_v1) == 8, "berth_event_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_event_v1, struct_size) == 0, "berth_event_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_event_v1 *)0)->struct_size, uint32_t, "berth_event_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_event_v1, attempt) == 4, "berth_event_v1.attempt: offset");
BERTH_LAYOUT_TYPE(((berth_event_v1 *)0)->attempt, uint32_t, "berth_event_v1.attempt: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_event_v1, received_at) == 8, "berth_event_v1.received_at: offset");
BERTH_LAYOUT_TYPE(((berth_event_v1 *)0)->received_at, int64_t, "berth_event_v1.received_at: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_event_v1, id) == 16, "berth_event_v1.id: offset");
BERTH_LAYOUT_TYPE(((berth_event_v1 *)0)->id, berth_host_slice, "berth_event_v1.id: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_event_v1, kind) == 32, "berth_event_v1.kind: offset");
BERTH_LAYOUT_TYPE(((berth_event_v1 *)0)->kind, berth_host_slice, "berth_event_v1.kind: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_event_v1, method) == 48, "berth_event_v1.method: offset");
BERTH_LAYOUT_TYPE(((berth_event_v1 *)0)->method, berth_host_slice, "berth_event_v1.method: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_event_v1, query) == 64, "berth_event_v1.query: offset");
BERTH_LAYOUT_TYPE(((berth_event_v1 *)0)->query, berth_host_slice, "berth_event_v1.query: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_event_v1, body) == 80, "berth_event_v1.body: offset");
BERTH_LAYOUT_TYPE(((berth_event_v1 *)0)->body, berth_host_slice, "berth_event_v1.body: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_event_v1, headers) == 96, "berth_event_v1.headers: offset");
BERTH_LAYOUT_TYPE(((berth_event_v1 *)0)->headers, const berth_header_v1 *, "berth_event_v1.headers: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_event_v1, header_count) == 104, "berth_event_v1.header_count: offset");
BERTH_LAYOUT_TYPE(((berth_event_v1 *)0)->header_count, uint64_t, "berth_event_v1.header_count: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_events_v1) >= 16, "berth_events_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_events_v1) == 8, "berth_events_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_events_v1, struct_size) == 0, "berth_events_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_events_v1 *)0)->struct_size, uint32_t, "berth_events_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_events_v1, revision) == 4, "berth_events_v1.revision: offset");
BERTH_LAYOUT_TYPE(((berth_events_v1 *)0)->revision, uint32_t, "berth_events_v1.revision: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_events_v1, handle) == 8, "berth_events_v1.handle: offset");
BERTH_LAYOUT_TYPE(((berth_events_v1 *)0)->handle,
                  int32_t (*)(void *, berth_operation, const berth_event_v1 *, uint64_t, int32_t *), "berth_events_v1.handle: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_request_header_v1) == 32, "berth_request_header_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_request_header_v1) == 8, "berth_request_header_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_request_header_v1, name) == 0, "berth_request_header_v1.name: offset");
BERTH_LAYOUT_TYPE(((berth_request_header_v1 *)0)->name, berth_plugin_slice, "berth_request_header_v1.name: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_request_header_v1, value) == 16, "berth_request_header_v1.value: offset");
BERTH_LAYOUT_TYPE(((berth_request_header_v1 *)0)->value, berth_plugin_slice, "berth_request_header_v1.value: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_http_request_v1) >= 96, "berth_http_request_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_http_request_v1) == 8, "berth_http_request_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_request_v1, struct_size) == 0, "berth_http_request_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_http_request_v1 *)0)->struct_size, uint32_t, "berth_http_request_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_request_v1, flags) == 4, "berth_http_request_v1.flags: offset");
BERTH_LAYOUT_TYPE(((berth_http_request_v1 *)0)->flags, uint32_t, "berth_http_request_v1.flags: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_request_v1, timeout_ms) == 8, "berth_http_request_v1.timeout_ms: offset");
BERTH_LAYOUT_TYPE(((berth_http_request_v1 *)0)->timeout_ms, uint64_t, "berth_http_request_v1.timeout_ms: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_request_v1, method) == 16, "berth_http_request_v1.method: offset");
BERTH_LAYOUT_TYPE(((berth_http_request_v1 *)0)->method, berth_plugin_slice, "berth_http_request_v1.method: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_request_v1, url) == 32, "berth_http_request_v1.url: offset");
BERTH_LAYOUT_TYPE(((berth_http_request_v1 *)0)->url, berth_plugin_slice, "berth_http_request_v1.url: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_request_v1, body) == 48, "berth_http_request_v1.body: offset");
BERTH_LAYOUT_TYPE(((berth_http_request_v1 *)0)->body, berth_plugin_slice, "berth_http_request_v1.body: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_request_v1, request_class) == 64, "berth_http_request_v1.request_class: offset");
BERTH_LAYOUT_TYPE(((berth_http_request_v1 *)0)->request_class, berth_plugin_slice, "berth_http_request_v1.request_class: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_request_v1, headers) == 80, "berth_http_request_v1.headers: offset");
BERTH_LAYOUT_TYPE(((berth_http_request_v1 *)0)->headers, const berth_request_header_v1 *, "berth_http_request_v1.headers: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_request_v1, header_count) == 88, "berth_http_request_v1.header_count: offset");
BERTH_LAYOUT_TYPE(((berth_http_request_v1 *)0)->header_count, uint64_t, "berth_http_request_v1.header_count: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_http_response_v1) >= 40, "berth_http_response_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_http_response_v1) == 8, "berth_http_response_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_response_v1, struct_size) == 0, "berth_http_response_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_http_response_v1 *)0)->struct_size, uint32_t, "berth_http_response_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_response_v1, status) == 4, "berth_http_response_v1.status: offset");
BERTH_LAYOUT_TYPE(((berth_http_response_v1 *)0)->status, uint32_t, "berth_http_response_v1.status: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_response_v1, body) == 8, "berth_http_response_v1.body: offset");
BERTH_LAYOUT_TYPE(((berth_http_response_v1 *)0)->body, berth_host_slice, "berth_http_response_v1.body: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_response_v1, headers) == 24, "berth_http_response_v1.headers: offset");
BERTH_LAYOUT_TYPE(((berth_http_response_v1 *)0)->headers, const berth_header_v1 *, "berth_http_response_v1.headers: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_response_v1, header_count) == 32, "berth_http_response_v1.header_count: offset");
BERTH_LAYOUT_TYPE(((berth_http_response_v1 *)0)->header_count, uint64_t, "berth_http_response_v1.header_count: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_http_v1) >= 16, "berth_http_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_http_v1) == 8, "berth_http_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_v1, struct_size) == 0, "berth_http_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_http_v1 *)0)->struct_size, uint32_t, "berth_http_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_v1, revision) == 4, "berth_http_v1.revision: offset");
BERTH_LAYOUT_TYPE(((berth_http_v1 *)0)->revision, uint32_t, "berth_http_v1.revision: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_http_v1, send) == 8, "berth_http_v1.send: offset");
BERTH_LAYOUT_TYPE(((berth_http_v1 *)0)->send,
                  int32_t (*)(void *, berth_operation, const berth_http_request_v1 *, berth_http_response_v1 *), "berth_http_v1.send: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_read_request_v1) >= 64, "berth_read_request_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_read_request_v1) == 8, "berth_read_request_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_read_request_v1, struct_size) == 0, "berth_read_request_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_read_request_v1 *)0)->struct_size, uint32_t, "berth_read_request_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_read_request_v1, mode) == 4, "berth_read_request_v1.mode: offset");
BERTH_LAYOUT_TYPE(((berth_read_request_v1 *)0)->mode, uint32_t, "berth_read_request_v1.mode: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_read_request_v1, state_schema) == 8, "berth_read_request_v1.state_schema: offset");
BERTH_LAYOUT_TYPE(((berth_read_request_v1 *)0)->state_schema, uint32_t, "berth_read_request_v1.state_schema: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_read_request_v1, reserved0) == 12, "berth_read_request_v1.reserved0: offset");
BERTH_LAYOUT_TYPE(((berth_read_request_v1 *)0)->reserved0, uint32_t, "berth_read_request_v1.reserved0: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_read_request_v1, since) == 16, "berth_read_request_v1.since: offset");
BERTH_LAYOUT_TYPE(((berth_read_request_v1 *)0)->since, int64_t, "berth_read_request_v1.since: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_read_request_v1, until) == 24, "berth_read_request_v1.until: offset");
BERTH_LAYOUT_TYPE(((berth_read_request_v1 *)0)->until, int64_t, "berth_read_request_v1.until: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_read_request_v1, stream) == 32, "berth_read_request_v1.stream: offset");
BERTH_LAYOUT_TYPE(((berth_read_request_v1 *)0)->stream, berth_host_slice, "berth_read_request_v1.stream: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_read_request_v1, state) == 48, "berth_read_request_v1.state: offset");
BERTH_LAYOUT_TYPE(((berth_read_request_v1 *)0)->state, berth_host_slice, "berth_read_request_v1.state: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_read_stream_v1) >= 16, "berth_read_stream_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_read_stream_v1) == 8, "berth_read_stream_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_read_stream_v1, struct_size) == 0, "berth_read_stream_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_read_stream_v1 *)0)->struct_size, uint32_t, "berth_read_stream_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_read_stream_v1, revision) == 4, "berth_read_stream_v1.revision: offset");
BERTH_LAYOUT_TYPE(((berth_read_stream_v1 *)0)->revision, uint32_t, "berth_read_stream_v1.revision: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_read_stream_v1, read) == 8, "berth_read_stream_v1.read: offset");
BERTH_LAYOUT_TYPE(((berth_read_stream_v1 *)0)->read,
                  int32_t (*)(void *, berth_operation, const berth_read_request_v1 *), "berth_read_stream_v1.read: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_signature_v1) >= 16, "berth_signature_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_signature_v1) == 8, "berth_signature_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_signature_v1, struct_size) == 0, "berth_signature_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_signature_v1 *)0)->struct_size, uint32_t, "berth_signature_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_signature_v1, revision) == 4, "berth_signature_v1.revision: offset");
BERTH_LAYOUT_TYPE(((berth_signature_v1 *)0)->revision, uint32_t, "berth_signature_v1.revision: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_signature_v1, hmac_matches) == 8, "berth_signature_v1.hmac_matches: offset");
BERTH_LAYOUT_TYPE(((berth_signature_v1 *)0)->hmac_matches,
                  int32_t (*)(void *, berth_operation, uint32_t, uint32_t, berth_plugin_slice, berth_plugin_slice), "berth_signature_v1.hmac_matches: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_verify_v1) >= 16, "berth_verify_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_verify_v1) == 8, "berth_verify_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_verify_v1, struct_size) == 0, "berth_verify_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_verify_v1 *)0)->struct_size, uint32_t, "berth_verify_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_verify_v1, revision) == 4, "berth_verify_v1.revision: offset");
BERTH_LAYOUT_TYPE(((berth_verify_v1 *)0)->revision, uint32_t, "berth_verify_v1.revision: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_verify_v1, verify) == 8, "berth_verify_v1.verify: offset");
BERTH_LAYOUT_TYPE(((berth_verify_v1 *)0)->verify,
                  int32_t (*)(void *, berth_operation, const berth_event_v1 *), "berth_verify_v1.verify: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_outgoing_record_v1) == 56, "berth_outgoing_record_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_outgoing_record_v1) == 8, "berth_outgoing_record_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_outgoing_record_v1, struct_size) == 0, "berth_outgoing_record_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_outgoing_record_v1 *)0)->struct_size, uint32_t, "berth_outgoing_record_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_outgoing_record_v1, kind) == 4, "berth_outgoing_record_v1.kind: offset");
BERTH_LAYOUT_TYPE(((berth_outgoing_record_v1 *)0)->kind, uint32_t, "berth_outgoing_record_v1.kind: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_outgoing_record_v1, key) == 8, "berth_outgoing_record_v1.key: offset");
BERTH_LAYOUT_TYPE(((berth_outgoing_record_v1 *)0)->key, berth_host_slice, "berth_outgoing_record_v1.key: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_outgoing_record_v1, idempotency_key) == 24, "berth_outgoing_record_v1.idempotency_key: offset");
BERTH_LAYOUT_TYPE(((berth_outgoing_record_v1 *)0)->idempotency_key, berth_host_slice, "berth_outgoing_record_v1.idempotency_key: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_outgoing_record_v1, payload) == 40, "berth_outgoing_record_v1.payload: offset");
BERTH_LAYOUT_TYPE(((berth_outgoing_record_v1 *)0)->payload, berth_host_slice, "berth_outgoing_record_v1.payload: type");
BERTH_LAYOUT_HOLDS(sizeof(berth_write_records_v1) >= 16, "berth_write_records_v1: size");
BERTH_LAYOUT_HOLDS(__alignof__(berth_write_records_v1) == 8, "berth_write_records_v1: alignment");
BERTH_LAYOUT_HOLDS(offsetof(berth_write_records_v1, struct_size) == 0, "berth_write_records_v1.struct_size: offset");
BERTH_LAYOUT_TYPE(((berth_write_records_v1 *)0)->struct_size, uint32_t, "berth_write_records_v1.struct_size: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_write_records_v1, revision) == 4, "berth_write_records_v1.revision: offset");
BERTH_LAYOUT_TYPE(((berth_write_records_v1 *)0)->revision, uint32_t, "berth_write_records_v1.revision: type");
BERTH_LAYOUT_HOLDS(offsetof(berth_write_records_v1, write) == 8, "berth_write_records_v1.write: offset");
BERTH_LAYOUT_TYPE(((berth_write_records_v1 *)0)->write,
                  int32_t (*)(void *, berth_operation, berth_host_slice, const berth_outgoing_record_v1 *, uint64_t, int32_t *), "berth_write_records_v1.write: type");
BERTH_LAYOUT_HOLDS(BERTH_ABI_VERSION == 1u, "BERTH_ABI_VERSION: value");
BERTH_LAYOUT_HOLDS(BERTH_OK == 0, "BERTH_OK: value");
BERTH_LAYOUT_HOLDS(BERTH_RETRY == 1, "BERTH_RETRY: value");
BERTH_LAYOUT_HOLDS(BERTH_THROTTLED == 2, "BERTH_THROTTLED: value");
BERTH_LAYOUT_HOLDS(BERTH_AUTH_EXPIRED == 3, "BERTH_AUTH_EXPIRED: value");
BERTH_LAYOUT_HOLDS(BERTH_AUTH_DENIED == 4, "BERTH_AUTH_DENIED: value");
BERTH_LAYOUT_HOLDS(BERTH_INVALID_EVENT == 5, "BERTH_INVALID_EVENT: value");
BERTH_LAYOUT_HOLDS(BERTH_NOT_FOUND == 6, "BERTH_NOT_FOUND: value");
BERTH_LAYOUT_HOLDS(BERTH_CONFLICT == 7, "BERTH_CONFLICT: value");
BERTH_LAYOUT_HOLDS(BERTH_REMOTE_DOWN == 8, "BERTH_REMOTE_DOWN: value");
BERTH_LAYOUT_HOLDS(BERTH_TIMEOUT == 9, "BERTH_TIMEOUT: value");
BERTH_LAYOUT_HOLDS(BERTH_CANCELLED == 10, "BERTH_CANCELLED: value");
BERTH_LAYOUT_HOLDS(BERTH_UNSUPPORTED == 11, "BERTH_UNSUPPORTED: value");
BERTH_LAYOUT_HOLDS(BERTH_INTERNAL == 12, "BERTH_INTERNAL: value");
BERTH_LAYOUT_HOLDS(BERTH_STALE == 13, "BERTH_STALE: value");
BERTH_LAYOUT_HOLDS(BERTH_INVALID_ARGUMENT == 14, "BERTH_INVALID_ARGUMENT: value");
BERTH_LAYOUT_HOLDS(BERTH_DENIED == 15, "BERTH_DENIED: value");
BERTH_LAYOUT_HOLDS(BERTH_LOG_DEBUG == 0u, "BERTH_LOG_DEBUG: value");
BERTH_LAYOUT_HOLDS(BERTH_LOG_INFO == 1u, "BERTH_LOG_INFO: value");
BERTH_LAYOUT_HOLDS(BERTH_LOG_WARNING == 2u, "BERTH_LOG_WARNING: value");
BERTH_LAYOUT_HOLDS(BERTH_LOG_ERROR == 3u, "BERTH_LOG_ERROR: value");
BERTH_LAYOUT_HOLDS(BERTH_NO_ITEM == 4294967295u, "BERTH_NO_ITEM: value");
BERTH_LAYOUT_HOLDS(BERTH_NO_TIME == INT64_MIN, "BERTH_NO_TIME: value");
BERTH_LAYOUT_HOLDS(BERTH_RECORD_UPSERT == 1u, "BERTH_RECORD_UPSERT: value");
BERTH_LAYOUT_HOLDS(BERTH_RECORD_DELETE == 2u, "BERTH_RECORD_DELETE: value");
BERTH_LAYOUT_HOLDS(sizeof(BERTH_ENTRY_SYMBOL) == sizeof "berth_plugin_entry_v1", "BERTH_ENTRY_SYMBOL: length of its text");
BERTH_LAYOUT_HOLDS(sizeof(BERTH_ACTIONS_ID) == sizeof "berth.actions/1", "BERTH_ACTIONS_ID: length of its text");
BERTH_LAYOUT_HOLDS(sizeof(BERTH_CREDENTIALS_ID) == sizeof "berth.credentials/1", "BERTH_CREDENTIALS_ID: length of its text");
BERTH_LAYOUT_HOLDS(sizeof(BERTH_EVENTS_ID) == sizeof "berth.events/1", "BERTH_EVENTS_ID: length of its text");
BERTH_LAYOUT_HOLDS(sizeof(BERTH_HTTP_ID) == sizeof "berth.http/1", "BERTH_HTTP_ID: length of its text");
BERTH_LAYOUT_HOLDS(BERTH_HTTP_IDEMPOTENT == 1u, "BERTH_HTTP_IDEMPOTENT: value");
BERTH_LAYOUT_HOLDS(BERTH_HTTP_NO_AUTH == 2u, "BERTH_HTTP_NO_AUTH: value");
BERTH_LAYOUT_HOLDS(sizeof(BERTH_READ_STREAM_ID) == sizeof "berth.read-stream/1", "BERTH_READ_STREAM_ID: length of its text");
BERTH_LAYOUT_HOLDS(BERTH_READ_FULL == 1u, "BERTH_READ_FULL: value");
BERTH_LAYOUT_HOLDS(BERTH_READ_INCREMENTAL == 2u, "BERTH_READ_INCREMENTAL: value");
BERTH_LAYOUT_HOLDS(BERTH_READ_RANGE == 3u, "BERTH_READ_RANGE: value");
BERTH_LAYOUT_HOLDS(sizeof(BERTH_SIGNATURE_ID) == sizeof "berth.signature/1", "BERTH_SIGNATURE_ID: length of its text");
BERTH_LAYOUT_HOLDS(BERTH_HMAC_SHA1 == 1u, "BERTH_HMAC_SHA1: value");
BERTH_LAYOUT_HOLDS(BERTH_HMAC_SHA256 == 2u, "BERTH_HMAC_SHA256: value");
BERTH_LAYOUT_HOLDS(BERTH_HMAC_SHA512 == 3u, "BERTH_HMAC_SHA512: value");
BERTH_LAYOUT_HOLDS(sizeof(BERTH_VERIFY_ID) == sizeof "berth.verify/1", "BERTH_VERIFY_ID: length of its text");
BERTH_LAYOUT_HOLDS(sizeof(BERTH_WRITE_RECORDS_ID) == sizeof "berth.write-records/1", "BERTH_WRITE_RECORDS_ID: length of its text");
#undef BERTH_LAYOUT_HOLDS
#undef BERTH_LAYOUT_TYPE
#endif

#endif
