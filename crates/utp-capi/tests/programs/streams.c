/* How bytes flow. */
#include "world.h"

#include <string.h>

static void transfer(int family, const char *name)
{
    begin(name, family);
    world.a.habits.to_write = 300000;
    world.a.habits.shuts_down = true;
    world.b.habits.closes_at_eof = true;
    world.a.habits.closes_at_eof = true;
    connect_to(&world.a, &world.b);
    run(60 * SECOND);
    end();
}

static void both_ways(void)
{
    begin("transfer in both directions", AF_INET6);
    world.a.habits.to_write = 100000;
    world.b.habits.to_write = 200000;
    connect_to(&world.a, &world.b);
    run(60 * SECOND);
    end();
}

static void acceptor_speaks_first(void)
{
    byte bytes[100];

    begin("an acceptor cannot write before it has read", AF_INET);
    world.a.habits.takes_any_bytes = true;
    memset(bytes, 1, sizeof bytes);
    connect_to(&world.a, &world.b);
    note(&world.a, "write before the answer %ld", (long)utp_write(world.a.socket, bytes, 100));
    run(15 * MS);
    note(&world.b, "write before data %ld", (long)utp_write(world.b.socket, bytes, 100));
    world.a.habits.to_write = 1;
    run(SECOND);
    note(&world.b, "write after data %ld", (long)utp_write(world.b.socket, bytes, 100));
    end();
}

static int loses_some(struct side *from, const byte *bytes, size_t len, int number)
{
    (void)from;
    (void)bytes;
    return len > 100 && number % 25 == 0;
}

static void lossy(void)
{
    begin("transfer with losses", AF_INET);
    world.fate = loses_some;
    world.a.habits.to_write = 200000;
    world.a.habits.closes_when_written = true;
    world.b.habits.closes_at_eof = true;
    connect_to(&world.a, &world.b);
    run(300 * SECOND);
    end();
}

static void pieces(void)
{
    char first[] = "one";
    char second[] = "two, which is longer";
    struct utp_iovec vector[1500];
    byte bytes[1500];
    size_t i;

    begin("vectors", AF_INET);
    world.b.habits.takes_any_bytes = true;
    connect_to(&world.a, &world.b);
    run(SECOND);
    for (i = 0; i < sizeof bytes; i++) {
        bytes[i] = (byte)(i * 31 >> 4);
        vector[i].iov_base = &bytes[i];
        vector[i].iov_len = 1;
    }
    note(&world.a, "no element %ld", (long)utp_writev(world.a.socket, vector, 0));
    note(&world.a, "1500 elements %ld", (long)utp_writev(world.a.socket, vector, 1500));
    run(SECOND);
    note(&world.a, "untouched %d", (int)vector[0].iov_len);
    vector[0].iov_base = first;
    vector[0].iov_len = 3;
    vector[1].iov_base = second;
    vector[1].iov_len = 0;
    note(&world.a, "two elements %ld", (long)utp_writev(world.a.socket, vector, 2));
    vector[0].iov_len = 0;
    note(&world.a, "empty %ld", (long)utp_writev(world.a.socket, vector, 2));
    end();
}

static void held_back(void)
{
    begin("a reader that stops and goes on", AF_INET);
    utp_context_set_option(world.b.context, UTP_RCVBUF, 50000);
    world.b.habits.hoards = true;
    world.a.habits.to_write = 400000;
    connect_to(&world.a, &world.b);
    run(20 * SECOND);
    note(&world.b, "it was stopped %d", world.b.read < 60000 && world.a.written < 120000);
    let_go(&world.b);
    run(60 * SECOND);
    end();
}

static void cut_short(void)
{
    byte bytes[20000];
    ssize_t taken;
    int i;

    begin("a write that is cut short is followed by an event", AF_INET);
    world.b.habits.takes_any_bytes = true;
    connect_to(&world.a, &world.b);
    run(SECOND);
    memset(bytes, 0, sizeof bytes);
    taken = utp_write(world.a.socket, bytes, 500);
    note(&world.a, "small write %ld", (long)taken);
    run(SECOND);
    for (i = 0; i < 100; i++)
        taken = utp_write(world.a.socket, bytes, sizeof bytes);
    note(&world.a, "full %ld", (long)taken);
    run(SECOND);
    /* How much fits is another matter. */
    world.b.told_read = world.b.read;
    end();
}

void scenarios_of_streams(void)
{
    transfer(AF_INET, "transfer over IPv4");
    transfer(AF_INET6, "transfer over IPv6");
    both_ways();
    acceptor_speaks_first();
    lossy();
    pieces();
    held_back();
    cut_short();
}
