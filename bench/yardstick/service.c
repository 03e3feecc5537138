/* A closed or open network of c-server queues with exponential service, by hand: the algorithm of
 * _core/events/*.pxi (4-ary heap whose root is replaced, linked queues, one counter-based stream
 * per station, HdrHistogram counts) and nothing else. A bio visits every station in order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint32_t u32;
typedef uint64_t u64;

#define NONE 0xFFFFFFFFu
#define EXPORT __attribute__((visibility("default")))
#define GAMMA 0x9E3779B97F4A7C15ULL

struct event { double at; u32 visit, arrival; };
struct station {
    double mean, last, area_here, area_busy, sojourn, waited;
    u64 key, draws, done;
    u32 servers, free, head, tail, waiting, most_waiting, here, busy;
};
struct visit { double arrived, began, start; u32 next, station; };
struct net {
    struct event *heap;
    u32 size, hole;
    double now;
    struct station *st;
    u32 stations;
    struct visit *visits;       /* one per bio: it is at one station at a time */
    u32 free_visit, *free_next;
    u64 key, draws, finished, *lat;
    double gap;
};
struct result { double elapsed, sojourn, here, busy, lat; u64 done; };

static u64 mix(u64 z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

/* by the series of atanh, as the core */
static double minus_log(double u)
{
    u64 bits;
    memcpy(&bits, &u, 8);
    double e = (double)((int64_t)(bits >> 52) - 1023), m;
    bits = (bits & 0xFFFFFFFFFFFFFULL) | 0x3FF0000000000000ULL;
    memcpy(&m, &bits, 8);
    double z = (m - 1.4142135623730951) / (m + 1.4142135623730951), w = z * z, sum = 0;
    for (int k = 15; k > 1; k -= 2)
        sum = w * (1.0 / k + sum);
    return -((e + 0.5) * 0.6931471805599453 + 2.0 * z * (1.0 + sum));
}

static double exponential(u64 key, u64 *draws)
{
    u64 r = mix(key + ++*draws * GAMMA);
    return minus_log(((double)(r >> 11) + 0.5) * (1.0 / 9007199254740992.0));
}

static void sink(struct event *heap, u32 size, struct event e)
{
    u32 at = 0;
    for (;;) {
        u32 child = 4 * at + 1, last = child + 4, least = child;
        if (child >= size)
            break;
        if (last > size)
            last = size;
        while (++child < last)
            least = heap[child].at < heap[least].at ? child : least;
        if (heap[least].at >= e.at)
            break;
        heap[at] = heap[least];
        at = least;
    }
    heap[at] = e;
}

static void push(struct net *n, double at, u32 visit, u32 arrival)
{
    struct event e = {at, visit, arrival};
    if (n->hole) {
        n->hole = 0;
        sink(n->heap, n->size, e);
        return;
    }
    u32 i = n->size++;
    while (i && n->heap[(i - 1) / 4].at > at) {
        n->heap[i] = n->heap[(i - 1) / 4];
        i = (i - 1) / 4;
    }
    n->heap[i] = e;
}

static void account(struct station *st, double now)
{
    double span = now - st->last;
    st->area_here += span * st->here;
    st->area_busy += span * st->busy;
    st->last = now;
}

static void serve(struct net *n, struct station *st, u32 v)
{
    n->visits[v].began = n->now;
    push(n, n->now + st->mean * exponential(st->key, &st->draws), v, 0);
}

static void arrive(struct net *n, u32 v, u32 station)
{
    struct station *st = &n->st[station];
    account(st, n->now);
    n->visits[v].arrived = n->now;
    n->visits[v].station = station;
    st->here++;
    if (st->free) {
        st->free--;
        st->busy++;
        serve(n, st, v);
        return;
    }
    n->visits[v].next = NONE;
    if (st->head == NONE)
        st->head = v;
    else
        n->visits[st->tail].next = v;
    st->tail = v;
    if (++st->waiting > st->most_waiting)
        st->most_waiting = st->waiting;
}

static int launch(struct net *n)
{
    u32 v = n->free_visit;
    if (v == NONE)
        return 0;
    n->free_visit = n->free_next[v];
    n->visits[v].start = n->now;
    arrive(n, v, 0);
    return 1;
}

static void finish(struct net *n, u32 v, double *lat)
{
    double took = n->now - n->visits[v].start;
    u64 ns = (u64)(took + 0.5);
    int bucket = 63 - __builtin_clzll(ns | 2047) - 10;
    n->lat[(u64)bucket * 1024 + (ns >> bucket)]++;
    *lat += took;
    n->finished++;
    n->free_next[v] = n->free_visit;
    n->free_visit = v;
}

/* depth > 0: closed; else open with mean gap `gap`. 1: too many in flight. */
EXPORT int service_run(u32 stations, const double *mean, const int32_t *servers, u32 depth,
                       double gap, u64 seed, u64 bios, u32 cap, u64 *lat, struct result *out)
{
    struct net n = {.stations = stations, .gap = gap, .lat = lat};
    int status = 0;
    u64 key = mix(seed + GAMMA);
    n.key = mix(key);
    n.heap = calloc(cap + 8, sizeof *n.heap);
    n.st = calloc(stations, sizeof *n.st);
    n.visits = calloc(cap, sizeof *n.visits);
    n.free_next = calloc(cap, sizeof *n.free_next);
    for (u32 i = 0; i < stations; i++) {
        struct station *st = &n.st[i];
        st->mean = mean[i];
        st->servers = st->free = (u32)servers[i];
        st->head = st->tail = NONE;
        st->key = mix(key + (i + 1) * 0xD1B54A32D192ED03ULL);
    }
    for (u32 i = 0; i < cap; i++)
        n.free_next[i] = i + 1 < cap ? i + 1 : NONE;
    for (u32 i = 0; i < depth; i++)
        launch(&n);
    if (!depth)
        push(&n, gap * exponential(n.key, &n.draws), 0, 1);
    *out = (struct result){0};
    while (n.finished < bios && !status) {
        if (n.hole) {
            n.hole = 0;
            if (--n.size)
                sink(n.heap, n.size, n.heap[n.size]);
        }
        struct event e = n.heap[0];
        n.hole = 1;
        n.now = e.at;
        if (e.arrival) {
            if (!launch(&n))
                status = 1;
            push(&n, n.now + gap * exponential(n.key, &n.draws), 0, 1);
            continue;
        }
        struct visit *v = &n.visits[e.visit];
        struct station *st = &n.st[v->station];
        account(st, n.now);
        st->sojourn += n.now - v->arrived;
        st->waited += v->began - v->arrived;
        st->done++;
        st->here--;
        if (st->head != NONE) {
            u32 next = st->head;
            st->head = n.visits[next].next;
            st->waiting--;
            serve(&n, st, next);
        } else {
            st->busy--;
            st->free++;
        }
        if (v->station + 1 < stations) {
            arrive(&n, e.visit, v->station + 1);
        } else {
            finish(&n, e.visit, &out->lat);
            if (depth)
                launch(&n);
        }
    }
    out->elapsed = n.now;
    for (u32 i = 0; i < stations; i++) {
        account(&n.st[i], n.now);
        out->sojourn += n.st[i].sojourn;
        out->here += n.st[i].area_here;
        out->busy += n.st[i].area_busy;
        out->done += n.st[i].done;
    }
    free(n.heap);
    free(n.st);
    free(n.visits);
    free(n.free_next);
    return status;
}
