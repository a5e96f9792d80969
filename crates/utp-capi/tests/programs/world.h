/*
 * Two contexts and a network between them in virtual time, and what their callbacks were called
 * with. It is C and C++, and knows nothing of the library but its header.
 */
#ifndef WORLD_H
#define WORLD_H

#include <libutp/utp.h>

#define MS 1000
#define SECOND (1000 * MS)

struct side;

/* What the application of a side does by itself. */
struct habits {
    /* Bytes to write once it may. */
    size_t to_write;
    /* Ends its direction when all is written. */
    bool shuts_down;
    /* Closes when all is written. */
    bool closes_when_written;
    /* Closes at the end of the peer's stream. */
    bool closes_at_eof;
    /* Closes when an error is told, unless it has. */
    bool closes_at_error;
    /* Closes in the callback that tells of the connection. */
    bool closes_at_accept;
    /* Closes in the callback that hands out bytes, ends its direction in that of the connect, and
     * connects back in that of the accept. */
    bool closes_at_read;
    bool shuts_down_at_connect;
    bool connects_back;
    /* Rejects who comes. */
    bool rejects;
    /* Does not read at first: what has come counts as held until it is let go. */
    bool hoards;
    /* No UTP_ON_ACCEPT, no UTP_ON_CONNECT. */
    bool accepts_nobody;
    bool has_no_connect_callback;
    /* Takes whatever it reads. */
    bool takes_any_bytes;
    /* Prints the statistics of overhead and the delay samples. */
    bool counts_overhead;
    bool tells_delays;
};

/* One end. */
struct side {
    char name;
    struct habits habits;
    utp_context *context;
    utp_socket *socket;
    struct sockaddr_storage address;
    socklen_t address_len;
    size_t written;
    size_t read;
    size_t told_read;
    size_t held;
    int told_delay;
    /* How many bytes were counted of each type of packet, received and sent. */
    size_t overhead[2][6];
    bool may_write;
    bool shut_down;
    bool closed;
    /* What was told last, so that repetitions are one line. */
    char last[64];
    /* All that was told. */
    char *log;
    size_t log_len;
};

/* What the network does with a datagram; 0 lets it pass. */
typedef int fate_t(struct side *from, const byte *bytes, size_t len, int number);

struct datagram;

struct world {
    uint64 now;
    uint64 next_tick;
    struct side a;
    struct side b;
    /* In order of arrival. */
    struct datagram *first;
    struct datagram *last;
    fate_t *fate;
    /* How many were sent. */
    int sent;
    /* Nobody is there at the other end. */
    bool cut;
};

extern struct world world;

/* Begins a scenario, with addresses of IPv4 or IPv6. */
void begin(const char *name, int family);
/* Lets time pass. */
void run(uint64 us);
/* Destroys both contexts and prints what was told to each side. */
void end(void);

/* Writes a line into the log of a side. */
void note(struct side *side, const char *format, ...);
/* The library calls. */
void connect_to(struct side *from, struct side *to);
void write_more(struct side *side);
void shut(struct side *side, int how);
void close_socket(struct side *side);
/* The application reads what it held. */
void let_go(struct side *side);
/* Hands bytes to a side, as if from the other. */
int inject(struct side *to, struct side *from, const byte *bytes, size_t len);
/* The last datagram that a side has sent with this type of packet, and its length. */
const byte *last_sent(struct side *side, int type, size_t *len);

/* The scenarios, file by file. */
void scenarios_of_opening(void);
void scenarios_of_streams(void);
void scenarios_of_endings(void);
void scenarios_of_errors(void);
void scenarios_of_settings(void);

#endif
