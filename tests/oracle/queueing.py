"""Closed forms of queueing theory, for the tests of the event loop. Times in any one unit."""

from math import factorial


def erlang_c(servers, load):
    """Probability of waiting in M/M/c; ``load`` is arrivals times service time."""
    top = load**servers / factorial(servers) * servers / (servers - load)
    return top / (sum(load**k / factorial(k) for k in range(servers)) + top)


def mmc_sojourn(servers, gap, service):
    load = service / gap
    return service + erlang_c(servers, load) * service / (servers - load)


def mg1_sojourn(gap, mean, second_moment):
    """Pollaczek and Khinchine."""
    return mean + second_moment / gap / (2 * (1 - mean / gap))


def mva(demands, population, think=0.0, servers=None):
    """Exact mean value analysis: (throughput, residence per station, queue per station).

    Reiser and Lavenberg 1980. Single servers; with ``servers`` the load-dependent form.
    """
    servers = servers or [1] * len(demands)
    queue = [0.0] * len(demands)
    # p[k][j]: probability of j customers at station k
    p = [[1.0] + [0.0] * population for _ in demands]
    for n in range(1, population + 1):
        residence = [
            d * (1 + q) if c == 1 else d * sum(j / min(j, c) * p[k][j - 1] for j in range(1, n + 1))
            for k, (d, q, c) in enumerate(zip(demands, queue, servers, strict=True))
        ]
        rate = n / (think + sum(residence))
        queue = [rate * r for r in residence]
        for k, (d, c) in enumerate(zip(demands, servers, strict=True)):
            new = [0.0] * (population + 1)
            for j in range(1, n + 1):
                new[j] = rate * d / min(j, c) * p[k][j - 1]
            new[0] = 1 - sum(new)
            p[k] = new
    return rate, residence, queue


def fork_join_2(gap, service):
    """Exact mean response of two M/M/1 queues whose bio waits for both (Flatto and Hahn 1984)."""
    use = service / gap
    return (12 - use) / 8 * service / (1 - use)
