/* How connections end when both sides want them to. */
#include "world.h"

static void open_both(const char *name)
{
    begin(name, AF_INET);
    world.a.habits.to_write = 20000;
    connect_to(&world.a, &world.b);
    run(5 * SECOND);
}

static void initiator_closes(void)
{
    open_both("the initiator closes, then the acceptor");
    close_socket(&world.a);
    run(5 * SECOND);
    close_socket(&world.b);
    run(60 * SECOND);
    end();
}

static void acceptor_closes(void)
{
    open_both("the acceptor closes, then the initiator");
    close_socket(&world.b);
    run(5 * SECOND);
    close_socket(&world.a);
    run(60 * SECOND);
    end();
}

static void closes_at_end(void)
{
    open_both("one closes, the other when it hears of it");
    world.b.habits.closes_at_eof = true;
    close_socket(&world.a);
    run(60 * SECOND);
    end();
}

static void closes_together(void)
{
    open_both("both close at once");
    close_socket(&world.a);
    close_socket(&world.b);
    run(60 * SECOND);
    end();
}

static void half_closed(void)
{
    open_both("one direction ends, the other goes on");
    shut(&world.a, SHUT_WR);
    run(SECOND);
    world.b.habits.to_write = 100000;
    world.b.habits.closes_when_written = true;
    world.a.habits.closes_at_eof = true;
    write_more(&world.b);
    run(60 * SECOND);
    end();
}

static void shut_both(void)
{
    open_both("both ends shut down, then close");
    shut(&world.a, SHUT_WR);
    shut(&world.b, SHUT_WR);
    run(5 * SECOND);
    close_socket(&world.a);
    close_socket(&world.b);
    run(5 * SECOND);
    end();
}

static void deaf(void)
{
    open_both("a side that wants to read no more");
    shut(&world.a, SHUT_RD);
    world.b.habits.to_write = 50000;
    write_more(&world.b);
    run(20 * SECOND);
    close_socket(&world.b);
    run(5 * SECOND);
    close_socket(&world.a);
    run(5 * SECOND);
    end();
}

static void closes_full(void)
{
    begin("closed with data on its way", AF_INET6);
    world.a.habits.to_write = 100000;
    world.a.habits.closes_when_written = true;
    connect_to(&world.a, &world.b);
    run(60 * SECOND);
    close_socket(&world.b);
    run(60 * SECOND);
    end();
}

static void closed_twice(void)
{
    open_both("closed twice");
    close_socket(&world.a);
    world.a.closed = false;
    close_socket(&world.a);
    run(5 * SECOND);
    close_socket(&world.b);
    run(60 * SECOND);
    end();
}

static void writes_after_close(void)
{
    byte bytes[10] = {0};

    open_both("written to after the end");
    shut(&world.a, SHUT_WR);
    note(&world.a, "after shutdown %ld", (long)utp_write(world.a.socket, bytes, 10));
    run(SECOND);
    close_socket(&world.a);
    note(&world.a, "after close %ld", (long)utp_write(world.a.socket, bytes, 10));
    run(SECOND);
    end();
}

static void never_used(void)
{
    begin("a socket that was never connected", AF_INET);
    world.a.socket = utp_create_socket(world.a.context);
    run(SECOND);
    end();
}

static void context_ends(void)
{
    open_both("the context ends with an open socket");
    utp_destroy(world.a.context);
    world.a.context = NULL;
    world.a.socket = NULL;
    close_socket(&world.b);
    world.cut = true;
    /* Time passes for the other side alone. */
    utp_issue_deferred_acks(world.b.context);
    end();
}

static void no_data(void)
{
    begin("closed before it carried data", AF_INET);
    connect_to(&world.a, &world.b);
    run(SECOND);
    close_socket(&world.a);
    run(60 * SECOND);
    end();
}

static void closes_within_read(void)
{
    begin("closed from within the read callback", AF_INET);
    world.b.habits.closes_at_read = true;
    world.a.habits.to_write = 1000;
    world.a.habits.closes_at_eof = true;
    connect_to(&world.a, &world.b);
    run(60 * SECOND);
    end();
}

static void shuts_down_within_connect(void)
{
    begin("shut down from within the connect callback", AF_INET);
    world.a.habits.shuts_down_at_connect = true;
    world.a.habits.to_write = 1000;
    world.b.habits.closes_at_eof = true;
    connect_to(&world.a, &world.b);
    run(5 * SECOND);
    close_socket(&world.a);
    run(60 * SECOND);
    end();
}

static void shut_down_while_connecting(void)
{
    begin("shut down before the answer", AF_INET);
    world.a.habits.to_write = 1000;
    connect_to(&world.a, &world.b);
    shut(&world.a, SHUT_WR);
    run(5 * SECOND);
    close_socket(&world.b);
    run(5 * SECOND);
    close_socket(&world.a);
    run(60 * SECOND);
    end();
}

void scenarios_of_endings(void)
{
    initiator_closes();
    acceptor_closes();
    closes_at_end();
    closes_together();
    half_closed();
    shut_both();
    deaf();
    closes_full();
    closed_twice();
    writes_after_close();
    never_used();
    context_ends();
    no_data();
    closes_within_read();
    shuts_down_within_connect();
    shut_down_while_connecting();
}
