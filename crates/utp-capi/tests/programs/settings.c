/* What can be set and asked. */
#include "world.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static void options(void)
{
    utp_context *context;
    int option;

    begin("options", AF_INET);
    context = world.a.context;
    note(&world.a, "other version %d", utp_init(1) == NULL && utp_init(3) == NULL);
    for (option = 15; option < 24; option++) {
        note(&world.a, "option %d is %d", option, utp_context_get_option(context, option));
        note(&world.a, "set %d", utp_context_set_option(context, option, 12345));
        note(&world.a, "option %d is now %d", option, utp_context_get_option(context, option));
    }
    world.a.socket = utp_create_socket(context);
    for (option = 15; option < 24; option++) {
        note(&world.a, "socket option %d is %d", option,
             utp_getsockopt(world.a.socket, option));
        note(&world.a, "set %d", utp_setsockopt(world.a.socket, option, 54321));
        note(&world.a, "socket option %d is now %d", option,
             utp_getsockopt(world.a.socket, option));
    }
    note(&world.a, "those of the context stay %d",
         utp_context_get_option(context, UTP_SNDBUF));
    end();
}

static void userdata(void)
{
    int thing;

    begin("user data", AF_INET);
    world.a.socket = utp_create_socket(world.a.context);
    note(&world.a, "none %d", utp_get_userdata(world.a.socket) == NULL);
    note(&world.a, "set %d", utp_set_userdata(world.a.socket, &thing) == &thing);
    note(&world.a, "kept %d", utp_get_userdata(world.a.socket) == &thing);
    note(&world.a, "of the context %d", utp_context_get_userdata(world.a.context) == &world.a);
    note(&world.a, "context %d", utp_get_context(world.a.socket) == world.a.context);
    end();
}

static void peer_names(void)
{
    struct sockaddr_in name;
    socklen_t len;

    begin("the name of the peer", AF_INET);
    world.a.socket = utp_create_socket(world.a.context);
    len = sizeof name;
    note(&world.a, "unconnected %d",
         utp_getpeername(world.a.socket, (struct sockaddr *)(void *)&name, &len));
    connect_to(&world.a, &world.b);
    for (len = 4; len <= 32; len += 4) {
        socklen_t room = len;

        memset(&name, 0, sizeof name);
        if (len > sizeof name)
            break;
        note(&world.a, "room %u", (unsigned)room);
        note(&world.a, "got %d",
             utp_getpeername(world.a.socket, (struct sockaddr *)(void *)&name, &room));
        note(&world.a, "len %u port %d", (unsigned)room, ntohs(name.sin_port));
    }
    end();
}

static void delays(void)
{
    uint32 ours = 7, theirs = 7, age = 7;

    begin("delays", AF_INET);
    world.a.socket = utp_create_socket(world.a.context);
    note(&world.a, "unconnected %d", utp_get_delays(world.a.socket, &ours, &theirs, &age));
    note(&world.a, "%u %u %u", ours, theirs, age);
    world.a.habits.tells_delays = true;
    world.a.habits.to_write = 200000;
    connect_to(&world.a, &world.b);
    run(20 * SECOND);
    note(&world.a, "connected %d", utp_get_delays(world.a.socket, &ours, &theirs, &age));
    note(&world.a, "%u us %u us, %s", ours, theirs, age > 0 && age < 20000 ? "old" : "fresh");
    note(&world.a, "nowhere %d", utp_get_delays(world.a.socket, NULL, NULL, NULL));
    end();
}

static void context_counts(void)
{
    utp_context_stats *stats;
    int i;

    begin("counters of the context", AF_INET);
    stats = utp_get_context_stats(world.a.context);
    for (i = 0; i < 5; i++)
        note(&world.a, "bucket %d: %u %u", i, stats->_nraw_recv[i], stats->_nraw_send[i]);
    world.a.habits.to_write = 100;
    connect_to(&world.a, &world.b);
    run(SECOND);
    note(&world.a, "the same place %d", utp_get_context_stats(world.a.context) == stats);
    note(&world.a, "received small ones %d", stats->_nraw_recv[0] >= 1);
    note(&world.a, "sent one of 120 bytes %d", stats->_nraw_send[1] >= 1);
    note(&world.a, "none larger %u %u", stats->_nraw_send[2] + stats->_nraw_send[3],
         stats->_nraw_send[4]);
    end();
}

static void note_overhead(struct side *side)
{
    int sent, type;

    for (sent = 0; sent < 2; sent++)
        for (type = 0; type < 6; type++)
            note(side, "%s, type %d: %s", sent ? "sent" : "received", type,
                 side->overhead[sent][type] > 0 ? "some" : "none");
}

static int loses_data(struct side *from, const byte *bytes, size_t len, int number)
{
    (void)len;
    return from == &world.a && bytes[0] >> 4 == 0 && number < 6;
}

static void overhead_of_resends(void)
{
    begin("bytes that are sent again", AF_INET6);
    world.a.habits.counts_overhead = true;
    world.a.habits.to_write = 1000;
    world.fate = loses_data;
    connect_to(&world.a, &world.b);
    run(10 * SECOND);
    note_overhead(&world.a);
    end();
}

static void overhead(void)
{
    begin("bytes that carry no stream", AF_INET);
    world.a.habits.counts_overhead = true;
    world.b.habits.counts_overhead = true;
    world.a.habits.to_write = 1000;
    connect_to(&world.a, &world.b);
    run(5 * SECOND);
    world.b.habits.to_write = 1000;
    write_more(&world.b);
    run(5 * SECOND);
    close_socket(&world.b);
    run(5 * SECOND);
    close_socket(&world.a);
    run(5 * SECOND);
    note_overhead(&world.a);
    note_overhead(&world.b);
    end();
}

static void names(void)
{
    int i;

    begin("names", AF_INET);
    note(&world.a, "no state 0 %d", utp_state_names[0] == NULL);
    for (i = 1; i < 5; i++)
        note(&world.a, "%s", utp_state_names[i]);
    for (i = 0; i < 3; i++)
        note(&world.a, "%s", utp_error_code_names[i]);
    for (i = 0; i < 16; i++)
        note(&world.a, "%s", utp_callback_names[i]);
    end();
}

void scenarios_of_settings(void)
{
    options();
    userdata();
    peer_names();
    delays();
    context_counts();
    overhead();
    overhead_of_resends();
    names();
}
