/* One bottle room behind libmodbus: two LPG detectors (units 1 and 2) with their value in holding register 0 and their
 * status in 1, and a valve (unit 3) that coil 0 closes, with its limits in discrete inputs 0 and 1.
 * With the arguments "rtu DEVICE UNIT" it is that unit alone on a serial line at 19,200 baud, even parity, "port 0".
 * Standard input: "gas UNIT TENTHS", "status UNIT CODE". Standard output: "port N", then "coil UNIT VALUE" at each
 * write. */

#include <errno.h>
#include <modbus.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

enum { UNITS = 4 };

static modbus_mapping_t *map[UNITS];

/* Takes one line of orders; 0 at the end of standard input. */
static int order(void)
{
    char what[16], line[128];
    int unit, value;
    if (!fgets(line, sizeof line, stdin)) return 0;
    if (sscanf(line, "%15s %d %d", what, &unit, &value) == 3 && unit > 0 && unit < UNITS)
        map[unit]->tab_registers[strcmp(what, "gas") ? 1 : 0] = (uint16_t)value;
    return 1;
}

/* Answers one request; 0 where the peer has gone. */
static int answer(modbus_t *ctx, int fd)
{
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    modbus_set_socket(ctx, fd);
    int got = modbus_receive(ctx, query);
    if (got < 0) return 0;
    int head = modbus_get_header_length(ctx), unit = query[head - 1], function = query[head];
    if (got == 0 || unit < 1 || unit >= UNITS) return 1;
    modbus_reply(ctx, query, got, map[unit]);
    if (function == 5) {
        /* Withdrawing the demand does not open a valve. */
        map[unit]->tab_input_bits[0] |= map[unit]->tab_bits[0];
        map[unit]->tab_input_bits[1] = !map[unit]->tab_input_bits[0];
        printf("coil %d %d\n", unit, map[unit]->tab_bits[0]);
        fflush(stdout);
    }
    return 1;
}

/* One unit on a serial line. What it hears of others it passes over, as libmodbus does. */
static int serve_port(modbus_t *ctx, int unit)
{
    if (modbus_set_slave(ctx, unit) || modbus_connect(ctx)) return 1;
    int fd = modbus_get_socket(ctx);
    printf("port 0\n");
    fflush(stdout);
    setvbuf(stdin, NULL, _IONBF, 0);
    for (;;) {
        fd_set ready;
        FD_ZERO(&ready);
        FD_SET(fd, &ready);
        FD_SET(0, &ready);
        if (select(fd + 1, &ready, NULL, NULL, NULL) < 0) return errno == EINTR ? 0 : 1;
        if (FD_ISSET(0, &ready) && !order()) return 0;
        /* Noise is no reason to leave the line. */
        if (FD_ISSET(fd, &ready) && !answer(ctx, fd)) modbus_flush(ctx);
    }
}

int main(int argc, char **argv)
{
    int serial = argc == 4;
    modbus_t *ctx = serial ? modbus_new_rtu(argv[2], 19200, 'E', 8, 1) : modbus_new_tcp("127.0.0.1", 0);
    if (!ctx) return 1;
    for (int unit = 1; unit < UNITS; unit++) {
        map[unit] = modbus_mapping_new(8, 8, 16, 16);
        if (!map[unit]) return 1;
        map[unit]->tab_input_bits[1] = 1;
    }
    if (serial) return serve_port(ctx, atoi(argv[3]));
    int listener = modbus_tcp_listen(ctx, 4);
    struct sockaddr_in at;
    socklen_t length = sizeof at;
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&at, &length)) return 1;
    printf("port %d\n", ntohs(at.sin_port));
    fflush(stdout);
    /* What select cannot see must not wait in a buffer. */
    setvbuf(stdin, NULL, _IONBF, 0);
    fd_set all;
    FD_ZERO(&all);
    FD_SET(listener, &all);
    FD_SET(0, &all);
    int highest = listener;
    for (;;) {
        fd_set ready = all;
        if (select(highest + 1, &ready, NULL, NULL, NULL) < 0) return errno == EINTR ? 0 : 1;
        for (int fd = 0; fd <= highest; fd++) {
            if (!FD_ISSET(fd, &ready)) continue;
            if (fd == 0) {
                if (!order()) return 0;
            } else if (fd == listener) {
                int peer = accept(listener, NULL, NULL);
                if (peer >= 0 && peer < FD_SETSIZE) {
                    FD_SET(peer, &all);
                    if (peer > highest) highest = peer;
                }
            } else if (!answer(ctx, fd)) {
                close(fd);
                FD_CLR(fd, &all);
            }
        }
    }
}
