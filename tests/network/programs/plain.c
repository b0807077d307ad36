/* Knows libzmq and PROTOCOL.md alone: reads a topic, calls a service, pushes a job, or pulls one with a credit frame.

   Usage: plain read|call|push|pull ADDRESS

   Values are whole numbers below 128, which are one byte each in MessagePack. */

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

enum { HELLO = 1, BYE, PING, COVER, CARD = 16, OFFER, GRANT, JOBS, ACKS, REQUEST = 30, ANSWER };
enum { HEAD = 20, FALSE = 0xc2, NIL = 0xc0 };

static const char id[17] = "0123456789abcdef";
static void *context, *socket_;
static uint64_t sent, received;
static unsigned char out[1024], in[1 << 16];
static size_t written;
static const unsigned char *at;

/* -- out -- */

static void number(uint64_t value, int bytes) {
    while (bytes--)
        out[written++] = (unsigned char)(value >> 8 * bytes);
}

static void raw(const void *bytes, size_t length) {
    memcpy(out + written, bytes, length);
    written += length;
}

static void byte(int value) { number(value, 1); } /* also a whole number below 128 */
static void array(int length) { byte(0x90 | length); }
static void text(const char *words) { byte(0xa0 | (int)strlen(words)), raw(words, strlen(words)); }
static void binary(const void *bytes, int length) { byte(0xc4), byte(length), raw(bytes, length); }
static void limit(int bytes) { byte(0xce), number(bytes, 4); }

static void begin(int kind) {
    written = 0;
    raw("MQ\2", 3), byte(kind), number(kind < CARD ? 0 : ++sent, 8), number(received, 8);
}

static void send(void) { zmq_send(socket_, out, written, 0); }

/* -- in -- */

static uint64_t take(int bytes) {
    uint64_t value = 0;
    while (bytes--)
        value = value << 8 | *at++;
    return value;
}

static void skip(void) {
    int first = *at++;
    if (first >= 0xcc && first <= 0xd3)
        at += 1 << (first - 0xcc) % 4; /* a whole number of 1, 2, 4 or 8 bytes */
    else if (first == 0xc4)
        at += 1 + at[0];
    else if ((first & 0xe0) == 0xa0)
        at += first & 0x1f;
}

/* Takes the next frame that is not only between two sessions; `at` is its body. */
static int next(void) {
    for (;;) {
        if (zmq_recv(socket_, in, sizeof in, 0) < HEAD)
            continue;
        at = in + 3;
        int kind = (int)take(1);
        uint64_t this = take(8);
        received = this > received ? this : received;
        at = in + HEAD;
        if (kind == BYE)
            return kind;
        if (kind == PING)
            begin(COVER), send();
        else if (kind >= CARD)
            return kind;
    }
}

/* -- what it does -- */

static void say_hello(void) {
    begin(HELLO), array(6), binary(id, 16), text("plain"), text("default"), binary("sessionC", 8), byte(0), byte(FALSE);
    send();
}

static void say_bye(void) { begin(BYE), array(2), text("left"), byte(0), send(); }

static void read_three(void) {
    static const char topic[] = "weather.kitchen"; /* the zero that ends it belongs to it */
    zmq_setsockopt(socket_, ZMQ_SUBSCRIBE, topic, sizeof topic);
    printf("connected\n"), fflush(stdout);
    for (int shown = 0; shown < 3;) {
        zmq_recv(socket_, in, sizeof in, 0);
        at = in + sizeof topic + 4 + 16 + 8 + 4;
        int first = (int)take(8), count = (int)take(4);
        at += 1 + 4 + 4 * count; /* flags, which are 0 or 4 here, held, and lengths, which are 1 */
        for (int index = 0; index < count; index++, shown++)
            printf("%d %d\n", first + index, *at++);
    }
}

static void call(void) {
    say_hello();
    begin(REQUEST), number(0, 4), array(7), binary(id, 16), text("add"), byte(0xca), number(0x40a00000, 4); /* 5.0 */
    byte(0), byte(1), byte(0), byte(NIL);
    out[HEAD + 3] = (unsigned char)(written - HEAD - 4);
    array(2), byte(1), byte(2), send();
    while (next() != ANSWER)
        ;
    const unsigned char *value = at + 4, *start = value;
    value += take(4);
    at = start + 1, skip();
    printf("%d %d\n", *at, *value);
    say_bye();
}

static void push(void) {
    int done = 0;
    say_hello();
    begin(OFFER), array(2), text("jobs"), byte(1), send();
    for (int pushed = 0; !done;) {
        int kind = next();
        if (kind == GRANT && !pushed++) {
            begin(JOBS), byte(4), raw("jobs", 4), raw(id, 16), number(1, 8), number(1, 4), number(1, 2), byte(0);
            number(0, 4), number(0, 4), number(1, 4), byte(42), send();
        } else if (kind == ACKS) {
            at++, skip(), skip(), skip(); /* the array, queue, jobs, bytes */
            for (int groups = *at++ & 15; groups--;)
                at++, skip(), skip(), done |= *at++ & 15; /* the array, origin, begun; the ranges are two numbers */
        }
    }
    printf("done\n");
    say_bye();
}

static void pull(void) {
    say_hello();
    begin(CARD), raw("MQ\2\1\x86", 5), text("id"), binary(id, 16), text("name"), text("plain"), text("mesh");
    text("default"), text("number"), byte(1), text("state"), text("up"), text("pulls"), array(1), text("jobs"), send();
    for (;;) {
        int kind = next();
        if (kind == OFFER) {
            begin(GRANT), array(3), text("jobs"), byte(1), limit(1000), send();
        } else if (kind == JOBS) {
            const unsigned char *origin = at + 1 + at[0];
            at = origin + 16;
            int first = (int)take(8);
            at += 4 + 2 + 1 + 4 + 4 + 4; /* count, attempt, flags, backlog, held, length */
            printf("%d\n", *at);
            begin(ACKS), array(4), text("jobs"), byte(1), limit(1000), array(1), array(3), binary(origin, 16);
            byte(first), array(2), byte(first), byte(first), send();
            break;
        }
    }
    say_bye();
}

int main(int words, char **word) {
    if (words != 3)
        return 2;
    int reads = !strcmp(word[1], "read");
    context = zmq_ctx_new();
    socket_ = zmq_socket(context, reads ? ZMQ_SUB : ZMQ_DEALER);
    zmq_connect(socket_, word[2]);
    if (reads)
        read_three();
    else if (!strcmp(word[1], "call"))
        call();
    else if (!strcmp(word[1], "push"))
        push();
    else
        pull();
    zmq_close(socket_); /* what was sent still leaves: a socket of libzmq lingers */
    zmq_ctx_term(context);
    return 0;
}
