// The echo server as a bare epoll loop: what the same work costs without a runtime, limits, queues or timeouts.
//
//     cc -O2 -o epoll_echo epoll_echo.c && ./epoll_echo     # prints the port that it listens on
//
// A request is sender u32, receiver u32, kind u8, length u32, body; its echo is sender, kind, length, body. Writing the
// sender over the receiver makes the echo begin four bytes into the request, so that no body is copied.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEADER = 13, SKIPPED = 4, READ = 64 * 1024, SEGMENTS = 512 };

struct connection {
    int fd;
    char *in;
    size_t in_len, in_cap;
    char *out; // what the socket did not take at once
    size_t out_len, out_from;
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void close_connection(struct connection *c) {
    close(c->fd);
    free(c->in);
    free(c->out);
    free(c);
}

// Returns -1 if the connection is broken.
static int flush_rest(struct connection *c, int epoll) {
    while (c->out_from < c->out_len) {
        ssize_t n = write(c->fd, c->out + c->out_from, c->out_len - c->out_from);
        if (n < 0) return errno == EAGAIN ? 0 : -1;
        c->out_from += n;
    }
    free(c->out);
    c->out = NULL;
    c->out_len = c->out_from = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    return epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
}

static int send_all(struct connection *c, int epoll, struct iovec *segments, int count) {
    ssize_t n = writev(c->fd, segments, count);
    if (n < 0) {
        if (errno != EAGAIN) return -1;
        n = 0;
    }
    size_t total = 0;
    for (int i = 0; i < count; i++) total += segments[i].iov_len;
    if ((size_t)n == total) return 0;
    // Keep a copy of the rest, and read nothing until it is gone.
    c->out = realloc(c->out, c->out_len + total - n);
    if (!c->out) fail("realloc");
    for (int i = 0; i < count; i++) {
        size_t len = segments[i].iov_len, skip = (size_t)n < len ? (size_t)n : len;
        memcpy(c->out + c->out_len, (char *)segments[i].iov_base + skip, len - skip);
        c->out_len += len - skip;
        n -= skip;
    }
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    return epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
}

// Echoes all whole frames. Returns -1 if the connection is broken.
static int echo(struct connection *c, int epoll) {
    struct iovec segments[SEGMENTS];
    int count = 0;
    size_t at = 0;
    while (c->in_len - at >= HEADER && !c->out_len) {
        uint32_t length;
        memcpy(&length, c->in + at + 9, 4);
        size_t frame = HEADER + (size_t)ntohl(length);
        if (c->in_len - at < frame) break;
        memcpy(c->in + at + SKIPPED, c->in + at, 4);
        segments[count].iov_base = c->in + at + SKIPPED;
        segments[count++].iov_len = frame - SKIPPED;
        at += frame;
        if (count == SEGMENTS) {
            if (send_all(c, epoll, segments, count) < 0) return -1;
            count = 0;
        }
    }
    if (count && send_all(c, epoll, segments, count) < 0) return -1;
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
    return 0;
}

static int readable(struct connection *c, int epoll) {
    if (c->in_cap - c->in_len < READ) {
        c->in_cap = c->in_cap * 2 > c->in_len + READ ? c->in_cap * 2 : c->in_len + READ;
        c->in = realloc(c->in, c->in_cap);
        if (!c->in) fail("realloc");
    }
    ssize_t n = read(c->fd, c->in + c->in_len, c->in_cap - c->in_len);
    if (n < 0) return errno == EAGAIN ? 0 : -1;
    if (n == 0) return -1;
    c->in_len += n;
    return echo(c, epoll);
}

static void accept_all(int listener, int epoll) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0) return;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *c = calloc(1, sizeof *c);
        if (!c) fail("calloc");
        c->fd = fd;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
    }
}

int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, len) < 0 || listen(listener, 1024) < 0) fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &len);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0) fail("epoll_ctl");
    for (;;) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) {
                accept_all(listener, epoll);
            } else if (events[i].events & EPOLLOUT) {
                if (flush_rest(c, epoll) < 0 || (!c->out_len && echo(c, epoll) < 0)) close_connection(c);
            } else if (readable(c, epoll) < 0) {
                close_connection(c);
            }
        }
    }
}
