/*
 * What utp_check_timeouts costs a context with idle sockets: idle SOCKETS TICKS. It connects so
 * many sockets to contexts that accept 2 500 each, sends one byte through each, lets half a minute
 * pass, and calls utp_check_timeouts so often, half a second apart, within measured_ticks, which is
 * what an instruction counter has to look at.
 */
#include <libutp/utp.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCEPTORS_MAX 16
#define SOCKETS_EACH 2500

struct datagram {
    struct datagram *next;
    int to;
    int from;
    size_t len;
    byte bytes[1500];
};

static utp_context *contexts[ACCEPTORS_MAX + 1];
static struct datagram *first, *last;
static uint64 now = 1000000;
static long connected, received, acked;

static struct sockaddr_in address_of(int place)
{
    struct sockaddr_in address;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)(1000 + place));
    address.sin_addr.s_addr = htonl(0x0a000001u + (unsigned)place);
    return address;
}

static uint64 on_send(utp_callback_arguments *arguments)
{
    const struct sockaddr_in *to = (const struct sockaddr_in *)(const void *)arguments->address;
    struct datagram *datagram = (struct datagram *)malloc(sizeof *datagram);

    datagram->next = NULL;
    datagram->to = ntohs(to->sin_port) - 1000;
    datagram->from = *(int *)utp_context_get_userdata(arguments->context);
    datagram->len = arguments->len;
    memcpy(datagram->bytes, arguments->buf, arguments->len);
    if (last)
        last->next = datagram;
    else
        first = datagram;
    last = datagram;
    acked++;
    return 0;
}

static uint64 on_accept(utp_callback_arguments *arguments)
{
    (void)arguments;
    return 0;
}

static uint64 on_connect(utp_callback_arguments *arguments)
{
    char one = 1;

    connected++;
    utp_write(arguments->socket, &one, 1);
    return 0;
}

static uint64 on_read(utp_callback_arguments *arguments)
{
    received += (long)arguments->len;
    return 0;
}

static uint64 on_clock(utp_callback_arguments *arguments)
{
    return arguments->callback_type == UTP_GET_MILLISECONDS ? now / 1000 : now;
}

/* Delivers until nothing is on its way. */
static void deliver(int count)
{
    int place;

    while (first) {
        while (first) {
            struct datagram *datagram = first;
            struct sockaddr_in from = address_of(datagram->from);

            first = datagram->next;
            if (!first)
                last = NULL;
            utp_process_udp(contexts[datagram->to], datagram->bytes, datagram->len,
                            (const struct sockaddr *)(const void *)&from, sizeof from);
            free(datagram);
        }
        for (place = 0; place < count; place++)
            utp_issue_deferred_acks(contexts[place]);
    }
}

__attribute__((noinline)) void measured_ticks(utp_context *context, int ticks)
{
    while (ticks-- > 0) {
        now += 500000;
        utp_check_timeouts(context);
    }
}

int main(int argc, char **argv)
{
    static int places[ACCEPTORS_MAX + 1];
    int sockets = argc > 1 ? atoi(argv[1]) : 0;
    int ticks = argc > 2 ? atoi(argv[2]) : 0;
    int count = 1 + (sockets + SOCKETS_EACH - 1) / SOCKETS_EACH;
    int place, i;

    if (sockets <= 0 || ticks <= 0 || count > ACCEPTORS_MAX + 1) {
        fprintf(stderr, "usage: idle SOCKETS TICKS\n");
        return 2;
    }
    for (place = 0; place < count; place++) {
        places[place] = place;
        contexts[place] = utp_init(2);
        utp_context_set_userdata(contexts[place], &places[place]);
        utp_set_callback(contexts[place], UTP_SENDTO, on_send);
        utp_set_callback(contexts[place], UTP_ON_ACCEPT, on_accept);
        utp_set_callback(contexts[place], UTP_ON_CONNECT, on_connect);
        utp_set_callback(contexts[place], UTP_ON_READ, on_read);
        utp_set_callback(contexts[place], UTP_GET_MILLISECONDS, on_clock);
        utp_set_callback(contexts[place], UTP_GET_MICROSECONDS, on_clock);
    }
    for (i = 0; i < sockets; i++) {
        struct sockaddr_in to = address_of(1 + i % (count - 1));

        utp_connect(utp_create_socket(contexts[0]), (const struct sockaddr *)(const void *)&to,
                    sizeof to);
        now += 100;
        deliver(count);
    }
    if (connected != sockets || received != sockets) {
        fprintf(stderr, "%ld connected, %ld bytes received\n", connected, received);
        return 1;
    }
    for (i = 0; i < 60; i++) {
        now += 500000;
        for (place = 0; place < count; place++)
            utp_check_timeouts(contexts[place]);
        deliver(count);
    }
    acked = 0;
    measured_ticks(contexts[0], ticks);
    printf("%d sockets, %d ticks, %ld datagrams\n", sockets, ticks, acked);
    for (place = 0; place < count; place++)
        utp_destroy(contexts[place]);
    return 0;
}
