/* How connections begin. */
#include "world.h"

#include <arpa/inet.h>
#include <string.h>

static void connects(int family, const char *name)
{
    begin(name, family);
    connect_to(&world.a, &world.b);
    run(SECOND);
    end();
}

static void connects_without_callback(void)
{
    begin("connect told as a state", AF_INET);
    world.a.habits.has_no_connect_callback = true;
    connect_to(&world.a, &world.b);
    run(SECOND);
    end();
}

static void mapped_address(void)
{
    struct side mapped;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&mapped.address;
    struct sockaddr_in6 peer;
    socklen_t len = sizeof peer;

    begin("an IPv4 address within IPv6", AF_INET);
    memset(&mapped, 0, sizeof mapped);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(1002);
    inet_pton(AF_INET6, "::ffff:10.0.0.2", &in6->sin6_addr);
    mapped.address_len = sizeof *in6;
    connect_to(&world.a, &mapped);
    run(SECOND);
    memset(&peer, 0, sizeof peer);
    note(&world.a, "getpeername %d",
         utp_getpeername(world.a.socket, (struct sockaddr *)(void *)&peer, &len));
    note(&world.a, "family %s len %u", peer.sin6_family == AF_INET ? "IPv4" : "IPv6",
         (unsigned)len);
    end();
}

static void rejected(void)
{
    begin("rejected by the firewall callback", AF_INET);
    world.b.habits.rejects = true;
    connect_to(&world.a, &world.b);
    run(25 * SECOND);
    end();
}

static void nobody_accepts(void)
{
    begin("nobody accepts", AF_INET);
    world.b.habits.accepts_nobody = true;
    connect_to(&world.a, &world.b);
    run(25 * SECOND);
    end();
}

static void nobody_there(void)
{
    begin("nobody is there", AF_INET6);
    world.cut = true;
    connect_to(&world.a, &world.b);
    run(25 * SECOND);
    end();
}

static void closed_at_accept(void)
{
    begin("closed when it is accepted", AF_INET);
    world.b.habits.closes_at_accept = true;
    world.a.habits.to_write = 1000;
    connect_to(&world.a, &world.b);
    run(60 * SECOND);
    end();
}

static void closed_before_answer(void)
{
    begin("closed before the answer", AF_INET);
    connect_to(&world.a, &world.b);
    close_socket(&world.a);
    run(SECOND);
    end();
}

static void connects_twice(void)
{
    begin("connected twice", AF_INET);
    connect_to(&world.a, &world.b);
    note(&world.a, "again %d",
         utp_connect(world.a.socket,
                     (const struct sockaddr *)(const void *)&world.b.address,
                     world.b.address_len));
    end();
}

static int loses_first_state(struct side *from, const byte *bytes, size_t len, int number)
{
    (void)len;
    return from == &world.b && bytes[0] >> 4 == 2 && number < 4;
}

static void lost_answer(void)
{
    begin("the answer to the SYN is lost", AF_INET);
    world.fate = loses_first_state;
    connect_to(&world.a, &world.b);
    run(25 * SECOND);
    end();
}

static void both_connect(void)
{
    begin("both connect to each other", AF_INET);
    connect_to(&world.a, &world.b);
    connect_to(&world.b, &world.a);
    run(SECOND);
    end();
}

static void connects_back(void)
{
    begin("connects back from within the accept callback", AF_INET);
    world.b.habits.connects_back = true;
    connect_to(&world.a, &world.b);
    run(5 * SECOND);
    end();
}

static void several_connections(void)
{
    utp_socket *sockets[5];
    int i;

    begin("several connections of two contexts", AF_INET);
    for (i = 0; i < 5; i++) {
        connect_to(&world.a, &world.b);
        sockets[i] = world.a.socket;
    }
    run(SECOND);
    for (i = 0; i < 5; i++)
        note(&world.a, "context %d", utp_get_context(sockets[i]) == world.a.context);
    end();
}

void scenarios_of_opening(void)
{
    connects(AF_INET, "connect over IPv4");
    connects(AF_INET6, "connect over IPv6");
    connects_without_callback();
    mapped_address();
    rejected();
    nobody_accepts();
    nobody_there();
    closed_at_accept();
    closed_before_answer();
    connects_twice();
    lost_answer();
    both_connect();
    connects_back();
    several_connections();
}
