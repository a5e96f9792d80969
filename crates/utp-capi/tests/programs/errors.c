/* How connections fail, and what is no packet at all. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#define STATE 2
#define RESET 3
#define SYN 4

static void open_both(const char *name, int family)
{
    begin(name, family);
    world.a.habits.to_write = 20000;
    connect_to(&world.a, &world.b);
    run(5 * SECOND);
}

static void vanishes(void)
{
    open_both("the peer vanishes", AF_INET);
    world.cut = true;
    world.a.habits.to_write = 40000;
    write_more(&world.a);
    run(60 * SECOND);
    end();
}

static void vanishes_after_close(void)
{
    open_both("the peer vanishes and the socket is closed", AF_INET);
    world.cut = true;
    close_socket(&world.a);
    run(60 * SECOND);
    end();
}

static void error_without_close(void)
{
    open_both("an error that nobody closes for", AF_INET);
    world.a.habits.closes_at_error = false;
    world.cut = true;
    world.a.habits.to_write = 40000;
    write_more(&world.a);
    run(60 * SECOND);
    close_socket(&world.a);
    run(SECOND);
    end();
}

/* A reset that answers what a side has sent last: its id, and its number in the place of the ack. */
static void reset(struct side *side, struct side *peer, int type)
{
    size_t len;
    const byte *sent = last_sent(side, type, &len);
    byte packet[20];

    memset(packet, 0, sizeof packet);
    packet[0] = RESET << 4 | 1;
    packet[2] = sent[2];
    packet[3] = sent[3];
    packet[18] = sent[16];
    packet[19] = sent[17];
    note(side, "reset taken %d", inject(side, peer, packet, sizeof packet));
}

static void is_reset(void)
{
    open_both("reset by the peer", AF_INET);
    reset(&world.a, &world.b, 0);
    run(5 * SECOND);
    end();
}

static void is_reset_while_connecting(void)
{
    begin("reset while it connects", AF_INET);
    world.cut = true;
    connect_to(&world.a, &world.b);
    reset(&world.a, &world.b, SYN);
    run(5 * SECOND);
    end();
}

static int icmp(struct side *side, struct side *peer, const byte *quoted, size_t len)
{
    return utp_process_icmp_error(side->context, quoted, len,
                                  (const struct sockaddr *)(const void *)&peer->address,
                                  peer->address_len);
}

static void unreachable_while_connecting(int family, const char *name)
{
    size_t len;
    const byte *syn;

    begin(name, family);
    world.cut = true;
    connect_to(&world.a, &world.b);
    syn = last_sent(&world.a, SYN, &len);
    note(&world.a, "too short %d", icmp(&world.a, &world.b, syn, 19));
    note(&world.a, "of another %d", icmp(&world.a, &world.a, syn, len));
    note(&world.a, "taken %d", icmp(&world.a, &world.b, syn, 20));
    run(5 * SECOND);
    end();
}

static void unreachable_while_connected(void)
{
    size_t len;
    const byte *data;

    open_both("ICMP says that nobody is there, of a connection", AF_INET);
    data = last_sent(&world.a, 0, &len);
    note(&world.a, "taken %d", icmp(&world.a, &world.b, data, len));
    run(5 * SECOND);
    end();
}

static void too_large(void)
{
    size_t len;
    const byte *data;
    byte stray[20];

    open_both("ICMP says that packets are too large", AF_INET);
    data = last_sent(&world.a, 0, &len);
    memset(stray, 0, sizeof stray);
    stray[0] = 1;
    note(&world.a, "taken %d",
         utp_process_icmp_fragmentation(world.a.context, data, len,
                                        (const struct sockaddr *)(const void *)&world.b.address,
                                        world.b.address_len, 1300));
    note(&world.a, "of nobody %d",
         utp_process_icmp_fragmentation(world.a.context, stray, sizeof stray,
                                        (const struct sockaddr *)(const void *)&world.b.address,
                                        world.b.address_len, 1300));
    world.a.habits.to_write = 100000;
    world.a.habits.closes_when_written = true;
    write_more(&world.a);
    run(20 * SECOND);
    end();
}

static void not_ours(void)
{
    static const char query[] = "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
    byte packet[40];
    int type;

    open_both("what is uTP and what is not", AF_INET);
    memset(packet, 0, sizeof packet);
    note(&world.b, "a query %d",
         inject(&world.b, &world.a, (const byte *)query, sizeof query - 1));
    note(&world.b, "nothing %d", inject(&world.b, &world.a, packet, 0));
    for (type = 0; type < 16; type++) {
        packet[0] = (byte)(type << 4 | 1);
        packet[3] = 77;
        note(&world.b, "type %d: %d", type, inject(&world.b, &world.a, packet, 20));
        note(&world.b, "type %d, short: %d", type, inject(&world.b, &world.a, packet, 19));
    }
    packet[0] = 0x02;
    note(&world.b, "version 2: %d", inject(&world.b, &world.a, packet, 20));
    packet[0] = 0x21;
    packet[1] = 1;
    packet[21] = 200;
    note(&world.b, "past its end: %d", inject(&world.b, &world.a, packet, 40));
    end();
}

void scenarios_of_errors(void)
{
    vanishes();
    vanishes_after_close();
    error_without_close();
    is_reset();
    is_reset_while_connecting();
    unreachable_while_connecting(AF_INET, "ICMP says that nobody is there");
    unreachable_while_connecting(AF_INET6, "ICMP says that nobody is there, over IPv6");
    unreachable_while_connected();
    too_large();
    not_ours();
}
