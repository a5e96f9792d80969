/*
 * ucat: standard input to a uTP peer, and what it sends to standard output.
 *
 *   ucat [-46v] HOST PORT       connects
 *   ucat [-46v] -l PORT         waits for one peer
 *
 * It ends when both sides have sent everything. -v prints what happened, and figures at the end.
 * Exit status: 0 both streams are complete, 1 the connection failed, 2 wrong usage, 3 the system
 * refused something.
 *
 * This is how a program drives the library: one UDP socket, one loop. Datagrams are handed in until
 * there is none, then the acks are let go, then the time-outs are looked at.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <libutp/utp.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/errqueue.h>
#include <netinet/ip_icmp.h>
#endif

#define TICK_MS 50
#define UDP_BUFFER (2 * 1024 * 1024)

/* What has come from standard input and not been written yet. */
static char input[65536];
static size_t input_start, input_end;

static int verbose;
static int udp = -1;
static utp_socket *stream;
static int may_write, input_ended, peer_ended, closed, done, status;
static unsigned long long bytes_in, bytes_out;
static double started_at;

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void say(const char *format, ...)
{
    va_list arguments;

    if (!verbose)
        return;
    va_start(arguments, format);
    fprintf(stderr, "ucat: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
}

static void die(const char *what)
{
    fprintf(stderr, "ucat: %s: %s\n", what, strerror(errno));
    exit(3);
}

static void print_figures(void)
{
    double seconds = now_s() - started_at;
    uint32 ours, theirs, age;
    utp_context *context = utp_get_context(stream);
    utp_context_stats *datagrams = utp_get_context_stats(context);
    utp_socket_stats *socket = utp_get_stats(stream);
    int i;

    say("sent %llu bytes, received %llu bytes in %.3f s", bytes_out, bytes_in, seconds);
    for (i = 0; datagrams && i < 5; i++)
        say("datagrams of size class %d: %u received, %u sent", i, datagrams->_nraw_recv[i],
            datagrams->_nraw_send[i]);
    /* libutp has these only in builds for debugging. */
    if (socket)
        say("packets: %u received, %u sent, %u sent again, largest %u bytes", socket->nrecv,
            socket->nxmit, socket->rexmit + socket->fastrexmit, socket->mtu_guess);
    if (utp_get_delays(stream, &ours, &theirs, &age) == 0)
        say("packets wait %u us on the way there, %u us on the way back", ours, theirs);
}

/* The stream is complete in both directions, or has failed. */
static void close_stream(void)
{
    if (closed)
        return;
    closed = 1;
    if (verbose)
        print_figures();
    utp_close(stream);
}

/* Writes what the window takes of the input; the rest waits for UTP_STATE_WRITABLE. */
static void write_input(void)
{
    while (may_write && !closed && input_start < input_end) {
        ssize_t taken = utp_write(stream, input + input_start, input_end - input_start);

        if (taken <= 0)
            return;
        input_start += (size_t)taken;
        bytes_out += (unsigned long long)taken;
    }
    if (may_write && input_ended == 1 && input_start == input_end) {
        input_ended = 2;
        say("end of input");
        utp_shutdown(stream, SHUT_WR);
    }
    if (input_ended == 2 && peer_ended)
        close_stream();
}

static void read_input(void)
{
    ssize_t len = read(STDIN_FILENO, input, sizeof input);

    if (len < 0 && errno == EINTR)
        return;
    if (len < 0)
        die("standard input");
    input_start = 0;
    input_end = (size_t)len;
    if (len == 0)
        input_ended = 1;
    write_input();
}

static uint64 on_send(utp_callback_arguments *arguments)
{
    /* What the system does not take is lost, as on any path. */
    sendto(udp, arguments->buf, arguments->len, 0, arguments->address, arguments->address_len);
    return 0;
}

static uint64 on_firewall(utp_callback_arguments *arguments)
{
    (void)arguments;
    return stream != NULL;
}

static uint64 on_accept(utp_callback_arguments *arguments)
{
    say("a peer has connected");
    stream = arguments->socket;
    started_at = now_s();
    return 0;
}

static uint64 on_read(utp_callback_arguments *arguments)
{
    size_t written = 0;

    while (written < arguments->len) {
        ssize_t len = write(STDOUT_FILENO, arguments->buf + written, arguments->len - written);

        if (len < 0 && errno != EINTR)
            die("standard output");
        if (len > 0)
            written += (size_t)len;
    }
    bytes_in += arguments->len;
    return 0;
}

static uint64 on_state(utp_callback_arguments *arguments)
{
    say("%s", utp_state_names[arguments->state]);
    switch (arguments->state) {
    case UTP_STATE_CONNECT:
    case UTP_STATE_WRITABLE:
        may_write = 1;
        write_input();
        break;
    case UTP_STATE_EOF:
        peer_ended = 1;
        write_input();
        break;
    case UTP_STATE_DESTROYING:
        stream = NULL;
        done = 1;
        break;
    default:
        break;
    }
    return 0;
}

static uint64 on_error(utp_callback_arguments *arguments)
{
    /* Once both streams are complete nothing can go wrong any more. */
    if (!(input_ended == 2 && peer_ended)) {
        fprintf(stderr, "ucat: %s\n", utp_error_code_names[arguments->error_code]);
        status = 1;
    }
    close_stream();
    return 0;
}

static uint64 on_log(utp_callback_arguments *arguments)
{
    say("%s", (const char *)arguments->buf);
    return 0;
}

#ifdef __linux__
/* What ICMP says of datagrams that were sent. */
static void read_errors(utp_context *context)
{
    for (;;) {
        byte quoted[2048];
        char control[512];
        struct sockaddr_storage to;
        struct iovec vector;
        struct msghdr message;
        struct cmsghdr *part;
        ssize_t len;

        vector.iov_base = quoted;
        vector.iov_len = sizeof quoted;
        memset(&message, 0, sizeof message);
        message.msg_name = &to;
        message.msg_namelen = sizeof to;
        message.msg_iov = &vector;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        len = recvmsg(udp, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
        if (len < 0)
            return;
        for (part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
            struct sock_extended_err error;
            const struct sockaddr *address = (const struct sockaddr *)(const void *)&to;

            if ((part->cmsg_level != SOL_IP || part->cmsg_type != IP_RECVERR) &&
                (part->cmsg_level != SOL_IPV6 || part->cmsg_type != IPV6_RECVERR))
                continue;
            memcpy(&error, CMSG_DATA(part), sizeof error);
            if (error.ee_errno == EMSGSIZE)
                utp_process_icmp_fragmentation(context, quoted, (size_t)len, address,
                                               message.msg_namelen, (uint16)error.ee_info);
            else if (error.ee_origin != SO_EE_ORIGIN_LOCAL)
                utp_process_icmp_error(context, quoted, (size_t)len, address,
                                       message.msg_namelen);
        }
    }
}
#endif

/* Hands in what has arrived, then lets the acks go. */
static void read_datagrams(utp_context *context)
{
    for (;;) {
        byte datagram[65536];
        struct sockaddr_storage from;
        socklen_t from_len = sizeof from;
        ssize_t len = recvfrom(udp, datagram, sizeof datagram, MSG_DONTWAIT,
                               (struct sockaddr *)(void *)&from, &from_len);

        if (len < 0)
            break;
        utp_process_udp(context, datagram, (size_t)len,
                        (const struct sockaddr *)(const void *)&from, from_len);
        /* An acceptor may write once it has read, and no event tells so. */
        if (!may_write && bytes_in > 0 && stream) {
            may_write = 1;
            write_input();
        }
    }
    utp_issue_deferred_acks(context);
}

static void open_udp(const struct addrinfo *local)
{
    int size = UDP_BUFFER;
    int on = 1;

    udp = socket(local->ai_family, SOCK_DGRAM, 0);
    if (udp < 0)
        die("socket");
    setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(udp, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
#ifdef __linux__
    if (local->ai_family == AF_INET)
        setsockopt(udp, SOL_IP, IP_RECVERR, &on, sizeof on);
    else
        setsockopt(udp, SOL_IPV6, IPV6_RECVERR, &on, sizeof on);
#endif
    if (bind(udp, local->ai_addr, local->ai_addrlen) < 0)
        die("bind");
    (void)on;
}

static struct addrinfo *resolve(const char *host, const char *port, int family, int flags)
{
    struct addrinfo hints;
    struct addrinfo *found = NULL;
    int error;

    memset(&hints, 0, sizeof hints);
    hints.ai_family = family;
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_flags = flags;
    error = getaddrinfo(host, port, &hints, &found);
    if (error) {
        fprintf(stderr, "ucat: %s: %s\n", host ? host : port, gai_strerror(error));
        exit(2);
    }
    return found;
}

static utp_context *make_context(int listens)
{
    utp_context *context = utp_init(2);

    if (!context) {
        fprintf(stderr, "ucat: the library has another interface\n");
        exit(3);
    }
    utp_set_callback(context, UTP_SENDTO, on_send);
    utp_set_callback(context, UTP_ON_READ, on_read);
    utp_set_callback(context, UTP_ON_STATE_CHANGE, on_state);
    utp_set_callback(context, UTP_ON_ERROR, on_error);
    utp_set_callback(context, UTP_LOG, on_log);
    if (listens) {
        utp_set_callback(context, UTP_ON_FIREWALL, on_firewall);
        utp_set_callback(context, UTP_ON_ACCEPT, on_accept);
    }
    utp_context_set_option(context, UTP_LOG_NORMAL, verbose > 1);
    utp_context_set_option(context, UTP_LOG_MTU, verbose > 1);
    utp_context_set_option(context, UTP_LOG_DEBUG, verbose > 2);
    return context;
}

static void run(utp_context *context)
{
    while (!done) {
        struct pollfd ready[2];
        int reads_input = input_ended == 0 && input_start == input_end && stream && !closed;

        ready[0].fd = udp;
        ready[0].events = POLLIN;
        ready[0].revents = 0;
        ready[1].fd = reads_input ? STDIN_FILENO : -1;
        ready[1].events = POLLIN;
        ready[1].revents = 0;
        if (poll(ready, 2, TICK_MS) < 0 && errno != EINTR)
            die("poll");
#ifdef __linux__
        if (ready[0].revents & POLLERR)
            read_errors(context);
#endif
        if (ready[0].revents)
            read_datagrams(context);
        if (ready[1].revents)
            read_input();
        utp_check_timeouts(context);
    }
}

static int usage(void)
{
    fprintf(stderr, "usage: ucat [-46v] HOST PORT\n"
                    "       ucat [-46v] -l PORT\n");
    return 2;
}

int main(int argc, char **argv)
{
    int family = AF_UNSPEC;
    int listens = 0;
    int option;
    struct addrinfo *local, *remote = NULL;
    utp_context *context;

    while ((option = getopt(argc, argv, "46lv")) != -1) {
        switch (option) {
        case '4':
            family = AF_INET;
            break;
        case '6':
            family = AF_INET6;
            break;
        case 'l':
            listens = 1;
            break;
        case 'v':
            verbose++;
            break;
        default:
            return usage();
        }
    }
    argc -= optind;
    argv += optind;
    if (argc != (listens ? 1 : 2))
        return usage();
    if (listens && family == AF_UNSPEC)
        family = AF_INET;
    if (!listens)
        remote = resolve(argv[0], argv[1], family, 0);
    local = resolve(NULL, listens ? argv[0] : "0", remote ? remote->ai_family : family,
                    AI_PASSIVE);
    open_udp(local);
    freeaddrinfo(local);
    context = make_context(listens);
    if (remote) {
        started_at = now_s();
        stream = utp_create_socket(context);
        if (utp_connect(stream, remote->ai_addr, remote->ai_addrlen) < 0) {
            fprintf(stderr, "ucat: cannot connect\n");
            return 1;
        }
        freeaddrinfo(remote);
    }
    run(context);
    utp_destroy(context);
    close(udp);
    return status;
}
