#include "world.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELAY (10 * MS)
#define TICK (50 * MS)
#define TYPES 5

struct datagram {
    struct datagram *next;
    struct side *to;
    uint64 arrives_at;
    size_t len;
    byte bytes[2048];
};

struct sent {
    size_t len;
    byte bytes[2048];
};

struct world world;

static struct sent last_of[2][TYPES];
static unsigned random_state;

static struct side *side_of(utp_context *context)
{
    return (struct side *)utp_context_get_userdata(context);
}

static struct side *other(struct side *side)
{
    return side == &world.a ? &world.b : &world.a;
}

void note(struct side *side, const char *format, ...)
{
    char line[64];
    size_t len;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (strcmp(line, side->last) == 0)
        return;
    strcpy(side->last, line);
    len = strlen(line);
    side->log = (char *)realloc(side->log, side->log_len + len + 5);
    sprintf(side->log + side->log_len, "%c: %s\n", side->name, line);
    side->log_len += len + 4;
}

/* Bytes come in pieces of any size: only how many they are, up to the next event, is told. */
static void note_read(struct side *side)
{
    if (side->read > side->told_read)
        note(side, "READ to %lu", (unsigned long)side->read);
    side->told_read = side->read;
}

static void note_event(struct side *side, const char *format, int number)
{
    note_read(side);
    note(side, format, number);
}

static void note_address(struct side *side, const char *what, const struct sockaddr *address,
                         socklen_t len)
{
    char text[64];
    char line[96];
    unsigned port;

    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        port = ntohs(in->sin_port);
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        port = ntohs(in6->sin6_port);
    }
    sprintf(line, "%s %s %u len %u", what, text, port, (unsigned)len);
    note_read(side);
    note(side, "%s", line);
}

static uint64 on_send(utp_callback_arguments *arguments)
{
    struct side *from = side_of(arguments->context);
    struct datagram *datagram;
    int type = arguments->buf[0] >> 4;

    if (type < TYPES && arguments->len <= sizeof last_of[0][0].bytes) {
        struct sent *sent = &last_of[from == &world.b][type];
        sent->len = arguments->len;
        memcpy(sent->bytes, arguments->buf, arguments->len);
    }
    world.sent++;
    if (world.cut || arguments->len > sizeof datagram->bytes)
        return 0;
    if (world.fate && world.fate(from, arguments->buf, arguments->len, world.sent))
        return 0;
    datagram = (struct datagram *)malloc(sizeof *datagram);
    datagram->next = NULL;
    datagram->to = other(from);
    datagram->arrives_at = world.now + DELAY;
    datagram->len = arguments->len;
    memcpy(datagram->bytes, arguments->buf, arguments->len);
    if (world.last)
        world.last->next = datagram;
    else
        world.first = datagram;
    world.last = datagram;
    return 0;
}

static uint64 on_firewall(utp_callback_arguments *arguments)
{
    struct side *side = side_of(arguments->context);

    note_address(side, "FIREWALL", arguments->address, arguments->address_len);
    return side->habits.rejects;
}

static uint64 on_accept(utp_callback_arguments *arguments)
{
    struct side *side = side_of(arguments->context);

    note_address(side, "ACCEPT", arguments->address, arguments->address_len);
    side->socket = arguments->socket;
    utp_set_userdata(arguments->socket, side);
    if (side->habits.closes_at_accept)
        close_socket(side);
    if (side->habits.connects_back) {
        side->habits.connects_back = false;
        connect_to(side, other(side));
    }
    return 0;
}

static uint64 on_connect(utp_callback_arguments *arguments)
{
    struct side *side = side_of(arguments->context);

    note_event(side, "CONNECT", 0);
    side->may_write = true;
    write_more(side);
    if (side->habits.shuts_down_at_connect)
        shut(side, SHUT_WR);
    return 0;
}

static uint64 on_error(utp_callback_arguments *arguments)
{
    struct side *side = side_of(arguments->context);

    note_read(side);
    note(side, "ERROR %s", utp_error_code_names[arguments->error_code]);
    if (side->habits.closes_at_error)
        close_socket(side);
    return 0;
}

static uint64 on_read(utp_callback_arguments *arguments)
{
    struct side *side = side_of(arguments->context);
    size_t i;

    if (arguments->len == 0)
        note(side, "READ of nothing");
    for (i = 0; i < arguments->len && !side->habits.takes_any_bytes; i++) {
        if (arguments->buf[i] != (byte)((side->read + i) * 31 >> 4)) {
            note(side, "READ a wrong byte at %lu", (unsigned long)(side->read + i));
            side->habits.takes_any_bytes = true;
        }
    }
    side->read += arguments->len;
    if (side->habits.hoards)
        side->held += arguments->len;
    if (side->habits.closes_at_read) {
        /* How much came with the first piece is another matter. */
        side->told_read = side->read;
        close_socket(side);
        return 0;
    }
    if (!side->may_write) {
        side->may_write = true;
        write_more(side);
    }
    return 0;
}

static uint64 on_state(utp_callback_arguments *arguments)
{
    struct side *side = side_of(arguments->context);

    /* How often a write is cut short depends on the window. */
    if (arguments->state != UTP_STATE_WRITABLE)
        note_read(side);
    note(side, "STATE %s", utp_state_names[arguments->state]);
    switch (arguments->state) {
    case UTP_STATE_CONNECT:
        side->may_write = true;
        write_more(side);
        break;
    case UTP_STATE_WRITABLE:
        write_more(side);
        break;
    case UTP_STATE_EOF:
        if (side->habits.closes_at_eof)
            close_socket(side);
        break;
    case UTP_STATE_DESTROYING:
        side->socket = NULL;
        break;
    default:
        break;
    }
    return 0;
}

static uint64 on_read_buffer_size(utp_callback_arguments *arguments)
{
    return side_of(arguments->context)->held;
}

static uint64 on_overhead(utp_callback_arguments *arguments)
{
    struct side *side = side_of(arguments->context);

    side->overhead[arguments->send][arguments->type] += arguments->len;
    return 0;
}

static uint64 on_delay_sample(utp_callback_arguments *arguments)
{
    struct side *side = side_of(arguments->context);

    if (arguments->sample_ms != side->told_delay)
        note(side, "DELAY %d ms", arguments->sample_ms);
    side->told_delay = arguments->sample_ms;
    return 0;
}

static uint64 on_microseconds(utp_callback_arguments *arguments)
{
    (void)arguments;
    return world.now;
}

static uint64 on_milliseconds(utp_callback_arguments *arguments)
{
    (void)arguments;
    return world.now / MS;
}

/* Fifteen bits: numbers from 0x8000 on switch the fast resends of libutp off. */
static uint64 on_random(utp_callback_arguments *arguments)
{
    (void)arguments;
    random_state = random_state * 1103515245u + 12345u;
    return (random_state >> 16) & 0x7fff;
}

static void set_address(struct side *side, int family, const char *text, int port)
{
    memset(&side->address, 0, sizeof side->address);
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)&side->address;
        in->sin_family = AF_INET;
        in->sin_port = htons((unsigned short)port);
        inet_pton(AF_INET, text, &in->sin_addr);
        side->address_len = sizeof *in;
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&side->address;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((unsigned short)port);
        inet_pton(AF_INET6, text, &in6->sin6_addr);
        side->address_len = sizeof *in6;
    }
}

static void begin_side(struct side *side, char name)
{
    utp_context *context = utp_init(2);

    memset(side, 0, sizeof *side);
    side->name = name;
    side->context = context;
    side->habits.closes_at_error = true;
    side->told_delay = -1;
    utp_context_set_userdata(context, side);
    utp_set_callback(context, UTP_SENDTO, on_send);
    utp_set_callback(context, UTP_ON_FIREWALL, on_firewall);
    utp_set_callback(context, UTP_ON_ACCEPT, on_accept);
    utp_set_callback(context, UTP_ON_CONNECT, on_connect);
    utp_set_callback(context, UTP_ON_ERROR, on_error);
    utp_set_callback(context, UTP_ON_READ, on_read);
    utp_set_callback(context, UTP_ON_STATE_CHANGE, on_state);
    utp_set_callback(context, UTP_GET_READ_BUFFER_SIZE, on_read_buffer_size);
    utp_set_callback(context, UTP_GET_MILLISECONDS, on_milliseconds);
    utp_set_callback(context, UTP_GET_MICROSECONDS, on_microseconds);
    utp_set_callback(context, UTP_GET_RANDOM, on_random);
}

void begin(const char *name, int family)
{
    printf("== %s\n", name);
    memset(&world, 0, sizeof world);
    memset(last_of, 0, sizeof last_of);
    world.now = 100 * SECOND;
    world.next_tick = world.now + TICK;
    random_state = 7;
    begin_side(&world.a, 'A');
    begin_side(&world.b, 'B');
    set_address(&world.a, family, family == AF_INET ? "10.0.0.1" : "fd00::1", 1001);
    set_address(&world.b, family, family == AF_INET ? "10.0.0.2" : "fd00::2", 1002);
}

/* Habits that are callbacks; they may be changed until time passes. */
static void apply_habits(struct side *side)
{
    if (side->habits.accepts_nobody)
        utp_set_callback(side->context, UTP_ON_ACCEPT, NULL);
    if (side->habits.has_no_connect_callback)
        utp_set_callback(side->context, UTP_ON_CONNECT, NULL);
    if (side->habits.counts_overhead)
        utp_set_callback(side->context, UTP_ON_OVERHEAD_STATISTICS, on_overhead);
    if (side->habits.tells_delays)
        utp_set_callback(side->context, UTP_ON_DELAY_SAMPLE, on_delay_sample);
}

static void tick(void)
{
    utp_check_timeouts(world.a.context);
    utp_check_timeouts(world.b.context);
    world.next_tick += TICK;
}

/* Hands in what arrives now; each side sees a batch, then its end. */
static void deliver(void)
{
    while (world.first && world.first->arrives_at <= world.now) {
        struct datagram *datagram = world.first;
        struct side *from = other(datagram->to);

        world.first = datagram->next;
        if (!world.first)
            world.last = NULL;
        utp_process_udp(datagram->to->context, datagram->bytes, datagram->len,
                        (const struct sockaddr *)(const void *)&from->address,
                        from->address_len);
        free(datagram);
    }
    utp_issue_deferred_acks(world.a.context);
    utp_issue_deferred_acks(world.b.context);
}

void run(uint64 us)
{
    uint64 until = world.now + us;

    apply_habits(&world.a);
    apply_habits(&world.b);
    while (world.now < until) {
        uint64 next = world.next_tick < until ? world.next_tick : until;

        if (world.first && world.first->arrives_at < next)
            next = world.first->arrives_at;
        world.now = next;
        deliver();
        if (world.now >= world.next_tick)
            tick();
    }
}

static void end_side(struct side *side)
{
    note_read(side);
    if (side->context) {
        note(side, "destroy");
        utp_destroy(side->context);
        side->context = NULL;
    }
    printf("%s", side->log);
    free(side->log);
    side->log = NULL;
}

void end(void)
{
    world.cut = true;
    end_side(&world.a);
    end_side(&world.b);
    while (world.first) {
        struct datagram *datagram = world.first;
        world.first = datagram->next;
        free(datagram);
    }
}

void connect_to(struct side *from, struct side *to)
{
    apply_habits(&world.a);
    apply_habits(&world.b);
    from->socket = utp_create_socket(from->context);
    utp_set_userdata(from->socket, from);
    note(from, "connect %d",
         utp_connect(from->socket, (const struct sockaddr *)(const void *)&to->address,
                     to->address_len));
}

void write_more(struct side *side)
{
    while (side->may_write && side->written < side->habits.to_write) {
        byte bytes[10000];
        size_t len = side->habits.to_write - side->written;
        ssize_t taken;
        size_t i;

        if (len > sizeof bytes)
            len = sizeof bytes;
        for (i = 0; i < len; i++)
            bytes[i] = (byte)((side->written + i) * 31 >> 4);
        taken = utp_write(side->socket, bytes, len);
        if (taken <= 0)
            return;
        side->written += (size_t)taken;
    }
    if (side->written < side->habits.to_write || !side->may_write)
        return;
    if (side->habits.shuts_down && !side->shut_down)
        shut(side, SHUT_WR);
    if (side->habits.closes_when_written)
        close_socket(side);
}

void shut(struct side *side, int how)
{
    side->shut_down = true;
    note_event(side, "shutdown %d", how);
    utp_shutdown(side->socket, how);
}

void close_socket(struct side *side)
{
    if (side->closed)
        return;
    side->closed = true;
    note_event(side, "close", 0);
    utp_close(side->socket);
}

void let_go(struct side *side)
{
    side->held = 0;
    side->habits.hoards = false;
    utp_read_drained(side->socket);
}

int inject(struct side *to, struct side *from, const byte *bytes, size_t len)
{
    return utp_process_udp(to->context, bytes, len,
                           (const struct sockaddr *)(const void *)&from->address,
                           from->address_len);
}

const byte *last_sent(struct side *side, int type, size_t *len)
{
    struct sent *sent = &last_of[side == &world.b][type];

    *len = sent->len;
    return sent->bytes;
}
