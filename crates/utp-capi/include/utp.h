/*
 * uTP (BEP-29) for C and C++, with the interface of libutp, API version 2.
 *
 * The library opens no socket, starts no thread and has no timers. The program gives it every
 * datagram that arrives (utp_process_udp), sends what it hands out (UTP_SENDTO), tells it when the
 * UDP socket is drained (utp_issue_deferred_acks), and calls utp_check_timeouts every 50 ms or so.
 */
#ifndef UTP_H_INCLUDED
#define UTP_H_INCLUDED

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#endif

#ifndef __cplusplus
#include <stdbool.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Keeps strict compilers quiet about what C90 and C++98 lack and every compiler has. */
#ifdef __GNUC__
#define UTP_EXTENSION __extension__
#else
#define UTP_EXTENSION
#endif

/* Types */

typedef unsigned char byte;
typedef unsigned char uint8;
typedef signed char int8;
typedef unsigned short uint16;
typedef short int16;
typedef unsigned int uint;
typedef unsigned int uint32;
typedef int int32;
UTP_EXTENSION typedef unsigned long long uint64;
UTP_EXTENSION typedef long long int64;
typedef const char *cstr;
typedef char *str;

#ifdef _WIN32
typedef SSIZE_T ssize_t;
#ifndef SHUT_RD
#define SHUT_RD SD_RECEIVE
#define SHUT_WR SD_SEND
#define SHUT_RDWR SD_BOTH
#endif
#endif

typedef struct UTPSocket utp_socket;
typedef struct struct_utp_context utp_context;

/* Most elements of a vector that one utp_writev looks at. */
#define UTP_IOV_MAX 1024

struct utp_iovec {
    void *iov_base;
    size_t iov_len;
};

/* Flags of UTP_SENDTO. */
enum {
    /* The datagram is to arrive whole or not at all. */
    UTP_UDP_DONTFRAG = 2
};

/* States of UTP_ON_STATE_CHANGE. */
enum {
    /* The peer has answered; only if there is no UTP_ON_CONNECT. */
    UTP_STATE_CONNECT = 1,
    /* A write that was cut short can go on. */
    UTP_STATE_WRITABLE = 2,
    /* The peer has sent everything. */
    UTP_STATE_EOF = 3,
    /* The last that is heard of the socket. */
    UTP_STATE_DESTROYING = 4
};

extern const char *utp_state_names[];

/* Errors of UTP_ON_ERROR. */
enum {
    UTP_ECONNREFUSED = 0,
    UTP_ECONNRESET,
    UTP_ETIMEDOUT
};

extern const char *utp_error_code_names[];

/* Callbacks, then options. */
enum {
    /* address: somebody wants to connect; another answer than 0 ignores it. */
    UTP_ON_FIREWALL = 0,
    /* socket, address: somebody has connected. Without this callback nobody can. */
    UTP_ON_ACCEPT,
    /* socket: the peer has answered. */
    UTP_ON_CONNECT,
    /* socket, error_code. */
    UTP_ON_ERROR,
    /* socket, buf, len: bytes of the stream, to be copied or used before returning. */
    UTP_ON_READ,
    /* socket, send, len, type: bytes on the wire that carry no stream. */
    UTP_ON_OVERHEAD_STATISTICS,
    /* socket, state. */
    UTP_ON_STATE_CHANGE,
    /* socket: answers how many bytes of it the program has not read yet. */
    UTP_GET_READ_BUFFER_SIZE,
    /* socket, sample_ms: how long packets wait on the way to the peer. */
    UTP_ON_DELAY_SAMPLE,
    /* socket, address: answers the largest UDP payload that is tried. */
    UTP_GET_UDP_MTU,
    /* socket, address: answers the bytes of the headers below uTP, for the statistics. */
    UTP_GET_UDP_OVERHEAD,
    /* Answers milliseconds of a clock that never goes back. */
    UTP_GET_MILLISECONDS,
    /* Answers microseconds of such a clock. */
    UTP_GET_MICROSECONDS,
    /* Answers a random number. */
    UTP_GET_RANDOM,
    /* buf: a line for the log; socket may be NULL. */
    UTP_LOG,
    /* buf, len, address, flags: a datagram, to be sent or copied before returning. */
    UTP_SENDTO,

    /* Whether what happens to connections is logged, */
    UTP_LOG_NORMAL,
    /* what happens to packet sizes, */
    UTP_LOG_MTU,
    /* every packet. */
    UTP_LOG_DEBUG,
    /* Most bytes in flight. */
    UTP_SNDBUF,
    /* Most bytes received and not read. */
    UTP_RCVBUF,
    /* Microseconds that packets may wait on the way for each other. */
    UTP_TARGET_DELAY,
    UTP_ARRAY_SIZE
};

extern const char *utp_callback_names[];

/* What a callback is called with; valid until it returns. */
typedef struct {
    utp_context *context;
    utp_socket *socket;
    size_t len;
    uint32 flags;
    int callback_type;
    const byte *buf;
    UTP_EXTENSION union {
        const struct sockaddr *address;
        int send;
        int sample_ms;
        int error_code;
        int state;
    };
    UTP_EXTENSION union {
        socklen_t address_len;
        int type;
    };
} utp_callback_arguments;

/* Must return: neither an exception nor a jump may leave it. */
typedef uint64 utp_callback_t(utp_callback_arguments *);

/* Datagrams by UDP payload: up to 23, 373, 723 and 1400 bytes, and larger. */
typedef struct {
    uint32 _nraw_recv[5];
    uint32 _nraw_send[5];
} utp_context_stats;

typedef struct {
    uint64 nbytes_recv;
    uint64 nbytes_xmit;
    uint32 rexmit;
    uint32 fastrexmit;
    uint32 nxmit;
    uint32 nrecv;
    uint32 nduprecv;
    uint32 mtu_guess;
} utp_socket_stats;

/* Contexts: one for each UDP socket */

/* NULL for any other version than 2. */
utp_context *utp_init(int version);
/* Also from within a callback. Open sockets end without a packet. */
void utp_destroy(utp_context *context);
/* NULL takes a callback away. */
void utp_set_callback(utp_context *context, int callback_name, utp_callback_t *callback);
void *utp_context_set_userdata(utp_context *context, void *userdata);
void *utp_context_get_userdata(utp_context *context);
/* 0, or -1 for what is no option or no value of it. For sockets that are made later. */
int utp_context_set_option(utp_context *context, int option, int value);
int utp_context_get_option(utp_context *context, int option);
/* 1 if the datagram from this address was uTP, else 0. */
int utp_process_udp(utp_context *context, const byte *buf, size_t len,
                    const struct sockaddr *from, socklen_t from_len);
/* What an ICMP message quotes of the UDP payload that was sent to this address. 1 if it belongs to
 * a socket, else 0. */
int utp_process_icmp_error(utp_context *context, const byte *quoted, size_t len,
                           const struct sockaddr *to, socklen_t to_len);
int utp_process_icmp_fragmentation(utp_context *context, const byte *quoted, size_t len,
                                   const struct sockaddr *to, socklen_t to_len,
                                   uint16 next_hop_mtu);
void utp_check_timeouts(utp_context *context);
void utp_issue_deferred_acks(utp_context *context);
/* Lives as long as the context. */
utp_context_stats *utp_get_context_stats(utp_context *context);

/* Sockets: one for each connection */

utp_socket *utp_create_socket(utp_context *context);
void *utp_set_userdata(utp_socket *socket, void *userdata);
void *utp_get_userdata(utp_socket *socket);
int utp_setsockopt(utp_socket *socket, int option, int value);
int utp_getsockopt(utp_socket *socket, int option);
/* 0, or -1 if the socket was connected before. */
int utp_connect(utp_socket *socket, const struct sockaddr *to, socklen_t to_len);
/* Bytes taken: 0 if none can be taken now, -1 for a wrong argument. */
ssize_t utp_write(utp_socket *socket, void *buf, size_t len);
ssize_t utp_writev(utp_socket *socket, struct utp_iovec *vector, size_t count);
int utp_getpeername(utp_socket *socket, struct sockaddr *address, socklen_t *address_len);
/* The program has read of what it held: see UTP_GET_READ_BUFFER_SIZE. */
void utp_read_drained(utp_socket *socket);
/* Microseconds that packets wait on the way, and milliseconds since that was measured. */
int utp_get_delays(utp_socket *socket, uint32 *ours, uint32 *theirs, uint32 *age);
/* Lives as long as the socket; filled by each call. */
utp_socket_stats *utp_get_stats(utp_socket *socket);
utp_context *utp_get_context(utp_socket *socket);
/* How: SHUT_RD discards what still arrives, SHUT_WR ends the stream to the peer. */
void utp_shutdown(utp_socket *socket, int how);
/* The program is done with the socket: what was written is still delivered, and
 * UTP_STATE_DESTROYING follows. */
void utp_close(utp_socket *socket);

#ifdef __cplusplus
}
#endif

#endif
