/* What the system alone takes for a connect, to one address or to many: the two calls that portscan makes for a closed port,
   on a socket that is used again after each refusal, and nothing else.
   usage: connects ADDRESS HOSTS PORTS; HOSTS addresses from ADDRESS on, of which those ending in 0 and in 251 to 255 are
   left out, and the ports 1 to PORTS of each, in an order that mixes both. Fails if a port is not closed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static unsigned common_factor(unsigned a, unsigned b) { return b ? common_factor(b, a % b) : a; }

int main(int argc, char **argv) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) return 2;
    unsigned first = ntohl(to.sin_addr.s_addr), hosts = atoi(argv[2]), all = hosts * atoi(argv[3]);
    unsigned step = all * 0.618; /* as far from the one before as can be; the last step is back at the first probe */
    while (common_factor(step, all) != 1) step++;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    unsigned long at = 0;
    do {
        at = (at + step) % all;
        to.sin_addr.s_addr = htonl(first + at % hosts % 250 + at % hosts / 250 * 256);
        to.sin_port = htons(1 + at / hosts);
        int done = connect(s, (struct sockaddr *)&to, sizeof to);
        while (done < 0 && (errno == EINPROGRESS || errno == EALREADY)) done = connect(s, (struct sockaddr *)&to, sizeof to);
        if (done == 0 || errno != ECONNREFUSED) { perror("not refused"); return 1; }
    } while (at != 0);
    return 0;
}
