/* load: walks people through whole dialogues over HTTP, one message after the other, and times every answer.
 *
 *   load -p PORT -f FILE -a FIRST -b LAST -c LANES -t SECONDS [-r RATE] [-n MOST] [-m MARK] [-k EVERY -o SAMPLE]
 *
 * FILE holds pre-made requests: [u32 dialogue][u32 length][HTTP request], dialogues 0, 1, 2 … in order. Dialogues
 * FIRST to LAST-1 are used. A lane is one kept-alive connection to 127.0.0.1 that takes a dialogue, sends its messages
 * in order (at most MOST of them), each after the answer to the one before, then takes the next dialogue.
 *
 * Without -r a lane sends as soon as it is answered. With -r the k-th message of lane i is due at (k*LANES + i)/RATE
 * seconds, and its time counts from then: a stall is charged to every message that it delayed.
 * An answer is good when its status is 200 and MARK is in its body, blank when it says `success` or nothing: the reply
 * is to come otherwise. -k: every other answer of each EVERY-th dialogue goes to SAMPLE as
 * [u32 dialogue][u32 turn][u32 length][body]. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    const char *bytes;
    uint32_t length, dialogue, turn;
} message;

typedef struct {
    int fd, number, busy, writing, over, whole;
    size_t next, end; /* messages of the dialogue under way that are still to be sent */
    size_t faults, sent, got, room, turns;
    uint64_t since;
    char *in;
} lane;

static int port, lanes_wanted = 16, every, epoll, timer;
static const char *file, *mark, *sample_path;
static size_t first, last, most, messages_known;
static double seconds = 10, rate;

static message *messages;
static size_t *starts, next_dialogue; /* starts[d]: the first message of dialogue d */
static lane *lanes;
static FILE *sample;
static uint64_t begun, until, last_answer, latest, *times;
static size_t answers, good, blank, bad, broken, walked, complete;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

static void stop(const char *what)
{
    perror(what);
    exit(1);
}

static void read_file(void)
{
    struct stat known;
    int fd = open(file, O_RDONLY);
    if (fd < 0 || fstat(fd, &known) < 0) stop(file);
    size_t size = known.st_size, dialogues = 0, room = 0;
    const char *all = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (all == MAP_FAILED) stop("mmap");
    for (size_t at = 0; at + 8 <= size; messages_known++) {
        if (messages_known == room) {
            room = room ? room * 2 : 4096;
            messages = realloc(messages, room * sizeof *messages);
            starts = realloc(starts, (room + 1) * sizeof *starts);
            if (!messages || !starts) stop("memory");
        }
        message *m = &messages[messages_known];
        memcpy(&m->dialogue, all + at, 4);
        memcpy(&m->length, all + at + 4, 4);
        m->bytes = all + at + 8;
        at += 8 + m->length;
        if (m->dialogue == dialogues) starts[dialogues++] = messages_known;
        m->turn = messages_known - starts[dialogues - 1];
        starts[dialogues] = messages_known + 1;
    }
    if (!last || last > dialogues) last = dialogues;
    next_dialogue = first;
}

static uint64_t due(const lane *l)
{
    return begun + (uint64_t)((double)(l->turns * lanes_wanted + l->number) * 1e9 / rate);
}

static void hang_up(lane *l)
{
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
    l->got = l->writing = 0;
}

static void watch(lane *l, int writing)
{
    if (writing == l->writing) return;
    struct epoll_event event = { .events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = l };
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, l->fd, &event) < 0) stop("epoll_ctl");
    l->writing = writing;
}

static void dial(lane *l)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct epoll_event event = { .events = EPOLLOUT, .data.ptr = l };
    int on = 1;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (l->fd < 0) stop("socket");
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(l->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) stop("connect");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, l->fd, &event) < 0) stop("epoll_ctl");
    l->writing = 1;
}

static void go_on(lane *l);

static void lost(lane *l) /* no answer came: the rest of the dialogue would be another story */
{
    broken++;
    hang_up(l);
    l->busy = 0, l->next = l->end;
    go_on(l);
}

static void push(lane *l)
{
    const message *m = &messages[l->next];
    while (l->sent < m->length) {
        ssize_t wrote = send(l->fd, m->bytes + l->sent, m->length - l->sent, MSG_NOSIGNAL);
        if (wrote < 0 && (errno == EAGAIN || errno == ENOTCONN)) return watch(l, 1);
        if (wrote < 0) return lost(l);
        l->sent += wrote;
    }
    watch(l, 0);
}

static void go_on(lane *l) /* a free lane: its next message, when there is one and its time has come */
{
    uint64_t at = now();
    if (l->next == l->end) {
        l->over = next_dialogue >= last || at >= until;
        if (l->over) return;
        l->next = starts[next_dialogue];
        l->end = starts[++next_dialogue];
        l->whole = !most || l->end - l->next <= most;
        if (!l->whole) l->end = l->next + most;
        l->faults = 0;
        walked++;
    }
    l->since = rate > 0 ? due(l) : at;
    l->over = l->since >= until;
    if (l->over || l->since > at) return;
    if (at - l->since > latest) latest = at - l->since;
    l->turns++;
    l->sent = l->got = 0;
    l->busy = 1;
    if (l->fd < 0) dial(l);
    else push(l);
}

static void answered(lane *l, const char *body, size_t length)
{
    const message *m = &messages[l->next];
    last_answer = now();
    times[answers++] = last_answer - l->since;
    int taken = !strncmp(l->in, "HTTP/1.1 200", 12), silent = taken && (!length || (length == 7 && !memcmp(body, "success", 7)));
    if (silent) blank++;
    else if (taken && (!mark || memmem(body, length, mark, strlen(mark)))) good++;
    else bad++, l->faults++;
    if (sample && !silent && m->dialogue % every == 0) {
        uint32_t head[3] = { m->dialogue, m->turn, (uint32_t)length };
        fwrite(head, sizeof head, 1, sample);
        fwrite(body, 1, length, sample);
    }
    const char *closing = strcasestr(l->in, "\r\nConnection: close");
    if (closing && closing < body) hang_up(l);
    l->busy = 0;
    if (++l->next == l->end && l->whole && !l->faults) complete++;
    go_on(l);
}

static void pull(lane *l)
{
    if (l->room < l->got + 8192) {
        l->room = l->got + 16384;
        if (!(l->in = realloc(l->in, l->room))) stop("memory");
    }
    ssize_t came = recv(l->fd, l->in + l->got, l->room - l->got - 1, 0);
    if (came < 0 && errno == EAGAIN) return;
    if (came <= 0) return l->busy ? lost(l) : hang_up(l);
    l->got += came;
    l->in[l->got] = 0;
    char *body = strstr(l->in, "\r\n\r\n"), *field = strcasestr(l->in, "\r\nContent-Length:");
    if (!body) return;
    body += 4;
    if (!field || field > body) lost(l); /* every server here says how long its answer is */
    else if (l->got >= (size_t)(body - l->in) + strtoul(field + 17, NULL, 10))
        answered(l, body, l->got - (body - l->in));
}

static void set_timer(void) /* to the earliest message that is not yet due */
{
    uint64_t earliest = UINT64_MAX;
    for (int i = 0; i < lanes_wanted; i++)
        if (!lanes[i].busy && !lanes[i].over && due(&lanes[i]) < earliest) earliest = due(&lanes[i]);
    if (earliest == UINT64_MAX) return;
    struct itimerspec at = { .it_value = { earliest / 1000000000u, earliest % 1000000000u } };
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL) < 0) stop("timerfd_settime");
}

static void run(void)
{
    struct epoll_event events[256];
    uint64_t patience = until + 10000000000u;
    for (int i = 0; i < lanes_wanted; i++) go_on(&lanes[i]);
    for (;;) {
        int under_way = 0;
        for (int i = 0; i < lanes_wanted; i++) under_way += !lanes[i].over;
        if (!under_way || now() > patience) break;
        if (rate > 0) set_timer();
        int ready = epoll_wait(epoll, events, 256, 200);
        if (ready < 0 && errno != EINTR) stop("epoll_wait");
        for (int i = 0; i < ready; i++) {
            lane *l = events[i].data.ptr;
            uint64_t rung;
            if (!l) (void)!read(timer, &rung, sizeof rung);
            else if (l->fd >= 0 && l->writing) push(l);
            else if (l->fd >= 0) pull(l);
        }
        if (rate > 0)
            for (int i = 0; i < lanes_wanted; i++)
                if (!lanes[i].busy && !lanes[i].over) go_on(&lanes[i]);
    }
    for (int i = 0; i < lanes_wanted; i++) broken += lanes[i].busy;
}

static int shorter(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double percentile(double part)
{
    size_t at = (size_t)(part * answers);
    return answers ? times[at < answers ? at : answers - 1] / 1e3 : 0;
}

int main(int count, char **words)
{
    for (int option; (option = getopt(count, words, "p:f:a:b:c:t:r:n:m:k:o:")) != -1;) switch (option) {
    case 'p': port = atoi(optarg); break;
    case 'f': file = optarg; break;
    case 'a': first = strtoul(optarg, NULL, 10); break;
    case 'b': last = strtoul(optarg, NULL, 10); break;
    case 'c': lanes_wanted = atoi(optarg); break;
    case 't': seconds = atof(optarg); break;
    case 'r': rate = atof(optarg); break;
    case 'n': most = strtoul(optarg, NULL, 10); break;
    case 'm': mark = optarg; break;
    case 'k': every = atoi(optarg); break;
    case 'o': sample_path = optarg; break;
    default: return 2;
    }
    if (!port || !file || lanes_wanted < 1) return fputs("load: -p and -f are needed\n", stderr), 2;
    read_file();
    if (every && sample_path && !(sample = fopen(sample_path, "wb"))) stop(sample_path);
    lanes = calloc(lanes_wanted, sizeof *lanes);
    times = malloc((messages_known + 1) * sizeof *times);
    epoll = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    if (!lanes || !times || epoll < 0 || timer < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) < 0) stop("start");
    for (int i = 0; i < lanes_wanted; i++) lanes[i].fd = -1, lanes[i].number = i;
    begun = now();
    until = begun + (uint64_t)(seconds * 1e9);
    run();
    if (sample) fclose(sample);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    qsort(times, answers, sizeof *times, shorter);
    printf("{\"answers\":%zu,\"good\":%zu,\"blank\":%zu,\"bad\":%zu,\"broken\":%zu,\"dialogues\":%zu,\"complete\":%zu,\"seconds\":%.4f,"
           "\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"late_us\":%.1f,\"own_cpu_s\":%.3f}\n",
           answers, good, blank, bad, broken, walked, complete, answers ? (last_answer - begun) / 1e9 : seconds,
           percentile(.5), percentile(.99), percentile(1), latest / 1e3, cpu);
    return 0;
}
