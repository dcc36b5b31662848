/* The least that a connect scan by the book costs: non-blocking sockets, at most 1000 in flight, one epoll.
   usage: floor ADDRESS; prints the open ports of 1-65535. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_FLIGHT = 1000, EVENTS = 256 };

int main(int argc, char **argv) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (argc != 2 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) return 2;
    struct epoll_event ready[EVENTS];
    int poller = epoll_create1(0), in_flight = 0;
    static int port_of[1 << 16];
    for (int port = 1; port <= 65535 || in_flight > 0;) {
        for (; in_flight < IN_FLIGHT && port <= 65535; port++) {
            int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            if (s < 0) { perror("socket"); return 1; }
            to.sin_port = htons(port);
            if (connect(s, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) { close(s); continue; }
            struct epoll_event want = {.events = EPOLLOUT | EPOLLONESHOT, .data.fd = s};
            epoll_ctl(poller, EPOLL_CTL_ADD, s, &want);
            port_of[s] = port;
            in_flight++;
        }
        int n = epoll_wait(poller, ready, EVENTS, 2000);
        if (n <= 0) break; /* the rest is silent */
        for (int i = 0; i < n; i++) {
            int s = ready[i].data.fd, error = 0;
            socklen_t len = sizeof error;
            getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &len);
            if (error == 0) printf("%d\n", port_of[s]);
            close(s);
            in_flight--;
        }
    }
    return 0;
}
