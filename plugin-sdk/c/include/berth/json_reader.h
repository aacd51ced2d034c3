/* SPDX-License-Identifier: Apache-2.0
 *
 * A small JSON reader and writer for plugins in C: header only, no allocation, safe on malformed input. It finds values
 * in a text and leaves them there; it is no validator. Not part of the ABI.
 */
#ifndef BERTH_JSON_READER_H
#define BERTH_JSON_READER_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* A value inside a text. */
typedef struct berth_json {
    const uint8_t *ptr; /* of a string: after its quote */
    size_t len;         /* of a string: without its quotes */
    char kind;          /* '{' '[' '"' '0' (number) 't' 'f' 'n', or 0: nothing there */
} berth_json;

/* Whether bytes are UTF-8. The host takes no other text from a plugin: ask before a provider's bytes become a record. */
static inline int berth_json_is_utf8(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n;) {
        uint32_t c = p[i++];
        uint32_t more = c < 0x80 ? 0 : c >= 0xC2 && c < 0xE0 ? 1 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : 9;
        uint32_t value = more == 0 ? c : c & (0x3Fu >> (more & 3));
        if (more == 9 || n - i < more) return 0;
        for (uint32_t k = 0; k < more; k++, i++) {
            if ((p[i] & 0xC0) != 0x80) return 0;
            value = value << 6 | (p[i] & 0x3Fu);
        }
        if ((more == 2 && (value < 0x800 || (value >= 0xD800 && value < 0xE000))) || (more == 3 && (value < 0x10000 || value > 0x10FFFF)))
            return 0;
    }
    return 1;
}

static inline size_t berth_json_blank(const uint8_t *p, size_t n, size_t at) {
    while (at < n && (p[at] == ' ' || p[at] == '\n' || p[at] == '\r' || p[at] == '\t')) at++;
    return at;
}

/* Reads the value at `at`; answers the offset after it, or 0 when there is none. */
static inline size_t berth_json_value_at(const uint8_t *p, size_t n, size_t at, berth_json *out) {
    out->kind = 0;
    at = berth_json_blank(p, n, at);
    if (at >= n) return 0;
    size_t start = at;
    if (p[at] == '"') {
        for (at++; at < n && p[at] != '"'; at++) {
            if (p[at] == '\\') at++;
        }
        if (at >= n) return 0;
        out->ptr = p + start + 1;
        out->len = at - start - 1;
        out->kind = '"';
        return at + 1;
    }
    if (p[at] == '{' || p[at] == '[') {
        int depth = 0;
        for (; at < n; at++) {
            if (p[at] == '"') {
                for (at++; at < n && p[at] != '"'; at++) {
                    if (p[at] == '\\') at++;
                }
            } else if (p[at] == '{' || p[at] == '[') {
                depth++;
            } else if ((p[at] == '}' || p[at] == ']') && --depth == 0) {
                out->ptr = p + start;
                out->len = at + 1 - start;
                out->kind = (char)p[start];
                return at + 1;
            }
        }
        return 0;
    }
    while (at < n && p[at] != ',' && p[at] != '}' && p[at] != ']' && p[at] > ' ') at++;
    if (at == start) return 0;
    out->ptr = p + start;
    out->len = at - start;
    out->kind = p[start] == 't' || p[start] == 'f' || p[start] == 'n' ? (char)p[start] : '0';
    return at;
}

/* The whole text as a value. */
static inline berth_json berth_json_parse(const uint8_t *p, size_t n) {
    berth_json value = {0, 0, 0};
    berth_json_value_at(p, n, 0, &value);
    return value;
}

/* A member of an object; kind 0 when absent. Names with escapes are not found. */
static inline berth_json berth_json_member(berth_json object, const char *name) {
    berth_json key, value, none = {0, 0, 0};
    size_t length = strlen(name), at = 1;
    if (object.kind != '{') return none;
    while ((at = berth_json_value_at(object.ptr, object.len, at, &key)) != 0 && key.kind == '"') {
        at = berth_json_blank(object.ptr, object.len, at);
        if (at >= object.len || object.ptr[at] != ':') return none;
        at = berth_json_value_at(object.ptr, object.len, at + 1, &value);
        if (at == 0) return none;
        if (key.len == length && memcmp(key.ptr, name, length) == 0) return value;
        at = berth_json_blank(object.ptr, object.len, at);
        if (at >= object.len || object.ptr[at] != ',') return none;
        at++;
    }
    return none;
}

/* The next element of an array: begin with *at = 0; 0 at the end. */
static inline int berth_json_next(berth_json array, size_t *at, berth_json *element) {
    if (array.kind != '[') return 0;
    size_t from = berth_json_blank(array.ptr, array.len, *at == 0 ? 1 : *at);
    if (*at != 0 && from < array.len && array.ptr[from] == ',') from++;
    size_t next = berth_json_value_at(array.ptr, array.len, from, element);
    if (next == 0) return 0;
    *at = next;
    return 1;
}

/* A whole number; `otherwise` when it is none. */
static inline int64_t berth_json_int(berth_json value, int64_t otherwise) {
    int64_t number = 0;
    size_t at = value.len > 0 && value.ptr[0] == '-' ? 1 : 0;
    if ((value.kind != '0' && value.kind != '"') || value.len == at || value.len > 18) return otherwise;
    for (size_t i = at; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9') return otherwise;
        number = number * 10 + (value.ptr[i] - '0');
    }
    return at ? -number : number;
}

/* A text being written into a buffer of fixed size. */
typedef struct berth_json_out {
    char *ptr;
    size_t capacity;
    size_t len;   /* what would be needed; larger than capacity: it did not fit */
    int started;  /* whether the next member needs a comma */
} berth_json_out;

static inline void berth_json_put(berth_json_out *out, const void *bytes, size_t count) {
    if (out->len <= out->capacity && count <= out->capacity - out->len) memcpy(out->ptr + out->len, bytes, count);
    out->len += count;
}

static inline void berth_json_name(berth_json_out *out, const char *name) {
    berth_json_put(out, out->started ? ",\"" : "\"", out->started ? 2 : 1);
    berth_json_put(out, name, strlen(name));
    berth_json_put(out, "\":", 2);
    out->started = 1;
}

static inline void berth_json_begin(berth_json_out *out, char *buffer, size_t capacity) {
    out->ptr = buffer;
    out->capacity = capacity;
    out->len = 0;
    out->started = 0;
    berth_json_put(out, "{", 1);
}

/* Ends the object; 1 when all of it fitted. */
static inline int berth_json_end(berth_json_out *out) {
    berth_json_put(out, "}", 1);
    return out->len <= out->capacity;
}

/* Copies a value as it stands under a name; nothing for kind 0 or null. */
static inline void berth_json_copy(berth_json_out *out, const char *name, berth_json value) {
    if (value.kind == 0 || value.kind == 'n') return;
    berth_json_name(out, name);
    if (value.kind == '"') berth_json_put(out, "\"", 1);
    berth_json_put(out, value.ptr, value.len);
    if (value.kind == '"') berth_json_put(out, "\"", 1);
}

/* A text that needs no escapes (a constant of yours). */
static inline void berth_json_text(berth_json_out *out, const char *name, const char *text) {
    berth_json_name(out, name);
    berth_json_put(out, "\"", 1);
    berth_json_put(out, text, strlen(text));
    berth_json_put(out, "\"", 1);
}

static inline void berth_json_number(berth_json_out *out, const char *name, int64_t number) {
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%lld", (long long)number);
    berth_json_name(out, name);
    berth_json_put(out, digits, (size_t)count);
}

#endif
