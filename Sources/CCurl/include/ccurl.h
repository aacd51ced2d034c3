/* SPDX-License-Identifier: Apache-2.0
 *
 * The system's libcurl with a typed function per kind of argument: Swift cannot call the variadic
 * curl_easy_setopt, curl_easy_getinfo and curl_multi_setopt. Decides nothing. Needs libcurl 7.87 or newer
 * (CURLOPT_QUICK_EXIT, CURLOPT_PROTOCOLS_STR, CURLOPT_PREREQFUNCTION).
 */
#ifndef CCURL_H
#define CCURL_H

#define CURL_DISABLE_TYPECHECK 1
#include <curl/curl.h>
/* Swift's Glibc module leaves these out. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#if LIBCURL_VERSION_NUM < 0x075700
#error "libcurl 7.87 or newer is needed: apt-get install libcurl4-openssl-dev"
#endif

/* Write and header callbacks: returns how many bytes it took; fewer ends the transfer. [called on the loop's thread] */
typedef size_t (*ccurl_bytes_fn)(char *bytes, size_t size, size_t count, void *context);
/* Makes the socket for an address, or CURL_SOCKET_BAD. [called on the loop's thread] */
typedef curl_socket_t (*ccurl_open_socket_fn)(void *context, curlsocktype purpose, struct curl_sockaddr *address);
/* Asked on a ready connection, before each sending of the request. [called on the loop's thread] */
typedef int (*ccurl_before_request_fn)(void *context, char *peer, char *local, int peer_port, int local_port);
/* Tells which socket to watch. [called on the loop's thread] */
typedef int (*ccurl_watch_socket_fn)(CURL *easy, curl_socket_t socket, int what, void *context, void *socket_context);
/* Tells when to call curl_multi_socket_action with CURL_SOCKET_TIMEOUT; -1: never. [called on the loop's thread] */
typedef int (*ccurl_watch_timer_fn)(CURLM *multi, long milliseconds, void *context);

static inline CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ccurl_set_large(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ccurl_set_string(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ccurl_set_headers(CURL *easy, struct curl_slist *value) {
    return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, value);
}
static inline CURLcode ccurl_set_url(CURL *easy, CURLU *value) {
    return curl_easy_setopt(easy, CURLOPT_CURLU, value);
}
static inline CURLcode ccurl_set_bytes_fn(CURL *easy, CURLoption option, ccurl_bytes_fn value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode ccurl_set_open_socket_fn(CURL *easy, ccurl_open_socket_fn value) {
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, value);
}
static inline CURLcode ccurl_set_before_request_fn(CURL *easy, ccurl_before_request_fn value) {
    return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, value);
}

static inline CURLcode ccurl_get_long(CURL *easy, CURLINFO what, long *value) {
    return curl_easy_getinfo(easy, what, value);
}
static inline CURLcode ccurl_get_large(CURL *easy, CURLINFO what, curl_off_t *value) {
    return curl_easy_getinfo(easy, what, value);
}
static inline CURLcode ccurl_get_pointer(CURL *easy, CURLINFO what, void **value) {
    return curl_easy_getinfo(easy, what, value);
}

static inline CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}
static inline CURLMcode ccurl_multi_set_pointer(CURLM *multi, CURLMoption option, void *value) {
    return curl_multi_setopt(multi, option, value);
}
static inline CURLMcode ccurl_multi_set_watch_socket_fn(CURLM *multi, ccurl_watch_socket_fn value) {
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, value);
}
static inline CURLMcode ccurl_multi_set_watch_timer_fn(CURLM *multi, ccurl_watch_timer_fn value) {
    return curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, value);
}

/* The next finished transfer, or NULL; *code is its outcome. */
static inline CURL *ccurl_multi_next_done(CURLM *multi, CURLcode *code) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            *code = message->data.result;
            return message->easy_handle;
        }
    }
    return NULL;
}

/* Overwrites the bytes even though nobody reads them again. */
void ccurl_wipe(void *bytes, size_t count);

/* Names the calling thread, for ps and gdb; at most 15 bytes. */
void ccurl_name_thread(const char *name);

#endif
